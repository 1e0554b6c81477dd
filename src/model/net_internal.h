/* The network's insides, shared by cmusnet.c (structure) and net_group.c (one group of cases through the network). */
#ifndef CMUS_NET_INTERNAL_H
#define CMUS_NET_INTERNAL_H

#include "cmus/arena.h"
#include "cmus/cmusnet.h"
#include "cmus/cross_attention.h"
#include "cmus/heads.h"
#include "cmus/swin.h"

struct cmus_net {
    cmus_net_config config;
    cmus_parameters parameters;
    cmus_swin *encoders[CMUS_MODALITIES];
    cmus_cross_attention attention;
    cmus_heads heads;
    float *weights, *gradient; /* flat; gradient NULL: inference only */
    int images_at_once;        /* as far as the memory goes */
    cmus_arena tapes, scratch; /* grown to what the largest group needed */
};

/* Forward, and backward if asked, of cases that belong together. If their images do not fit into the memory at once,
 * the maps are computed first without keeping anything, and every part of the images goes through once more for its
 * backward pass. */
void cmus_net_run_group(cmus_net *net, const cmus_case *cases, int count, double scale, bool backward,
                        cmus_case_result *results);

#endif
