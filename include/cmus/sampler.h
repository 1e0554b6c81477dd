/* Which cases come when. Depends on seed and epoch only. Not collective. */
#ifndef CMUS_SAMPLER_H
#define CMUS_SAMPLER_H

#include <stdint.h>

/* Shuffles `order` [count] for this epoch, keyed by (seed, epoch). Start from the same order every time. */
void cmus_epoch_order(uint64_t seed, int epoch, int *order, int count);

#endif
