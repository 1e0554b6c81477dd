/* Images through their encoders, and their gradients back. */
#include <string.h>

#include "cmus/exact_sum.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/profile.h"
#include "net_internal.h"

/* The images of one modality. They go through the encoder in `chunks` calls of about the same size. */
typedef struct image_list {
    int first, count, chunks;
    cmus_swin_tape **tapes; /* [chunks] */
} image_list;

struct cmus_encoding {
    int count;
    size_t map;
    cmus_keep keep;
    const float **pixels, **depth; /* [count] */
    image_list lists[CMUS_MODALITIES];
};

/* First image of chunk c in its list; the end of the last one for c = chunks. */
static int chunk_begin(const image_list *list, int c) {
    return (int)((long long)list->count * c / list->chunks);
}

static cmus_encoding *make_encoding(const cmus_net *net, const cmus_image *images, int count, cmus_keep keep) {
    cmus_encoding *encoding = cmus_allocate(1, sizeof *encoding);
    *encoding = (cmus_encoding){.count = count, .map = cmus_net_map_size(net), .keep = keep};
    encoding->pixels = cmus_allocate((size_t)count, sizeof *encoding->pixels);
    encoding->depth = cmus_allocate((size_t)count, sizeof *encoding->depth);
    for (int i = 0; i < count; i++) {
        if (i > 0 && images[i].modality < images[i - 1].modality)
            cmus_fatal("images for the encoders must be sorted by modality");
        encoding->pixels[i] = images[i].pixels;
        encoding->depth[i] = images[i].depth;
        encoding->lists[images[i].modality].count++;
    }
    for (int m = 0; m < CMUS_MODALITIES; m++) {
        image_list *list = &encoding->lists[m];
        list->first = m > 0 ? encoding->lists[m - 1].first + encoding->lists[m - 1].count : 0;
        list->chunks = cmus_net_chunks(net, list->count);
        list->tapes = cmus_allocate((size_t)list->chunks, sizeof(cmus_swin_tape *));
    }
    return encoding;
}

void cmus_net_encoding_free(cmus_encoding *encoding) {
    if (!encoding)
        return;
    for (int m = 0; m < CMUS_MODALITIES; m++)
        cmus_free(encoding->lists[m].tapes);
    cmus_free(encoding->pixels);
    cmus_free(encoding->depth);
    cmus_free(encoding);
}

/* What the encoders need for these images: all tapes together, or the largest one if nothing is kept. Scratch is shared
 * by all. */
static cmus_net_need needed(const cmus_net *net, const cmus_encoding *encoding) {
    cmus_net_need need = {0};
    for (int m = 0; m < CMUS_MODALITIES; m++) {
        const image_list *list = &encoding->lists[m];
        for (int c = 0; c < list->chunks; c++) {
            int begin = chunk_begin(list, c), images = chunk_begin(list, c + 1) - begin;
            size_t tape =
                cmus_swin_tape_bytes(net->encoders[m], encoding->depth + list->first + begin, images, encoding->keep);
            size_t scratch = cmus_swin_scratch_bytes(net->encoders[m], images, encoding->keep);
            if (encoding->keep != CMUS_KEEP_NOTHING)
                need.tapes += tape;
            else if (tape > need.tapes)
                need.tapes = tape;
            if (scratch > need.scratch)
                need.scratch = scratch;
        }
    }
    return need;
}

bool cmus_net_fits(const cmus_net *net, const cmus_image *images, int count, cmus_keep keep) {
    cmus_encoding *encoding = make_encoding(net, images, count, keep);
    cmus_net_need need = needed(net, encoding);
    cmus_net_encoding_free(encoding);
    return (double)need.tapes + (double)need.scratch + count * cmus_net_map_bytes(net) <= net->room;
}

/* Makes an arena of at least `bytes`: larger than that as far as the room allows, as the next group may have drawn
 * fewer branches to drop and fresh memory is slow. What is never used takes no memory. */
static void reserve(cmus_net *net, cmus_arena *arena, size_t bytes) {
    if (bytes <= arena->size)
        return;
    cmus_arena_free(arena);
    double left = net->room - (double)net->tapes.size - (double)net->scratch.size, wanted = 1.5 * (double)bytes;
    size_t size = (size_t)(wanted < left ? wanted : left > 0 ? left : 0);
    *arena = cmus_arena_make(size > bytes ? size : bytes);
}

/* Maps of all images of a modality, chunk after chunk. */
static void encode(cmus_net *net, cmus_encoding *encoding, int modality, const cmus_passage *passage, float *maps) {
    image_list *list = &encoding->lists[modality];
    for (int c = 0; c < list->chunks; c++) {
        int first = list->first + chunk_begin(list, c), images = chunk_begin(list, c + 1) - chunk_begin(list, c);
        if (encoding->keep == CMUS_KEEP_NOTHING)
            cmus_arena_reset(&net->tapes);
        list->tapes[c] = cmus_swin_forward(net->encoders[modality], net->weights, encoding->pixels + first,
                                           encoding->depth + first, images, encoding->keep, &net->tapes, &net->scratch,
                                           passage, maps + (size_t)first * encoding->map);
    }
}

cmus_encoding *cmus_net_encode(cmus_net *net, const cmus_image *images, int count, cmus_keep keep,
                               const cmus_passage *passage, float *maps) {
    cmus_encoding *encoding = make_encoding(net, images, count, keep);
    cmus_net_need need = needed(net, encoding);
    reserve(net, &net->scratch, need.scratch);
    reserve(net, &net->tapes, need.tapes);
    cmus_arena_reset(&net->tapes);
    for (int m = 0; m < CMUS_MODALITIES; m++)
        encode(net, encoding, m, passage, maps);
    return encoding;
}

/* Exact sums: what a backward pass of one image left in the float buffer goes into the sums block by block, while it is
 * still in the cache. */
typedef struct collector {
    cmus_net *net;
    size_t end;                /* of what is not collected yet */
    const cmus_passage *after; /* NULL: none */
} collector;

static void collect(void *context, size_t from) {
    collector *c = context;
    cmus_net_collect(c->net, from, c->end);
    c->end = from;
    if (c->after && c->after->ready)
        c->after->ready(c->after->context, from);
}

/* Backward through listed images of a tape, one by one if sums are exact: what an image gives must not depend on those
 * that were encoded with it. */
static void backward(cmus_net *net, int modality, const cmus_swin_tape *tape, const int *active, int count,
                     const float *d_maps, const cmus_passage *passage) {
    const cmus_swin *swin = net->encoders[modality];
    if (!net->exact || count == 0) {
        cmus_swin_backward(swin, net->weights, net->gradient, tape, active, count, d_maps, passage, &net->scratch);
        return;
    }
    size_t end =
        modality + 1 < CMUS_MODALITIES ? cmus_swin_begin(net->encoders[modality + 1]) : cmus_net_fusion_begin(net);
    for (int i = 0; i < count; i++) {
        collector sums = {.net = net, .end = end, .after = i == count - 1 ? passage : NULL};
        cmus_passage collecting = {.context = &sums, .ready = collect};
        cmus_swin_backward(swin, net->weights, net->gradient, tape, active + i, 1,
                           d_maps + (size_t)i * cmus_net_map_size(net), &collecting, &net->scratch);
    }
}

/* Chunk c, whose tape is there; images without a gradient are left out. */
static void backward_chunk(cmus_net *net, const cmus_encoding *encoding, int modality, int c, float *d_maps,
                           const bool *used, const cmus_passage *passage) {
    const image_list *list = &encoding->lists[modality];
    int first = list->first + chunk_begin(list, c), images = chunk_begin(list, c + 1) - chunk_begin(list, c);
    int *active = cmus_allocate((size_t)images, sizeof *active), found = 0;
    float *compact = d_maps + (size_t)first * encoding->map;
    for (int i = 0; i < images; i++)
        if (used[first + i]) {
            if (found != i)
                memcpy(compact + (size_t)found * encoding->map, compact + (size_t)i * encoding->map,
                       encoding->map * sizeof *compact);
            active[found++] = i;
        }
    backward(net, modality, list->tapes[c], active, found, compact, passage);
    cmus_free(active);
}

/* The images with a gradient move to the front of their list, their maps with them. */
static void drop_unused(cmus_encoding *encoding, image_list *list, float *d_maps, const bool *used) {
    int found = 0;
    for (int i = 0; i < list->count; i++) {
        int from = list->first + i, to = list->first + found;
        if (!used[from])
            continue;
        encoding->pixels[to] = encoding->pixels[from];
        encoding->depth[to] = encoding->depth[from];
        if (to != from)
            memcpy(d_maps + (size_t)to * encoding->map, d_maps + (size_t)from * encoding->map,
                   encoding->map * sizeof *d_maps);
        found++;
    }
    list->count = found;
}

/* Nothing was kept: each part of the images that get a gradient goes through once more. */
static void encode_again_backward(cmus_net *net, cmus_encoding *encoding, int modality, float *d_maps, const bool *used,
                                  const cmus_passage *passage) {
    image_list *list = &encoding->lists[modality];
    cmus_keep keep = cmus_net_may_keep(net, CMUS_KEEP_ALL) ? CMUS_KEEP_ALL : CMUS_KEEP_MAPS;
    drop_unused(encoding, list, d_maps, used);
    list->chunks = cmus_net_chunks(net, list->count); /* no more than before */
    float *maps = cmus_allocate_raw((size_t)list->count * encoding->map, sizeof *maps);
    bool *all = cmus_allocate((size_t)encoding->count, sizeof *all);
    memset(all, true, (size_t)encoding->count * sizeof *all);
    for (int c = 0; c < list->chunks; c++) {
        int begin = chunk_begin(list, c), images = chunk_begin(list, c + 1) - begin;
        const float **pixels = encoding->pixels + list->first + begin, **depth = encoding->depth + list->first + begin;
        reserve(net, &net->scratch, cmus_swin_scratch_bytes(net->encoders[modality], images, keep));
        reserve(net, &net->tapes, cmus_swin_tape_bytes(net->encoders[modality], depth, images, keep));
        cmus_arena_reset(&net->tapes);
        bool before = cmus_profile_recomputing(true);
        list->tapes[c] = cmus_swin_forward(net->encoders[modality], net->weights, pixels, depth, images, keep,
                                           &net->tapes, &net->scratch, NULL, maps + (size_t)begin * encoding->map);
        cmus_profile_recomputing(before);
        backward_chunk(net, encoding, modality, c, d_maps, all, c == list->chunks - 1 ? passage : NULL);
    }
    cmus_free(all);
    cmus_free(maps);
}

void cmus_net_encode_backward(cmus_net *net, cmus_encoding *encoding, float *d_maps, const bool *used,
                              const cmus_passage *passage) {
    for (int m = CMUS_MODALITIES - 1; m >= 0; m--) {
        const image_list *list = &encoding->lists[m];
        if (encoding->keep == CMUS_KEEP_NOTHING)
            encode_again_backward(net, encoding, m, d_maps, used, passage);
        else
            for (int c = 0; c < list->chunks; c++)
                backward_chunk(net, encoding, m, c, d_maps, used, c == list->chunks - 1 ? passage : NULL);
        if (list->chunks == 0 && passage && passage->ready) /* no image of it is this rank's */
            passage->ready(passage->context, cmus_swin_begin(net->encoders[m]));
    }
}
