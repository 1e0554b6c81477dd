/* Which cases go through the network together, and what their forward pass keeps. */
#include <limits.h>

#include "net_internal.h"

/* Beside the network: libraries, MPI, packed operands, buffers of files. */
static const double RESERVE_BYTES = 256.0 * 1024 * 1024;
enum { MOMENTS = 3 /* Adam with amsgrad */, MAPS = 8 /* of an image and its share of the case's */ };

/* Images that go through an encoder in one call: more would make the scratch larger, not the products faster. */
enum { LARGEST_CHUNK = 16 };

static double map_bytes(const cmus_net *net) {
    const cmus_swin *swin = net->encoders[0];
    return (double)MAPS * cmus_swin_tokens(swin) * cmus_swin_channels(swin) * sizeof(float);
}

cmus_status cmus_net_plan_memory(cmus_net *net, bool training) {
    const cmus_swin *swin = net->encoders[0];
    cmus_keep keep = training ? CMUS_KEEP_ALL : CMUS_KEEP_NOTHING;
    double fixed = RESERVE_BYTES + (double)net->parameters.size * sizeof(float) * (training ? 2 + MOMENTS : 1);
    double each = (double)cmus_swin_tape_bytes(swin, NULL, 1, keep) + (double)cmus_swin_scratch_bytes(swin, 1, keep) +
                  map_bytes(net);
    net->room = net->config.memory_bytes - fixed;
    if (net->room < each)
        return cmus_fail(CMUS_ERROR_CONFIG,
                         "memory_gib: %.2f GiB are too little; this network needs at least %.2f GiB for one image",
                         net->config.memory_bytes / 0x1p30, (fixed + each) / 0x1p30);
    net->images_at_once = net->room / each < INT_MAX ? (int)(net->room / each) : INT_MAX;
    return CMUS_OK;
}

int cmus_net_chunks(const cmus_net *net, int images) {
    int largest = net->images_at_once < LARGEST_CHUNK ? net->images_at_once : LARGEST_CHUNK;
    return (images + largest - 1) / largest;
}

/* Adds the bytes of one modality's tapes; scratch is shared by all. */
static void add_list(const cmus_net *net, const image_list *list, cmus_keep keep, cmus_net_need *need) {
    for (int c = 0; c < list->chunks; c++) {
        int begin = cmus_chunk_begin(list, c), images = cmus_chunk_begin(list, c + 1) - begin;
        size_t tape = cmus_swin_tape_bytes(net->encoders[0], list->depth + begin, images, keep);
        size_t scratch = cmus_swin_scratch_bytes(net->encoders[0], images, keep);
        if (keep != CMUS_KEEP_NOTHING)
            need->tapes += tape;
        else if (tape > need->tapes)
            need->tapes = tape;
        if (scratch > need->scratch)
            need->scratch = scratch;
    }
}

cmus_net_need cmus_net_needed(const cmus_net *net, const image_list lists[CMUS_MODALITIES], cmus_keep keep) {
    cmus_net_need need = {0};
    for (int m = 0; m < CMUS_MODALITIES; m++)
        add_list(net, &lists[m], keep, &need);
    return need;
}

/* Whether these cases fit into the memory together. */
static bool fits(const cmus_net *net, const cmus_case *cases, int count, cmus_keep keep) {
    image_list lists[CMUS_MODALITIES];
    double images = 0;
    for (int m = 0; m < CMUS_MODALITIES; m++) {
        lists[m] = cmus_list_make(net, cases, count, (cmus_modality)m, true);
        images += lists[m].count;
    }
    cmus_net_need need = cmus_net_needed(net, lists, keep);
    for (int m = 0; m < CMUS_MODALITIES; m++)
        cmus_list_free(&lists[m]);
    return (double)need.tapes + (double)need.scratch + images * map_bytes(net) <= net->room;
}

cmus_group_plan cmus_net_plan_group(const cmus_net *net, const cmus_case *cases, int count, bool backward) {
    if (!backward)
        return (cmus_group_plan){count, CMUS_KEEP_NOTHING};
    static const cmus_keep keeps[] = {CMUS_KEEP_ALL, CMUS_KEEP_MAPS};
    static const cmus_activations excluded[] = {CMUS_ACTIVATIONS_RECOMPUTE, CMUS_ACTIVATIONS_STORE};
    for (int i = 0; i < 2; i++) {
        if (net->config.activations == excluded[i])
            continue;
        int together = 0;
        while (together < count && fits(net, cases, together + 1, keeps[i]))
            together++;
        if (together)
            return (cmus_group_plan){together, keeps[i]};
    }
    return (cmus_group_plan){1, CMUS_KEEP_NOTHING};
}
