/* The arithmetic of the reducer: sums of parts, rounding to bfloat16 and back. */
#ifndef CMUS_REDUCER_SUM_H
#define CMUS_REDUCER_SUM_H

#include "cmus/reducer.h"

/* sum [count] += part [count], or = if `first`: float or int64_t; the part as on the wire. */
void cmus_sum_part(cmus_wire wire, void *sum, const void *part, size_t count, bool first);

/* To the nearest bfloat16, ties to even; a NaN stays one. */
void cmus_round_bfloat16(uint16_t *rounded, const float *values, size_t count);
void cmus_widen_bfloat16(float *values, const uint16_t *rounded, size_t count);

#endif
