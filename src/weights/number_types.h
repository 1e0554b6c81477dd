/* Floating-point numbers as files of weights hold them, to float32 and back. Little-endian machines only.
 *
 * Rounding is to the nearest, ties to even, as IEEE 754 and PyTorch do it. Infinities stay, and NaN stays NaN: of its
 * bits those that have a place.
 */
#ifndef CMUS_NUMBER_TYPES_H
#define CMUS_NUMBER_TYPES_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of a number of this type: "F64", "F32", "F16" or "BF16". 0: no floating-point type that is understood here. */
size_t cmus_number_bytes(const char *type);

/* values [count] = the numbers of this type at `from`, which need not be aligned. A float64 beyond the range of float32
 * becomes infinite. Any other type than those four is fatal. */
void cmus_numbers_to_floats(const char *type, const void *from, size_t count, float *values);

/* The other way, to "F32", "F16" or "BF16" (others are fatal). Returns how many finite values are beyond the range of
 * the type (of F16: 65520 and more) and became infinite. `to` need not be aligned. */
size_t cmus_numbers_from_floats(const char *type, const float *values, size_t count, void *to);

/* One number, by its bits. */
float cmus_half_to_float(uint16_t bits);
uint16_t cmus_float_to_half(float value);
float cmus_bfloat16_to_float(uint16_t bits);
uint16_t cmus_float_to_bfloat16(float value);

#endif
