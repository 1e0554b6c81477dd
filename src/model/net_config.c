/* Sizes and choices of a network, and the rules they must keep (declared in cmusnet.h). */
#include "cmus/cmusnet.h"

static const double GIB = 1024.0 * 1024.0 * 1024.0;

cmus_net_config cmus_net_config_published(void) {
    return (cmus_net_config){
        .embed_dim = 128,
        .depths = {2, 2, 18, 2},
        .heads = {4, 8, 16, 32},
        .image_size = 224,
        .classes = 3,
        .drop_path = 0.5,
        .dropout = 0.5,
        .tem_pooling = CMUS_POOLING_SMIL,
        .distance_t = 1.5,
        .attention = CMUS_ATTENTION_CMSA,
        .attention_heads = 4,
        .head_relu = true,
        .fusion = CMUS_FUSION_MLP,
        .fusion_hidden = 128,
        .loss_weight = {[CMUS_HEAD_FUSION] = 1.0, [CMUS_HEAD_OM] = 0.3, [CMUS_HEAD_IM] = 0.5, [CMUS_HEAD_TEM] = 0.2},
        .memory_bytes = 10 * GIB};
}

static cmus_status check_stages(const cmus_net_config *config) {
    for (int s = 0; s < CMUS_STAGES; s++) {
        int channels = config->embed_dim << s;
        if (config->depths[s] < 1 || config->depths[s] > CMUS_MAX_DEPTH)
            return cmus_fail(CMUS_ERROR_CONFIG, "depths: stage %d has %d blocks; use 1 to %d", s + 1, config->depths[s],
                             CMUS_MAX_DEPTH);
        if (config->heads[s] < 1 || channels % config->heads[s] != 0)
            return cmus_fail(CMUS_ERROR_CONFIG, "heads: stage %d has %d heads, which do not divide its %d channels",
                             s + 1, config->heads[s], channels);
    }
    return CMUS_OK;
}

cmus_status cmus_net_config_check(const cmus_net_config *config) {
    if (config->embed_dim < 1 || config->embed_dim > CMUS_MAX_EMBED_DIM)
        return cmus_fail(CMUS_ERROR_CONFIG, "embed_dim: %d; use 1 to %d", config->embed_dim, CMUS_MAX_EMBED_DIM);
    CMUS_TRY(check_stages(config));
    if (config->image_size < CMUS_MIN_IMAGE_SIZE || config->image_size > CMUS_MAX_IMAGE_SIZE)
        return cmus_fail(CMUS_ERROR_CONFIG, "image_size: %d; use %d to %d", config->image_size, CMUS_MIN_IMAGE_SIZE,
                         CMUS_MAX_IMAGE_SIZE);
    if (config->classes < 2 || config->classes > CMUS_MAX_CLASSES)
        return cmus_fail(CMUS_ERROR_CONFIG, "classes: there are %d; use 2 to %d", config->classes, CMUS_MAX_CLASSES);
    if (!(config->drop_path >= 0 && config->drop_path < 1))
        return cmus_fail(CMUS_ERROR_CONFIG, "drop_path: %g; use 0 up to, but not including 1", config->drop_path);
    if (!(config->dropout >= 0 && config->dropout < 1))
        return cmus_fail(CMUS_ERROR_CONFIG, "dropout: %g; use 0 up to, but not including 1", config->dropout);
    if (!(config->distance_t > 0))
        return cmus_fail(CMUS_ERROR_CONFIG, "distance_t: %g; use a number above 0", config->distance_t);
    int channels = config->embed_dim << (CMUS_STAGES - 1);
    if (config->attention_heads < 1 || channels % config->attention_heads != 0)
        return cmus_fail(CMUS_ERROR_CONFIG, "attention_heads: %d do not divide the %d channels",
                         config->attention_heads, channels);
    if (config->fusion_hidden < 1 || config->fusion_hidden > CMUS_MAX_FUSION_HIDDEN)
        return cmus_fail(CMUS_ERROR_CONFIG, "fusion_hidden: %d; use 1 to %d", config->fusion_hidden,
                         CMUS_MAX_FUSION_HIDDEN);
    for (int h = 0; h < CMUS_HEADS; h++)
        if (!(config->loss_weight[h] >= 0 && config->loss_weight[h] <= 1e6))
            return cmus_fail(CMUS_ERROR_CONFIG, "loss_weight_%s: %g; use 0 or more", cmus_head_names[h],
                             config->loss_weight[h]);
    return CMUS_OK;
}
