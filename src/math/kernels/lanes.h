/* The vector of floats of a processor family. */
#ifndef CMUS_KERNEL_LANES_H
#define CMUS_KERNEL_LANES_H

#if defined(__AVX512F__)
enum { LANES = 16 };
#elif defined(__AVX2__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));
typedef float loose_lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias)); /* in memory */
typedef int lane_indices __attribute__((vector_size(LANES * sizeof(int))));

/* Transposes the square of LANES vectors in place: halves of ever larger size change places. */
static inline __attribute__((always_inline)) void transpose_lanes(lanes square[LANES]) {
#pragma GCC unroll 4
    for (int step = 1; step < LANES; step *= 2) {
        lane_indices low, high;
        for (int i = 0; i < LANES; i++) {
            low[i] = i & step ? LANES + i - step : i;
            high[i] = i & step ? LANES + i : i + step;
        }
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++)
            if (!(i & step)) {
                lanes a = square[i], b = square[i + step];
                square[i] = __builtin_shuffle(a, b, low);
                square[i + step] = __builtin_shuffle(a, b, high);
            }
    }
}

#endif
