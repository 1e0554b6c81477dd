/* The four heads on pooled features, and the weighted cross-entropy loss of a case.
 *
 * Each modality: linear C -> classes, then ReLU on the logits (as published; optional). Fusion: the pooled features
 * TEM, OM, IM side by side, linear 3C -> hidden, dropout, ReLU, linear hidden -> classes. Losses are computed in
 * double: the later steps of a training are worse conditioned with a cross-entropy in float. Not collective.
 */
#ifndef CMUS_HEADS_H
#define CMUS_HEADS_H

#include <stdbool.h>
#include <stddef.h>

#include "cmus/cmusnet.h"

typedef struct cmus_heads {
    int channels, classes, hidden;
    bool relu;
    double loss_weight[CMUS_HEADS];
    size_t weight[CMUS_MODALITIES], bias[CMUS_MODALITIES]; /* in the flat buffer */
    size_t weight1, bias1, weight2, bias2;                 /* of the fusion MLP */
} cmus_heads;

/* What forward leaves for backward; arrays [cases][...], owned by the caller (cmus_heads_free). */
typedef struct cmus_heads_tape {
    float *joined;             /* [cases][3 C]: pooled TEM, OM, IM */
    float *hidden;             /* [cases][hidden], after dropout and ReLU */
    float *factor;             /* [cases][hidden]: d hidden / d linear1 */
    float *logits[CMUS_HEADS]; /* [cases][classes], after the ReLU of the modalities */
} cmus_heads_tape;

/* Adds TEM_fc, OM_fc, IM_fc (.linear) and MLP.linear1, MLP.linear2 to the parameters. */
cmus_heads cmus_heads_create(cmus_parameters *parameters, const cmus_net_config *config, int channels);

/* pooled[m] [cases][C]; dropout[i] [hidden] or NULL. Fills the logits in the tape. */
void cmus_heads_forward(const cmus_heads *heads, const float *weights, const float *const pooled[CMUS_MODALITIES],
                        const float *const *dropout, int cases, cmus_heads_tape *tape);

/* Logits, probabilities, losses, dead heads of case `index` into `result`. */
void cmus_heads_result(const cmus_heads *heads, const cmus_heads_tape *tape, int index, int label,
                       cmus_case_result *result);

/* d_logits[h] [cases][classes] = scale * gradient of the sum of the weighted losses. */
void cmus_heads_loss_backward(const cmus_heads *heads, const cmus_heads_tape *tape, const int *labels, double scale,
                              int cases, float *const d_logits[CMUS_HEADS]);

/* d_pooled[m] [cases][C] = gradient, from d_logits[h] [cases][classes], which are overwritten: what the ReLU of the
 * modalities stops becomes 0. Parameter gradients += in the flat `gradient` (NULL: not needed). */
void cmus_heads_backward(const cmus_heads *heads, const float *weights, float *gradient, const cmus_heads_tape *tape,
                         float *const d_logits[CMUS_HEADS], int cases, float *const d_pooled[CMUS_MODALITIES]);

void cmus_heads_free(cmus_heads_tape *tape);

#endif
