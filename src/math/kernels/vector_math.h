/* exp and erf in float, without branches, so that the compiler turns loops over them into vector code. */
#ifndef CMUS_VECTOR_MATH_H
#define CMUS_VECTOR_MATH_H

#include <stdint.h>
#include <string.h>

/* e^x, relative error below 2e-7 for x in [-87, 88]; beyond the range it gives the value at
 * its end. The
 * range reduction and the polynomial are those of Cephes expf (Moshier). */
static inline float vector_exp(float x) {
    x = x > 88.0f ? 88.0f : x; /* written so that a NaN stays one */
    x = x < -87.0f ? -87.0f : x;
    float shifted = x * 1.44269504088896341f + 12582912.0f; /* 1.5 * 2^23: rounds to the nearest integer */
    float n = shifted - 12582912.0f;
    float r = x - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    uint32_t exponent = (uint32_t)((int32_t)n + 127) << 23;
    float power;
    memcpy(&power, &exponent, sizeof power);
    return p * power;
}

/* erf(x), absolute error below 2e-7. Two minimax polynomials: one in x^2 near zero, one for log(1 - erf) beyond. */
static inline float vector_erf(float x) {
    float t = x < 0 ? -x : x;
    t = t > 4.0f ? 4.0f : t; /* erf is 1 in float from 3.92 on; a NaN stays one */
    float s = t * t;
    float far = -1.72853470e-5f * t + 3.83197126e-4f;
    float middle = -3.88396438e-3f * t + 2.42546219e-2f;
    far = far * s + middle;
    far = far * t - 1.06777877e-1f;
    far = far * t - 6.34846687e-1f;
    far = far * t - 1.28717512e-1f;
    far = far * t - t;
    far = 1.0f - vector_exp(far);
    float near = -5.96761703e-4f;
    near = near * s + 4.99119423e-3f;
    near = near * s - 2.67681349e-2f;
    near = near * s + 1.12819925e-1f;
    near = near * s - 3.76125336e-1f;
    near = near * s + 1.28379166e-1f;
    near = near * t + t;
    float result = t > 0.927734375f ? far : near;
    return x < 0 ? -result : result;
}

static inline float gelu_value(float x) {
    return 0.5f * x * (1.0f + vector_erf(x * 0.70710678118654752f));
}

static inline float gelu_slope(float x) {
    return 0.5f * (1.0f + vector_erf(x * 0.70710678118654752f)) + x * 0.39894228040143268f * vector_exp(-0.5f * x * x);
}

#endif
