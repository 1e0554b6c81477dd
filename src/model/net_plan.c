/* Which cases go through the network together, and what their forward pass keeps. */
#include <limits.h>

#include "net_internal.h"

/* Beside the network: libraries, MPI, packed operands, buffers of files. */
static const double RESERVE_BYTES = 256.0 * 1024 * 1024;
enum { MOMENTS = 3 /* Adam with amsgrad */, MAPS = 8 /* of an image and its share of the case's */ };

/* Images that go through an encoder in one call: more would make the scratch larger, not the products faster. */
enum { LARGEST_CHUNK = 16 };

double cmus_net_map_bytes(const cmus_net *net) {
    const cmus_swin *swin = net->encoders[0];
    return (double)MAPS * cmus_swin_tokens(swin) * cmus_swin_channels(swin) * sizeof(float);
}

cmus_status cmus_net_plan_memory(cmus_net *net, bool training) {
    const cmus_swin *swin = net->encoders[0];
    cmus_keep keep = training ? CMUS_KEEP_ALL : CMUS_KEEP_NOTHING;
    double shares = net->config.optimizer_shares > 1 ? net->config.optimizer_shares : 1;
    double floats = training ? 2 + MOMENTS / shares + (net->config.exact_sums ? 2 : 0) : 1;
    double fixed = RESERVE_BYTES + (double)net->parameters.size * sizeof(float) * floats;
    double each = (double)cmus_swin_tape_bytes(swin, NULL, 1, keep) + (double)cmus_swin_scratch_bytes(swin, 1, keep) +
                  cmus_net_map_bytes(net);
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

bool cmus_net_may_keep(const cmus_net *net, cmus_keep keep) {
    switch (keep) {
    case CMUS_KEEP_ALL:
        return net->config.activations != CMUS_ACTIVATIONS_RECOMPUTE;
    case CMUS_KEEP_MAPS:
        return net->config.activations != CMUS_ACTIVATIONS_STORE;
    case CMUS_KEEP_NOTHING:
    default:
        return true;
    }
}

/* Whether these cases fit into the memory together. */
static bool fits(const cmus_net *net, const cmus_case *cases, int count, cmus_keep keep) {
    cmus_group_images group = cmus_group_images_make(net, cases, count, true);
    bool result = cmus_net_fits(net, group.images, group.count, keep);
    cmus_group_images_free(&group);
    return result;
}

cmus_group_plan cmus_net_plan_group(const cmus_net *net, const cmus_case *cases, int count, bool backward) {
    if (!backward)
        return (cmus_group_plan){count, CMUS_KEEP_NOTHING};
    for (cmus_keep keep = CMUS_KEEP_ALL; keep > CMUS_KEEP_NOTHING; keep--) {
        int together = 0;
        while (together < count && cmus_net_may_keep(net, keep) && fits(net, cases, together + 1, keep))
            together++;
        if (together)
            return (cmus_group_plan){together, keep};
    }
    return (cmus_group_plan){1, CMUS_KEEP_NOTHING};
}
