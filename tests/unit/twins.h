/* Plain double-precision twins of the forward functions in src/math and src/model: straightforward loops that follow
 * torchvision and the paper step by step (padding, rolling and masks are carried out as such). One image or one case a
 * call, unless the shapes say otherwise. */
#ifndef CMUS_TWINS_H
#define CMUS_TWINS_H

#include <stdbool.h>
#include <stddef.h>

#include "cmus/adam.h"
#include "cmus/cmusnet.h"
#include "cmus/product.h"
#include "cmus/swin.h"

/* out [rows, outputs] = in weight' + bias (may be NULL) */
void twin_linear(double *out, const double *in, const double *weight, const double *bias, int rows, int inputs,
                 int outputs);
void twin_layernorm(double *out, const double *in, const double *gamma, const double *beta, int rows, int channels);
double twin_gelu(double x);
/* Its derivative. */
double twin_gelu_slope(double x);
/* cmus_product() on the same operands. values, laid out as result->values, holds what is there before; magnitude [as
 * values] becomes the sum of the absolute values of all terms, which rounding is measured against, and stays as it is
 * where nothing is written. left_sums [m] += sums of the left operand over k, or NULL. */
void twin_product(double *values, double *magnitude, double *left_sums, const cmus_operand *left,
                  const cmus_operand *right, const cmus_result *result, int m, int n, int k);
/* row [count] = softmax(row) */
void twin_softmax(double *row, int count);

/* torchvision's shifted_window_attention between its linear layers. out [height * width][channels], qkv
 * [height * width][3 channels]; padded tokens hold qkv_bias. table [169][heads]. */
void twin_window_attention(double *out, const double *qkv, const double *qkv_bias, const double *table, int height,
                           int width, bool shifted, int channels, int heads);
/* The same on a map whose sides are multiples of 7. */
void twin_window_attention_padded(double *out, const double *qkv, const double *table, int height, int width,
                                  bool shifted, int channels, int heads);

/* 4x4 convolution with stride 4: out [(size / 4)^2][channels] from image [3][size][size], weight [channels][3][4][4] */
void twin_patch_embedding(double *out, const double *image, const double *weight, const double *bias, int size,
                          int channels);
/* Neighbours side by side: out [((side + 1) / 2)^2][4 channels] from in [side^2][channels] */
void twin_merge(double *out, const double *in, int side, int channels);

/* A network's weights in double, found by the names of its tensors. */
typedef struct twin_weights {
    const cmus_parameters *parameters;
    const double *values;
} twin_weights;

/* The tensor of that name; ends the test program if there is none. */
const double *twin_tensor(const twin_weights *weights, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* features [tokens][8 embed_dim] of image [3][S][S]; depth [blocks][2] or NULL */
void twin_encoder(double *features, const cmus_swin_config *config, const twin_weights *weights, const char *prefix,
                  const float *image, const float *depth);

/* out [tokens][channels] = other + attention(tem, other), weights PREFIX.W_q... */
void twin_cross_attention(double *out, const twin_weights *weights, const char *prefix, const double *tem,
                          const double *other, int tokens, int channels, int heads, bool multihead);

/* weight [count] of maps [count][size]; returns the centre */
int twin_smil(const double *maps, int count, size_t size, double threshold, double *weight, double *mean_distance);

typedef struct twin_result {
    double logits[CMUS_HEADS][CMUS_MAX_CLASSES], loss[CMUS_HEADS], total_loss;
} twin_result;

/* Logits and losses from pooled[m] [channels]; dropout [hidden] or NULL */
void twin_heads(const cmus_net_config *config, const twin_weights *weights, int channels, double *const pooled[3],
                const float *dropout, int label, twin_result *result);

/* Tokens and channels of the maps. */
int twin_tokens(const cmus_net_config *config);
int twin_channels(const cmus_net_config *config);

/* The network for one case, in two parts. First maps [images of the modality][tokens][channels], with the case's drawn
 * depth. */
void twin_encode(const cmus_net_config *config, const twin_weights *weights, const cmus_case *one,
                 cmus_modality modality, double *maps);
/* Then pooling of the bag with the given weights [tem_count], attention, heads with the case's dropout. */
void twin_fuse(const cmus_net_config *config, const twin_weights *weights, const cmus_case *one,
               double *const maps[CMUS_MODALITIES], const double *tem_weight, twin_result *result);

/* torch.optim.Adam(amsgrad=True), one update */
void twin_adam(const cmus_adam *adam, int step, size_t count, double *weights, const double *gradient, double *first,
               double *second, double *second_max);

#endif
