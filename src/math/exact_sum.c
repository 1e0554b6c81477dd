#include "cmus/exact_sum.h"

#include "cmus/profile.h"
#include "kernels/kernels.h"

enum { BLOCK = 16384 };

bool cmus_exact_add(int64_t *sums, float *values, size_t count) {
    double began = cmus_profile_begin();
    const cmus_kernels *kernels = cmus_kernels_pick();
    bool fits = true;
#pragma omp parallel for schedule(static) reduction(&& : fits)
    for (size_t i = 0; i < count; i += BLOCK)
        fits = kernels->exact_add(sums + i, values + i, count - i < BLOCK ? count - i : BLOCK) && fits;
    cmus_profile_end("exact sums", began);
    return fits;
}

void cmus_exact_take(float *values, int64_t *sums, size_t count) {
    double began = cmus_profile_begin();
    const cmus_kernels *kernels = cmus_kernels_pick();
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i += BLOCK)
        kernels->exact_take(values + i, sums + i, count - i < BLOCK ? count - i : BLOCK);
    cmus_profile_end("exact sums", began);
}
