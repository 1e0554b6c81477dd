/* One attention head of one image: scores, softmax, mixing, window after window, from cache.
 *
 * Scores lie transposed, [key][query]: the queries of a window side by side in vectors, so that the softmax runs down
 * the vectors, and the scores need the queries transposed but nothing else does. 49 queries are 48 in whole vectors and
 * one, the odd one, apart: a further vector for it alone would cost a third more on 16 lanes.
 *
 * Products keep a block of rows in registers. The weights of the softmax are not divided by their sum: the division
 * goes into the rows that they are multiplied with.
 */
#ifndef CMUS_KERNEL_WINDOW_HEAD_H
#define CMUS_KERNEL_WINDOW_HEAD_H

#include <math.h>
#include <string.h>

#include "kernels.h"
#include "lanes.h"
#include "vector_math.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
enum { ROW_BLOCK = 7, MIX_ROWS = 14, SCORE_VECTORS = 3 }; /* 21 sums, or 14 where the vectors are two; 32 registers */
#else
enum { ROW_BLOCK = 5, MIX_ROWS = 5, SCORE_VECTORS = 2 }; /* 10 of 16 registers */
#endif
enum {
    TOKENS = CMUS_WINDOW_TOKENS,
    QUERIES = TOKENS - 1, /* in vectors */
    ODD = TOKENS - 1,     /* the one apart */
    ODD_SIZE = CMUS_ODD_SIZE,
    STRIDE = CMUS_SCORE_STRIDE,
    LAST_ROWS = TOKENS % ROW_BLOCK,
    LAST_MIX = TOKENS % MIX_ROWS
};

static inline lanes lanes_load(const float *from) {
    return *(const loose_lanes *)from;
}

static inline void lanes_store(float *to, lanes value) {
    *(loose_lanes *)to = value;
}

/* The larger of each pair; a NaN in `value` stays, one in `other` does not. */
static inline lanes lanes_max(lanes other, lanes value) {
#if defined(__AVX512F__)
    return (lanes)_mm512_max_ps((__m512)other, (__m512)value);
#elif defined(__AVX2__)
    return (lanes)_mm256_max_ps((__m256)other, (__m256)value);
#else
    lane_indices take = (lane_indices)(other > value);
    return (lanes)((take & (lane_indices)other) | (~take & (lane_indices)value));
#endif
}

/* vector_exp2() in lanes. */
static inline lanes lanes_exp2(lanes x) {
    x = lanes_max((lanes){0} - 127.0f, x);
    lanes rounded = x + EXP2_ROUND;
    lanes r = x - (rounded - EXP2_ROUND);
    lanes p = EXP2_5 * r + EXP2_4;
    p = p * r + EXP2_3;
    p = p * r + EXP2_2;
    p = p * r + EXP2_1;
    p = p * r + EXP2_0;
    return p * (lanes)((lane_indices)rounded << 23);
}

/* Rows in memory, one a token, that a later step reads or writes. The products ask for them on their way, a block of
 * rows at a time, as all at once would fill the buffers that the products' own loads need; without that the gathering
 * and scattering of maps larger than the caches takes longer than all products. */
typedef struct row_list {
    const float *base; /* NULL: nothing to ask for */
    const int *token;
    size_t stride; /* floats from token to token */
} row_list;

/* What a product asks for. */
typedef struct lookahead {
    row_list read, more, write;
} lookahead;

static inline __attribute__((always_inline)) void prefetch_rows(const row_list *list, bool write, int padded, int first,
                                                                int count) {
    enum { LINE = 16 };
    if (!list->base)
        return;
#pragma GCC unroll 8
    for (int i = first; i < first + count; i++) {
        size_t token = (size_t)(list->token[i] & ~(list->token[i] >> 31)); /* 0 for a padded one */
        const float *row = list->base + token * list->stride;
#pragma GCC unroll 2
        for (int c = 0; c < padded; c += LINE) {
            if (write)
                __builtin_prefetch(row + c, 1, 3);
            else
                __builtin_prefetch(row + c, 0, 2); /* to the second cache: the first one is full of this window */
        }
    }
}

/* Always inlined: GCC takes a function that only prefetches for one without effect and drops its calls. */
static inline __attribute__((always_inline)) void look_ahead(const lookahead *ahead, int padded, int first, int count) {
    prefetch_rows(&ahead->read, false, padded, first, count);
    prefetch_rows(&ahead->more, false, padded, first, count);
    prefetch_rows(&ahead->write, true, padded, first, count);
}

/* `rows` rows of out [.][padded] = a b, `vectors` vectors of them. a: element (row, k) at a[row * a_row + k * a_step];
 * b [49][padded]. */
static inline __attribute__((always_inline)) void mix_block(int rows, int vectors, const float *a, int a_row,
                                                            int a_step, const float *b, int padded, float *out) {
    lanes sum[MIX_ROWS][2];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++)
            sum[r][v] = (lanes){0};
    for (int k = 0; k < TOKENS; k++) {
        const lanes *row = (const lanes *)(b + k * padded);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            float factor = a[r * a_row + k * a_step];
#pragma GCC unroll 3
            for (int v = 0; v < vectors; v++)
                sum[r][v] += factor * row[v];
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++)
            ((lanes *)(out + r * padded))[v] = sum[r][v];
}

static inline __attribute__((always_inline)) void mix_columns(int vectors, const float *a, int a_row, int a_step,
                                                              const float *b, int padded, float *out,
                                                              const lookahead *ahead) {
    int r = 0;
    for (; r + MIX_ROWS <= TOKENS; r += MIX_ROWS) {
        if (ahead)
            look_ahead(ahead, padded, r, MIX_ROWS);
        mix_block(MIX_ROWS, vectors, a + r * a_row, a_row, a_step, b, padded, out + r * padded);
    }
    if (LAST_MIX) {
        if (ahead)
            look_ahead(ahead, padded, r, LAST_MIX);
        mix_block(LAST_MIX, vectors, a + r * a_row, a_row, a_step, b, padded, out + r * padded);
    }
}

/* out [49][padded] = weights' b: rows are queries. weights [key][query], b [key][padded]. */
static void mix_by_query(const float *weights, const float *b, int padded, float *out, const lookahead *ahead) {
    int c = 0;
    for (; c + 2 * LANES <= padded; c += 2 * LANES)
        mix_columns(2, weights, 1, STRIDE, b + c, padded, out + c, c == 0 ? ahead : NULL);
    if (c < padded)
        mix_columns(1, weights, 1, STRIDE, b + c, padded, out + c, c == 0 ? ahead : NULL);
}

/* out [49][padded] = weights b: rows are keys. b [query][padded]. */
static void mix_by_key(const float *weights, const float *b, int padded, float *out, const lookahead *ahead) {
    int c = 0;
    for (; c + 2 * LANES <= padded; c += 2 * LANES)
        mix_columns(2, weights, STRIDE, 1, b + c, padded, out + c, c == 0 ? ahead : NULL);
    if (c < padded)
        mix_columns(1, weights, STRIDE, 1, b + c, padded, out + c, c == 0 ? ahead : NULL);
}

/* Tokens of a window, split by region: what a pair gets on top of its score. */
typedef struct window_mask {
    int region[TOKENS] __attribute__((aligned(64)));
} window_mask;

static inline lanes mask_of(const window_mask *mask, int key, int query) {
    const lane_indices *region = (const lane_indices *)(mask->region + query);
    lane_indices other = *region != mask->region[key];
    return (lanes)(other & (lane_indices)((lanes){0} - 100.0f * LOG2_E));
}

/* `rows` rows (keys) of scores [.][STRIDE]: products of the rows of `keys` with `columns` [channels][48], on top of
 * bias [49][48] and mask, each of which may be NULL. */
static inline __attribute__((always_inline)) void score_block(int rows, int key, int query, const float *keys,
                                                              int padded, const float *columns, int channels,
                                                              const float *bias, const window_mask *mask,
                                                              float *scores) {
    lanes sum[ROW_BLOCK][SCORE_VECTORS];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 3
        for (int v = 0; v < SCORE_VECTORS; v++) {
            sum[r][v] = bias ? ((const lanes *)(bias + (key + r) * QUERIES + query))[v] : (lanes){0};
            if (mask)
                sum[r][v] += mask_of(mask, key + r, query + v * LANES);
        }
    for (int c = 0; c < channels; c++) {
        const lanes *row = (const lanes *)(columns + c * QUERIES + query);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            float factor = keys[(key + r) * padded + c];
#pragma GCC unroll 3
            for (int v = 0; v < SCORE_VECTORS; v++)
                sum[r][v] += factor * row[v];
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 3
        for (int v = 0; v < SCORE_VECTORS; v++)
            lanes_store(scores + (key + r) * STRIDE + query + v * LANES, sum[r][v]);
}

/* The same for all keys and the 48 queries. */
static inline __attribute__((always_inline)) void score_columns(const float *keys, int padded, const float *columns,
                                                                int channels, const float *bias,
                                                                const window_mask *mask, float *scores,
                                                                const lookahead *ahead) {
    for (int query = 0; query < QUERIES; query += SCORE_VECTORS * LANES) {
        int key = 0;
        for (; key + ROW_BLOCK <= TOKENS; key += ROW_BLOCK) {
            if (query == 0)
                look_ahead(ahead, padded, key, ROW_BLOCK);
            score_block(ROW_BLOCK, key, query, keys, padded, columns, channels, bias, mask, scores);
        }
        if (LAST_ROWS) {
            if (query == 0)
                look_ahead(ahead, padded, key, LAST_ROWS);
            score_block(LAST_ROWS, key, query, keys, padded, columns, channels, bias, mask, scores);
        }
    }
}

/* scores [ODD_SIZE] of the odd query with every key; without a bias the padding is zero. */
static void score_odd(const float *keys, int padded, const float *query, const float *bias, const window_mask *mask,
                      float *scores) {
    lanes sums[LANES];
    for (int key = 0; key < QUERIES; key += LANES) {
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) {
            const lanes *row = (const lanes *)(keys + (key + i) * padded);
            sums[i] = row[0] * ((const lanes *)query)[0];
            for (int v = 1; v < padded / LANES; v++)
                sums[i] += row[v] * ((const lanes *)query)[v];
        }
        *(lanes *)(scores + key) = lanes_row_sums(sums);
    }
    float last = 0;
#pragma omp simd reduction(+ : last)
    for (int c = 0; c < padded; c++)
        last += keys[QUERIES * padded + c] * query[c];
    scores[QUERIES] = last;
    for (int key = TOKENS; key < ODD_SIZE; key++)
        scores[key] = 0;
    for (int key = 0; key < ODD_SIZE && bias; key++)
        scores[key] += bias[key];
    for (int key = 0; key < TOKENS && mask; key++)
        scores[key] += mask->region[key] != mask->region[ODD] ? -100.0f * LOG2_E : 0.0f;
}

/* Scores to unnormalised weights, in place; inverse [48] of their sums. */
static void softmax_columns(float *scores, float *inverse) {
    enum { VECTORS = 3 };
    for (int query = 0; query < QUERIES; query += VECTORS * LANES) {
        lanes highest[VECTORS], sum[VECTORS];
        for (int v = 0; v < VECTORS; v++) {
            highest[v] = lanes_load(scores + query + v * LANES);
            sum[v] = (lanes){0};
        }
        for (int key = 1; key < TOKENS; key++)
            for (int v = 0; v < VECTORS; v++)
                highest[v] = lanes_max(lanes_load(scores + key * STRIDE + query + v * LANES), highest[v]);
        for (int key = 0; key < TOKENS; key++)
            for (int v = 0; v < VECTORS; v++) {
                float *at = scores + key * STRIDE + query + v * LANES;
                lanes weight = lanes_exp2(lanes_load(at) - highest[v]);
                lanes_store(at, weight);
                sum[v] += weight;
            }
        for (int v = 0; v < VECTORS; v++)
            *(lanes *)(inverse + query + v * LANES) = 1.0f / sum[v];
    }
}

/* The same for the odd query; returns the inverse. */
static float softmax_odd(float *scores) {
    float highest = scores[0], sum = 0;
#pragma omp simd reduction(max : highest)
    for (int key = 0; key < ODD_SIZE; key++)
        highest = scores[key] > highest ? scores[key] : highest;
#pragma omp simd reduction(+ : sum)
    for (int key = 0; key < ODD_SIZE; key++) {
        scores[key] = vector_exp2(scores[key] - highest);
        sum += scores[key];
    }
    return 1.0f / sum;
}

/* The odd query's values to where the products look for them. */
static inline void place_odd(float *scores, const float *odd) {
    for (int key = 0; key < TOKENS; key++)
        scores[key * STRIDE + ODD] = odd[key];
}

/* columns [padded][48] = the first 48 rows [49][padded], transposed */
static void transpose_rows(const float *rows, int padded, float *columns) {
    for (int c = 0; c < padded; c += LANES)
        for (int i = 0; i < QUERIES; i += LANES) {
            lanes block[LANES];
#pragma GCC unroll 16
            for (int r = 0; r < LANES; r++)
                block[r] = *(const lanes *)(rows + (i + r) * padded + c);
            transpose_lanes(block);
#pragma GCC unroll 16
            for (int r = 0; r < LANES; r++)
                *(lanes *)(columns + (c + r) * QUERIES + i) = block[r];
        }
}

/* One row to `padded` floats, times a factor; zero in the padding. */
static inline __attribute__((always_inline)) void copy_row(const float *from, int channels, int padded, float factor,
                                                           float *to) {
    for (int c = 0; c < channels; c++)
        to[c] = factor * from[c];
    for (int c = channels; c < padded; c++)
        to[c] = 0;
}

/* Rows of one of q, k, v (part 0, 1, 2) of a window: rows [49][padded]. */
static inline __attribute__((always_inline)) void gather_rows(const cmus_head_task *task, const int *token, int part,
                                                              int channels, float factor, float *rows) {
    size_t stride = 3 * (size_t)task->channels, offset = (size_t)part * (size_t)task->channels;
    int padded = cmus_padded_channels(channels);
    for (int i = 0; i < TOKENS; i++) {
        const float *from = token[i] >= 0 ? task->qkv + (size_t)token[i] * stride : task->qkv_bias;
        copy_row(from + offset, channels, padded, factor, rows + i * padded);
    }
}

/* What a window's work needs, all from the task's scratch. */
typedef struct head_space {
    float *query, *key, *value, *d_mixed, *rows; /* [49][padded] */
    float *columns;                              /* [padded][48] */
    float *weights, *d_scores;                   /* [49][STRIDE] */
    float *odd, *d_odd, *inverse;                /* [ODD_SIZE] */
} head_space;

static inline head_space divide_scratch(const cmus_head_task *task, int padded) {
    size_t rows = (size_t)(TOKENS * padded), scores = CMUS_SCORE_SIZE;
    head_space s = {.query = task->scratch};
    s.key = s.query + rows;
    s.value = s.key + rows;
    s.d_mixed = s.value + rows;
    s.rows = s.d_mixed + rows;
    s.columns = s.rows + rows;
    s.weights = s.columns + (size_t)(padded * QUERIES);
    s.d_scores = s.weights + scores;
    s.odd = s.d_scores + scores;
    s.d_odd = s.odd + ODD_SIZE;
    s.inverse = s.d_odd + ODD_SIZE;
    return s;
}

/* The rows that the products of one window ask for. */
typedef struct window_lists {
    row_list query, key, value, d_mixed;   /* of the next window, to be read */
    row_list out, d_query, d_key, d_value; /* of this one, to be written */
} window_lists;

static inline row_list list_part(const float *rows, int part, const int *token, size_t width) {
    return (row_list){rows ? rows + (size_t)part * width : NULL, token, 3 * width};
}

static inline window_lists lists_of(const cmus_head_task *task, int window) {
    bool last = window + 1 == task->windows->count;
    const int *token = task->windows->token + window * TOKENS, *next = last ? task->windows->token : token + TOKENS;
    const float *qkv = last ? task->next_qkv : task->qkv, *d_out = last ? task->next_d_out : task->d_out;
    size_t width = (size_t)task->channels;
    return (window_lists){.query = list_part(qkv, 0, next, width),
                          .key = list_part(qkv, 1, next, width),
                          .value = list_part(qkv, 2, next, width),
                          .d_mixed = {d_out, next, width},
                          .out = {task->out, token, width},
                          .d_query = list_part(task->d_qkv, 0, token, width),
                          .d_key = list_part(task->d_qkv, 1, token, width),
                          .d_value = list_part(task->d_qkv, 2, token, width)};
}

/* Weights of a window in s->weights, the odd query's also in s->odd, and s->inverse [49]; leaves q, times `scale`, and
 * k in s. */
static inline __attribute__((always_inline)) void window_weights(const cmus_head_task *task, int window, int channels,
                                                                 float scale, const head_space *s,
                                                                 const lookahead *ahead) {
    const int *token = task->windows->token + window * TOKENS;
    const float *odd_bias = task->bias + TOKENS * QUERIES;
    int padded = cmus_padded_channels(channels);
    gather_rows(task, token, 0, channels, scale * LOG2_E, s->query);
    gather_rows(task, token, 1, channels, 1.0f, s->key);
    transpose_rows(s->query, padded, s->columns);
    if (task->windows->mixed[window]) {
        window_mask mask;
        for (int i = 0; i < TOKENS; i++)
            mask.region[i] = task->windows->region[window * TOKENS + i];
        score_columns(s->key, padded, s->columns, channels, task->bias, &mask, s->weights, ahead);
        score_odd(s->key, padded, s->query + ODD * padded, odd_bias, &mask, s->odd);
    } else {
        score_columns(s->key, padded, s->columns, channels, task->bias, NULL, s->weights, ahead);
        score_odd(s->key, padded, s->query + ODD * padded, odd_bias, NULL, s->odd);
    }
    softmax_columns(s->weights, s->inverse);
    s->inverse[ODD] = softmax_odd(s->odd);
    place_odd(s->weights, s->odd);
}

/* Mixed rows to their tokens of out, divided by the sums of their weights. */
static inline __attribute__((always_inline)) void scatter_mixed(const cmus_head_task *task, const int *token,
                                                                int channels, const head_space *s, float *out) {
    int padded = cmus_padded_channels(channels);
    for (int i = 0; i < TOKENS; i++)
        if (token[i] >= 0)
            copy_row(s->rows + i * padded, channels, channels, s->inverse[i],
                     out + (size_t)token[i] * (size_t)task->channels);
}

static inline __attribute__((always_inline)) void forward_windows(const cmus_head_task *task, int channels) {
    int padded = cmus_padded_channels(channels);
    float scale = 1.0f / sqrtf((float)channels);
    head_space s = divide_scratch(task, padded);
    for (int w = 0; w < task->windows->count; w++) {
        const int *token = task->windows->token + w * TOKENS;
        window_lists lists = lists_of(task, w);
        window_weights(task, w, channels, scale, &s, &(lookahead){.read = lists.query, .write = lists.out});
        gather_rows(task, token, 2, channels, 1.0f, s.value);
        mix_by_query(s.weights, s.value, padded, s.rows, &(lookahead){.read = lists.key, .more = lists.value});
        scatter_mixed(task, token, channels, &s, task->out);
    }
}

/* One of dq, dk, dv back to its tokens; what belongs to padded tokens goes to the biases. */
static inline __attribute__((always_inline)) void scatter_rows(const cmus_head_task *task, const int *token, int part,
                                                               int channels, float factor, const float *rows) {
    size_t stride = 3 * (size_t)task->channels, offset = (size_t)part * (size_t)task->channels;
    int padded = cmus_padded_channels(channels);
    for (int i = 0; i < TOKENS; i++) {
        if (token[i] >= 0) {
            copy_row(rows + i * padded, channels, channels, factor, task->d_qkv + (size_t)token[i] * stride + offset);
        } else {
            float *to = task->d_padded + part * channels;
            for (int c = 0; c < channels; c++)
                to[c] += factor * rows[i * padded + c];
        }
    }
}

/* d_scores in place of the gradient of the unnormalised weights, whose rows were already divided by the sums:
 * p * (dp - sum(p * dp) / sum(p)); also added to d_bias [49][48]. */
static void softmax_columns_backward(const float *weights, const float *inverse, float *d_scores, float *d_bias) {
    enum { VECTORS = 3 };
    for (int query = 0; query < QUERIES; query += VECTORS * LANES) {
        lanes sum[VECTORS];
        for (int v = 0; v < VECTORS; v++)
            sum[v] = (lanes){0};
        for (int key = 0; key < TOKENS; key++)
            for (int v = 0; v < VECTORS; v++) {
                int at = key * STRIDE + query + v * LANES;
                sum[v] += lanes_load(weights + at) * lanes_load(d_scores + at);
            }
        for (int v = 0; v < VECTORS; v++)
            sum[v] *= *(const lanes *)(inverse + query + v * LANES);
        for (int key = 0; key < TOKENS; key++)
            for (int v = 0; v < VECTORS; v++) {
                int at = key * STRIDE + query + v * LANES;
                lanes d = lanes_load(weights + at) * (lanes_load(d_scores + at) - sum[v]);
                lanes_store(d_scores + at, d);
                *(lanes *)(d_bias + key * QUERIES + query + v * LANES) += d;
            }
    }
}

/* The same for the odd query. */
static void softmax_odd_backward(const float *weights, float inverse, float *d_scores, float *d_bias) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int key = 0; key < ODD_SIZE; key++)
        sum += weights[key] * d_scores[key];
    sum *= inverse;
#pragma omp simd
    for (int key = 0; key < ODD_SIZE; key++) {
        d_scores[key] = weights[key] * (d_scores[key] - sum);
        d_bias[key] += d_scores[key];
    }
}

static inline __attribute__((always_inline)) void gather_d_mixed(const cmus_head_task *task, const int *token,
                                                                 int channels, const head_space *s) {
    int padded = cmus_padded_channels(channels);
    for (int i = 0; i < TOKENS; i++) {
        if (token[i] >= 0)
            copy_row(task->d_out + (size_t)token[i] * (size_t)task->channels, channels, padded, s->inverse[i],
                     s->d_mixed + i * padded);
        else /* what a padded token would give is cut off */
            memset(s->d_mixed + i * padded, 0, (size_t)padded * sizeof *s->d_mixed);
    }
}

static inline __attribute__((always_inline)) void backward_windows(const cmus_head_task *task, int channels) {
    int padded = cmus_padded_channels(channels);
    float scale = 1.0f / sqrtf((float)channels);
    head_space s = divide_scratch(task, padded);
    for (int w = 0; w < task->windows->count; w++) {
        const int *token = task->windows->token + w * TOKENS;
        window_lists lists = lists_of(task, w);
        window_weights(task, w, channels, scale, &s, &(lookahead){.write = lists.d_value});
        gather_rows(task, token, 2, channels, 1.0f, s.value);
        if (task->out) {
            mix_by_query(s.weights, s.value, padded, s.rows, &(lookahead){.write = lists.out});
            scatter_mixed(task, token, channels, &s, task->out);
        }
        gather_d_mixed(task, token, channels, &s);
        mix_by_key(s.weights, s.d_mixed, padded, s.rows, &(lookahead){.read = lists.query});
        scatter_rows(task, token, 2, channels, 1.0f, s.rows);
        transpose_rows(s.d_mixed, padded, s.columns);
        score_columns(s.value, padded, s.columns, channels, NULL, NULL, s.d_scores,
                      &(lookahead){.read = lists.key, .write = lists.d_query});
        score_odd(s.value, padded, s.d_mixed + ODD * padded, NULL, NULL, s.d_odd);
        softmax_columns_backward(s.weights, s.inverse, s.d_scores, task->d_bias);
        softmax_odd_backward(s.odd, s.inverse[ODD], s.d_odd, task->d_bias + TOKENS * QUERIES);
        place_odd(s.d_scores, s.d_odd);
        mix_by_query(s.d_scores, s.key, padded, s.rows, &(lookahead){.read = lists.value, .write = lists.d_key});
        scatter_rows(task, token, 0, channels, scale, s.rows);
        mix_by_key(s.d_scores, s.query, padded, s.rows, &(lookahead){.read = lists.d_mixed}); /* scale * log2(e) * q */
        scatter_rows(task, token, 1, channels, 1.0f / LOG2_E, s.rows);
    }
}

enum { USUAL_CHANNELS = 32 }; /* of a head in every Swin transformer, known to the compiler */

static void head_forward(const cmus_head_task *task) {
    if (task->head_channels == USUAL_CHANNELS)
        forward_windows(task, USUAL_CHANNELS);
    else
        forward_windows(task, task->head_channels);
}

static void head_backward(const cmus_head_task *task) {
    if (task->head_channels == USUAL_CHANNELS)
        backward_windows(task, USUAL_CHANNELS);
    else
        backward_windows(task, task->head_channels);
}

#endif
