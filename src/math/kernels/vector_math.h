/* exp2 and GELU in float, without branches, so that the compiler turns loops over them into vector code. */
#ifndef CMUS_VECTOR_MATH_H
#define CMUS_VECTOR_MATH_H

#include <stdint.h>
#include <string.h>

/* 2^r = the polynomial of these, for r in [-0.5, 0.5]: minimax in the relative error, 7.5e-8 (Remez). */
#define EXP2_0 1.0000000716522397f
#define EXP2_1 0.693146967046793f
#define EXP2_2 0.2402211971832844f
#define EXP2_3 0.05550713299530299f
#define EXP2_4 0.009675541676808381f
#define EXP2_5 0.0013276465006219135f
/* 1.5 * 2^23 + 127: what is added to it is rounded to an integer n, and its last bits hold the exponent field of 2^n */
#define EXP2_ROUND 12583039.0f

static const float LOG2_E = 1.44269504088896341f;

/* 2^x, relative error below 2.5e-7 for x in [-126, 127]; 0 below -127. A NaN stays one. Not for larger x. */
static inline float vector_exp2(float x) {
    x = x < -127.0f ? -127.0f : x;
    float rounded = x + EXP2_ROUND;
    float r = x - (rounded - EXP2_ROUND);
    float p = EXP2_5 * r + EXP2_4;
    p = p * r + EXP2_3;
    p = p * r + EXP2_2;
    p = p * r + EXP2_1;
    p = p * r + EXP2_0;
    uint32_t bits;
    float power;
    memcpy(&bits, &rounded, sizeof bits);
    bits <<= 23;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

/* Of the normal distribution at -|x|: *density = exp(-x^2 / 2), returned is the cumulative probability, which is the
 * density times a smooth function (Mills's ratio), here a polynomial on [0, 5] (Remez, weighted by exp(-x^2 / 4)).
 * Absolute error below 2e-7; relative error 7e-7 up to |x| = 1, 3e-6 up to 2, 1e-4 up to 4, 1e-3 up to 5; then it grows
 * to a factor of 2.5 at 13, where the density becomes 0. */
static inline float normal_tail(float x, float *density) {
    float t = x < 0 ? -x : x;
    t = t > 5.0f ? 5.0f : t; /* a NaN stays one */
    float p = -1.5461489573453117e-07f;
    p = p * t + 4.358365073079586e-06f;
    p = p * t - 5.512087406284803e-05f;
    p = p * t + 0.0004177558651787152f;
    p = p * t - 0.0021517004549875345f;
    p = p * t + 0.00817208957843153f;
    p = p * t - 0.024476143233772164f;
    p = p * t + 0.06119426332197375f;
    p = p * t - 0.13249955870156865f;
    p = p * t + 0.24990787484872998f;
    p = p * t - 0.3989353667197254f;
    p = p * t + 0.4999999141707488f;
    *density = vector_exp2(x * x * (-0.5f * LOG2_E));
    return p * *density;
}

/* GELU with erf: x times the cumulative probability. Absolute error below 2e-7 * max(1, |x|), and for negative x the
 * relative error of normal_tail(). */
static inline float gelu_value(float x) {
    float density, tail = normal_tail(x, &density);
    return x * (x < 0 ? tail : 1.0f - tail);
}

/* The same, and *slope = its derivative, absolute error below 3e-7. */
static inline float gelu_value_and_slope(float x, float *slope) {
    const float factor = 0.39894228040143268f; /* 1 / sqrt(2 pi) */
    float density, tail = normal_tail(x, &density);
    float cumulative = x < 0 ? tail : 1.0f - tail;
    *slope = cumulative + x * (factor * density);
    return x * cumulative;
}

static inline float gelu_slope(float x) {
    float slope;
    gelu_value_and_slope(x, &slope);
    return slope;
}

#endif
