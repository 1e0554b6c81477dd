/* Whole cases behind the encoders: the bag's map, attention, heads, losses, and the gradients back to the maps. */
#include <string.h>

#include "cmus/memory.h"
#include "cmus/smil.h"
#include "net_internal.h"

typedef struct fusion {
    const cmus_net *net;
    const cmus_case *cases;
    int count;
    size_t map;        /* floats of a map */
    const float *maps; /* case after case: TEM images, OM, IM */
    double *weight;    /* of each image in its case's map; 1 for OM and IM */
    float *joined;     /* TEM maps of the cases [count][map], then OM, then IM: after pooling of the bag */
    float *attended;   /* OM' and IM' [2 count][map] */
    cmus_cross_attention_tape attention;
    cmus_heads_tape heads;
} fusion;

/* The case's map of TEM: its images by their weights; how they were weighted goes into the result. */
static void pool_bag(const fusion *f, int c, size_t first, cmus_case_result *result) {
    int images = f->cases[c].tem_count;
    double *distance = cmus_allocate((size_t)images, sizeof *distance), *weight = f->weight + first;
    bool *kept = cmus_allocate((size_t)images, sizeof *kept);
    const float *maps = f->maps + first * f->map;
    cmus_smil smil = cmus_smil_weights(maps, images, f->map, f->net->config.distance_t, weight, distance, kept);
    float *bag = f->joined + (size_t)c * f->map;
    memset(bag, 0, f->map * sizeof *bag);
    for (int i = 0; i < images; i++) {
        float factor = (float)weight[i];
        for (size_t k = 0; k < f->map; k++) /* 0 too: 0 * NaN must show, as it does in PyTorch */
            bag[k] += factor * maps[(size_t)i * f->map + k];
        if (result->tem_weight)
            result->tem_weight[i] = factor;
        if (result->tem_distance)
            result->tem_distance[i] = (float)distance[i];
        if (result->tem_kept)
            result->tem_kept[i] = kept[i];
    }
    result->centre = smil.centre;
    result->mean_distance = smil.mean_distance;
    cmus_free(distance);
    cmus_free(kept);
}

/* The maps of all cases by modality. */
static void join(const fusion *f, cmus_case_result *results) {
    size_t first = 0, count = (size_t)f->count, bytes = f->map * sizeof(float);
    for (size_t c = 0; c < count; c++) {
        pool_bag(f, (int)c, first, &results[c]);
        first += (size_t)f->cases[c].tem_count;
        memcpy(f->joined + (count + c) * f->map, f->maps + first * f->map, bytes);
        memcpy(f->joined + (2 * count + c) * f->map, f->maps + (first + 1) * f->map, bytes);
        f->weight[first] = f->weight[first + 1] = 1;
        first += 2;
    }
}

/* pooled [count][channels]: mean over the tokens of each map. */
static void mean_tokens(const fusion *f, const float *maps, float *pooled) {
    int tokens = f->net->attention.tokens, channels = f->net->attention.channels;
    for (int i = 0; i < f->count; i++)
        for (int c = 0; c < channels; c++) {
            double sum = 0;
            for (int t = 0; t < tokens; t++)
                sum += (double)maps[(size_t)i * f->map + (size_t)(t * channels + c)];
            pooled[(size_t)i * (size_t)channels + (size_t)c] = (float)(sum / tokens);
        }
}

/* d_maps [count][tokens][channels] = d_pooled / tokens for every token. */
static void mean_tokens_backward(const fusion *f, float *d_maps, const float *d_pooled) {
    int tokens = f->net->attention.tokens, channels = f->net->attention.channels;
    for (int i = 0; i < f->count; i++)
        for (int t = 0; t < tokens; t++)
            for (int c = 0; c < channels; c++)
                d_maps[(size_t)i * f->map + (size_t)(t * channels + c)] =
                    d_pooled[(size_t)i * (size_t)channels + (size_t)c] / (float)tokens;
}

/* Where the results ask for them. */
static void give_features(const fusion *f, cmus_case_result *results) {
    if (!results[0].features)
        return;
    size_t count = (size_t)f->count, channels = cmus_net_channels(f->net), fused = CMUS_MODALITIES * channels;
    float *own = cmus_allocate_raw(CMUS_MODALITIES * count * channels, sizeof *own);
    for (size_t m = 0; m < CMUS_MODALITIES; m++)
        mean_tokens(f, f->joined + m * count * f->map, own + m * count * channels);
    for (size_t c = 0; c < count; c++) {
        float *features = results[c].features;
        for (size_t m = 0; m < CMUS_MODALITIES; m++)
            memcpy(features + m * channels, own + (m * count + c) * channels, channels * sizeof *own);
        memcpy(features + CMUS_FEATURES_FUSED * channels, f->heads.joined + c * fused, fused * sizeof *own);
    }
    cmus_free(own);
}

/* Attention and heads on the joined maps, and what came out. */
static void attend(fusion *f, bool training, cmus_case_result *results) {
    const cmus_net *net = f->net;
    size_t count = (size_t)f->count, channels = (size_t)net->attention.channels;
    cmus_cross_attention_forward(&net->attention, net->weights, f->attended, f->joined, f->joined + count * f->map,
                                 f->count, &f->attention);
    float *pooled = cmus_allocate_raw(CMUS_MODALITIES * count * channels, sizeof *pooled);
    mean_tokens(f, f->joined, pooled);
    mean_tokens(f, f->attended, pooled + count * channels);
    mean_tokens(f, f->attended + count * f->map, pooled + 2 * count * channels);
    const float *parts[CMUS_MODALITIES] = {pooled, pooled + count * channels, pooled + 2 * count * channels};
    const float **dropout = cmus_allocate(count, sizeof *dropout);
    for (int c = 0; training && c < f->count; c++)
        dropout[c] = f->cases[c].dropout;
    cmus_heads_forward(&net->heads, net->weights, parts, dropout, f->count, &f->heads);
    for (int c = 0; c < f->count; c++)
        cmus_heads_result(&net->heads, &f->heads, c, f->cases[c].label, &results[c]);
    give_features(f, results);
    cmus_free(dropout);
    cmus_free(pooled);
}

/* d_logits [4 heads][count][classes] by head. */
static void logits_by_head(const fusion *f, float *d_logits, float *by_head[CMUS_HEADS]) {
    for (int h = 0; h < CMUS_HEADS; h++)
        by_head[h] = d_logits + (size_t)h * (size_t)f->count * (size_t)f->net->heads.classes;
}

/* d_joined [3 count][map]: gradients of the joined maps, from d_logits [4 heads][count][classes] (overwritten) on;
 * gradient (NULL: not needed) +=. */
static void attend_backward(const fusion *f, float *d_logits, float *gradient, float *d_joined) {
    const cmus_net *net = f->net;
    size_t count = (size_t)f->count, channels = (size_t)net->attention.channels;
    float *d_pooled = cmus_allocate_raw(CMUS_MODALITIES * count * channels, sizeof *d_pooled);
    float *d_attended = cmus_allocate_raw(2 * count * f->map, sizeof *d_attended), *by_head[CMUS_HEADS];
    float *parts[CMUS_MODALITIES] = {d_pooled, d_pooled + count * channels, d_pooled + 2 * count * channels};
    logits_by_head(f, d_logits, by_head);
    cmus_heads_backward(&net->heads, net->weights, gradient, &f->heads, by_head, f->count, parts);
    mean_tokens_backward(f, d_joined, parts[CMUS_TEM]);
    mean_tokens_backward(f, d_attended, parts[CMUS_OM]);
    mean_tokens_backward(f, d_attended + count * f->map, parts[CMUS_IM]);
    cmus_cross_attention_backward(&net->attention, net->weights, gradient, d_joined, d_joined + count * f->map,
                                  d_attended, f->joined, f->joined + count * f->map, f->count, &f->attention);
    cmus_free(d_attended);
    cmus_free(d_pooled);
}

/* d_joined [3 count][map] = scale * gradients of the losses; gradient +=. */
static void losses_backward(const fusion *f, double scale, float *gradient, float *d_joined) {
    const cmus_net *net = f->net;
    size_t count = (size_t)f->count;
    float *d_logits = cmus_allocate_raw(CMUS_HEADS * count * (size_t)net->heads.classes, sizeof *d_logits);
    float *by_head[CMUS_HEADS];
    int *labels = cmus_allocate(count, sizeof *labels);
    for (int c = 0; c < f->count; c++)
        labels[c] = f->cases[c].label;
    logits_by_head(f, d_logits, by_head);
    cmus_heads_loss_backward(&net->heads, &f->heads, labels, scale, f->count, by_head);
    attend_backward(f, d_logits, gradient, d_joined);
    cmus_free(labels);
    cmus_free(d_logits);
}

/* From the joined maps to those of the images: the way of join() back. */
static void split(const fusion *f, const float *d_joined, float *d_maps, bool *used) {
    size_t at = 0, count = (size_t)f->count, bytes = f->map * sizeof(float);
    for (size_t c = 0; c < count; c++) {
        const float *d_bag = d_joined + c * f->map;
        for (int i = 0; i < f->cases[c].tem_count; i++, at++) {
            used[at] = f->weight[at] != 0;
            for (size_t k = 0; used[at] && k < f->map; k++)
                d_maps[at * f->map + k] = (float)f->weight[at] * d_bag[k];
        }
        for (size_t other = 1; other <= 2; other++, at++) {
            used[at] = true;
            memcpy(d_maps + at * f->map, d_joined + (other * count + c) * f->map, bytes);
        }
    }
}

static size_t count_images(const cmus_case *cases, int count) {
    size_t images = 0;
    for (int c = 0; c < count; c++)
        images += (size_t)cases[c].tem_count + 2;
    return images;
}

/* Cases on their way behind the encoders; free with drop(). */
static fusion start(const cmus_net *net, const cmus_case *cases, int count, const float *maps) {
    fusion f = {.net = net, .cases = cases, .count = count, .map = cmus_net_map_size(net), .maps = maps};
    size_t values = (size_t)count * f.map;
    f.weight = cmus_allocate(count_images(cases, count), sizeof *f.weight);
    f.joined = cmus_allocate_raw(CMUS_MODALITIES * values, sizeof *f.joined);
    f.attended = cmus_allocate_raw(2 * values, sizeof *f.attended);
    return f;
}

static void drop(fusion *f) {
    cmus_free(f->weight);
    cmus_free(f->joined);
    cmus_free(f->attended);
    cmus_cross_attention_free(&f->attention);
    cmus_heads_free(&f->heads);
}

/* All cases at once. */
static void fuse(cmus_net *net, const cmus_case *cases, int count, const float *maps, double scale, float *d_maps,
                 bool *used, cmus_case_result *results) {
    fusion f = start(net, cases, count, maps);
    join(&f, results);
    attend(&f, d_maps != NULL, results);
    if (d_maps) {
        float *d_joined = cmus_allocate_raw(CMUS_MODALITIES * (size_t)count * f.map, sizeof *d_joined);
        losses_backward(&f, scale, net->gradient, d_joined);
        split(&f, d_joined, d_maps, used);
        cmus_free(d_joined);
    }
    drop(&f);
}

void cmus_net_fuse(cmus_net *net, const cmus_case *cases, int count, const float *maps, double scale, float *d_maps,
                   bool *used, cmus_case_result *results) {
    if (!net->exact) {
        if (count > 0)
            fuse(net, cases, count, maps, scale, d_maps, used, results);
        return;
    }
    size_t first = 0, map = cmus_net_map_size(net);
    for (int c = 0; c < count; c++) { /* each by itself: its share must not depend on the others here */
        fuse(net, cases + c, 1, maps + first * map, scale, d_maps ? d_maps + first * map : NULL,
             used ? used + first : NULL, results + c);
        if (d_maps)
            cmus_net_collect(net, cmus_net_fusion_begin(net), net->parameters.size);
        first += count_images(cases + c, 1);
    }
}

/* The gradient of one logit to the maps of one case; 0 for images that are left out. */
static void logit_backward(const fusion *f, cmus_head head, int class_number, float *d_maps) {
    size_t images = count_images(f->cases, f->count), classes = (size_t)f->net->heads.classes;
    float *d_logits = cmus_allocate(CMUS_HEADS * classes, sizeof *d_logits);
    float *d_joined = cmus_allocate_raw(CMUS_MODALITIES * f->map, sizeof *d_joined);
    bool *used = cmus_allocate(images, sizeof *used);
    d_logits[(size_t)head * classes + (size_t)class_number] = 1;
    attend_backward(f, d_logits, NULL, d_joined);
    split(f, d_joined, d_maps, used);
    for (size_t i = 0; i < images; i++)
        if (!used[i])
            memset(d_maps + i * f->map, 0, f->map * sizeof *d_maps);
    cmus_free(used);
    cmus_free(d_joined);
    cmus_free(d_logits);
}

void cmus_net_logit_gradient(const cmus_net *net, const cmus_case *one, const float *maps, cmus_head head,
                             int class_number, float *d_maps, float *const attention[CMUS_MODALITIES]) {
    cmus_case plain = {.tem_count = one->tem_count};
    cmus_case_result result = {0};
    fusion f = start(net, &plain, 1, maps);
    join(&f, &result);
    attend(&f, false, &result);
    logit_backward(&f, head, class_number, d_maps);
    size_t tokens = (size_t)net->attention.tokens, scores = (size_t)cmus_net_softmaxes(net) * tokens * tokens;
    for (size_t m = CMUS_OM; m <= CMUS_IM; m++)
        if (attention[m])
            memcpy(attention[m], f.attention.probability + (m - CMUS_OM) * scores, scores * sizeof(float));
    drop(&f);
}
