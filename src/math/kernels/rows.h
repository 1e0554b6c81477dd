/* LayerNorm and Adam kernels: loops that the compiler vectorises for each processor family. */
#ifndef CMUS_KERNEL_ROWS_H
#define CMUS_KERNEL_ROWS_H

#include <math.h>

#include "cmus/exact_sum.h"
#include "kernels.h"
#include "vector_math.h"

static const float LAYERNORM_EPSILON = 1e-5f;

static inline void row_statistics(const float *in, int channels, float *mean, float *inverse) {
    float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
    for (int c = 0; c < channels; c++)
        sum += in[c];
    float m = sum / (float)channels;
#pragma omp simd reduction(+ : squares)
    for (int c = 0; c < channels; c++)
        squares += (in[c] - m) * (in[c] - m);
    *mean = m;
    *inverse = 1.0f / sqrtf(squares / (float)channels + LAYERNORM_EPSILON);
}

static void row_statistics_kernel(float statistics[2], const float *in, int channels) {
    row_statistics(in, channels, &statistics[0], &statistics[1]);
}

static void layernorm_forward(float *restrict out, const float *restrict in, const float *restrict gamma,
                              const float *restrict beta, int channels) {
    float mean, inverse;
    row_statistics(in, channels, &mean, &inverse);
#pragma omp simd
    for (int c = 0; c < channels; c++)
        out[c] = (in[c] - mean) * inverse * gamma[c] + beta[c];
}

static void layernorm_backward(float *restrict d_in, float *restrict d_gamma, float *restrict d_beta,
                               const float *restrict d_out, const float *restrict in, const float statistics[2],
                               const float *restrict gamma, int channels) {
    float mean = statistics[0], inverse = statistics[1], sum = 0, product = 0;
#pragma omp simd reduction(+ : sum, product)
    for (int c = 0; c < channels; c++) {
        float normal = (in[c] - mean) * inverse, scaled = d_out[c] * gamma[c];
        sum += scaled;
        product += scaled * normal;
        d_gamma[c] += d_out[c] * normal;
        d_beta[c] += d_out[c];
    }
    sum /= (float)channels;
    product /= (float)channels;
#pragma omp simd
    for (int c = 0; c < channels; c++) {
        float normal = (in[c] - mean) * inverse;
        d_in[c] += inverse * (d_out[c] * gamma[c] - sum - normal * product);
    }
}

static void adam_kernel(const cmus_adam *adam, double correction1, double correction2, size_t count,
                        float *restrict weights, float *restrict gradient, float *restrict first,
                        float *restrict second, float *restrict second_max) {
    const float beta1 = (float)adam->beta1, beta2 = (float)adam->beta2;
    const float rest1 = (float)(1.0 - adam->beta1), rest2 = (float)(1.0 - adam->beta2);
    const float decay = (float)adam->weight_decay, epsilon = (float)adam->epsilon;
    const float step = (float)(adam->lr / correction1), root = (float)(1.0 / sqrt(correction2));
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        float g = gradient[i] + decay * weights[i];
        float m = beta1 * first[i] + rest1 * g;
        float v = beta2 * second[i] + rest2 * g * g;
        float highest = v > second_max[i] ? v : second_max[i];
        gradient[i] = 0;
        first[i] = m;
        second[i] = v;
        second_max[i] = highest;
        weights[i] -= step * m / (sqrtf(highest) * root + epsilon);
    }
}

/* Fixed point of cmus/exact_sum.h. */
#define EXACT_SCALE 0x1p40

static bool exact_add(int64_t *restrict sums, float *restrict values, size_t count) {
    int beyond = 0;
#pragma omp simd reduction(| : beyond)
    for (size_t i = 0; i < count; i++) {
        float value = values[i];
        bool fits = fabsf(value) <= CMUS_EXACT_LIMIT; /* false for NaN */
        beyond |= !fits;
        sums[i] += (int64_t)rint((double)(fits ? value : 0) * EXACT_SCALE);
        values[i] = 0;
    }
    return !beyond;
}

static void exact_take(float *restrict values, int64_t *restrict sums, size_t count) {
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)((double)sums[i] * (1 / EXACT_SCALE));
        sums[i] = 0;
    }
}

static double sum_of_squares(const float *values, size_t count) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i] * values[i];
    return sum;
}

#endif
