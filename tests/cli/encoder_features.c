/* encoder_features FILE IMAGE OUT SIZE EMBED DEPTHS HEADS: loads FILE as `cmus-train --init` does into a network of
 * these sizes ("2,2,6,2"), sends the image (raw float32 [3][SIZE][SIZE]) through the three encoders, writes their
 * features to OUT (raw float32 [TEM, OM, IM][tokens][channels]) and prints what was loaded and any warning.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cmus/cmusnet.h"
#include "cmus/file.h"
#include "cmus/memory.h"
#include "cmus/weights.h"

static void read_stages(const char *text, int values[CMUS_STAGES]) {
    if (sscanf(text, "%d,%d,%d,%d", &values[0], &values[1], &values[2], &values[3]) != CMUS_STAGES)
        exit(2);
}

static cmus_status write_features(cmus_net *net, const float *pixels, const char *path) {
    size_t size = CMUS_MODALITIES * cmus_net_map_size(net);
    float *maps = cmus_allocate(size, sizeof *maps);
    cmus_image images[CMUS_MODALITIES];
    for (int m = 0; m < CMUS_MODALITIES; m++)
        images[m] = (cmus_image){.modality = (cmus_modality)m, .pixels = pixels};
    cmus_net_encoding_free(cmus_net_encode(net, images, CMUS_MODALITIES, CMUS_KEEP_NOTHING, NULL, maps));
    cmus_status status = cmus_file_write(path, maps, size * sizeof *maps);
    cmus_free(maps);
    return status;
}

static cmus_status load(const char *path, cmus_net *net) {
    char *loaded, *warning;
    CMUS_TRY(cmus_weights_initialize(path, false, cmus_net_parameters(net), cmus_net_weights(net), &loaded, &warning));
    printf("%s\n", loaded);
    if (warning)
        printf("warning: %s\n", warning);
    cmus_free(loaded);
    cmus_free(warning);
    return CMUS_OK;
}

static cmus_status run(char **arguments) {
    cmus_net_config config = cmus_net_config_published();
    config.image_size = atoi(arguments[4]);
    config.embed_dim = atoi(arguments[5]);
    read_stages(arguments[6], config.depths);
    read_stages(arguments[7], config.heads);
    char *pixels;
    size_t bytes, wanted = 3 * (size_t)config.image_size * (size_t)config.image_size * sizeof(float);
    cmus_net *net;
    CMUS_TRY(cmus_net_create(&config, false, &net));
    cmus_status status = load(arguments[1], net);
    if (status == CMUS_OK)
        status = cmus_file_read(arguments[2], wanted, &pixels, &bytes);
    if (status == CMUS_OK) {
        status = bytes == wanted ? write_features(net, (const float *)(const void *)pixels, arguments[3])
                                 : cmus_fail(CMUS_ERROR_FORMAT, "%s: another size", arguments[2]);
        cmus_free(pixels);
    }
    cmus_net_free(net);
    return status;
}

int main(int count, char **arguments) {
    if (count != 8)
        return 2;
    if (run(arguments) == CMUS_OK)
        return 0;
    fprintf(stderr, "%s\n", cmus_last_error());
    return 1;
}
