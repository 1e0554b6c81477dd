#include "cmus/cross_attention.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmus/gemm.h"
#include "cmus/memory.h"
#include "cmus/product.h"
#include "cmus/profile.h"

static size_t add_linear(cmus_parameters *parameters, const char *prefix, const char *name, int channels) {
    return cmus_parameters_add(parameters, CMUS_INITIAL_UNIFORM, channels, 2, (int[]){channels, channels},
                               "%s.%s.weight", prefix, name);
}

cmus_cross_attention cmus_cross_attention_create(cmus_parameters *parameters, const char *prefix, int tokens,
                                                 int channels, int heads, bool multihead) {
    cmus_cross_attention attention = {.tokens = tokens, .channels = channels, .heads = heads, .multihead = multihead};
    attention.query = add_linear(parameters, prefix, "W_q", channels);
    attention.key = add_linear(parameters, prefix, "W_k", channels);
    attention.value = add_linear(parameters, prefix, "W_v", channels);
    attention.proj_weight = add_linear(parameters, prefix, "proj", channels);
    attention.proj_bias =
        cmus_parameters_add(parameters, CMUS_INITIAL_UNIFORM, channels, 1, &channels, "%s.proj.bias", prefix);
    return attention;
}

/* The softmaxes of one map: in the published form a single one over all channels. */
typedef struct split {
    int count, width; /* softmaxes, channels of each */
    float scale;
} split;

static split split_of(const cmus_cross_attention *attention) {
    int head_channels = attention->channels / attention->heads;
    return (split){.count = attention->multihead ? attention->heads : 1,
                   .width = attention->multihead ? head_channels : attention->channels,
                   .scale = 1.0f / sqrtf((float)head_channels)};
}

int cmus_cross_attention_softmaxes(const cmus_cross_attention *attention) {
    return split_of(attention).count;
}

static void softmax_row(float *row, int count) {
    float highest = row[0], sum = 0;
    for (int j = 1; j < count; j++)
        highest = row[j] > highest ? row[j] : highest;
    for (int j = 0; j < count; j++) {
        row[j] = expf(row[j] - highest);
        sum += row[j];
    }
    for (int j = 0; j < count; j++)
        row[j] /= sum;
}

/* out [C][N] = in [N][C] transposed, or back. */
static void transpose(float *out, const float *in, int rows, int columns) {
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++)
            out[(size_t)c * (size_t)rows + (size_t)r] = in[(size_t)r * (size_t)columns + (size_t)c];
}

/* One map: probabilities and what the output layer reads. product [N][C] is scratch. */
static void attend(const cmus_cross_attention *attention, const float *query, const float *key, const float *value,
                   float *probability, float *mixed, float *product) {
    split parts = split_of(attention);
    int n = attention->tokens, channels = attention->channels;
    float *to = attention->multihead ? mixed : product;
    for (int h = 0; h < parts.count; h++) {
        float *p = probability + (size_t)h * (size_t)(n * n);
        size_t offset = (size_t)(h * parts.width);
        cmus_gemm(false, true, n, n, parts.width, parts.scale, query + offset, channels, key + offset, channels, 0, p,
                  n);
        for (int i = 0; i < n; i++)
            softmax_row(p + i * n, n);
        cmus_gemm(false, false, n, parts.width, n, 1, p, n, value + offset, channels, 0, to + offset, channels);
    }
    if (!attention->multihead)
        transpose(mixed, product, n, channels); /* [C, N] in memory, read as [N, C] */
}

void cmus_cross_attention_forward(const cmus_cross_attention *attention, const float *weights, float *out,
                                  const float *tem, const float *other, int cases, cmus_cross_attention_tape *tape) {
    double began = cmus_profile_begin();
    int n = attention->tokens, channels = attention->channels, rows = cases * n;
    size_t map = (size_t)n * (size_t)channels, scores = (size_t)split_of(attention).count * (size_t)(n * n);
    tape->query = cmus_allocate_raw((size_t)cases * map, sizeof(float));
    tape->key = cmus_allocate_raw(2 * (size_t)cases * map, sizeof(float));
    tape->value = cmus_allocate_raw(2 * (size_t)cases * map, sizeof(float));
    tape->mixed = cmus_allocate_raw(2 * (size_t)cases * map, sizeof(float));
    tape->probability = cmus_allocate_raw(2 * (size_t)cases * scores, sizeof(float));
    float *product = cmus_allocate_raw(map, sizeof *product);
    cmus_linear_forward(tape->query, tem, weights + attention->query, NULL, rows, channels, channels);
    cmus_linear_forward(tape->key, other, weights + attention->key, NULL, 2 * rows, channels, channels);
    cmus_linear_forward(tape->value, other, weights + attention->value, NULL, 2 * rows, channels, channels);
    for (int i = 0; i < 2 * cases; i++) {
        size_t at = (size_t)i * map;
        attend(attention, tape->query + (size_t)(i % cases) * map, tape->key + at, tape->value + at,
               tape->probability + (size_t)i * scores, tape->mixed + at, product);
    }
    cmus_linear_forward(out, tape->mixed, weights + attention->proj_weight, weights + attention->proj_bias, 2 * rows,
                        channels, channels);
    for (size_t i = 0; i < 2 * (size_t)cases * map; i++)
        out[i] += other[i];
    cmus_free(product);
    cmus_profile_end("cross attention", began);
}

/* One map's way back through its softmaxes. d_mixed, scratch [N][C]; d_scores [N][N] is scratch; d_query +=. */
static void attend_backward(const cmus_cross_attention *attention, const float *query, const float *key,
                            const float *value, const float *probability, const float *d_mixed, float *d_query,
                            float *d_key, float *d_value, float *scratch, float *d_scores) {
    split parts = split_of(attention);
    int n = attention->tokens, channels = attention->channels;
    const float *d_product = d_mixed;
    if (!attention->multihead) {
        transpose(scratch, d_mixed, channels, n);
        d_product = scratch;
    }
    for (int h = 0; h < parts.count; h++) {
        const float *p = probability + (size_t)h * (size_t)(n * n);
        size_t offset = (size_t)(h * parts.width);
        cmus_gemm(true, false, n, parts.width, n, 1, p, n, d_product + offset, channels, 0, d_value + offset, channels);
        cmus_gemm(false, true, n, n, parts.width, 1, d_product + offset, channels, value + offset, channels, 0,
                  d_scores, n);
        for (int i = 0; i < n; i++) {
            float sum = 0;
            for (int j = 0; j < n; j++)
                sum += p[i * n + j] * d_scores[i * n + j];
            for (int j = 0; j < n; j++)
                d_scores[i * n + j] = p[i * n + j] * (d_scores[i * n + j] - sum);
        }
        cmus_gemm(false, false, n, parts.width, n, parts.scale, d_scores, n, key + offset, channels, 1,
                  d_query + offset, channels);
        cmus_gemm(true, false, n, parts.width, n, parts.scale, d_scores, n, query + offset, channels, 0, d_key + offset,
                  channels);
    }
}

void cmus_cross_attention_backward(const cmus_cross_attention *attention, const float *weights, float *gradient,
                                   float *d_tem, float *d_other, const float *d_out, const float *tem,
                                   const float *other, int cases, const cmus_cross_attention_tape *tape) {
    double began = cmus_profile_begin();
    int n = attention->tokens, channels = attention->channels, rows = cases * n;
    size_t map = (size_t)n * (size_t)channels, all = 2 * (size_t)cases * map;
    size_t scores = (size_t)split_of(attention).count * (size_t)(n * n);
    float *d_mixed = cmus_allocate_raw(all, sizeof(float)), *d_key = cmus_allocate_raw(all, sizeof(float));
    float *d_value = cmus_allocate_raw(all, sizeof(float));
    float *d_query = cmus_allocate((size_t)cases * map, sizeof(float));
    float *scratch = cmus_allocate_raw(map, sizeof(float)),
          *d_scores = cmus_allocate_raw((size_t)(n * n), sizeof(float));
    cmus_linear_backward(d_mixed, cmus_gradient_at(gradient, attention->proj_weight),
                         cmus_gradient_at(gradient, attention->proj_bias), d_out, tape->mixed,
                         weights + attention->proj_weight, 2 * rows, channels, channels);
    for (int i = 0; i < 2 * cases; i++) {
        size_t at = (size_t)i * map, from = (size_t)(i % cases) * map;
        attend_backward(attention, tape->query + from, tape->key + at, tape->value + at,
                        tape->probability + (size_t)i * scores, d_mixed + at, d_query + from, d_key + at, d_value + at,
                        scratch, d_scores);
    }
    float *part = d_mixed; /* no longer needed: now the shares of the inputs */
    memcpy(d_other, d_out, all * sizeof *d_other);
    cmus_linear_backward(part, cmus_gradient_at(gradient, attention->key), NULL, d_key, other, weights + attention->key,
                         2 * rows, channels, channels);
    for (size_t i = 0; i < all; i++)
        d_other[i] += part[i];
    cmus_linear_backward(part, cmus_gradient_at(gradient, attention->value), NULL, d_value, other,
                         weights + attention->value, 2 * rows, channels, channels);
    for (size_t i = 0; i < all; i++)
        d_other[i] += part[i];
    cmus_linear_backward(part, cmus_gradient_at(gradient, attention->query), NULL, d_query, tem,
                         weights + attention->query, rows, channels, channels);
    for (size_t i = 0; i < (size_t)cases * map; i++)
        d_tem[i] += part[i];
    cmus_free(d_scores);
    cmus_free(scratch);
    cmus_free(d_query);
    cmus_free(d_value);
    cmus_free(d_key);
    cmus_free(d_mixed);
    cmus_profile_end("cross attention backward", began);
}

void cmus_cross_attention_free(cmus_cross_attention_tape *tape) {
    cmus_free(tape->query);
    cmus_free(tape->key);
    cmus_free(tape->value);
    cmus_free(tape->probability);
    cmus_free(tape->mixed);
    *tape = (cmus_cross_attention_tape){0};
}
