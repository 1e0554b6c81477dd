#include "cmus/wave_run.h"

#include <string.h>

#include "cmus/memory.h"
#include "cmus/trace.h"

/* One wave under way. Own: in the order of the share's images; owned: the images of the owned cases, case after case.
 */
typedef struct running {
    const cmus_communicator *communicator;
    const cmus_wave *wave;
    const cmus_share *share;
    size_t own_count, owned_count;
    int *own_place, *owned_place; /* [images of the wave]: place in the arrays below, or -1 */
    size_t map;                   /* floats */
    float *own_maps, *owned_maps;
    bool *own_used, *owned_used;
} running;

static running begin_wave(const cmus_communicator *communicator, const cmus_net *net, const cmus_portion *portion) {
    running r = {.communicator = communicator,
                 .wave = portion->wave,
                 .share = &portion->share,
                 .own_count = (size_t)portion->share.image_count,
                 .map = cmus_net_map_size(net)};
    int all = r.wave->first[r.wave->count];
    r.own_place = cmus_allocate((size_t)all, sizeof *r.own_place);
    r.owned_place = cmus_allocate((size_t)all, sizeof *r.owned_place);
    for (int i = 0; i < all; i++)
        r.own_place[i] = r.owned_place[i] = -1;
    for (size_t i = 0; i < r.own_count; i++)
        r.own_place[r.share->places[i]] = (int)i;
    for (int c = 0; c < r.share->case_count; c++)
        for (int i = r.wave->first[r.share->positions[c]]; i < r.wave->first[r.share->positions[c] + 1]; i++)
            r.owned_place[i] = (int)r.owned_count++;
    r.own_maps = cmus_allocate_raw(r.own_count * r.map, sizeof(float));
    r.owned_maps = cmus_allocate_raw(r.owned_count * r.map, sizeof(float));
    r.own_used = cmus_allocate(r.own_count, sizeof(bool));
    r.owned_used = cmus_allocate(r.owned_count, sizeof(bool));
    return r;
}

static void end_wave(running *r) {
    cmus_free(r->own_place);
    cmus_free(r->owned_place);
    cmus_free(r->own_maps);
    cmus_free(r->owned_maps);
    cmus_free(r->own_used);
    cmus_free(r->owned_used);
}

/* Moves what belongs to the images, `size` bytes each, from the ranks that encoded them to the owners of their cases,
 * or back; of the used images only, if those are known at both ends. */
static void travel(const running *r, char *own, char *owned, size_t size, bool to_owner, bool only_used) {
    const cmus_wave *wave = r->wave;
    size_t all = (size_t)wave->first[wave->count], send_count = 0, receive_count = 0;
    cmus_message *sends = cmus_allocate(all, sizeof *sends), *receives = cmus_allocate(all, sizeof *receives);
    for (size_t i = 0; i < all; i++) {
        char *here = r->own_place[i] >= 0 ? own + (size_t)r->own_place[i] * size : NULL;
        char *there = r->owned_place[i] >= 0 ? owned + (size_t)r->owned_place[i] * size : NULL;
        bool used = !only_used || (here && r->own_used[r->own_place[i]]) || (there && r->owned_used[r->owned_place[i]]);
        if (!used || (!here && !there))
            continue;
        int owner = wave->owner[wave->images[i].position], encoder = wave->images[i].rank;
        if (here && there)
            memcpy(to_owner ? there : here, to_owner ? here : there, size);
        else if ((here != NULL) == to_owner)
            sends[send_count++] = (cmus_message){to_owner ? owner : encoder, here ? here : there, size};
        else
            receives[receive_count++] = (cmus_message){to_owner ? encoder : owner, here ? here : there, size};
    }
    if (send_count || receive_count) {
        double began = cmus_trace_begin();
        cmus_exchange(r->communicator, sends, send_count, receives, receive_count);
        cmus_trace_end(CMUS_ACTIVITY_WAITING, to_owner ? "exchange maps" : "exchange gradients of maps", began);
    }
    cmus_free(sends);
    cmus_free(receives);
}

static void fuse(const running *r, cmus_net *net, const cmus_wave_pass *pass) {
    double began = cmus_trace_begin();
    float *d_maps = NULL;
    if (pass->backward)
        d_maps = cmus_allocate_raw(r->owned_count * r->map, sizeof *d_maps);
    if (r->share->case_count > 0 && pass->passage && pass->passage->need)
        pass->passage->need(pass->passage->context, cmus_net_parameters(net)->size);
    cmus_net_fuse(net, r->share->cases, r->share->case_count, r->owned_maps, pass->scale, d_maps, r->owned_used,
                  r->share->results);
    if (d_maps)
        memcpy(r->owned_maps, d_maps, r->owned_count * r->map * sizeof *d_maps);
    cmus_free(d_maps);
    cmus_trace_end(CMUS_ACTIVITY_COMPUTE, "cases", began);
}

void cmus_wave_run(const cmus_communicator *communicator, cmus_net *net, const cmus_portion *portion,
                   const cmus_wave_pass *pass) {
    running r = begin_wave(communicator, net, portion);
    const cmus_passage *telling = pass->final ? pass->passage : NULL;
    double began = cmus_trace_begin();
    cmus_encoding *encoding =
        cmus_net_encode(net, r.share->images, r.share->image_count, r.wave->keep, pass->passage, r.own_maps);
    cmus_trace_end(CMUS_ACTIVITY_COMPUTE, "images", began);
    travel(&r, (char *)r.own_maps, (char *)r.owned_maps, r.map * sizeof(float), true, false);
    fuse(&r, net, pass);
    if (pass->backward) {
        if (telling && telling->ready)
            telling->ready(telling->context, cmus_net_fusion_begin(net));
        travel(&r, (char *)r.own_used, (char *)r.owned_used, sizeof(bool), false, false);
        travel(&r, (char *)r.own_maps, (char *)r.owned_maps, r.map * sizeof(float), false, true);
        began = cmus_trace_begin();
        cmus_net_encode_backward(net, encoding, r.own_maps, r.own_used, telling);
        cmus_trace_end(CMUS_ACTIVITY_COMPUTE, "images backward", began);
    }
    cmus_net_encoding_free(encoding);
    end_wave(&r);
}
