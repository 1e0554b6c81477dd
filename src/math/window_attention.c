#include "cmus/window_attention.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/profile.h"
#include "kernels/kernels.h"

enum {
    SHIFT = CMUS_WINDOW / 2,
    TABLE_SIDE = 2 * CMUS_WINDOW - 1,
    LAST = CMUS_WINDOW_TOKENS - 1,
    UNIT_WINDOWS = 8 /* at least, in a unit of work of the backward pass */
};

/* Region of a position on one shifted axis: the last window is cut where the rolled part begins. */
static int axis_region(int position, int padded, int shift) {
    if (shift == 0)
        return 0;
    return position < padded - CMUS_WINDOW ? 0 : position < padded - shift ? 1 : 2;
}

void cmus_windows_make(cmus_windows *windows, int height, int width, bool shifted) {
    int padded_height = (height + CMUS_WINDOW - 1) / CMUS_WINDOW * CMUS_WINDOW;
    int padded_width = (width + CMUS_WINDOW - 1) / CMUS_WINDOW * CMUS_WINDOW;
    int shift_rows = shifted && padded_height > CMUS_WINDOW ? SHIFT : 0;
    int shift_columns = shifted && padded_width > CMUS_WINDOW ? SHIFT : 0;
    int across = padded_width / CMUS_WINDOW;
    *windows = (cmus_windows){.height = height, .width = width, .count = padded_height / CMUS_WINDOW * across};
    size_t count = (size_t)windows->count;
    windows->token = cmus_allocate(count * CMUS_WINDOW_TOKENS, sizeof(int));
    windows->region = cmus_allocate(count * CMUS_WINDOW_TOKENS, 1);
    windows->mixed = cmus_allocate(count, sizeof(bool));
    for (int w = 0; w < windows->count; w++)
        for (int i = 0; i < CMUS_WINDOW_TOKENS; i++) {
            int row = w / across * CMUS_WINDOW + i / CMUS_WINDOW, column = w % across * CMUS_WINDOW + i % CMUS_WINDOW;
            int from_row = (row + shift_rows) % padded_height, from_column = (column + shift_columns) % padded_width;
            int at = w * CMUS_WINDOW_TOKENS + i;
            windows->token[at] = from_row < height && from_column < width ? from_row * width + from_column : -1;
            windows->region[at] = (signed char)(axis_region(row, padded_height, shift_rows) * 3 +
                                                axis_region(column, padded_width, shift_columns));
            if (windows->region[at] != windows->region[w * CMUS_WINDOW_TOKENS])
                windows->mixed[w] = true;
        }
}

void cmus_windows_free(cmus_windows *windows) {
    cmus_free(windows->token);
    cmus_free(windows->region);
    cmus_free(windows->mixed);
    *windows = (cmus_windows){0};
}

int cmus_relative_position(int i, int j) {
    int rows = i / CMUS_WINDOW - j / CMUS_WINDOW, columns = i % CMUS_WINDOW - j % CMUS_WINDOW;
    return (rows + CMUS_WINDOW - 1) * TABLE_SIDE + columns + CMUS_WINDOW - 1;
}

/* One head's bias [CMUS_BIAS_SIZE], placed as kernels.h says: the table spread over all pairs, times log2(e), as the
 * kernels work with powers of 2; -infinity in the padding, whose weight then is 0. */
static void spread_bias(const float *table, int heads, int head, float *bias) {
    const float log2_e = 1.44269504088896341f;
    float own[CMUS_BIAS_ROWS], pairs[CMUS_WINDOW_TOKENS], *odd = bias + CMUS_WINDOW_TOKENS * LAST;
    for (int i = 0; i < CMUS_BIAS_ROWS; i++)
        own[i] = table[i * heads + head] * log2_e;
    for (int key = 0; key < CMUS_WINDOW_TOKENS; key++) {
        const float *from = own + cmus_relative_position(0, key); /* a query's row and column count from there */
        for (int r = 0; r < CMUS_WINDOW; r++)
            for (int c = 0; c < CMUS_WINDOW; c++)
                pairs[r * CMUS_WINDOW + c] = from[r * TABLE_SIDE + c];
        memcpy(bias + key * LAST, pairs, LAST * sizeof *pairs);
        odd[key] = pairs[LAST];
    }
    for (int i = CMUS_WINDOW_TOKENS; i < CMUS_ODD_SIZE; i++)
        odd[i] = -INFINITY;
}

/* Its gradient back to the rows [169] of one head, += */
static void gather_bias(const float *d_bias, float *d_table) {
    float pairs[CMUS_WINDOW_TOKENS];
    for (int key = 0; key < CMUS_WINDOW_TOKENS; key++) {
        float *to = d_table + cmus_relative_position(0, key);
        memcpy(pairs, d_bias + key * LAST, LAST * sizeof *pairs);
        pairs[LAST] = d_bias[CMUS_WINDOW_TOKENS * LAST + key];
        for (int r = 0; r < CMUS_WINDOW; r++)
            for (int c = 0; c < CMUS_WINDOW; c++)
                to[r * TABLE_SIDE + c] += pairs[r * CMUS_WINDOW + c];
    }
}

static float *spread_biases(const float *table, int heads) {
    float *bias = cmus_allocate_raw((size_t)heads * CMUS_BIAS_SIZE, sizeof *bias);
#pragma omp parallel for schedule(static)
    for (int h = 0; h < heads; h++)
        spread_bias(table, heads, h, bias + (size_t)h * CMUS_BIAS_SIZE);
    return bias;
}

/* Products of 49 x 49 x channels that a window needs: scores and mixed values; the gradients of query, key, value and
 * probabilities (the scores that the backward pass computes again are not needed). */
enum { FORWARD_PRODUCTS = 2, BACKWARD_PRODUCTS = 4 };

static double head_flops(const cmus_windows *windows, int products, int images, int channels) {
    return 2.0 * CMUS_WINDOW_TOKENS * CMUS_WINDOW_TOKENS * channels * products * images * windows->count;
}

void cmus_window_attention_forward(float *out, const float *qkv, const float *qkv_bias, const float *bias_table,
                                   const cmus_windows *windows, int images, int channels, int heads) {
    double began = cmus_profile_begin();
    const cmus_kernels *kernels = cmus_kernels_pick();
    int head_channels = channels / heads;
    size_t map = (size_t)windows->height * (size_t)windows->width * (size_t)channels;
    size_t scratch_size = cmus_head_scratch(head_channels);
    float *bias = spread_biases(bias_table, heads);
    float *scratch = cmus_allocate_raw((size_t)omp_get_max_threads() * scratch_size, sizeof *scratch);
#pragma omp parallel for schedule(static)
    for (int unit = 0; unit < images * heads; unit++) {
        size_t image = (size_t)(unit / heads), head = (size_t)(unit % heads), next = (size_t)(unit + 1);
        size_t next_place = next / (size_t)heads * map * 3 + next % (size_t)heads * (size_t)head_channels;
        cmus_head_task task = {.qkv = qkv + image * 3 * map + head * (size_t)head_channels,
                               .next_qkv = unit + 1 < images * heads ? qkv + next_place : NULL,
                               .qkv_bias = qkv_bias + head * (size_t)head_channels,
                               .bias = bias + head * CMUS_BIAS_SIZE,
                               .windows = windows,
                               .channels = channels,
                               .head_channels = head_channels,
                               .out = out + image * map + head * (size_t)head_channels,
                               .scratch = scratch + (size_t)omp_get_thread_num() * scratch_size};
        kernels->head_forward(&task);
    }
    cmus_free(scratch);
    cmus_free(bias);
    cmus_profile_flops("window attention", head_flops(windows, FORWARD_PRODUCTS, images, channels));
    cmus_profile_end("window attention", began);
}

/* What the threads of a backward pass share. A unit of work is one head of `group` images. */
typedef struct backward_work {
    float *d_qkv, *mixed;
    const float *d_out, *qkv, *qkv_bias, *bias;
    const cmus_windows *windows;
    const int *slots;
    int count, channels, heads, group;
    float *d_table;  /* [units][169] */
    float *d_padded; /* [units][3][head channels] */
} backward_work;

static inline size_t slot_of(const backward_work *work, int image) {
    return (size_t)(work->slots ? work->slots[image] : image);
}

/* scratch: of the kernel, then CMUS_BIAS_SIZE. */
static void backward_unit(const backward_work *work, int unit, float *scratch) {
    const cmus_kernels *kernels = cmus_kernels_pick();
    int head = unit % work->heads, first = unit / work->heads * work->group;
    int head_channels = work->channels / work->heads;
    size_t map = (size_t)work->windows->height * (size_t)work->windows->width * (size_t)work->channels;
    size_t offset = (size_t)head * (size_t)head_channels;
    float *d_bias = scratch + cmus_head_scratch(head_channels);
    memset(d_bias, 0, CMUS_BIAS_SIZE * sizeof *d_bias);
    for (int i = first; i < first + work->group && i < work->count; i++) {
        size_t image = (size_t)i, slot = slot_of(work, i);
        bool last = i + 1 == work->count;
        cmus_head_task task = {.qkv = work->qkv + slot * 3 * map + offset,
                               .next_qkv = last ? NULL : work->qkv + slot_of(work, i + 1) * 3 * map + offset,
                               .next_d_out = last ? NULL : work->d_out + (image + 1) * map + offset,
                               .qkv_bias = work->qkv_bias + offset,
                               .bias = work->bias + (size_t)head * CMUS_BIAS_SIZE,
                               .windows = work->windows,
                               .channels = work->channels,
                               .head_channels = head_channels,
                               .out = work->mixed ? work->mixed + image * map + offset : NULL,
                               .d_out = work->d_out + image * map + offset,
                               .d_qkv = work->d_qkv + image * 3 * map + offset,
                               .d_padded = work->d_padded + (size_t)(unit * 3 * head_channels),
                               .d_bias = d_bias,
                               .scratch = scratch};
        kernels->head_backward(&task);
    }
    gather_bias(d_bias, work->d_table + (size_t)unit * CMUS_BIAS_ROWS);
}

/* Adds what the units left behind, one after another. */
static void reduce_units(const backward_work *work, int units, float *d_bias_table, float *d_qkv_bias) {
    int head_channels = work->channels / work->heads;
    for (int unit = 0; unit < units; unit++) {
        int head = unit % work->heads;
        for (int row = 0; row < CMUS_BIAS_ROWS; row++)
            d_bias_table[row * work->heads + head] += work->d_table[unit * CMUS_BIAS_ROWS + row];
        const float *padded = work->d_padded + (size_t)unit * 3 * (size_t)head_channels;
        for (int part = 0; part < 3; part++)
            for (int c = 0; c < head_channels; c++)
                d_qkv_bias[part * work->channels + head * head_channels + c] += padded[part * head_channels + c];
    }
}

void cmus_window_attention_backward(float *d_qkv, float *d_qkv_bias, float *d_bias_table, float *mixed,
                                    const float *d_out, const float *qkv, const float *qkv_bias,
                                    const float *bias_table, const cmus_windows *windows, const int *slots, int count,
                                    int channels, int heads) {
    double began = cmus_profile_begin();
    /* few windows an image: several images share one gradient of the bias */
    int group = windows->count < UNIT_WINDOWS ? UNIT_WINDOWS / windows->count : 1;
    int units = (count + group - 1) / group * heads;
    size_t scratch_size = cmus_head_scratch(channels / heads) + CMUS_BIAS_SIZE;
    float *bias = spread_biases(bias_table, heads);
    float *scratch = cmus_allocate_raw((size_t)omp_get_max_threads() * scratch_size, sizeof *scratch);
    backward_work work = {.d_qkv = d_qkv,
                          .mixed = mixed,
                          .d_out = d_out,
                          .qkv = qkv,
                          .qkv_bias = qkv_bias,
                          .bias = bias,
                          .windows = windows,
                          .slots = slots,
                          .count = count,
                          .channels = channels,
                          .heads = heads,
                          .group = group,
                          .d_table = cmus_allocate((size_t)units * CMUS_BIAS_ROWS, sizeof(float)),
                          .d_padded = cmus_allocate((size_t)units * 3 * (size_t)(channels / heads), sizeof(float))};
#pragma omp parallel for schedule(static)
    for (int unit = 0; unit < units; unit++)
        backward_unit(&work, unit, scratch + (size_t)omp_get_thread_num() * scratch_size);
    reduce_units(&work, units, d_bias_table, d_qkv_bias);
    cmus_free(work.d_padded);
    cmus_free(work.d_table);
    cmus_free(scratch);
    cmus_free(bias);
    cmus_profile_flops("window attention backward", head_flops(windows, BACKWARD_PRODUCTS, count, channels));
    cmus_profile_end("window attention backward", began);
}
