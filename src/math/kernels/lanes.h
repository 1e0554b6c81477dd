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

/* Of two vectors: elements whose index lacks the bit `step` from the first one, the others from the second one, from
 * the lower halves of each 2 step elements (LOW) or from the upper ones (HIGH). The indices are constants written out:
 * GCC builds those of a loop at run time. */
#define LANE_LOW(step, i) ((i) & (step) ? (i) - (step) + LANES : (i))
#define LANE_HIGH(step, i) ((i) & (step) ? (i) + LANES : (i) + (step))
#define LANE_FOUR(half, step, i) half(step, i), half(step, (i) + 1), half(step, (i) + 2), half(step, (i) + 3)
#if defined(__AVX512F__)
#define LANE_ALL(half, step)                                                                                           \
    LANE_FOUR(half, step, 0), LANE_FOUR(half, step, 4), LANE_FOUR(half, step, 8), LANE_FOUR(half, step, 12)
#elif defined(__AVX2__)
#define LANE_ALL(half, step) LANE_FOUR(half, step, 0), LANE_FOUR(half, step, 4)
#else
#define LANE_ALL(half, step) LANE_FOUR(half, step, 0)
#endif
#define LANE_PAIR(half, step, a, b) __builtin_shuffle(a, b, (lane_indices){LANE_ALL(half, step)})

/* Swaps halves of `step` elements between vectors that are `step` apart. */
#define LANE_EXCHANGE(square, step)                                                                                    \
    _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i++) if (!(i & (step))) {                                      \
        lanes a = square[i], b = square[i + (step)];                                                                   \
        square[i] = LANE_PAIR(LANE_LOW, step, a, b);                                                                   \
        square[i + (step)] = LANE_PAIR(LANE_HIGH, step, a, b);                                                         \
    }

/* Transposes the square of LANES vectors in place: halves of ever larger size change places. */
static inline __attribute__((always_inline)) void transpose_lanes(lanes square[LANES]) {
    LANE_EXCHANGE(square, 1)
    LANE_EXCHANGE(square, 2)
#if defined(__AVX2__)
    LANE_EXCHANGE(square, 4)
#endif
#if defined(__AVX512F__)
    LANE_EXCHANGE(square, 8)
#endif
}

/* Adds such halves of vectors that are `step` apart. */
#define LANE_ADD(rows, step)                                                                                           \
    _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i += 2 * (step)) {                                             \
        lanes a = rows[i], b = rows[i + (step)];                                                                       \
        rows[i] = LANE_PAIR(LANE_LOW, step, a, b) + LANE_PAIR(LANE_HIGH, step, a, b);                                  \
    }

/* The sum of each of LANES vectors, side by side; `rows` is used up. */
static inline __attribute__((always_inline)) lanes lanes_row_sums(lanes rows[LANES]) {
    LANE_ADD(rows, 1)
    LANE_ADD(rows, 2)
#if defined(__AVX2__)
    LANE_ADD(rows, 4)
#endif
#if defined(__AVX512F__)
    LANE_ADD(rows, 8)
#endif
    return rows[0];
}

#endif
