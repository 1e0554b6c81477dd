#include "cmus/sampler.h"

#include "cmus/random.h"

void cmus_epoch_order(uint64_t seed, int epoch, int *order, int count) {
    uint64_t id = (uint64_t)epoch;
    cmus_random random = cmus_random_begin(seed, "order", &id, 1);
    cmus_random_shuffle(&random, order, count);
}
