/* Cross-modal scale attention: queries from the TEM map, keys and values from OM and from IM, one set of matrices for
 * both.
 *
 * cmsa (as published): one softmax over all channels, scaled as if they were split into heads; the product A v [N, C]
 * is transposed and its memory read again as [N, C] before the output layer. multihead: the usual form. The output is
 * X + proj(...). Maps of `cases` cases lie one after another, N tokens of C channels each. Not collective.
 */
#ifndef CMUS_CROSS_ATTENTION_H
#define CMUS_CROSS_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>

#include "cmus/parameters.h"

typedef struct cmus_cross_attention {
    int tokens, channels, heads;
    bool multihead;
    size_t query, key, value, proj_weight, proj_bias; /* in the flat buffer */
} cmus_cross_attention;

/* What forward leaves for backward. Owned by the caller; free it with cmus_cross_attention_free(). */
typedef struct cmus_cross_attention_tape {
    float *query;       /* [cases * N][C] */
    float *key, *value; /* [2 * cases * N][C]: OM of all cases, then IM */
    float *probability; /* [2 * cases][softmaxes][N][N] */
    float *mixed;       /* [2 * cases * N][C]: what the output layer read */
} cmus_cross_attention_tape;

/* Adds PREFIX.W_q, W_k, W_v (no bias) and PREFIX.proj to the parameters. */
cmus_cross_attention cmus_cross_attention_create(cmus_parameters *parameters, const char *prefix, int tokens,
                                                 int channels, int heads, bool multihead);

/* Softmaxes of a map: 1 in the published form, else one a head. */
int cmus_cross_attention_softmaxes(const cmus_cross_attention *attention);

/* out and other: [2 * cases * N][C], OM of all cases, then IM; tem: [cases * N][C]. */
void cmus_cross_attention_forward(const cmus_cross_attention *attention, const float *weights, float *out,
                                  const float *tem, const float *other, int cases, cmus_cross_attention_tape *tape);

/* d_other = gradient, d_tem += gradient, parameter gradients += in the flat `gradient` (NULL: not needed). */
void cmus_cross_attention_backward(const cmus_cross_attention *attention, const float *weights, float *gradient,
                                   float *d_tem, float *d_other, const float *d_out, const float *tem,
                                   const float *other, int cases, const cmus_cross_attention_tape *tape);

void cmus_cross_attention_free(cmus_cross_attention_tape *tape);

#endif
