/* The network's insides, shared by cmusnet.c (structure), net_plan.c (memory), net_encode.c (images),
 * net_fuse.c (cases) and net_group.c (both for a group of cases). */
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
    int64_t *exact;            /* exact sums of the gradients, flat; NULL: summed as floats */
    bool overflow;             /* a gradient that they can't hold was met */
    size_t fusion_begin;       /* of the tensors behind the encoders */
    double room;               /* bytes for tapes, scratch and maps */
    int images_at_once;        /* that the room holds if everything is kept; at least 1 */
    cmus_arena tapes, scratch; /* grown to what the largest group needed */
};

/* The images of a group of cases, sorted by modality for the encoders. */
typedef struct cmus_group_images {
    int count;
    cmus_image *images; /* [count] */
    size_t *place; /* [count]: where each lies in the order of the cases: TEM images, OM, IM of one after another */
} cmus_group_images;

/* `drawn`: with the stochastic depth of the cases. */
cmus_group_images cmus_group_images_make(const cmus_net *net, const cmus_case *cases, int count, bool drawn);
void cmus_group_images_free(cmus_group_images *group);

/* Calls into which `images` images are divided. */
int cmus_net_chunks(const cmus_net *net, int images);

/* Bytes of the maps of an image, with its share of what its case needs. */
double cmus_net_map_bytes(const cmus_net *net);

typedef struct cmus_net_need {
    size_t tapes, scratch; /* bytes of the arenas */
} cmus_net_need;

/* Exact sums: adds the gradients [from, to) to the sums and leaves 0. */
void cmus_net_collect(cmus_net *net, size_t from, size_t to);

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
