/* Heads and loss against their twin, with and without ReLU on the logits and dropout. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmus/heads.h"
#include "cmus/memory.h"
#include "twin_check.h"
#include "twins.h"
#include "unit.h"

enum { CHANNELS = 24, HIDDEN = 10, CASES = 5, CLASSES = 4 };
static const int labels[CASES] = {0, 3, 1, 2, 3};
static const double SCALE = 0.25;

typedef struct setup {
    cmus_net_config config;
    cmus_parameters parameters;
    cmus_heads heads;
    cmus_heads_tape tape;
    twin_values weights, pooled[CMUS_MODALITIES];
    float factors[CASES][HIDDEN], *gradient, *d_pooled[CMUS_MODALITIES];
    const float *dropout[CASES]; /* all NULL: none */
} setup;

static void forward(setup *s) {
    const float *pooled[CMUS_MODALITIES] = {s->pooled[0].f, s->pooled[1].f, s->pooled[2].f};
    cmus_heads_free(&s->tape);
    cmus_heads_forward(&s->heads, s->weights.f, pooled, s->dropout, CASES, &s->tape);
}

static void backward_into(setup *s, float *gradient) {
    float values[CMUS_HEADS][CASES * CLASSES], *d_logits[CMUS_HEADS];
    for (int h = 0; h < CMUS_HEADS; h++)
        d_logits[h] = values[h];
    cmus_heads_loss_backward(&s->heads, &s->tape, labels, SCALE, CASES, d_logits);
    cmus_heads_backward(&s->heads, s->weights.f, gradient, &s->tape, d_logits, CASES, s->d_pooled);
}

static void backward(setup *s) {
    backward_into(s, s->gradient);
}

static void make(setup *s, bool relu, bool dropout) {
    static const char *const names[CMUS_MODALITIES] = {"pooled tem", "pooled om", "pooled im"};
    *s = (setup){.config = cmus_net_config_published()};
    s->config.classes = CLASSES;
    s->config.fusion_hidden = HIDDEN;
    s->config.head_relu = relu;
    s->heads = cmus_heads_create(&s->parameters, &s->config, CHANNELS);
    s->weights = twin_weights_make(&s->parameters, "weights");
    s->gradient = cmus_allocate(s->parameters.size, sizeof(float));
    for (int m = 0; m < CMUS_MODALITIES; m++) {
        s->pooled[m] = twin_values_make(CASES * CHANNELS, names[m], 0, 1);
        s->d_pooled[m] = cmus_allocate(CASES * CHANNELS, sizeof(float));
    }
    for (int i = 0; i < CASES; i++) {
        for (int h = 0; h < HIDDEN; h++)
            s->factors[i][h] = (i + h) % 3 == 0 ? 0 : 1.5f;
        s->dropout[i] = dropout && i != 2 ? s->factors[i] : NULL;
    }
    forward(s);
}

static void drop(setup *s) {
    cmus_heads_free(&s->tape);
    cmus_parameters_free(&s->parameters);
    twin_values_free(&s->weights);
    cmus_free(s->gradient);
    for (int m = 0; m < CMUS_MODALITIES; m++) {
        twin_values_free(&s->pooled[m]);
        cmus_free(s->d_pooled[m]);
    }
}

static double twin_case(setup *s, int i, twin_result *result) {
    twin_weights weights = {&s->parameters, s->weights.d};
    double *pooled[CMUS_MODALITIES];
    for (int m = 0; m < CMUS_MODALITIES; m++)
        pooled[m] = s->pooled[m].d + i * CHANNELS;
    twin_heads(&s->config, &weights, CHANNELS, pooled, s->dropout[i], labels[i], result);
    return result->total_loss;
}

static double loss(void *context) {
    twin_result result;
    double sum = 0;
    for (int i = 0; i < CASES; i++)
        sum += SCALE * twin_case(context, i, &result);
    return sum;
}

static void matches(void) {
    for (int form = 0; form < 4; form++) {
        setup s;
        make(&s, form & 1, form & 2);
        for (int i = 0; i < CASES; i++) {
            twin_result twin;
            cmus_case_result result = {0};
            twin_case(&s, i, &twin);
            cmus_heads_result(&s.heads, &s.tape, i, labels[i], &result);
            for (int h = 0; h < CMUS_HEADS; h++) {
                double sum = 0, highest = 0;
                for (int c = 0; c < CLASSES; c++)
                    highest = fmax(highest, twin.logits[h][c]);
                CU_ASSERT_EQUAL(result.dead[h], s.config.head_relu && h < CMUS_MODALITIES && highest == 0);
                CU_ASSERT(twin_close("logits", result.logits[h], twin.logits[h], CLASSES, 1e-6));
                CU_ASSERT_DOUBLE_EQUAL(result.loss[h], twin.loss[h], 1e-6);
                for (int c = 0; c < CLASSES; c++)
                    sum += result.probabilities[h][c];
                CU_ASSERT_DOUBLE_EQUAL(sum, 1, 1e-12);
                CU_ASSERT_DOUBLE_EQUAL(-log(result.probabilities[h][labels[i]]), result.loss[h], 1e-12);
            }
            CU_ASSERT_DOUBLE_EQUAL(result.total_loss, twin.total_loss, 2e-6);
        }
        backward(&s);
        twin_input *inputs = twin_tensor_inputs(&s.parameters, &s.weights, s.gradient), pooled[CMUS_MODALITIES];
        for (int m = 0; m < CMUS_MODALITIES; m++)
            pooled[m] = (twin_input){cmus_modality_names[m], s.pooled[m].d, s.d_pooled[m], CASES * CHANNELS};
        CU_ASSERT(twin_gradients("heads", inputs, (int)s.parameters.count, loss, &s, 20, 2e-5));
        CU_ASSERT(twin_gradients("heads, pooled", pooled, CMUS_MODALITIES, loss, &s, 40, 2e-5));
        cmus_free(inputs);
        drop(&s);
    }
}

static void gradients_accumulate(void) {
    setup once, twice;
    make(&once, true, true);
    make(&twice, true, true);
    backward(&once);
    backward(&twice);
    backward(&twice);
    for (size_t i = 0; i < once.parameters.size; i++)
        once.gradient[i] *= 2;
    CU_ASSERT(twin_near("heads twice", twice.gradient, once.gradient, once.parameters.size, 1e-6));
    CU_ASSERT_EQUAL(memcmp(once.d_pooled[1], twice.d_pooled[1], CASES * CHANNELS * sizeof(float)), 0);
    drop(&once);
    drop(&twice);
}

/* For inference: the same gradients of the inputs, and none of the weights. */
static void works_without_gradients(void) {
    setup with, without;
    make(&with, true, true);
    make(&without, true, true);
    backward(&with);
    backward_into(&without, NULL);
    for (int m = 0; m < CMUS_MODALITIES; m++)
        CU_ASSERT_EQUAL(memcmp(with.d_pooled[m], without.d_pooled[m], CASES * CHANNELS * sizeof(float)), 0);
    for (size_t i = 0; i < without.parameters.size; i++)
        CU_ASSERT_EQUAL(without.gradient[i], 0);
    drop(&with);
    drop(&without);
}

/* All logits of a modality's head negative: the ReLU leaves it without a gradient, and the result says so. */
static void dead_heads_are_told(void) {
    for (int relu = 0; relu < 2; relu++) {
        setup s;
        make(&s, relu, false);
        float *bias = s.weights.f + s.heads.bias[CMUS_OM];
        for (int c = 0; c < CLASSES; c++)
            bias[c] = -100;
        forward(&s);
        backward(&s);
        for (int i = 0; i < CASES; i++) {
            cmus_case_result result = {0};
            cmus_heads_result(&s.heads, &s.tape, i, labels[i], &result);
            CU_ASSERT_EQUAL(result.dead[CMUS_HEAD_OM], relu);
            CU_ASSERT_FALSE(result.dead[CMUS_HEAD_FUSION]);
            if (relu)
                CU_ASSERT_DOUBLE_EQUAL(result.loss[CMUS_HEAD_OM], log(CLASSES), 1e-12);
        }
        float sum = 0;
        for (int k = 0; k < CLASSES * CHANNELS; k++)
            sum += fabsf(s.gradient[s.heads.weight[CMUS_OM] + (size_t)k]);
        CU_ASSERT_EQUAL(sum == 0, relu);
        drop(&s);
    }
}

static void large_logits_stay_finite(void) {
    setup s;
    make(&s, false, false);
    float *bias = s.weights.f + s.heads.bias2;
    bias[0] = 3e4f;
    bias[1] = -3e4f;
    forward(&s);
    cmus_case_result result = {0};
    cmus_heads_result(&s.heads, &s.tape, 0, 1, &result);
    CU_ASSERT_DOUBLE_EQUAL(result.loss[CMUS_HEAD_FUSION], 6e4, 10);
    CU_ASSERT_EQUAL(result.probabilities[CMUS_HEAD_FUSION][0], 1);
    drop(&s);
}

static void not_a_number_comes_out(void) {
    for (int relu = 0; relu < 2; relu++)
        for (int m = 0; m < CMUS_MODALITIES; m++) {
            setup s;
            make(&s, relu, false);
            s.pooled[m].f[CHANNELS + 3] = NAN; /* case 1 */
            forward(&s);
            for (int i = 0; i < CASES; i++) {
                cmus_case_result result = {0};
                cmus_heads_result(&s.heads, &s.tape, i, labels[i], &result);
                CU_ASSERT_EQUAL(isnan(result.total_loss) != 0, i == 1);
                CU_ASSERT_EQUAL(isnan(result.loss[m]) != 0, i == 1);
                CU_ASSERT_EQUAL(isnan(result.loss[CMUS_HEAD_FUSION]) != 0, i == 1);
                CU_ASSERT_EQUAL(isnan(result.probabilities[m][2]) != 0, i == 1);
                CU_ASSERT_FALSE(i == 1 && result.dead[m]);
            }
            backward(&s);
            CU_ASSERT(isnan(s.gradient[s.heads.weight[m]]));
            CU_ASSERT(isnan(s.gradient[s.heads.weight1]));
            drop(&s);
        }
}

int main(void) {
    static const unit_test tests[] = {
        {"logits, losses, gradients", matches},
        {"gradients accumulate", gradients_accumulate},
        {"works without gradients of the weights", works_without_gradients},
        {"dead heads are told", dead_heads_are_told},
        {"large logits stay finite", large_logits_stay_finite},
        {"not a number comes out", not_a_number_comes_out},
    };
    return unit_main("model: heads", tests, sizeof tests / sizeof tests[0]);
}
