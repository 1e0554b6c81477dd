/* A group of cases whose images are all encoded by this process. */
#include <string.h>

#include "cmus/memory.h"
#include "cmus/profile.h"
#include "net_internal.h"

cmus_group_images cmus_group_images_make(const cmus_net *net, const cmus_case *cases, int count, bool drawn) {
    size_t pixels = 3 * (size_t)net->config.image_size * (size_t)net->config.image_size;
    size_t factors = 2 * (size_t)cmus_net_blocks(net);
    cmus_group_images group = {0};
    for (int c = 0; c < count; c++)
        group.count += cases[c].tem_count + 2;
    group.images = cmus_allocate((size_t)group.count, sizeof *group.images);
    group.place = cmus_allocate((size_t)group.count, sizeof *group.place);
    int at = 0;
    for (int m = 0; m < CMUS_MODALITIES; m++) {
        size_t case_begin = 0;
        for (int c = 0; c < count; c++) {
            size_t bag = (size_t)cases[c].tem_count;
            const float *depth = drawn ? cases[c].depth[m] : NULL;
            for (size_t i = 0; i < (m == CMUS_TEM ? bag : 1); i++, at++) {
                group.images[at] = (cmus_image){.modality = (cmus_modality)m,
                                                .pixels = cases[c].images[m] + i * pixels,
                                                .depth = depth ? depth + i * factors : NULL};
                group.place[at] = case_begin + (m == CMUS_TEM ? i : m == CMUS_OM ? bag : bag + 1);
            }
            case_begin += bag + 2;
        }
    }
    return group;
}

void cmus_group_images_free(cmus_group_images *group) {
    cmus_free(group->images);
    cmus_free(group->place);
}

/* Gradients of the maps from the order of the cases to that of the encoding, and back through the encoders. */
static void group_backward(cmus_net *net, const cmus_group_images *group, cmus_encoding *encoding, float *sorted,
                           const float *d_maps, const bool *used) {
    size_t map = cmus_net_map_size(net);
    bool *sorted_used = cmus_allocate((size_t)group->count, sizeof *sorted_used);
    for (int i = 0; i < group->count; i++) {
        sorted_used[i] = used[group->place[i]];
        memcpy(sorted + (size_t)i * map, d_maps + group->place[i] * map, map * sizeof *sorted);
    }
    cmus_net_encode_backward(net, encoding, sorted, sorted_used, NULL);
    cmus_free(sorted_used);
}

void cmus_net_run_group(cmus_net *net, const cmus_case *cases, cmus_group_plan plan, double scale, bool backward,
                        cmus_case_result *results) {
    double began = cmus_profile_begin();
    cmus_group_images group = cmus_group_images_make(net, cases, plan.count, backward);
    size_t map = cmus_net_map_size(net), count = (size_t)group.count;
    float *sorted = cmus_allocate_raw(count * map, sizeof *sorted),
          *maps = cmus_allocate_raw(count * map, sizeof *maps);
    float *d_maps = backward ? cmus_allocate_raw(count * map, sizeof *d_maps) : NULL;
    bool *used = cmus_allocate(count, sizeof *used);
    cmus_encoding *encoding = cmus_net_encode(net, group.images, group.count, plan.keep, NULL, sorted);
    for (size_t i = 0; i < count; i++)
        memcpy(maps + group.place[i] * map, sorted + i * map, map * sizeof *maps);
    cmus_profile_end("forward", began);
    began = cmus_profile_begin();
    cmus_net_fuse(net, cases, plan.count, maps, scale, d_maps, used, results);
    if (backward)
        group_backward(net, &group, encoding, sorted, d_maps, used);
    cmus_profile_end(backward ? "backward" : "forward", began);
    cmus_net_encoding_free(encoding);
    cmus_free(used);
    cmus_free(d_maps);
    cmus_free(maps);
    cmus_free(sorted);
    cmus_group_images_free(&group);
}
