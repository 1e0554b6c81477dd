/* Which cases come when, and on which rank. Depends on seed, epoch and the cases only; never on time. Not collective.
 */
#ifndef CMUS_SAMPLER_H
#define CMUS_SAMPLER_H

#include <stdint.h>

/* Shuffles `order` [count] for this epoch, keyed by (seed, epoch). Start from the same order every time. */
void cmus_epoch_order(uint64_t seed, int epoch, int *order, int count);

/* Shares `count` cases over ranks so that each has about as many images: the largest first, each to the rank with the
 * fewest images so far (the lowest rank on a tie). images [count]; rank_of [count] gets 0 ... ranks - 1; some ranks may
 * get none. */
void cmus_share_cases(const int *images, int count, int ranks, int *rank_of);

#endif
