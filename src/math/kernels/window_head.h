/* One attention head of one image: scores, softmax, mixing, window after window, from cache.
 *
 * All products are [49, k] x [k, n] with n padded to whole vectors, in blocks of 7 rows that stay in registers.
 */
#ifndef CMUS_KERNEL_WINDOW_HEAD_H
#define CMUS_KERNEL_WINDOW_HEAD_H

#include <math.h>

#include "kernels.h"
#include "lanes.h"
#include "vector_math.h"

#if defined(__AVX512F__)
enum { COLUMN_VECTORS = 2 };
#else
enum { COLUMN_VECTORS = 1 };
#endif
enum { TOKENS = CMUS_WINDOW_TOKENS, STRIDE = CMUS_SCORE_STRIDE, ROW_BLOCK = 7 };

/* c [49, n] = a b. a: element (row, k) at a[row * a_row + k * a_step]; b [k, n] and c with n floats a row, 64-byte
 * aligned; n a multiple of 16 (of 32 with two column vectors of 16: the caller's n is 64 or a multiple of 16). */
static inline __attribute__((always_inline)) void product_block(int vectors, int depth, int n, const float *a,
                                                                int a_row, int a_step, const float *b, float *c) {
    lanes sum[ROW_BLOCK][2];
    for (int r = 0; r < ROW_BLOCK; r++)
        for (int v = 0; v < vectors; v++)
            sum[r][v] = (lanes){0};
    for (int k = 0; k < depth; k++) {
        const lanes *row = (const lanes *)(b + (size_t)k * (size_t)n);
        for (int r = 0; r < ROW_BLOCK; r++) {
            float factor = a[r * a_row + k * a_step];
            for (int v = 0; v < vectors; v++)
                sum[r][v] += factor * row[v];
        }
    }
    for (int r = 0; r < ROW_BLOCK; r++)
        for (int v = 0; v < vectors; v++)
            ((lanes *)(c + (size_t)r * (size_t)n))[v] = sum[r][v];
}

static void product(int depth, int n, const float *a, int a_row, int a_step, const float *b, float *c) {
    for (int r = 0; r < TOKENS; r += ROW_BLOCK) {
        int column = 0;
        for (; column + LANES * COLUMN_VECTORS <= n; column += LANES * COLUMN_VECTORS)
            product_block(COLUMN_VECTORS, depth, n, a + r * a_row, a_row, a_step, b + column, c + r * n + column);
        for (; column < n; column += LANES)
            product_block(1, depth, n, a + r * a_row, a_row, a_step, b + column, c + r * n + column);
    }
}

/* Rows of one of q, k, v (part 0, 1, 2) of a window, padded with zero channels: rows [49][padded]. */
static void gather_rows(const cmus_head_task *task, const int *token, int part, int padded, float *rows) {
    size_t stride = 3 * (size_t)task->channels, offset = (size_t)part * (size_t)task->channels;
    for (int i = 0; i < TOKENS; i++) {
        const float *from = token[i] >= 0 ? task->qkv + (size_t)token[i] * stride + offset : task->qkv_bias + offset;
        float *to = rows + i * padded;
        for (int c = 0; c < task->head_channels; c++)
            to[c] = from[c];
        for (int c = task->head_channels; c < padded; c++)
            to[c] = 0;
    }
}

/* out [channels][64] = rows [49][padded] transposed; padding columns zero. */
static void transpose_rows(const float *rows, int padded, int channels, float *out) {
    for (int c = 0; c < channels; c++) {
        for (int i = 0; i < TOKENS; i++)
            out[c * STRIDE + i] = rows[i * padded + c];
        for (int i = TOKENS; i < STRIDE; i++)
            out[c * STRIDE + i] = 0;
    }
}

/* Scores to probabilities, in place. */
static void softmax_rows(const cmus_head_task *task, int window, float scale, float *scores) {
    const signed char *region = task->windows->region + window * TOKENS;
    for (int i = 0; i < TOKENS; i++) {
        float *row = scores + i * STRIDE;
        const float *bias = task->bias + i * STRIDE;
        for (int j = 0; j < STRIDE; j++)
            row[j] = row[j] * scale + bias[j];
        if (task->windows->mixed[window])
            for (int j = 0; j < TOKENS; j++)
                row[j] += region[i] != region[j] ? -100.0f : 0.0f;
        float highest = row[0];
#pragma omp simd reduction(max : highest)
        for (int j = 0; j < TOKENS; j++)
            highest = row[j] > highest ? row[j] : highest;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int j = 0; j < STRIDE; j++) {
            float e = j < TOKENS ? vector_exp(row[j] - highest) : 0.0f;
            row[j] = e;
            sum += e;
        }
        float inverse = 1.0f / sum;
        for (int j = 0; j < STRIDE; j++)
            row[j] *= inverse;
    }
}

static void head_forward(const cmus_head_task *task) {
    int channels = task->head_channels, padded = cmus_padded_channels(channels);
    float scale = 1.0f / sqrtf((float)channels);
    float *rows = task->scratch, *value = rows + STRIDE * padded, *mixed = value + STRIDE * padded;
    float *transposed = mixed + STRIDE * padded, *scores = transposed + STRIDE * padded;
    for (int w = 0; w < task->windows->count; w++) {
        const int *token = task->windows->token + w * TOKENS;
        gather_rows(task, token, 1, padded, rows);
        transpose_rows(rows, padded, channels, transposed);
        gather_rows(task, token, 0, padded, rows);
        gather_rows(task, token, 2, padded, value);
        product(channels, STRIDE, rows, padded, 1, transposed, scores);
        softmax_rows(task, w, scale, scores);
        product(TOKENS, padded, scores, STRIDE, 1, value, mixed);
        for (int i = 0; i < TOKENS; i++)
            if (token[i] >= 0)
                for (int c = 0; c < channels; c++)
                    task->out[(size_t)token[i] * (size_t)task->channels + (size_t)c] = mixed[i * padded + c];
    }
}

/* One of dq, dk, dv back to its tokens; what belongs to padded tokens goes to the biases. */
static void scatter_rows(const cmus_head_task *task, const int *token, int part, int padded, float factor,
                         const float *rows) {
    size_t stride = 3 * (size_t)task->channels, offset = (size_t)part * (size_t)task->channels;
    for (int i = 0; i < TOKENS; i++) {
        const float *from = rows + i * padded;
        if (token[i] >= 0) {
            float *to = task->d_qkv + (size_t)token[i] * stride + offset;
            for (int c = 0; c < task->head_channels; c++)
                to[c] = factor * from[c];
        } else {
            float *to = task->d_padded + part * task->head_channels;
            for (int c = 0; c < task->head_channels; c++)
                to[c] += factor * from[c];
        }
    }
}

/* d_scores in place of the gradient of the probabilities: p * (dp - sum(p * dp)). */
static void softmax_backward(const float *probabilities, float *gradient, float *d_bias) {
    for (int i = 0; i < TOKENS; i++) {
        const float *p = probabilities + i * STRIDE;
        float *d = gradient + i * STRIDE, sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int j = 0; j < STRIDE; j++)
            sum += p[j] * d[j];
        for (int j = 0; j < STRIDE; j++) {
            d[j] = p[j] * (d[j] - sum);
            d_bias[i * STRIDE + j] += d[j];
        }
    }
}

static void head_backward(const cmus_head_task *task) {
    int channels = task->head_channels, padded = cmus_padded_channels(channels);
    float scale = 1.0f / sqrtf((float)channels);
    float *query = task->scratch, *key = query + STRIDE * padded, *value = key + STRIDE * padded;
    float *d_mixed = value + STRIDE * padded, *rows = d_mixed + STRIDE * padded;
    float *transposed = rows + STRIDE * padded;
    float *scores = transposed + STRIDE * padded, *d_scores = scores + STRIDE * STRIDE;
    for (int w = 0; w < task->windows->count; w++) {
        const int *token = task->windows->token + w * TOKENS;
        gather_rows(task, token, 0, padded, query);
        gather_rows(task, token, 1, padded, key);
        gather_rows(task, token, 2, padded, value);
        for (int i = 0; i < TOKENS; i++)
            for (int c = 0; c < padded; c++)
                d_mixed[i * padded + c] = token[i] >= 0 && c < channels
                                              ? task->d_out[(size_t)token[i] * (size_t)task->channels + (size_t)c]
                                              : 0.0f; /* what a padded token would give is cut off */
        transpose_rows(key, padded, channels, transposed);
        product(channels, STRIDE, query, padded, 1, transposed, scores);
        softmax_rows(task, w, scale, scores);
        if (task->out) {
            product(TOKENS, padded, scores, STRIDE, 1, value, rows);
            for (int i = 0; i < TOKENS; i++)
                if (token[i] >= 0)
                    for (int c = 0; c < channels; c++)
                        task->out[(size_t)token[i] * (size_t)task->channels + (size_t)c] = rows[i * padded + c];
        }
        product(TOKENS, padded, scores, 1, STRIDE, d_mixed, rows); /* dv = p' d_mixed */
        scatter_rows(task, token, 2, padded, 1.0f, rows);
        transpose_rows(value, padded, channels, transposed);
        product(channels, STRIDE, d_mixed, padded, 1, transposed, d_scores);
        softmax_backward(scores, d_scores, task->d_bias);
        product(TOKENS, padded, d_scores, STRIDE, 1, key, rows); /* dq */
        scatter_rows(task, token, 0, padded, scale, rows);
        product(TOKENS, padded, d_scores, 1, STRIDE, query, rows); /* dk */
        scatter_rows(task, token, 1, padded, scale, rows);
    }
}

#endif
