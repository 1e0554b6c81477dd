/* Numbers of files of weights: all patterns of the short types there and back, and the corners of rounding. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "number_types.h"
#include "unit.h"

static float from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* What a float16 is worth, by the definition of the format. */
static double half_value(unsigned bits) {
    int exponent = (int)(bits >> 10 & 31), mantissa = (int)(bits & 1023);
    double value = exponent == 0    ? ldexp(mantissa, -24)
                   : exponent == 31 ? (mantissa ? NAN : INFINITY)
                                    : ldexp(1024 + mantissa, exponent - 25);
    return bits >> 15 ? -value : value;
}

static void all_halves(void) {
    int wrong = 0;
    for (unsigned bits = 0; bits < 65536; bits++) {
        float value = cmus_half_to_float((uint16_t)bits);
        double expected = half_value(bits);
        bool same = isnan(expected) ? isnan(value) : (double)value == expected && !signbit(value) == !signbit(expected);
        wrong += !same || cmus_float_to_half(value) != bits;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void all_bfloat16s(void) {
    int wrong = 0;
    for (unsigned bits = 0; bits < 65536; bits++) {
        float value = cmus_bfloat16_to_float((uint16_t)bits), expected = from_bits(bits << 16);
        wrong += memcmp(&value, &expected, sizeof value) != 0 || cmus_float_to_bfloat16(value) != bits;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* Between each two neighbours: the middle goes to the even one, what is beside it to the nearer one. */
static void rounding_between_halves(void) {
    int wrong = 0;
    for (unsigned bits = 0; bits < 0x7bff; bits++) {
        float low = cmus_half_to_float((uint16_t)bits), high = cmus_half_to_float((uint16_t)(bits + 1));
        float middle = (low + high) / 2;
        unsigned even = bits & 1 ? bits + 1 : bits;
        wrong += cmus_float_to_half(middle) != even || cmus_float_to_half(-middle) != (even | 0x8000);
        wrong += cmus_float_to_half(nextafterf(middle, 0)) != bits;
        wrong += cmus_float_to_half(nextafterf(middle, INFINITY)) != bits + 1;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void rounding_between_bfloat16s(void) {
    int wrong = 0;
    for (unsigned bits = 0; bits < 0x7f7f; bits++) {
        uint32_t middle = bits << 16 | 0x8000;
        unsigned even = bits & 1 ? bits + 1 : bits;
        wrong += cmus_float_to_bfloat16(from_bits(middle)) != even;
        wrong += cmus_float_to_bfloat16(from_bits(middle | 0x80000000)) != (even | 0x8000);
        wrong += cmus_float_to_bfloat16(from_bits(middle - 1)) != bits;
        wrong += cmus_float_to_bfloat16(from_bits(middle + 1)) != bits + 1;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void corners_of_half(void) {
    static const struct {
        float value;
        uint16_t bits;
    } corners[] = {
        {0.0f, 0},          {-0.0f, 0x8000},        {1.0f, 0x3c00},         {-2.0f, 0xc000},
        {1.0f / 3, 0x3555}, {65504.0f, 0x7bff},     {65519.996f, 0x7bff},   {65520.0f, 0x7c00},
        {1e30f, 0x7c00},    {-1e30f, 0xfc00},       {INFINITY, 0x7c00},     {-INFINITY, 0xfc00},
        {0x1p-14f, 0x0400}, {0x1.ff8p-15f, 0x03ff}, {0x1.ffcp-15f, 0x0400}, /* the middle between the largest subnormal
                                                                               number and the next */
        {0x1p-24f, 1},      {0x1p-25f, 0},          {0x1.000002p-25f, 1},   {0x1.8p-24f, 2},
        {1e-40f, 0}};
    for (size_t i = 0; i < sizeof corners / sizeof corners[0]; i++)
        CU_ASSERT_EQUAL(cmus_float_to_half(corners[i].value), corners[i].bits);
    CU_ASSERT_EQUAL(cmus_float_to_half(from_bits(0x7fc00000)), 0x7e00);
    CU_ASSERT_EQUAL(cmus_float_to_half(from_bits(0xffffffff)), 0xffff);
    CU_ASSERT_EQUAL(cmus_float_to_half(from_bits(0x7f800001)), 0x7e00); /* else it would become infinite */
    CU_ASSERT_EQUAL(cmus_float_to_bfloat16(from_bits(0x7f800001)), 0x7fc0);
    CU_ASSERT_EQUAL(cmus_float_to_bfloat16(from_bits(0xffffffff)), 0xffff);
}

static void arrays(void) {
    enum { COUNT = 5 };
    const float values[COUNT] = {1.5f, -65536.0f, INFINITY, 3.4e38f, 0.1f};
    unsigned char bytes[COUNT * 8 + 1];
    float got[COUNT];
    CU_ASSERT_EQUAL(cmus_numbers_from_floats("F16", values, COUNT, bytes + 1), 2); /* unaligned, as all below */
    cmus_numbers_to_floats("F16", bytes + 1, COUNT, got);
    CU_ASSERT(got[0] == 1.5f && isinf(got[1]) && got[1] < 0 && isinf(got[2]) && isinf(got[3]));
    CU_ASSERT_EQUAL(got[4], 0.0999755859375f);
    CU_ASSERT_EQUAL(cmus_numbers_from_floats("BF16", values, COUNT, bytes + 1), 1); /* 3.4e38 is beyond the largest */
    cmus_numbers_to_floats("BF16", bytes + 1, COUNT, got);
    CU_ASSERT(got[0] == 1.5f && got[1] == -65536.0f && isinf(got[3]) && got[4] == 0.10009765625f);
    CU_ASSERT_EQUAL(cmus_numbers_from_floats("F32", values, COUNT, bytes + 1), 0);
    cmus_numbers_to_floats("F32", bytes + 1, COUNT, got);
    CU_ASSERT_EQUAL(memcmp(got, values, sizeof values), 0);
    const double wide[3] = {0.1, 1e300, -1e-300};
    memcpy(bytes + 1, wide, sizeof wide);
    cmus_numbers_to_floats("F64", bytes + 1, 3, got);
    CU_ASSERT(got[0] == 0.1f && isinf(got[1]) && got[2] == 0 && signbit(got[2]));
    CU_ASSERT(cmus_number_bytes("F64") == 8 && cmus_number_bytes("F32") == 4 && cmus_number_bytes("F16") == 2);
    CU_ASSERT(cmus_number_bytes("BF16") == 2 && cmus_number_bytes("I64") == 0 && cmus_number_bytes("") == 0);
}

int main(void) {
    static const unit_test tests[] = {
        {"all float16 there and back", all_halves},
        {"all bfloat16 there and back", all_bfloat16s},
        {"rounding between float16 neighbours", rounding_between_halves},
        {"rounding between bfloat16 neighbours", rounding_between_bfloat16s},
        {"corners", corners_of_half},
        {"arrays", arrays},
    };
    return unit_main("number types", tests, sizeof tests / sizeof tests[0]);
}
