/* Grad-CAM on the maps of the encoders, and the cross-modal attention as maps. */
#include "cmus/explanation.h"
#include "cmus/memory.h"

/* heat [tokens] = max(0, sum over channels of the gradient's mean over the tokens times the map [tokens][channels]). */
static void grad_cam(const float *map, const float *d_map, int tokens, int channels, float *heat) {
    double *weight = cmus_allocate((size_t)channels, sizeof *weight);
    for (int t = 0; t < tokens; t++)
        for (int c = 0; c < channels; c++)
            weight[c] += (double)d_map[t * channels + c] / tokens;
    for (int t = 0; t < tokens; t++) {
        double sum = 0;
        for (int c = 0; c < channels; c++)
            sum += weight[c] * (double)map[t * channels + c];
        heat[t] = sum < 0 ? 0 : (float)sum; /* a NaN must show */
    }
    cmus_free(weight);
}

/* looked [tokens] = mean over softmaxes and queries of probability [softmaxes][queries][keys]. */
static void mean_attention(const float *probability, int softmaxes, int tokens, float *looked) {
    int rows = softmaxes * tokens;
    for (int key = 0; key < tokens; key++) {
        double sum = 0;
        for (int row = 0; row < rows; row++)
            sum += (double)probability[row * tokens + key];
        looked[key] = (float)(sum / rows);
    }
}

static int side_of(int tokens) {
    int side = 1;
    while (side * side < tokens)
        side++;
    return side;
}

void cmus_explain(const cmus_net *net, const cmus_case *one, const float *maps, cmus_head head, int class_number,
                  cmus_explanation *explanation) {
    int tokens = cmus_net_tokens(net), channels = (int)cmus_net_channels(net), softmaxes = cmus_net_softmaxes(net);
    size_t map = cmus_net_map_size(net), count = (size_t)tokens, images = (size_t)one->tem_count + 2;
    float *d_maps = cmus_allocate_raw(images * map, sizeof *d_maps), *probability[CMUS_MODALITIES] = {NULL};
    for (int m = CMUS_OM; m <= CMUS_IM; m++)
        probability[m] = cmus_allocate_raw((size_t)softmaxes * count * count, sizeof(float));
    cmus_net_logit_gradient(net, one, maps, head, class_number, d_maps, probability);
    *explanation = (cmus_explanation){.side = side_of(tokens), .tem_count = one->tem_count};
    size_t first = 0;
    for (int m = 0; m < CMUS_MODALITIES; m++) {
        size_t own = m == CMUS_TEM ? (size_t)one->tem_count : 1;
        explanation->heat[m] = cmus_allocate_raw(own * count, sizeof(float));
        for (size_t i = 0; i < own; i++, first++)
            grad_cam(maps + first * map, d_maps + first * map, tokens, channels, explanation->heat[m] + i * count);
        if (!probability[m])
            continue;
        explanation->attention[m] = cmus_allocate_raw(count, sizeof(float));
        mean_attention(probability[m], softmaxes, tokens, explanation->attention[m]);
        cmus_free(probability[m]);
    }
    cmus_free(d_maps);
}

void cmus_explanation_free(cmus_explanation *explanation) {
    for (int m = 0; m < CMUS_MODALITIES; m++) {
        cmus_free(explanation->heat[m]);
        cmus_free(explanation->attention[m]);
    }
    *explanation = (cmus_explanation){0};
}
