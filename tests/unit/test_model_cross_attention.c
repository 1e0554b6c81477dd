/* Cross-modal attention in both forms, against a twin that transposes and reads again. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmus/cross_attention.h"
#include "cmus/memory.h"
#include "twin_check.h"
#include "twins.h"
#include "unit.h"

typedef struct shape {
    int tokens, channels, heads, cases;
    bool multihead;
} shape;

static const shape shapes[] = {
    {9, 16, 4, 2, false}, {9, 16, 4, 2, true}, {1, 8, 2, 1, false},   {4, 24, 3, 3, false},
    {4, 24, 3, 3, true},  {49, 8, 1, 1, true}, {25, 64, 4, 1, false},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

typedef struct cross {
    shape s;
    size_t map; /* floats of the maps of all cases */
    cmus_parameters parameters;
    cmus_cross_attention attention;
    cmus_cross_attention_tape tape;
    twin_values weights, tem, other, d_out;
    float *out, *gradient, *d_tem, *d_other;
    double *twin;
} cross;

static cross make(const shape *s) {
    cross x = {.s = *s, .map = (size_t)(s->cases * s->tokens * s->channels)};
    x.attention = cmus_cross_attention_create(&x.parameters, "A", s->tokens, s->channels, s->heads, s->multihead);
    x.weights = twin_weights_make(&x.parameters, "weights");
    x.tem = twin_values_make(x.map, "tem", 0, 1.5);
    x.other = twin_values_make(2 * x.map, "other", 0, 1.5);
    x.d_out = twin_values_make(2 * x.map, "d_out", 0, 1);
    x.out = cmus_allocate(2 * x.map, sizeof(float));
    x.d_other = cmus_allocate(2 * x.map, sizeof(float));
    x.d_tem = cmus_allocate(x.map, sizeof(float));
    x.gradient = cmus_allocate(x.parameters.size, sizeof(float));
    x.twin = cmus_allocate(2 * x.map, sizeof(double));
    cmus_cross_attention_forward(&x.attention, x.weights.f, x.out, x.tem.f, x.other.f, s->cases, &x.tape);
    return x;
}

static void backward_into(cross *x, float *gradient) {
    cmus_cross_attention_backward(&x->attention, x->weights.f, gradient, x->d_tem, x->d_other, x->d_out.f, x->tem.f,
                                  x->other.f, x->s.cases, &x->tape);
}

static void backward(cross *x) {
    backward_into(x, x->gradient);
}

static void drop(cross *x) {
    cmus_cross_attention_free(&x->tape);
    cmus_parameters_free(&x->parameters);
    twin_values *values[] = {&x->weights, &x->tem, &x->other, &x->d_out};
    for (int i = 0; i < 4; i++)
        twin_values_free(values[i]);
    float *floats[] = {x->out, x->gradient, x->d_tem, x->d_other};
    for (int i = 0; i < 4; i++)
        cmus_free(floats[i]);
    cmus_free(x->twin);
}

static double loss(void *context) {
    cross *x = context;
    twin_weights weights = {&x->parameters, x->weights.d};
    int map = x->s.tokens * x->s.channels;
    for (int i = 0; i < 2 * x->s.cases; i++)
        twin_cross_attention(x->twin + i * map, &weights, "A", x->tem.d + i % x->s.cases * map, x->other.d + i * map,
                             x->s.tokens, x->s.channels, x->s.heads, x->s.multihead);
    return twin_dot(x->twin, x->d_out.d, 2 * x->map);
}

static void matches(void) {
    for (int k = 0; k < SHAPES; k++) {
        cross x = make(&shapes[k]);
        char name[64];
        snprintf(name, sizeof name, "cross attention %d", k);
        loss(&x);
        CU_ASSERT(twin_close(name, x.out, x.twin, 2 * x.map, 2e-6));
        for (size_t i = 0; i < 2 * x.map; i++)
            x.d_other[i] = NAN; /* is overwritten */
        backward(&x);
        twin_input inputs[7] = {{"tem", x.tem.d, x.d_tem, x.map}, {"other", x.other.d, x.d_other, 2 * x.map}};
        int count = 2;
        for (size_t t = 0; t < x.parameters.count; t++) {
            const cmus_tensor *tensor = &x.parameters.tensors[t];
            inputs[count++] =
                (twin_input){tensor->name, x.weights.d + tensor->offset, x.gradient + tensor->offset, tensor->size};
        }
        if (x.s.tokens > 1) /* one token: nothing to choose from, so queries and keys have no gradient */
            CU_ASSERT(twin_gradients(name, inputs, count, loss, &x, 10, 1e-5));
        drop(&x);
    }
}

static void one_token_takes_its_value(void) {
    cross x = make(&shapes[2]);
    backward(&x);
    for (size_t i = 0; i < 2 * x.map; i++)
        CU_ASSERT(isfinite(x.out[i]) && isfinite(x.d_other[i]));
    for (size_t i = 0; i < x.map; i++)
        CU_ASSERT_EQUAL(x.d_tem[i], 0);
    drop(&x);
}

static void gradients_accumulate(void) {
    for (int k = 0; k < 2; k++) {
        cross once = make(&shapes[k]), twice = make(&shapes[k]);
        backward(&once);
        backward(&twice);
        backward(&twice);
        CU_ASSERT_EQUAL(memcmp(once.d_other, twice.d_other, 2 * once.map * sizeof(float)), 0);
        for (size_t i = 0; i < once.map; i++)
            once.d_tem[i] *= 2;
        for (size_t i = 0; i < once.parameters.size; i++)
            once.gradient[i] *= 2;
        CU_ASSERT(twin_near("d_tem twice", twice.d_tem, once.d_tem, once.map, 1e-6));
        CU_ASSERT(twin_near("gradient twice", twice.gradient, once.gradient, once.parameters.size, 1e-6));
        drop(&once);
        drop(&twice);
    }
}

/* For inference: the same gradients of the maps, and none of the weights. */
static void works_without_gradients(void) {
    for (int k = 0; k < 2; k++) {
        cross with = make(&shapes[k]), without = make(&shapes[k]);
        backward(&with);
        backward_into(&without, NULL);
        CU_ASSERT_EQUAL(memcmp(with.d_tem, without.d_tem, with.map * sizeof(float)), 0);
        CU_ASSERT_EQUAL(memcmp(with.d_other, without.d_other, 2 * with.map * sizeof(float)), 0);
        for (size_t i = 0; i < without.parameters.size; i++)
            CU_ASSERT_EQUAL(without.gradient[i], 0);
        drop(&with);
        drop(&without);
    }
}

/* Scores far beyond what exp can take, of either sign. */
static void large_scores_stay_finite(void) {
    for (int k = 0; k < 2; k++) {
        cross x = make(&shapes[k]);
        cmus_cross_attention_free(&x.tape);
        for (size_t i = 0; i < x.map; i++)
            x.tem.f[i] *= 1e4f;
        cmus_cross_attention_forward(&x.attention, x.weights.f, x.out, x.tem.f, x.other.f, x.s.cases, &x.tape);
        backward(&x);
        int wrong = 0;
        for (size_t i = 0; i < 2 * x.map; i++)
            wrong += !isfinite(x.out[i]) || !isfinite(x.d_other[i]);
        CU_ASSERT_EQUAL(wrong, 0);
        drop(&x);
    }
}

static void not_a_number_comes_out(void) {
    for (int place = 0; place < 9; place += 4) {
        cross x = make(&shapes[place == 4]);
        cmus_cross_attention_free(&x.tape);
        x.other.f[place * 16 + 3] = NAN; /* a token of OM of the first case */
        cmus_cross_attention_forward(&x.attention, x.weights.f, x.out, x.tem.f, x.other.f, 2, &x.tape);
        size_t map = x.map / 2;
        int wrong = 0;
        for (size_t i = 0; i < 4 * map; i++)
            wrong += (isnan(x.out[i]) != 0) != (i < map);
        CU_ASSERT_EQUAL(wrong, 0);
        drop(&x);
    }
    for (int k = 0; k < 2; k++) { /* in a query: only the softmax can carry it on */
        cross x = make(&shapes[k]);
        cmus_cross_attention_free(&x.tape);
        x.tem.f[5 * 16 + 3] = NAN;
        cmus_cross_attention_forward(&x.attention, x.weights.f, x.out, x.tem.f, x.other.f, 2, &x.tape);
        int found[4] = {0}, map = (int)x.map / 2;
        for (int i = 0; i < 4 * map; i++)
            found[i / map] += isnan(x.out[i]) != 0;
        CU_ASSERT(found[0] >= 16 && found[2] == found[0]); /* OM and IM of the first case */
        CU_ASSERT(found[1] == 0 && found[3] == 0);
        drop(&x);
    }
}

int main(void) {
    static const unit_test tests[] = {
        {"forward and backward", matches},
        {"one token takes its value", one_token_takes_its_value},
        {"gradients accumulate", gradients_accumulate},
        {"works without gradients of the weights", works_without_gradients},
        {"large scores stay finite", large_scores_stay_finite},
        {"not a number comes out", not_a_number_comes_out},
    };
    return unit_main("model: cross attention", tests, sizeof tests / sizeof tests[0]);
}
