/* Attention inside the 7x7 windows of a token map, with relative position bias, shift, padding and mask:
 * torchvision.models.swin_transformer.shifted_window_attention between its two linear layers.
 *
 * The maps are padded to multiples of 7 at the right and at the bottom; a padded token's q, k and v are the biases of
 * the qkv layer. Shifted windows look at the map rolled by -3; tokens that were not neighbours get -100 on their score.
 * An axis whose padded size is 7 is not shifted. Not collective.
 */
#ifndef CMUS_WINDOW_ATTENTION_H
#define CMUS_WINDOW_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>

enum { CMUS_WINDOW = 7, CMUS_WINDOW_TOKENS = 49, CMUS_BIAS_ROWS = 169 /* (2 * 7 - 1)^2 */ };

/* Where the windows of one kind of map lie. */
typedef struct cmus_windows {
    int height, width, count; /* of the map; windows in it */
    int *token;               /* [count][49]: token of the map, or -1 for a padded one */
    signed char *region;      /* [count][49]: tokens of different regions do not see each other */
    bool *mixed;              /* [count]: the window holds more than one region */
} cmus_windows;

/* Fatal only if memory is exhausted. */
void cmus_windows_make(cmus_windows *windows, int height, int width, bool shifted);
void cmus_windows_free(cmus_windows *windows);

/* Row of the bias table for the pair (i, j) of a window's tokens: ((i_r - j_r) + 6) * 13 + (i_c - j_c) + 6. */
int cmus_relative_position(int i, int j);

/* out [images][height * width][channels] from qkv [images][height * width][3 * channels]. qkv_bias [3 * channels];
 * bias_table [169][heads]; channels a multiple of heads. */
void cmus_window_attention_forward(float *out, const float *qkv, const float *qkv_bias, const float *bias_table,
                                   const cmus_windows *windows, int images, int channels, int heads);

/* d_qkv [count][height * width][3 * channels] is overwritten; d_qkv_bias [3 * channels] += what flows to padded tokens
 * (only that: the rest are the column sums of d_qkv); d_bias_table += its gradient. mixed [count][height * width]
 * [channels], or NULL: the output of the forward pass, made again from qkv. d_out is compact: [count]; qkv holds the
 * images slots[0 ... count - 1] (NULL: in order). */
void cmus_window_attention_backward(float *d_qkv, float *d_qkv_bias, float *d_bias_table, float *mixed,
                                    const float *d_out, const float *qkv, const float *qkv_bias,
                                    const float *bias_table, const cmus_windows *windows, const int *slots, int count,
                                    int channels, int heads);

#endif
