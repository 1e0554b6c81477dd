/* Plain loops that the compiler turns into vectors, once a processor family; every family gives the same bits. */
#include "reducer_sum.h"

#include <string.h>

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) /* its run time is not there yet when a clone is picked */
#define EACH_FAMILY __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define EACH_FAMILY
#endif

EACH_FAMILY static void add_floats(float *restrict sum, const float *restrict part, size_t count) {
    for (size_t i = 0; i < count; i++)
        sum[i] += part[i];
}

/* Without a sign: an overflow wraps. */
EACH_FAMILY static void add_integers(uint64_t *restrict sum, const uint64_t *restrict part, size_t count) {
    for (size_t i = 0; i < count; i++)
        sum[i] += part[i];
}

static inline float widened(uint16_t rounded) {
    union {
        uint32_t bits;
        float value;
    } both = {.bits = (uint32_t)rounded << 16};
    return both.value;
}

static inline uint16_t rounded_of(float value) {
    union {
        float value;
        uint32_t bits;
    } both = {.value = value};
    uint32_t bits = both.bits, nearest = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? bits >> 16 | 0x40 : nearest);
}

EACH_FAMILY static void add_rounded(float *restrict sum, const uint16_t *restrict part, size_t count) {
    for (size_t i = 0; i < count; i++)
        sum[i] += widened(part[i]);
}

EACH_FAMILY void cmus_round_bfloat16(uint16_t *restrict rounded, const float *restrict values, size_t count) {
    for (size_t i = 0; i < count; i++)
        rounded[i] = rounded_of(values[i]);
}

EACH_FAMILY void cmus_widen_bfloat16(float *restrict values, const uint16_t *restrict rounded, size_t count) {
    for (size_t i = 0; i < count; i++)
        values[i] = widened(rounded[i]);
}

void cmus_sum_part(cmus_wire wire, void *sum, const void *part, size_t count, bool first) {
    switch (wire) {
    case CMUS_WIRE_FLOAT32:
        if (first)
            memcpy(sum, part, count * sizeof(float));
        else
            add_floats(sum, part, count);
        break;
    case CMUS_WIRE_BFLOAT16:
        if (first)
            cmus_widen_bfloat16(sum, part, count);
        else
            add_rounded(sum, part, count);
        break;
    case CMUS_WIRE_INTEGER64:
        if (first)
            memcpy(sum, part, count * sizeof(int64_t));
        else
            add_integers(sum, part, count);
        break;
    }
}
