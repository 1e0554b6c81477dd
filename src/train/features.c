/* features.safetensors (declared in evaluate.h). */
#include <string.h>

#include "cmus/evaluate.h"
#include "cmus/safetensors.h"

/* The columns of one tensor among a case's features. */
typedef struct columns {
    const cmus_prediction *predictions;
    size_t first, width;
} columns;

static void fill(void *context, size_t count, void *values) {
    const columns *c = context;
    for (size_t i = 0; i < count / c->width; i++)
        memcpy((float *)values + i * c->width, c->predictions[i].result.features + c->first, c->width * sizeof(float));
}

cmus_status cmus_features_write(const char *path, const cmus_prediction *predictions, int count, size_t channels) {
    columns parts[CMUS_MODALITIES + 1];
    cmus_tensor_source tensors[CMUS_MODALITIES + 1];
    for (size_t m = 0; m <= CMUS_MODALITIES; m++) {
        bool fused = m == CMUS_MODALITIES;
        parts[m] =
            (columns){predictions, m * channels, fused ? (CMUS_FEATURES - CMUS_FEATURES_FUSED) * channels : channels};
        tensors[m] = (cmus_tensor_source){.name = fused ? "fused" : cmus_modality_names[m],
                                          .type = "F32",
                                          .dimensions = 2,
                                          .shape = {count, (int64_t)parts[m].width},
                                          .context = &parts[m],
                                          .get = fill};
    }
    return cmus_safetensors_write(path, tensors, sizeof tensors / sizeof tensors[0], NULL, 0);
}
