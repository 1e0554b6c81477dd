#include "cmus/heads.h"

#include <math.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/product.h"
#include "cmus/profile.h"

const char *const cmus_modality_names[CMUS_MODALITIES] = {"tem", "om", "im"};
const char *const cmus_head_names[CMUS_HEADS] = {"tem", "om", "im", "fusion"};

static void add_linear(cmus_parameters *parameters, const char *name, int inputs, int outputs, size_t *weight,
                       size_t *bias) {
    *weight =
        cmus_parameters_add(parameters, CMUS_INITIAL_UNIFORM, inputs, 2, (int[]){outputs, inputs}, "%s.weight", name);
    *bias = cmus_parameters_add(parameters, CMUS_INITIAL_UNIFORM, inputs, 1, &outputs, "%s.bias", name);
}

cmus_heads cmus_heads_create(cmus_parameters *parameters, const cmus_net_config *config, int channels) {
    static const char *const names[CMUS_MODALITIES] = {"TEM_fc.linear", "OM_fc.linear", "IM_fc.linear"};
    cmus_heads heads = {
        .channels = channels, .classes = config->classes, .hidden = config->fusion_hidden, .relu = config->head_relu};
    memcpy(heads.loss_weight, config->loss_weight, sizeof heads.loss_weight);
    for (int m = 0; m < CMUS_MODALITIES; m++)
        add_linear(parameters, names[m], channels, heads.classes, &heads.weight[m], &heads.bias[m]);
    add_linear(parameters, "MLP.linear1", CMUS_MODALITIES * channels, heads.hidden, &heads.weight1, &heads.bias1);
    add_linear(parameters, "MLP.linear2", heads.hidden, heads.classes, &heads.weight2, &heads.bias2);
    return heads;
}

static void allocate_tape(const cmus_heads *heads, int cases, cmus_heads_tape *tape) {
    size_t count = (size_t)cases;
    tape->joined = cmus_allocate_raw(count * CMUS_MODALITIES * (size_t)heads->channels, sizeof(float));
    tape->hidden = cmus_allocate_raw(count * (size_t)heads->hidden, sizeof(float));
    tape->factor = cmus_allocate_raw(count * (size_t)heads->hidden, sizeof(float));
    for (int h = 0; h < CMUS_HEADS; h++)
        tape->logits[h] = cmus_allocate_raw(count * (size_t)heads->classes, sizeof(float));
}

void cmus_heads_forward(const cmus_heads *heads, const float *weights, const float *const pooled[CMUS_MODALITIES],
                        const float *const *dropout, int cases, cmus_heads_tape *tape) {
    double began = cmus_profile_begin();
    int channels = heads->channels, classes = heads->classes;
    size_t width = (size_t)channels;
    allocate_tape(heads, cases, tape);
    for (int m = 0; m < CMUS_MODALITIES; m++) {
        cmus_linear_forward(tape->logits[m], pooled[m], weights + heads->weight[m], weights + heads->bias[m], cases,
                            channels, classes);
        for (int i = 0; heads->relu && i < cases * classes; i++)
            tape->logits[m][i] = tape->logits[m][i] < 0 ? 0 : tape->logits[m][i]; /* a NaN goes on */
        for (int i = 0; i < cases; i++)
            memcpy(tape->joined + ((size_t)i * CMUS_MODALITIES + (size_t)m) * width, pooled[m] + (size_t)i * width,
                   width * sizeof(float));
    }
    cmus_linear_forward(tape->hidden, tape->joined, weights + heads->weight1, weights + heads->bias1, cases,
                        CMUS_MODALITIES * channels, heads->hidden);
    for (int i = 0; i < cases; i++)
        for (int h = 0; h < heads->hidden; h++) {
            size_t at = (size_t)i * (size_t)heads->hidden + (size_t)h;
            float kept = dropout && dropout[i] ? dropout[i][h] : 1.0f, value = tape->hidden[at] * kept;
            tape->factor[at] = value > 0 ? kept : 0;
            tape->hidden[at] = value < 0 ? 0 : value; /* here too: the loss must show it */
        }
    cmus_linear_forward(tape->logits[CMUS_HEAD_FUSION], tape->hidden, weights + heads->weight2, weights + heads->bias2,
                        cases, heads->hidden, classes);
    cmus_profile_end("heads", began);
}

/* probability [classes] = softmax; returns the logarithm of the sum of exponentials. */
static double softmax(const float *logits, int classes, double *probability) {
    double highest = logits[0], sum = 0;
    for (int c = 1; c < classes; c++)
        highest = logits[c] > highest ? logits[c] : highest;
    for (int c = 0; c < classes; c++)
        sum += probability[c] = exp((double)logits[c] - highest);
    for (int c = 0; c < classes; c++)
        probability[c] /= sum;
    return highest + log(sum);
}

void cmus_heads_result(const cmus_heads *heads, const cmus_heads_tape *tape, int index, int label,
                       cmus_case_result *result) {
    result->total_loss = 0;
    for (int h = 0; h < CMUS_HEADS; h++) {
        const float *logits = tape->logits[h] + (size_t)index * (size_t)heads->classes;
        double normalizer = softmax(logits, heads->classes, result->probabilities[h]);
        bool dead = heads->relu && h < CMUS_MODALITIES;
        for (int c = 0; c < heads->classes; c++) {
            result->logits[h][c] = logits[c];
            dead = dead && logits[c] == 0;
        }
        result->dead[h] = dead;
        result->loss[h] = normalizer - (double)logits[label];
        result->total_loss += heads->loss_weight[h] * result->loss[h];
    }
}

void cmus_heads_loss_backward(const cmus_heads *heads, const cmus_heads_tape *tape, const int *labels, double scale,
                              int cases, float *const d_logits[CMUS_HEADS]) {
    double probability[CMUS_MAX_CLASSES];
    for (int h = 0; h < CMUS_HEADS; h++)
        for (int i = 0; i < cases; i++) {
            size_t at = (size_t)i * (size_t)heads->classes;
            softmax(tape->logits[h] + at, heads->classes, probability);
            for (int c = 0; c < heads->classes; c++) {
                double d = probability[c] - (c == labels[i] ? 1.0 : 0.0);
                d_logits[h][at + (size_t)c] = (float)(scale * heads->loss_weight[h] * d);
            }
        }
}

/* From the fusion logits to what the MLP took: d_joined [cases][3 C]. */
static void fusion_backward(const cmus_heads *heads, const float *weights, float *gradient, const cmus_heads_tape *tape,
                            const float *d_logits, int cases, float *d_joined) {
    size_t count = (size_t)cases * (size_t)heads->hidden;
    float *d_hidden = cmus_allocate_raw(count, sizeof *d_hidden);
    cmus_linear_backward(d_hidden, cmus_gradient_at(gradient, heads->weight2), cmus_gradient_at(gradient, heads->bias2),
                         d_logits, tape->hidden, weights + heads->weight2, cases, heads->hidden, heads->classes);
    for (size_t i = 0; i < count; i++)
        d_hidden[i] *= tape->factor[i];
    cmus_linear_backward(d_joined, cmus_gradient_at(gradient, heads->weight1), cmus_gradient_at(gradient, heads->bias1),
                         d_hidden, tape->joined, weights + heads->weight1, cases, CMUS_MODALITIES * heads->channels,
                         heads->hidden);
    cmus_free(d_hidden);
}

/* Gradients at logits that the ReLU made 0 end there; a NaN goes on. */
static void stop_dead(const cmus_heads *heads, const float *logits, int cases, float *d_logits) {
    for (int i = 0; heads->relu && i < cases * heads->classes; i++)
        if (logits[i] <= 0)
            d_logits[i] = 0;
}

void cmus_heads_backward(const cmus_heads *heads, const float *weights, float *gradient, const cmus_heads_tape *tape,
                         float *const d_logits[CMUS_HEADS], int cases, float *const d_pooled[CMUS_MODALITIES]) {
    double began = cmus_profile_begin();
    size_t count = (size_t)cases, width = (size_t)heads->channels;
    float *d_joined = cmus_allocate_raw(count * CMUS_MODALITIES * width, sizeof *d_joined);
    float *pooled = cmus_allocate_raw(count * width, sizeof *pooled);
    fusion_backward(heads, weights, gradient, tape, d_logits[CMUS_HEAD_FUSION], cases, d_joined);
    for (int m = 0; m < CMUS_MODALITIES; m++) {
        for (size_t i = 0; i < count; i++)
            memcpy(pooled + i * width, tape->joined + (i * CMUS_MODALITIES + (size_t)m) * width,
                   width * sizeof *pooled);
        stop_dead(heads, tape->logits[m], cases, d_logits[m]);
        cmus_linear_backward(d_pooled[m], cmus_gradient_at(gradient, heads->weight[m]),
                             cmus_gradient_at(gradient, heads->bias[m]), d_logits[m], pooled,
                             weights + heads->weight[m], cases, heads->channels, heads->classes);
        for (size_t i = 0; i < count; i++)
            for (size_t c = 0; c < width; c++)
                d_pooled[m][i * width + c] += d_joined[(i * CMUS_MODALITIES + (size_t)m) * width + c];
    }
    cmus_free(pooled);
    cmus_free(d_joined);
    cmus_profile_end("heads backward", began);
}

void cmus_heads_free(cmus_heads_tape *tape) {
    cmus_free(tape->joined);
    cmus_free(tape->hidden);
    cmus_free(tape->factor);
    for (int h = 0; h < CMUS_HEADS; h++)
        cmus_free(tape->logits[h]);
    *tape = (cmus_heads_tape){0};
}
