#include <string.h>

#include "cmus/memory.h"
#include "cmus/profile.h"
#include "cmus/smil.h"
#include "net_internal.h"

typedef struct group {
    cmus_net *net;
    const cmus_case *cases;
    int count;
    size_t map; /* floats of a map */
    cmus_keep keep;
    image_list lists[CMUS_MODALITIES];
    float *joined;   /* TEM maps of the cases [count][map], then OM, then IM: after pooling of the bag */
    float *attended; /* OM' and IM' [2 count][map] */
    cmus_cross_attention_tape attention;
    cmus_heads_tape heads;
} group;

image_list cmus_list_make(const cmus_net *net, const cmus_case *cases, int count, cmus_modality modality, bool drawn) {
    image_list list = {0};
    size_t pixels = 3 * (size_t)net->config.image_size * (size_t)net->config.image_size;
    size_t factors = 2 * (size_t)cmus_net_blocks(net);
    for (int c = 0; c < count; c++)
        list.count += modality == CMUS_TEM ? cases[c].tem_count : 1;
    list.chunks = cmus_net_chunks(net, list.count);
    list.pixels = cmus_allocate((size_t)list.count, sizeof *list.pixels);
    list.depth = cmus_allocate((size_t)list.count, sizeof *list.depth);
    list.weight = cmus_allocate((size_t)list.count, sizeof *list.weight);
    list.tapes = cmus_allocate((size_t)list.chunks, sizeof(cmus_swin_tape *));
    size_t at = 0;
    for (int c = 0; c < count; c++) {
        const cmus_case *from = &cases[c];
        int images = modality == CMUS_TEM ? from->tem_count : 1;
        for (int i = 0; i < images; i++, at++) {
            list.pixels[at] = from->images[modality] + (size_t)i * pixels;
            list.depth[at] = drawn && from->depth[modality] ? from->depth[modality] + (size_t)i * factors : NULL;
            list.weight[at] = 1;
        }
    }
    return list;
}

void cmus_list_free(image_list *list) {
    cmus_free(list->pixels);
    cmus_free(list->depth);
    cmus_free(list->weight);
    cmus_free(list->tapes);
    cmus_free(list->maps);
    cmus_free(list->d_maps);
}

/* An arena of at least `bytes`. It is made larger than that, as the next group may have drawn fewer branches to drop and
 * fresh memory is slow; what is never used takes no memory. */
static void reserve(cmus_arena *arena, size_t bytes) {
    if (bytes <= arena->size)
        return;
    cmus_arena_free(arena);
    *arena = cmus_arena_make(bytes + bytes / 2);
}

/* Maps of all images of a modality, chunk after chunk. */
static void encode(group *g, cmus_modality modality) {
    cmus_net *net = g->net;
    image_list *list = &g->lists[modality];
    for (int c = 0; c < list->chunks; c++) {
        int begin = cmus_chunk_begin(list, c), images = cmus_chunk_begin(list, c + 1) - begin;
        if (g->keep == CMUS_KEEP_NOTHING)
            cmus_arena_reset(&net->tapes);
        list->tapes[c] =
            cmus_swin_forward(net->encoders[modality], net->weights, list->pixels + begin, list->depth + begin, images,
                              g->keep, &net->tapes, &net->scratch, list->maps + (size_t)begin * g->map);
    }
}

/* Weights of the TEM images and the map of each case's bag. */
static void pool_bags(group *g, cmus_case_result *results) {
    image_list *list = &g->lists[CMUS_TEM];
    size_t at = 0;
    for (int c = 0; c < g->count; c++) {
        int images = g->cases[c].tem_count;
        double *distance = cmus_allocate((size_t)images, sizeof *distance);
        bool *kept = cmus_allocate((size_t)images, sizeof *kept);
        cmus_smil smil = cmus_smil_weights(list->maps + at * g->map, images, g->map, g->net->config.distance_t,
                                           list->weight + at, distance, kept);
        float *bag = g->joined + (size_t)c * g->map;
        memset(bag, 0, g->map * sizeof *bag);
        for (int i = 0; i < images; i++, at++) {
            float weight = (float)list->weight[at];
            for (size_t k = 0; k < g->map; k++) /* 0 too: 0 * NaN must show, as it does in PyTorch */
                bag[k] += weight * list->maps[at * g->map + k];
            if (results[c].tem_weight)
                results[c].tem_weight[i] = weight;
            if (results[c].tem_distance)
                results[c].tem_distance[i] = (float)distance[i];
            if (results[c].tem_kept)
                results[c].tem_kept[i] = kept[i];
        }
        results[c].centre = smil.centre;
        results[c].mean_distance = smil.mean_distance;
        cmus_free(distance);
        cmus_free(kept);
    }
}

/* pooled [count][channels]: mean over the tokens of each map. */
static void mean_tokens(const group *g, const float *maps, float *pooled) {
    int tokens = g->net->attention.tokens, channels = g->net->attention.channels;
    for (int i = 0; i < g->count; i++)
        for (int c = 0; c < channels; c++) {
            double sum = 0;
            for (int t = 0; t < tokens; t++)
                sum += (double)maps[(size_t)i * g->map + (size_t)(t * channels + c)];
            pooled[(size_t)i * (size_t)channels + (size_t)c] = (float)(sum / tokens);
        }
}

/* d_maps [count][tokens][channels] = d_pooled / tokens for every token. */
static void mean_tokens_backward(const group *g, float *d_maps, const float *d_pooled) {
    int tokens = g->net->attention.tokens, channels = g->net->attention.channels;
    for (int i = 0; i < g->count; i++)
        for (int t = 0; t < tokens; t++)
            for (int c = 0; c < channels; c++)
                d_maps[(size_t)i * g->map + (size_t)(t * channels + c)] =
                    d_pooled[(size_t)i * (size_t)channels + (size_t)c] / (float)tokens;
}

/* Attention and heads on the maps of all cases, and what came out. */
static void fuse(group *g, bool training, cmus_case_result *results) {
    cmus_net *net = g->net;
    size_t count = (size_t)g->count, channels = (size_t)net->attention.channels;
    memcpy(g->joined + count * g->map, g->lists[CMUS_OM].maps, count * g->map * sizeof(float));
    memcpy(g->joined + 2 * count * g->map, g->lists[CMUS_IM].maps, count * g->map * sizeof(float));
    cmus_cross_attention_forward(&net->attention, net->weights, g->attended, g->joined, g->joined + count * g->map,
                                 g->count, &g->attention);
    float *pooled = cmus_allocate_raw(CMUS_MODALITIES * count * channels, sizeof *pooled);
    mean_tokens(g, g->joined, pooled);
    mean_tokens(g, g->attended, pooled + count * channels);
    mean_tokens(g, g->attended + count * g->map, pooled + 2 * count * channels);
    const float *parts[CMUS_MODALITIES] = {pooled, pooled + count * channels, pooled + 2 * count * channels};
    const float **dropout = cmus_allocate(count, sizeof *dropout);
    for (int c = 0; training && c < g->count; c++)
        dropout[c] = g->cases[c].dropout;
    cmus_heads_forward(&net->heads, net->weights, parts, dropout, g->count, &g->heads);
    for (int c = 0; c < g->count; c++)
        cmus_heads_result(&net->heads, &g->heads, c, g->cases[c].label, &results[c]);
    cmus_free(dropout);
    cmus_free(pooled);
}

/* From the losses to the gradients of all images' maps. */
static void fuse_backward(group *g, double scale) {
    cmus_net *net = g->net;
    size_t count = (size_t)g->count, channels = (size_t)net->attention.channels;
    float *d_pooled = cmus_allocate_raw(CMUS_MODALITIES * count * channels, sizeof *d_pooled);
    float *d_bag = cmus_allocate_raw(count * g->map, sizeof *d_bag);
    float *d_attended = cmus_allocate_raw(2 * count * g->map, sizeof *d_attended);
    float *d_other = cmus_allocate_raw(2 * count * g->map, sizeof *d_other);
    int *labels = cmus_allocate(count, sizeof *labels);
    for (int c = 0; c < g->count; c++)
        labels[c] = g->cases[c].label;
    float *parts[CMUS_MODALITIES] = {d_pooled, d_pooled + count * channels, d_pooled + 2 * count * channels};
    cmus_heads_backward(&net->heads, net->weights, net->gradient, &g->heads, labels, scale, g->count, parts);
    mean_tokens_backward(g, d_bag, parts[CMUS_TEM]);
    mean_tokens_backward(g, d_attended, parts[CMUS_OM]);
    mean_tokens_backward(g, d_attended + count * g->map, parts[CMUS_IM]);
    cmus_cross_attention_backward(&net->attention, net->weights, net->gradient, d_bag, d_other, d_attended, g->joined,
                                  g->joined + count * g->map, g->count, &g->attention);
    memcpy(g->lists[CMUS_OM].d_maps, d_other, count * g->map * sizeof(float));
    memcpy(g->lists[CMUS_IM].d_maps, d_other + count * g->map, count * g->map * sizeof(float));
    image_list *tem = &g->lists[CMUS_TEM];
    size_t at = 0;
    for (int c = 0; c < g->count; c++)
        for (int i = 0; i < g->cases[c].tem_count; i++, at++)
            for (size_t k = 0; k < g->map; k++)
                tem->d_maps[at * g->map + k] = (float)tem->weight[at] * d_bag[(size_t)c * g->map + k];
    cmus_free(labels);
    cmus_free(d_other);
    cmus_free(d_attended);
    cmus_free(d_bag);
    cmus_free(d_pooled);
}

/* Backward through one chunk; images of weight 0 are left out, as nothing flows to them. */
static void encode_backward_chunk(group *g, cmus_modality modality, int c) {
    cmus_net *net = g->net;
    image_list *list = &g->lists[modality];
    int begin = cmus_chunk_begin(list, c), images = cmus_chunk_begin(list, c + 1) - begin;
    int *active = cmus_allocate((size_t)images, sizeof *active), found = 0;
    float *d_maps = list->d_maps + (size_t)begin * g->map;
    for (int i = 0; i < images; i++)
        if (list->weight[begin + i] != 0) {
            if (found != i)
                memcpy(d_maps + (size_t)found * g->map, d_maps + (size_t)i * g->map, g->map * sizeof *d_maps);
            active[found++] = i;
        }
    cmus_swin_backward(net->encoders[modality], net->weights, net->gradient, list->tapes[c], active, found, d_maps,
                       &net->scratch);
    cmus_free(active);
}

/* Leaves out the images of weight 0, to which nothing flows. */
static void drop_unused(image_list *list, size_t map) {
    int found = 0;
    for (int i = 0; i < list->count; i++)
        if (list->weight[i] != 0) {
            list->pixels[found] = list->pixels[i];
            list->depth[found] = list->depth[i];
            list->weight[found] = list->weight[i];
            if (found != i)
                memcpy(list->d_maps + (size_t)found * map, list->d_maps + (size_t)i * map, map * sizeof(float));
            found++;
        }
    list->count = found;
}

/* Nothing was kept: each part of the images that get a gradient goes through once more. */
static void encode_again_backward(group *g, cmus_modality modality) {
    cmus_net *net = g->net;
    image_list *list = &g->lists[modality];
    cmus_keep keep = net->config.activations == CMUS_ACTIVATIONS_RECOMPUTE ? CMUS_KEEP_MAPS : CMUS_KEEP_ALL;
    drop_unused(list, g->map);
    list->chunks = cmus_net_chunks(net, list->count); /* no more than before */
    for (int c = 0; c < list->chunks; c++) {
        int begin = cmus_chunk_begin(list, c), images = cmus_chunk_begin(list, c + 1) - begin;
        reserve(&net->tapes, cmus_swin_tape_bytes(net->encoders[modality], list->depth + begin, images, keep));
        reserve(&net->scratch, cmus_swin_scratch_bytes(net->encoders[modality], images, keep));
        cmus_arena_reset(&net->tapes);
        bool before = cmus_profile_recomputing(true);
        list->tapes[c] =
            cmus_swin_forward(net->encoders[modality], net->weights, list->pixels + begin, list->depth + begin, images,
                              keep, &net->tapes, &net->scratch, list->maps + (size_t)begin * g->map);
        cmus_profile_recomputing(before);
        encode_backward_chunk(g, modality, c);
    }
}

static void encode_backward(group *g, cmus_modality modality) {
    if (g->keep == CMUS_KEEP_NOTHING) {
        encode_again_backward(g, modality);
        return;
    }
    for (int c = 0; c < g->lists[modality].chunks; c++)
        encode_backward_chunk(g, modality, c);
}

static void free_group(group *g) {
    for (int m = 0; m < CMUS_MODALITIES; m++)
        cmus_list_free(&g->lists[m]);
    cmus_free(g->joined);
    cmus_free(g->attended);
    cmus_cross_attention_free(&g->attention);
    cmus_heads_free(&g->heads);
}

static group make_group(cmus_net *net, const cmus_case *cases, cmus_group_plan plan, bool backward) {
    const cmus_swin *swin = net->encoders[0];
    group g = {.net = net,
               .cases = cases,
               .count = plan.count,
               .map = (size_t)cmus_swin_tokens(swin) * (size_t)cmus_swin_channels(swin),
               .keep = plan.keep};
    size_t map = g.map * sizeof(float), count = (size_t)plan.count;
    for (int m = 0; m < CMUS_MODALITIES; m++) {
        image_list *list = &g.lists[m];
        *list = cmus_list_make(net, cases, plan.count, (cmus_modality)m, backward);
        list->maps = cmus_allocate_raw((size_t)list->count, map);
        list->d_maps = backward ? cmus_allocate_raw((size_t)list->count, map) : NULL;
    }
    g.joined = cmus_allocate_raw(CMUS_MODALITIES * count, map);
    g.attended = cmus_allocate_raw(2 * count, map);
    return g;
}

void cmus_net_run_group(cmus_net *net, const cmus_case *cases, cmus_group_plan plan, double scale, bool backward,
                        cmus_case_result *results) {
    double began = cmus_profile_begin();
    group g = make_group(net, cases, plan, backward);
    cmus_net_need need = cmus_net_needed(net, g.lists, g.keep);
    reserve(&net->tapes, need.tapes);
    reserve(&net->scratch, need.scratch);
    cmus_arena_reset(&net->tapes);
    for (int m = 0; m < CMUS_MODALITIES; m++)
        encode(&g, (cmus_modality)m);
    pool_bags(&g, results);
    fuse(&g, backward, results);
    cmus_profile_end("forward", began);
    if (backward) {
        began = cmus_profile_begin();
        fuse_backward(&g, scale);
        for (int m = 0; m < CMUS_MODALITIES; m++)
            encode_backward(&g, (cmus_modality)m);
        cmus_profile_end("backward", began);
    }
    free_group(&g);
}
