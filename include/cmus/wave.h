/* Waves: cases of a batch that go through the network together, their images shared out over the ranks.
 *
 * The unit of work is the image. A plan that every rank computes alike gives each image to a rank, so that the load
 * (the FLOPs of what stochastic depth leaves of it) is even, and each case to a rank that owns it. An owner gets the
 * feature maps of its cases, runs what lies behind the encoders, and sends the gradients of the maps back. As many
 * cases make a wave as the memory of every rank holds; a case that fits in no way is a wave by itself, computed in
 * parts.
 */
#ifndef CMUS_WAVE_H
#define CMUS_WAVE_H

#include <stdbool.h>
#include <stddef.h>

#include "cmus/cmusnet.h"
#include "cmus/communicator.h"
#include "cmus/config.h"
#include "cmus/dataset.h"

/* The largest number of cases of a wave, and of bytes of a rank's pixels (a single case may have more). */
enum { CMUS_WAVE_CASES = 4096, CMUS_WAVE_PIXEL_BYTES = 64 << 20 };

/* An image of a wave. */
typedef struct cmus_wave_image {
    int position; /* of its case in the wave */
    cmus_modality modality;
    int number; /* in the bag of its modality */
    int rank;   /* that encodes it */
} cmus_wave_image;

typedef struct cmus_wave {
    int epoch; /* whose choices are drawn; -1: none, forward only */
    int count; /* of cases; 0 only if the batch has none */
    bool last; /* of its batch */
    cmus_keep keep;
    int *indices;            /* [count]: cases of the data set */
    int *owner;              /* [count]: ranks */
    int *first;              /* [count + 1]: first image of each case */
    cmus_wave_image *images; /* [first[count]]: case after case the TEM images, OM, IM */
} cmus_wave;

/* Not collective; the same on every rank. Cuts a batch, the cases `indices` [count], into waves for `ranks` ranks:
 * *waves [result], each to be freed with cmus_wave_free(), the array with cmus_free(). At least one wave. */
int cmus_wave_plan(const cmus_net *net, const cmus_dataset *dataset, const cmus_config *config, int ranks,
                   const int *indices, int count, int epoch, cmus_wave ***waves);
/* All cases in one wave, on one rank. */
cmus_wave *cmus_wave_whole(const cmus_net *net, const cmus_dataset *dataset, const cmus_config *config,
                           const int *indices, int count, int epoch);
void cmus_wave_free(cmus_wave *wave);

/* Adds each image's cost to the load [ranks] of its rank. For looking at the balance. */
void cmus_wave_loads(const cmus_wave *wave, const cmus_net *net, const cmus_dataset *dataset, const cmus_config *config,
                     double *load);

/* Shares images over ranks: the costliest first, each to the rank with the least load so far (the lowest on a tie).
 * cost [count]; load [ranks] is what the ranks have already, and is added to; rank_of [count]. */
void cmus_share_images(const double *cost, int count, int ranks, double *load, int *rank_of);

#endif
