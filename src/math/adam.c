#include "cmus/adam.h"

#include <math.h>

#include "cmus/memory.h"
#include "cmus/profile.h"
#include "kernels/kernels.h"

enum { BLOCK = 16384 };

cmus_adam cmus_adam_published(void) {
    return (cmus_adam){.lr = 5e-5, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .weight_decay = 5e-5};
}

void cmus_adam_update(const cmus_adam *adam, int64_t step, size_t count, float *weights, float *gradient, float *first,
                      float *second, float *second_max) {
    double began = cmus_profile_begin();
    const cmus_kernels *kernels = cmus_kernels_pick();
    double correction1 = 1.0 - pow(adam->beta1, (double)step), correction2 = 1.0 - pow(adam->beta2, (double)step);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i += BLOCK)
        kernels->adam(adam, correction1, correction2, count - i < BLOCK ? count - i : BLOCK, weights + i, gradient + i,
                      first + i, second + i, second_max + i);
    cmus_profile_end("adam", began);
}

double cmus_norm(const float *values, size_t count) {
    const cmus_kernels *kernels = cmus_kernels_pick();
    size_t blocks = (count + BLOCK - 1) / BLOCK;
    double *partial = cmus_allocate(blocks, sizeof *partial), sum = 0;
#pragma omp parallel for schedule(static)
    for (size_t block = 0; block < blocks; block++) {
        size_t begin = block * BLOCK;
        partial[block] = kernels->sum_of_squares(values + begin, count - begin < BLOCK ? count - begin : BLOCK);
    }
    for (size_t block = 0; block < blocks; block++)
        sum += partial[block];
    cmus_free(partial);
    return sqrt(sum);
}
