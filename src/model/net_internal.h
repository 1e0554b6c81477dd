/* The network's insides, shared by cmusnet.c (structure), net_plan.c (memory) and net_group.c (one group of cases
 * through the network). */
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
    double room;               /* bytes for tapes, scratch and maps */
    int images_at_once;        /* that the room holds if everything is kept; at least 1 */
    cmus_arena tapes, scratch; /* grown to what the largest group needed */
};

/* The images of one modality of all cases of a group, in the order of the cases. They go through the encoder in
 * `chunks` calls of about the same size. */
typedef struct image_list {
    int count, chunks;
    const float **pixels;   /* [count]: [3][S][S] */
    const float **depth;    /* [count]: [blocks][2] or NULL */
    double *weight;         /* [count]: share in the case's map; 1 for OM and IM */
    cmus_swin_tape **tapes; /* [chunks] */
    float *maps, *d_maps;   /* [count][tokens][channels]; made by the group */
} image_list;

/* Without maps. `drawn`: with the stochastic depth of the cases. */
image_list cmus_list_make(const cmus_net *net, const cmus_case *cases, int count, cmus_modality modality, bool drawn);
void cmus_list_free(image_list *list);

/* First image of chunk c; the end of the last one for c = chunks. */
static inline int cmus_chunk_begin(const image_list *list, int c) {
    return (int)((long long)list->count * c / list->chunks);
}

/* Calls into which `images` images are divided. */
int cmus_net_chunks(const cmus_net *net, int images);

typedef struct cmus_net_need {
    size_t tapes, scratch; /* bytes of the arenas */
} cmus_net_need;

/* What the encoders need for these lists: all tapes together, or the largest one if nothing is kept. */
cmus_net_need cmus_net_needed(const cmus_net *net, const image_list lists[CMUS_MODALITIES], cmus_keep keep);

/* Sets the room and what follows from it. CONFIG if one image does not fit. */
cmus_status cmus_net_plan_memory(cmus_net *net, bool training);

/* The first `count` cases go through together; KEEP_NOTHING with a backward pass: their maps are computed first, and
 * the images that get a gradient go through once more, a part at a time. */
typedef struct cmus_group_plan {
    int count;
    cmus_keep keep;
} cmus_group_plan;

cmus_group_plan cmus_net_plan_group(const cmus_net *net, const cmus_case *cases, int count, bool backward);

/* Forward, and backward if asked, of the cases of a plan. */
void cmus_net_run_group(cmus_net *net, const cmus_case *cases, cmus_group_plan plan, double scale, bool backward,
                        cmus_case_result *results);

#endif
