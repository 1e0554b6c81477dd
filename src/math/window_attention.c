#include "cmus/window_attention.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/profile.h"
#include "kernels/kernels.h"

enum { SHIFT = CMUS_WINDOW / 2, TABLE_SIDE = 2 * CMUS_WINDOW - 1, SCORES = CMUS_WINDOW_TOKENS * CMUS_SCORE_STRIDE };

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

/* [heads][49][64]: the table spread over all pairs; -infinity in the padding, whose probability then is 0. */
static float *expand_bias(const float *table, int heads) {
    float *bias = cmus_allocate_raw((size_t)heads * SCORES, sizeof *bias);
    for (int h = 0; h < heads; h++)
        for (int i = 0; i < CMUS_WINDOW_TOKENS; i++)
            for (int j = 0; j < CMUS_SCORE_STRIDE; j++)
                bias[(size_t)h * SCORES + (size_t)(i * CMUS_SCORE_STRIDE + j)] =
                    j < CMUS_WINDOW_TOKENS ? table[cmus_relative_position(i, j) * heads + h] : -INFINITY;
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
    size_t tokens = (size_t)windows->height * (size_t)windows->width, width = (size_t)channels;
    size_t scratch_size = cmus_head_scratch(head_channels);
    float *bias = expand_bias(bias_table, heads);
    float *scratch = cmus_allocate_raw((size_t)omp_get_max_threads() * scratch_size, sizeof *scratch);
#pragma omp parallel for schedule(static)
    for (int unit = 0; unit < images * heads; unit++) {
        size_t image = (size_t)(unit / heads), head = (size_t)(unit % heads);
        cmus_head_task task = {.qkv = qkv + image * tokens * 3 * width + head * (size_t)head_channels,
                               .qkv_bias = qkv_bias + head * (size_t)head_channels,
                               .bias = bias + head * SCORES,
                               .windows = windows,
                               .channels = channels,
                               .head_channels = head_channels,
                               .out = out + image * tokens * width + head * (size_t)head_channels,
                               .scratch = scratch + (size_t)omp_get_thread_num() * scratch_size};
        kernels->head_forward(&task);
    }
    cmus_free(scratch);
    cmus_free(bias);
    cmus_profile_flops("window attention", head_flops(windows, FORWARD_PRODUCTS, images, channels));
    cmus_profile_end("window attention", began);
}

/* Adds what each image's head left behind, image after image. */
static void reduce_heads(const float *d_bias, const float *d_padded, int count, int channels, int heads,
                         float *d_bias_table, float *d_qkv_bias) {
    int head_channels = channels / heads;
    for (int unit = 0; unit < count * heads; unit++) {
        int head = unit % heads;
        const float *scores = d_bias + (size_t)unit * SCORES;
        for (int i = 0; i < CMUS_WINDOW_TOKENS; i++)
            for (int j = 0; j < CMUS_WINDOW_TOKENS; j++)
                d_bias_table[cmus_relative_position(i, j) * heads + head] += scores[i * CMUS_SCORE_STRIDE + j];
        const float *padded = d_padded + (size_t)unit * 3 * (size_t)head_channels;
        for (int part = 0; part < 3; part++)
            for (int c = 0; c < head_channels; c++)
                d_qkv_bias[part * channels + head * head_channels + c] += padded[part * head_channels + c];
    }
}

void cmus_window_attention_backward(float *d_qkv, float *d_qkv_bias, float *d_bias_table, float *mixed,
                                    const float *d_out, const float *qkv, const float *qkv_bias,
                                    const float *bias_table, const cmus_windows *windows, const int *slots, int count,
                                    int channels, int heads) {
    double began = cmus_profile_begin();
    const cmus_kernels *kernels = cmus_kernels_pick();
    int head_channels = channels / heads;
    size_t tokens = (size_t)windows->height * (size_t)windows->width, width = (size_t)channels;
    size_t units = (size_t)count * (size_t)heads, scratch_size = cmus_head_scratch(head_channels);
    float *bias = expand_bias(bias_table, heads);
    float *scratch = cmus_allocate_raw((size_t)omp_get_max_threads() * scratch_size, sizeof *scratch);
    float *d_bias = cmus_allocate(units * SCORES, sizeof *d_bias);
    float *d_padded = cmus_allocate(units * 3 * (size_t)head_channels, sizeof *d_padded);
#pragma omp parallel for schedule(static)
    for (int unit = 0; unit < count * heads; unit++) {
        size_t image = (size_t)(unit / heads), head = (size_t)(unit % heads);
        size_t slot = slots ? (size_t)slots[image] : image, offset = head * (size_t)head_channels;
        cmus_head_task task = {.qkv = qkv + slot * tokens * 3 * width + offset,
                               .qkv_bias = qkv_bias + offset,
                               .bias = bias + head * SCORES,
                               .windows = windows,
                               .channels = channels,
                               .head_channels = head_channels,
                               .out = mixed ? mixed + image * tokens * width + offset : NULL,
                               .d_out = d_out + image * tokens * width + offset,
                               .d_qkv = d_qkv + image * tokens * 3 * width + offset,
                               .d_padded = d_padded + (size_t)unit * 3 * (size_t)head_channels,
                               .d_bias = d_bias + (size_t)unit * SCORES,
                               .scratch = scratch + (size_t)omp_get_thread_num() * scratch_size};
        kernels->head_backward(&task);
    }
    reduce_heads(d_bias, d_padded, count, channels, heads, d_bias_table, d_qkv_bias);
    cmus_free(d_padded);
    cmus_free(d_bias);
    cmus_free(scratch);
    cmus_free(bias);
    cmus_profile_flops("window attention backward", head_flops(windows, BACKWARD_PRODUCTS, count, channels));
    cmus_profile_end("window attention backward", began);
}
