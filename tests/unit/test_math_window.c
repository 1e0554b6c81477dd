/* Window attention against its twin, which pads, rolls and masks the map as torchvision does. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/window_attention.h"
#include "twin_check.h"
#include "twins.h"
#include "unit_family.h"

typedef struct shape {
    int height, width;
    bool shifted;
    int heads, head_channels;
} shape;

static const shape shapes[] = {
    {7, 7, false, 3, 8},  {7, 7, true, 1, 32},   {14, 14, true, 2, 12}, {14, 14, false, 1, 32},
    {15, 15, true, 2, 8}, {15, 15, false, 1, 8}, {8, 8, true, 2, 32},   {8, 8, false, 4, 12},
    {2, 2, true, 8, 8},   {6, 15, true, 1, 12},  {15, 3, true, 2, 5},   {14, 7, true, 1, 33},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0], IMAGES = 3, LISTED = 2 };
static const int slots[LISTED] = {2, 0};

/* One shape's inputs, and what the code under test made of them. The twin takes the listed images only. */
typedef struct attention {
    shape s;
    int channels;
    size_t map; /* floats of the output of one image */
    cmus_windows windows;
    twin_values qkv, qkv_bias, table, d_out;
    float *out, *d_qkv, *d_qkv_bias, *d_table, *mixed;
    double *twin;
} attention;

static attention make(const shape *s) {
    attention a = {.s = *s, .channels = s->heads * s->head_channels};
    a.map = (size_t)(s->height * s->width * a.channels);
    cmus_windows_make(&a.windows, s->height, s->width, s->shifted);
    a.qkv = twin_values_make(IMAGES * 3 * a.map, "qkv", 0, 2);
    a.qkv_bias = twin_values_make(3 * (size_t)a.channels, "qkv bias", 0, 1);
    a.table = twin_values_make(CMUS_BIAS_ROWS * (size_t)s->heads, "table", 0, 1);
    a.d_out = twin_values_make(LISTED * a.map, "d_out", 0, 1);
    a.out = cmus_allocate(IMAGES * a.map, sizeof(float));
    a.d_qkv = cmus_allocate(LISTED * 3 * a.map, sizeof(float));
    a.d_qkv_bias = cmus_allocate(a.qkv_bias.count, sizeof(float));
    a.d_table = cmus_allocate(a.table.count, sizeof(float));
    a.mixed = cmus_allocate(LISTED * a.map, sizeof(float));
    a.twin = cmus_allocate(IMAGES * a.map, sizeof(double));
    return a;
}

static void drop(attention *a) {
    cmus_windows_free(&a->windows);
    twin_values_free(&a->qkv);
    twin_values_free(&a->qkv_bias);
    twin_values_free(&a->table);
    twin_values_free(&a->d_out);
    cmus_free(a->out);
    cmus_free(a->d_qkv);
    cmus_free(a->d_qkv_bias);
    cmus_free(a->d_table);
    cmus_free(a->mixed);
    cmus_free(a->twin);
}

static void forward(attention *a) {
    cmus_window_attention_forward(a->out, a->qkv.f, a->qkv_bias.f, a->table.f, &a->windows, IMAGES, a->channels,
                                  a->s.heads);
}

static void backward(attention *a) {
    cmus_window_attention_backward(a->d_qkv, a->d_qkv_bias, a->d_table, a->mixed, a->d_out.f, a->qkv.f, a->qkv_bias.f,
                                   a->table.f, &a->windows, slots, LISTED, a->channels, a->s.heads);
}

static void twin_image(const attention *a, int image) {
    twin_window_attention(a->twin + (size_t)image * a->map, a->qkv.d + (size_t)image * 3 * a->map, a->qkv_bias.d,
                          a->table.d, a->s.height, a->s.width, a->s.shifted, a->channels, a->s.heads);
}

static double loss(void *context) {
    attention *a = context;
    double sum = 0;
#pragma omp parallel for reduction(+ : sum)
    for (int i = 0; i < LISTED; i++) {
        twin_image(a, slots[i]);
        sum += twin_dot(a->twin + (size_t)slots[i] * a->map, a->d_out.d + (size_t)i * a->map, a->map);
    }
    return sum;
}

static void forward_matches(void) {
    for (int k = 0; k < SHAPES; k++) {
        attention a = make(&shapes[k]);
        char name[64];
        snprintf(name, sizeof name, "window attention %d", k);
        forward(&a);
        for (int i = 0; i < IMAGES; i++)
            twin_image(&a, i);
        CU_ASSERT(twin_close(name, a.out, a.twin, IMAGES * a.map, 2e-6));
        drop(&a);
    }
}

static void backward_matches(void) {
    for (int k = 0; k < SHAPES; k++) {
        attention a = make(&shapes[k]);
        char name[64];
        snprintf(name, sizeof name, "window attention %d", k);
        for (size_t i = 0; i < LISTED * 3 * a.map; i++)
            a.d_qkv[i] = NAN; /* is overwritten */
        backward(&a);
        /* the twin's inputs are the maps of the listed images, one at a time */
        twin_input inputs[4] = {{"table", a.table.d, a.d_table, a.table.count},
                                {"first map", a.qkv.d + (size_t)slots[0] * 3 * a.map, a.d_qkv, 3 * a.map},
                                {"second map", a.qkv.d + (size_t)slots[1] * 3 * a.map, a.d_qkv + 3 * a.map, 3 * a.map},
                                {"qkv bias", a.qkv_bias.d, a.d_qkv_bias, a.qkv_bias.count}};
        bool padded = a.s.height % 7 || a.s.width % 7; /* else nothing flows to the biases here */
        CU_ASSERT(twin_gradients(name, inputs, padded ? 4 : 3, loss, &a, 6, 1e-5));
        for (size_t i = 0; i < a.qkv_bias.count && !padded; i++)
            CU_ASSERT_EQUAL(a.d_qkv_bias[i], 0);
        drop(&a);
    }
}

/* With and without the mixed values all gradients are the same, and the values are those of the forward pass. */
static void backward_mixes_again(void) {
    for (int k = 0; k < SHAPES; k++) {
        attention with = make(&shapes[k]), without = make(&shapes[k]);
        float *mixed = without.mixed;
        without.mixed = NULL;
        forward(&with);
        backward(&with);
        backward(&without);
        for (int i = 0; i < LISTED; i++)
            CU_ASSERT_EQUAL(memcmp(with.mixed + (size_t)i * with.map, with.out + (size_t)slots[i] * with.map,
                                   with.map * sizeof(float)),
                            0);
        CU_ASSERT_EQUAL(memcmp(with.d_qkv, without.d_qkv, LISTED * 3 * with.map * sizeof(float)), 0);
        CU_ASSERT_EQUAL(memcmp(with.d_table, without.d_table, with.table.count * sizeof(float)), 0);
        without.mixed = mixed;
        drop(&with);
        drop(&without);
    }
}

static void gradients_accumulate(void) {
    attention once = make(&shapes[6]), twice = make(&shapes[6]);
    backward(&once);
    backward(&twice);
    backward(&twice);
    CU_ASSERT_EQUAL(memcmp(once.d_qkv, twice.d_qkv, LISTED * 3 * once.map * sizeof(float)), 0);
    for (size_t i = 0; i < once.table.count; i++)
        once.d_table[i] *= 2;
    for (size_t i = 0; i < once.qkv_bias.count; i++)
        once.d_qkv_bias[i] *= 2;
    CU_ASSERT(twin_near("table twice", twice.d_table, once.d_table, once.table.count, 1e-6));
    CU_ASSERT(twin_near("bias twice", twice.d_qkv_bias, once.d_qkv_bias, once.qkv_bias.count, 1e-6));
    drop(&once);
    drop(&twice);
}

/* Of three images with four windows each, two share a gradient of the bias: the same as one image after another. */
static void images_add_up(void) {
    attention a = make(&shapes[2]), single = make(&shapes[2]);
    twin_values d_out = twin_values_make(IMAGES * a.map, "d_out", 0, 1);
    float *d_qkv = cmus_allocate(IMAGES * 3 * a.map, sizeof *d_qkv), *one = cmus_allocate(3 * a.map, sizeof *one);
    cmus_window_attention_backward(d_qkv, a.d_qkv_bias, a.d_table, NULL, d_out.f, a.qkv.f, a.qkv_bias.f, a.table.f,
                                   &a.windows, NULL, IMAGES, a.channels, a.s.heads);
    for (int i = 0; i < IMAGES; i++) {
        cmus_window_attention_backward(one, single.d_qkv_bias, single.d_table, NULL, d_out.f + (size_t)i * a.map,
                                       a.qkv.f, a.qkv_bias.f, a.table.f, &a.windows, &i, 1, a.channels, a.s.heads);
        CU_ASSERT_EQUAL(memcmp(one, d_qkv + (size_t)i * 3 * a.map, 3 * a.map * sizeof *one), 0);
    }
    CU_ASSERT(twin_near("table of three images", a.d_table, single.d_table, a.table.count, 1e-6));
    cmus_free(d_qkv);
    cmus_free(one);
    twin_values_free(&d_out);
    drop(&a);
    drop(&single);
}

static void slots_pick_images(void) {
    attention a = make(&shapes[4]);
    backward(&a);
    /* the same two maps, moved to the front, without slots */
    float *front = cmus_allocate(LISTED * 3 * a.map, sizeof *front), *d_qkv = cmus_allocate(LISTED * 3 * a.map, 4);
    float *d_table = cmus_allocate(a.table.count, sizeof *d_table), *d_bias = cmus_allocate(a.qkv_bias.count, 4);
    for (int i = 0; i < LISTED; i++)
        memcpy(front + (size_t)i * 3 * a.map, a.qkv.f + (size_t)slots[i] * 3 * a.map, 3 * a.map * sizeof *front);
    cmus_window_attention_backward(d_qkv, d_bias, d_table, NULL, a.d_out.f, front, a.qkv_bias.f, a.table.f, &a.windows,
                                   NULL, LISTED, a.channels, a.s.heads);
    CU_ASSERT_EQUAL(memcmp(a.d_qkv, d_qkv, LISTED * 3 * a.map * sizeof *d_qkv), 0);
    CU_ASSERT_EQUAL(memcmp(a.d_table, d_table, a.table.count * sizeof *d_table), 0);
    CU_ASSERT_EQUAL(memcmp(a.d_qkv_bias, d_bias, a.qkv_bias.count * sizeof *d_bias), 0);
    cmus_free(front);
    cmus_free(d_qkv);
    cmus_free(d_table);
    cmus_free(d_bias);
    drop(&a);
}

static void threads_do_not_matter(void) {
    int usual = omp_get_max_threads();
    attention one = make(&shapes[6]);
    omp_set_num_threads(1);
    forward(&one);
    backward(&one);
    for (int threads = 2; threads <= 3; threads++) {
        attention more = make(&shapes[6]);
        omp_set_num_threads(threads);
        forward(&more);
        backward(&more);
        CU_ASSERT_EQUAL(memcmp(one.out, more.out, IMAGES * one.map * sizeof(float)), 0);
        CU_ASSERT_EQUAL(memcmp(one.d_qkv, more.d_qkv, LISTED * 3 * one.map * sizeof(float)), 0);
        CU_ASSERT_EQUAL(memcmp(one.d_table, more.d_table, one.table.count * sizeof(float)), 0);
        CU_ASSERT_EQUAL(memcmp(one.d_qkv_bias, more.d_qkv_bias, one.qkv_bias.count * sizeof(float)), 0);
        drop(&more);
    }
    omp_set_num_threads(usual);
    drop(&one);
}

/* Scores far beyond what exp can take, of either sign. */
static void large_scores_stay_finite(void) {
    attention a = make(&shapes[6]);
    for (size_t i = 0; i < a.qkv.count; i++)
        a.qkv.f[i] *= 1e3f;
    forward(&a);
    backward(&a);
    int wrong = 0;
    for (size_t i = 0; i < IMAGES * a.map; i++)
        wrong += !isfinite(a.out[i]) || fabsf(a.out[i]) > 2.1e3f; /* a mean of values */
    for (size_t i = 0; i < LISTED * 3 * a.map; i++)
        wrong += !isfinite(a.d_qkv[i]);
    CU_ASSERT_EQUAL(wrong, 0);
    drop(&a);
}

/* A constant added to all scores changes nothing, also where exp of the score itself is 0 or infinite. */
static void softmax_does_not_see_a_shift(void) {
    for (float shift = -1000; shift <= 1000; shift += 2000) {
        attention plain = make(&shapes[6]), shifted = make(&shapes[6]);
        for (size_t i = 0; i < shifted.table.count; i++)
            shifted.table.f[i] += shift;
        forward(&plain);
        forward(&shifted);
        CU_ASSERT(twin_near("shifted scores", shifted.out, plain.out, IMAGES * plain.map, 1e-3));
        drop(&plain);
        drop(&shifted);
    }
}

/* A NaN in q, k or v of token `bad` of the first image: out in its window (q: its row only), nowhere else. */
static void check_nan(int part, int bad) {
    attention a = make(&(shape){14, 14, false, 1, 12});
    a.qkv.f[(bad * 3 + part) * a.channels + 5] = NAN;
    forward(&a);
    int wrong = 0;
    for (int t = 0; t < IMAGES * 14 * 14; t++) {
        int image = t / 196, row = t % 196 / 14, column = t % 14;
        bool window = image == 0 && row / 7 == bad / 14 / 7 && column / 7 == bad % 14 / 7;
        for (int c = 0; c < a.channels; c++) {
            bool hit = part == 0 ? t == bad : part == 1 ? window : window && c == 5;
            wrong += (isnan(a.out[t * a.channels + c]) != 0) != hit;
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
    drop(&a);
}

static void not_a_number_comes_out(void) {
    for (int part = 0; part < 3; part++) {
        check_nan(part, 0); /* the first of its window: where a maximum starts from */
        check_nan(part, 13 * 14 + 9);
        check_nan(part, 20);
    }
    attention a = make(&shapes[6]);
    a.table.f[84 * 2] = NAN; /* of head 0: every token's score with itself */
    forward(&a);
    int wrong = 0;
    for (size_t i = 0; i < IMAGES * a.map; i++)
        wrong += (isnan(a.out[i]) != 0) != ((int)(i % (size_t)a.channels) < a.s.head_channels);
    CU_ASSERT_EQUAL(wrong, 0);
    drop(&a);
    a = make(&shapes[2]);
    a.d_out.f[7] = NAN;
    backward(&a);
    float sum = 0;
    for (size_t i = 0; i < 3 * a.map; i++)
        sum += a.d_qkv[i];
    CU_ASSERT(isnan(sum));
    drop(&a);
}

static void windows_cover_the_map(void) {
    for (int k = 0; k < SHAPES; k++) {
        const shape *s = &shapes[k];
        cmus_windows windows;
        cmus_windows_make(&windows, s->height, s->width, s->shifted);
        int tokens = s->height * s->width, *seen = cmus_allocate((size_t)tokens, sizeof *seen), wrong = 0;
        CU_ASSERT_EQUAL(windows.count, ((s->height + 6) / 7) * ((s->width + 6) / 7));
        for (int i = 0; i < windows.count * CMUS_WINDOW_TOKENS; i++)
            if (windows.token[i] >= 0)
                seen[windows.token[i]]++;
        for (int t = 0; t < tokens; t++)
            wrong += seen[t] != 1;
        CU_ASSERT_EQUAL(wrong, 0);
        cmus_free(seen);
        cmus_windows_free(&windows);
    }
    CU_ASSERT_EQUAL(cmus_relative_position(0, 0), 84);
    CU_ASSERT_EQUAL(cmus_relative_position(0, 48), 0);
    CU_ASSERT_EQUAL(cmus_relative_position(48, 0), 168);
    CU_ASSERT_EQUAL(cmus_relative_position(8, 1), 84 + 13);
}

int main(void) {
    static const unit_test tests[] = {
        {"windows cover the map", windows_cover_the_map},
        {"forward", forward_matches},
        {"backward", backward_matches},
        {"backward mixes again", backward_mixes_again},
        {"gradients accumulate", gradients_accumulate},
        {"images add up", images_add_up},
        {"slots pick images", slots_pick_images},
        {"the number of threads does not matter", threads_do_not_matter},
        {"large scores stay finite", large_scores_stay_finite},
        {"softmax does not see a shift", softmax_does_not_see_a_shift},
        {"not a number comes out", not_a_number_comes_out},
    };
    return unit_family_main("math: window attention", tests, sizeof tests / sizeof tests[0]);
}
