#include "number_types.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "cmus/log.h"

/* float32: 8 bits of exponent with bias 127, 23 of mantissa. float16: 5 with bias 15, 10. bfloat16: the upper half of
 * float32. */
enum { FLOAT_MANTISSA = 23, HALF_MANTISSA = 10, BIAS_DIFFERENCE = 127 - 15, BFLOAT_MANTISSA = 7 };
static const uint32_t FLOAT_INFINITY = 0x7f800000, FLOAT_SIGN = 0x80000000;
static const uint16_t HALF_INFINITY = 0x7c00, BFLOAT_INFINITY = 0x7f80;

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* bits / 2^shift, rounded to the nearest, ties to even; shift 1 to 31. */
static uint32_t round_off(uint32_t bits, int shift) {
    uint32_t half = 1u << (shift - 1), odd = bits >> shift & 1;
    return (bits + half - 1 + odd) >> shift;
}

float cmus_half_to_float(uint16_t bits) {
    const int shift = FLOAT_MANTISSA - HALF_MANTISSA;
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16, rest = bits & 0x7fff;
    if (rest >= HALF_INFINITY)
        return float_of(sign | FLOAT_INFINITY | rest << shift);
    if (rest >= 1u << HALF_MANTISSA)
        return float_of(sign | ((rest << shift) + ((uint32_t)BIAS_DIFFERENCE << FLOAT_MANTISSA)));
    float small = (float)rest * 0x1p-24f; /* below 2^-14: multiples of 2^-24, which float32 holds exactly */
    return sign ? -small : small;
}

uint16_t cmus_float_to_half(float value) {
    const int shift = FLOAT_MANTISSA - HALF_MANTISSA;
    uint32_t bits = bits_of(value), rest = bits & ~FLOAT_SIGN;
    uint16_t sign = (uint16_t)((bits & FLOAT_SIGN) >> 16);
    if (rest > FLOAT_INFINITY) {
        uint32_t kept = (rest & ~FLOAT_INFINITY) >> shift;
        return (uint16_t)(sign | HALF_INFINITY | (kept ? kept : 1u << (HALF_MANTISSA - 1)));
    }
    if (rest >= bits_of(65520.0f)) /* halfway between the largest number and the next that would follow */
        return sign | HALF_INFINITY;
    if (rest >= bits_of(0x1p-14f)) /* a carry out of the mantissa goes into the exponent, as it should */
        return (uint16_t)(sign | round_off(rest - ((uint32_t)BIAS_DIFFERENCE << FLOAT_MANTISSA), shift));
    if (rest <= bits_of(0x1p-25f)) /* half of the smallest number: a tie, to 0 */
        return sign;
    uint32_t exponent = rest >> FLOAT_MANTISSA;
    uint32_t mantissa = (rest & ((1u << FLOAT_MANTISSA) - 1)) | 1u << FLOAT_MANTISSA;
    return (uint16_t)(sign | round_off(mantissa, shift + BIAS_DIFFERENCE + 1 - (int)exponent));
}

float cmus_bfloat16_to_float(uint16_t bits) {
    return float_of((uint32_t)bits << 16);
}

uint16_t cmus_float_to_bfloat16(float value) {
    uint32_t bits = bits_of(value);
    if ((bits & ~FLOAT_SIGN) <= FLOAT_INFINITY)
        return (uint16_t)round_off(bits, 16);
    uint32_t kept = bits >> 16;
    return (uint16_t)((kept & ~(uint32_t)(BFLOAT_INFINITY | 0x8000)) ? kept : kept | 1u << (BFLOAT_MANTISSA - 1));
}

size_t cmus_number_bytes(const char *type) {
    static const struct {
        const char *name;
        size_t bytes;
    } types[] = {{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].name, type) == 0)
            return types[i].bytes;
    return 0;
}

/* Number i of an array that need not be aligned. */
static uint16_t short_at(const void *from, size_t i) {
    uint16_t bits;
    memcpy(&bits, (const char *)from + i * sizeof bits, sizeof bits);
    return bits;
}

void cmus_numbers_to_floats(const char *type, const void *from, size_t count, float *values) {
    if (strcmp(type, "F32") == 0) {
        memcpy(values, from, count * sizeof *values);
    } else if (strcmp(type, "F64") == 0) {
        for (size_t i = 0; i < count; i++) {
            double value;
            memcpy(&value, (const char *)from + i * sizeof value, sizeof value);
            values[i] = (float)value;
        }
    } else if (strcmp(type, "F16") == 0) {
        for (size_t i = 0; i < count; i++)
            values[i] = cmus_half_to_float(short_at(from, i));
    } else if (strcmp(type, "BF16") == 0) {
        for (size_t i = 0; i < count; i++)
            values[i] = cmus_bfloat16_to_float(short_at(from, i));
    } else {
        cmus_fatal("numbers of type %s", type);
    }
}

size_t cmus_numbers_from_floats(const char *type, const float *values, size_t count, void *to) {
    if (strcmp(type, "F32") == 0) {
        memcpy(to, values, count * sizeof *values);
        return 0;
    }
    bool half = strcmp(type, "F16") == 0;
    if (!half && strcmp(type, "BF16") != 0)
        cmus_fatal("numbers of type %s", type);
    uint16_t infinity = half ? HALF_INFINITY : BFLOAT_INFINITY;
    size_t beyond = 0;
    for (size_t i = 0; i < count; i++) {
        uint16_t bits = half ? cmus_float_to_half(values[i]) : cmus_float_to_bfloat16(values[i]);
        beyond += (bits & 0x7fff) == infinity && isfinite(values[i]);
        memcpy((char *)to + i * sizeof bits, &bits, sizeof bits);
    }
    return beyond;
}
