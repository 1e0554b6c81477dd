/* Reading of shards. The first byte of an input says what it is: 0x89, with which HDF5 files begin, the bytes of a
 * shard as they are; any other: changes of content, written by HDF5 (shard_recipe.h), the three low bits of that byte
 * being the modalities (cmus_image_kind) that the data set lacks; 7: none. */
#include <string.h>

#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "fuzz.h"
#include "shard.h"
#include "shard_recipe.h"

enum { MOST_IMAGES = 16 };

/* What cmus_shard_load() promises of a shard that it accepts. */
static void check_promises(const cmus_shard *shard) {
    for (int i = 0; i < shard->cases; i++) {
        if (shard->label[i] < 0 || shard->label[i] >= CMUS_RECIPE_CLASSES)
            cmus_fatal("label %d of case %d was accepted", shard->label[i], i);
        if (shard->has[CMUS_IMAGE_TEM] && shard->tem_offset[i + 1] <= shard->tem_offset[i])
            cmus_fatal("the bag of case %d was accepted", i);
        if (!*cmus_shard_case_id(shard, i) || strlen(cmus_shard_case_id(shard, i)) > CMUS_ID_BYTES)
            cmus_fatal("the id of case %d was accepted", i);
        if (!*cmus_shard_patient_id(shard, i) || strlen(cmus_shard_patient_id(shard, i)) > CMUS_ID_BYTES)
            cmus_fatal("the patient of case %d was accepted", i);
    }
}

static void read_images(cmus_shard *shard) {
    for (cmus_image_kind kind = CMUS_IMAGE_TEM; kind <= CMUS_IMAGE_IM; kind++) {
        if (!shard->has[kind])
            continue;
        int64_t count = kind == CMUS_IMAGE_TEM ? shard->tem_offset[shard->cases] : shard->cases;
        size_t channels = kind == CMUS_IMAGE_TEM ? (size_t)shard->tem_channels : 3;
        uint8_t *image = cmus_allocate_raw((size_t)shard->image_size * (size_t)shard->image_size, channels);
        for (int64_t i = 0; i < count && i < MOST_IMAGES; i++)
            if (cmus_shard_image(shard, kind, i, image) != CMUS_OK)
                cmus_fuzz_reached(cmus_last_error());
        cmus_free(image);
    }
}

static cmus_status read_shard(const bool has[CMUS_IMAGE_KINDS]) {
    cmus_shard_entry entry = {.file = (char *)CMUS_FUZZ_FILE, .cases = CMUS_RECIPE_CASES};
    cmus_dataset_index index = {.image_size = CMUS_RECIPE_SIDE,
                                .class_count = CMUS_RECIPE_CLASSES,
                                .classes = (char **)cmus_recipe_classes,
                                .cases = CMUS_RECIPE_CASES,
                                .shard_count = 1,
                                .shards = &entry};
    memcpy(index.has, has, sizeof index.has);
    cmus_shard shard;
    cmus_status status = cmus_shard_load(cmus_fuzz_folder(), &index, &entry, true, &shard);
    if (status == CMUS_OK) {
        check_promises(&shard);
        read_images(&shard);
    } else {
        cmus_fuzz_reached(cmus_last_error());
    }
    cmus_shard_free(&shard);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool started;
    if (!started) /* buffers are not kept for later use, which would hide errors from AddressSanitizer */
        H5set_free_list_limits(-1, -1, 0, 0, 0, 0);
    started = true;
    if (size == 0)
        return 0;
    unsigned lacking = *data == 0x89 || (*data & 7) == 7 ? 0 : *data & 7;
    const bool has[CMUS_IMAGE_KINDS] = {!(lacking & 1), !(lacking & 2), !(lacking & 4)};
    if (*data == 0x89)
        cmus_fuzz_file(data, size);
    else
        cmus_shard_recipe_write(cmus_fuzz_file(NULL, 0), has, data + 1, size - 1);
    if (read_shard(has) != CMUS_OK && size == 1 && *data != 0x89)
        cmus_fatal("the right shard is refused: %s", cmus_last_error());
    return 0;
}
