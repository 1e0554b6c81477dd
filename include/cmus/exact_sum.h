/* Sums of floats that do not depend on their order: each value is rounded to a multiple of 2^-40 and added as an
 * integer.
 *
 * Integer addition is associative, so any number of ranks, in any order, gives the same bits. The rounding of at most
 * 4.6e-13 a value lies far below what changes an update: Adam adds its epsilon of 1e-8 to the root of the second
 * moment. Not collective.
 */
#ifndef CMUS_EXACT_SUM_H
#define CMUS_EXACT_SUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Values up to this size can be added; fewer than 1024 of them never overflow a sum. */
#define CMUS_EXACT_LIMIT 8192.0f

/* sums [count] += values [count], which are 0 afterwards. False if a value is above the limit or not finite: its sum is
 * wrong then. */
bool cmus_exact_add(int64_t *sums, float *values, size_t count);

/* values [count] = the sums, rounded once; the sums are 0 afterwards. */
void cmus_exact_take(float *values, int64_t *sums, size_t count);

#endif
