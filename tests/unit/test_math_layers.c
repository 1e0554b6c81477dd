/* GEMM, linear, LayerNorm, what passes a branch by: against their twins, and by finite differences. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "cmus/gemm.h"
#include "cmus/layers.h"
#include "cmus/memory.h"
#include "cmus/product.h"
#include "twin_check.h"
#include "twins.h"
#include "unit_family.h"

static const double CLOSE = 1e-6, SLOPE = 1e-5;

static float *floats(size_t count) {
    return cmus_allocate(count, sizeof(float));
}

static void gemm_takes_all_forms(void) {
    enum { M = 5, N = 7, K = 9, LDA = 11, LDB = 12, LDC = 8 };
    twin_values a = twin_values_make(LDA * LDA, "a", 0, 1), b = twin_values_make(LDB * LDB, "b", 0, 1);
    twin_values c = twin_values_make(M * LDC, "c", 0, 1);
    for (int form = 0; form < 8; form++) {
        bool ta = form & 1, tb = form & 2;
        float beta = form & 4 ? -0.5f : 0, out[M * LDC];
        double reference[M * LDC];
        memcpy(out, c.f, sizeof out);
        memcpy(reference, c.d, sizeof reference);
        for (int i = 0; i < M; i++)
            for (int j = 0; j < N; j++) {
                double sum = 0;
                for (int k = 0; k < K; k++)
                    sum += a.d[ta ? k * LDA + i : i * LDA + k] * b.d[tb ? j * LDB + k : k * LDB + j];
                reference[i * LDC + j] = 2 * sum + (double)beta * c.d[i * LDC + j];
                if (beta == 0)
                    out[i * LDC + j] = NAN; /* is not read */
            }
        cmus_gemm(ta, tb, M, N, K, 2, a.f, LDA, b.f, LDB, beta, out, LDC);
        CU_ASSERT(twin_close("gemm", out, reference, M * LDC, CLOSE));
    }
    twin_values_free(&a);
    twin_values_free(&b);
    twin_values_free(&c);
}

/* A twin with up to three inputs, whose loss is the sum of out * factor. */
typedef struct layer {
    const double *in, *weight, *bias, *factor;
    double *out;
    int rows, inputs, outputs;
} layer;

static double linear_loss(void *context) {
    layer *l = context;
    twin_linear(l->out, l->in, l->weight, l->bias, l->rows, l->inputs, l->outputs);
    return twin_dot(l->out, l->factor, (size_t)(l->rows * l->outputs));
}

static void linear_matches(void) {
    static const int sizes[3][3] = {{1, 3, 5}, {33, 17, 40}, {7, 64, 1}};
    for (int s = 0; s < 3; s++) {
        int rows = sizes[s][0], inputs = sizes[s][1], outputs = sizes[s][2];
        size_t count = (size_t)(rows * outputs), matrix = (size_t)(inputs * outputs);
        twin_values in = twin_values_make((size_t)(rows * inputs), "in", 0, 1);
        twin_values weight = twin_values_make(matrix, "weight", 0, 1);
        twin_values bias = twin_values_make((size_t)outputs, "bias", 0, 1), d_out = twin_values_make(count, "d", 0, 1);
        float *out = floats(count), *d_in = floats(in.count), *d_weight = floats(matrix), *d_bias = floats(bias.count);
        layer l = {in.d, weight.d, bias.d, d_out.d, cmus_allocate(count, sizeof(double)), rows, inputs, outputs};
        linear_loss(&l);
        cmus_linear_forward(out, in.f, weight.f, bias.f, rows, inputs, outputs);
        CU_ASSERT(twin_close("linear", out, l.out, count, CLOSE));
        cmus_linear_backward(d_in, d_weight, d_bias, d_out.f, in.f, weight.f, rows, inputs, outputs);
        twin_input from[3] = {
            {"in", in.d, d_in, in.count}, {"weight", weight.d, d_weight, matrix}, {"bias", bias.d, d_bias, bias.count}};
        CU_ASSERT(twin_gradients("linear", from, 3, linear_loss, &l, 20, SLOPE));
        float *twice_weight = floats(matrix), *twice_bias = floats(bias.count);
        for (int k = 0; k < 2; k++)
            cmus_linear_backward(NULL, twice_weight, twice_bias, d_out.f, in.f, weight.f, rows, inputs, outputs);
        for (size_t i = 0; i < matrix; i++)
            d_weight[i] *= 2;
        for (size_t i = 0; i < bias.count; i++)
            d_bias[i] *= 2;
        CU_ASSERT(twin_near("linear twice: weight", twice_weight, d_weight, matrix, CLOSE));
        CU_ASSERT(twin_near("linear twice: bias", twice_bias, d_bias, bias.count, CLOSE));
        float *alone = floats(in.count); /* without the gradients of the layer */
        cmus_linear_backward(alone, NULL, NULL, d_out.f, in.f, weight.f, rows, inputs, outputs);
        CU_ASSERT_EQUAL(memcmp(alone, d_in, in.count * sizeof *alone), 0);
        cmus_free(alone);
        l.bias = NULL;
        linear_loss(&l);
        cmus_linear_forward(out, in.f, weight.f, NULL, rows, inputs, outputs);
        CU_ASSERT(twin_close("linear without bias", out, l.out, count, CLOSE));
        twin_values *all[] = {&in, &weight, &bias, &d_out};
        for (int i = 0; i < 4; i++)
            twin_values_free(all[i]);
        float *buffers[] = {out, d_in, d_weight, d_bias, twice_weight, twice_bias};
        for (int i = 0; i < 6; i++)
            cmus_free(buffers[i]);
        cmus_free(l.out);
    }
}

static double layernorm_loss(void *context) {
    layer *l = context;
    twin_layernorm(l->out, l->in, l->weight, l->bias, l->rows, l->inputs);
    return twin_dot(l->out, l->factor, (size_t)(l->rows * l->inputs));
}

enum { TOKENS = 3, IMAGES = 4 };
static const int listed[2] = {3, 1};

/* LayerNorm of images 3 and 1 of four, against a twin that is given these two. */
static void layernorm_matches(void) {
    static const int widths[4] = {1, 8, 48, 129};
    for (int s = 0; s < 4; s++) {
        int channels = widths[s], rows = 2 * TOKENS;
        size_t width = (size_t)channels, image = TOKENS * width, count = 2 * image;
        cmus_subset subset = {listed, 2, TOKENS}, first = {NULL, 2, TOKENS};
        twin_values in = twin_values_make(IMAGES * image, "in", 0.5, 1), gamma = twin_values_make(width, "gamma", 1, 1);
        twin_values beta = twin_values_make(width, "beta", 0, 1), d_out = twin_values_make(count, "d", 0, 1);
        double *given = cmus_allocate(count, sizeof *given);
        for (int i = 0; i < 2; i++)
            memcpy(given + (size_t)i * image, in.d + (size_t)listed[i] * image, image * sizeof *given);
        layer l = {given, gamma.d, beta.d, d_out.d, cmus_allocate(count, sizeof(double)), rows, channels, 0};
        layernorm_loss(&l);
        float *out = floats(count), *d_in = floats(count), *d_gamma = floats(width), *d_beta = floats(width);
        cmus_layernorm_forward(out, in.f, gamma.f, beta.f, &subset, channels);
        CU_ASSERT(twin_close("layernorm", out, l.out, count, CLOSE));
        float *statistics = floats(2 * IMAGES * TOKENS);
        cmus_row_statistics(statistics, in.f, &subset, channels);
        cmus_layernorm_backward(d_in, d_gamma, d_beta, d_out.f, in.f, statistics, gamma.f, &subset, &first, channels);
        twin_input from[3] = {
            {"gamma", gamma.d, d_gamma, width}, {"beta", beta.d, d_beta, width}, {"in", given, d_in, count}};
        if (channels > 1) /* a row of one element is always beta */
            CU_ASSERT(twin_gradients("layernorm", from, 3, layernorm_loss, &l, 20, SLOPE));
        float *full = floats(IMAGES * image), *twice_gamma = floats(width);
        for (int k = 0; k < 2; k++) /* accumulates, and leaves the images alone that are not listed */
            cmus_layernorm_backward(full, twice_gamma, d_beta, d_out.f, in.f, statistics, gamma.f, &subset, &subset,
                                    channels);
        for (int i = 0; i < IMAGES; i++)
            for (size_t k = 0; k < image; k++) {
                float once = i == 3 ? d_in[k] : i == 1 ? d_in[image + k] : 0;
                CU_ASSERT(fabsf(full[(size_t)i * image + k] - 2 * once) <= 1e-6f * fabsf(once));
            }
        for (size_t c = 0; c < width; c++)
            d_gamma[c] *= 2;
        CU_ASSERT(channels == 1 || twin_near("layernorm twice", twice_gamma, d_gamma, width, CLOSE));
        twin_values *all[] = {&in, &gamma, &beta, &d_out};
        for (int i = 0; i < 4; i++)
            twin_values_free(all[i]);
        float *buffers[] = {out, d_in, d_gamma, d_beta, full, twice_gamma, statistics};
        for (int i = 0; i < 7; i++)
            cmus_free(buffers[i]);
        cmus_free(given);
        cmus_free(l.out);
    }
}

/* Mean and inverse deviation of the listed images' rows; the others are left alone. */
static void statistics_match(void) {
    enum { CHANNELS = 29, ROWS = IMAGES * TOKENS };
    cmus_subset subset = {listed, 2, TOKENS};
    twin_values in = twin_values_make(ROWS * CHANNELS, "in", 3, 1);
    float statistics[2 * ROWS];
    double reference[2 * ROWS];
    for (int i = 0; i < 2 * ROWS; i++)
        reference[i] = (double)(statistics[i] = -7);
    for (int r = 0; r < 2 * TOKENS; r++) {
        int row = listed[r / TOKENS] * TOKENS + r % TOKENS;
        double mean = 0, variance = 0;
        for (int c = 0; c < CHANNELS; c++)
            mean += in.d[row * CHANNELS + c] / CHANNELS;
        for (int c = 0; c < CHANNELS; c++)
            variance += pow(in.d[row * CHANNELS + c] - mean, 2) / CHANNELS;
        reference[2 * row] = mean;
        reference[2 * row + 1] = 1 / sqrt(variance + 1e-5);
    }
    cmus_row_statistics(statistics, in.f, &subset, CHANNELS);
    for (int i = 0; i < 2 * ROWS; i++)
        CU_ASSERT_DOUBLE_EQUAL((double)statistics[i], reference[i], 2e-6 * fabs(reference[i]));
    twin_values_free(&in);
}

static void unlisted_images_are_copied(void) {
    enum { CHANNELS = 19, IMAGE = TOKENS * CHANNELS };
    static const int all[IMAGES] = {2, 0, 3, 1};
    const cmus_subset subsets[] = {{listed, 2, TOKENS}, {NULL, 2, TOKENS}, {NULL, 0, TOKENS}, {all, IMAGES, TOKENS}};
    twin_values in = twin_values_make(IMAGES * IMAGE, "in", 0, 1);
    for (int s = 0; s < 4; s++) {
        float out[IMAGES * IMAGE] = {0}, expected[IMAGES * IMAGE];
        memcpy(expected, in.f, sizeof expected);
        for (int i = 0; i < subsets[s].count; i++)
            memset(expected + (subsets[s].images ? subsets[s].images[i] : i) * IMAGE, 0, IMAGE * sizeof(float));
        cmus_copy_unlisted(out, in.f, &subsets[s], IMAGES, CHANNELS);
        CU_ASSERT_EQUAL(memcmp(out, expected, sizeof out), 0);
    }
    twin_values_free(&in);
}

/* LayerNorm forward and backward for one number of threads. */
static float *rows_with_threads(int threads, int rows, int channels, const twin_values *in, size_t *size) {
    size_t width = (size_t)channels, count = (size_t)rows * width;
    cmus_subset subset = {NULL, rows, 1};
    *size = 2 * width + 2 * (size_t)rows + 2 * count;
    float *result = floats(*size), *statistics = result + 2 * width, *out = statistics + 2 * (size_t)rows;
    omp_set_num_threads(threads);
    cmus_row_statistics(statistics, in->f, &subset, channels);
    cmus_layernorm_forward(out, in->f, in->f, in->f + 1, &subset, channels);
    cmus_layernorm_backward(out + count, result, result + width, out, in->f, statistics, in->f, &subset, &subset,
                            channels);
    return result;
}

static void threads_do_not_matter(void) {
    static const int rows[3] = {5, 16, 403};
    int usual = omp_get_max_threads();
    for (int s = 0; s < 3; s++) {
        enum { CHANNELS = 24 };
        twin_values in = twin_values_make((size_t)rows[s] * CHANNELS + 1, "in", 0, 1);
        size_t size;
        float *one = rows_with_threads(1, rows[s], CHANNELS, &in, &size);
        for (int threads = 2; threads <= 3; threads++) {
            float *more = rows_with_threads(threads, rows[s], CHANNELS, &in, &size);
            CU_ASSERT_EQUAL(memcmp(one, more, size * sizeof *one), 0);
            cmus_free(more);
        }
        cmus_free(one);
        twin_values_free(&in);
    }
    omp_set_num_threads(usual);
}

static void not_a_number_comes_out(void) {
    enum { CHANNELS = 40, COUNT = 2 * CHANNELS };
    cmus_subset subset = {NULL, 2, 1};
    for (int place = 0; place < CHANNELS; place += 13) {
        twin_values in = twin_values_make(COUNT, "in", 0, 1), gamma = twin_values_make(CHANNELS, "gamma", 1, 0.1);
        float out[COUNT], d_in[COUNT] = {0}, d_gamma[CHANNELS] = {0}, d_beta[CHANNELS] = {0}, statistics[4];
        in.f[place] = NAN; /* in the first row only */
        cmus_layernorm_forward(out, in.f, gamma.f, gamma.f, &subset, CHANNELS);
        for (int i = 0; i < COUNT; i++)
            CU_ASSERT_EQUAL(isnan(out[i]) != 0, i < CHANNELS);
        cmus_row_statistics(statistics, in.f, &subset, CHANNELS);
        for (int i = 0; i < 4; i++)
            CU_ASSERT_EQUAL(isnan(statistics[i]) != 0, i < 2);
        cmus_layernorm_backward(d_in, d_gamma, d_beta, gamma.f, in.f, statistics, gamma.f, &(cmus_subset){NULL, 1, 1},
                                &(cmus_subset){NULL, 1, 1}, CHANNELS);
        CU_ASSERT(isnan(d_in[0]) && isnan(d_gamma[CHANNELS - 1]));
        twin_values_free(&in);
        twin_values_free(&gamma);
    }
}

int main(void) {
    static const unit_test tests[] = {
        {"GEMM in all forms", gemm_takes_all_forms},
        {"linear", linear_matches},
        {"LayerNorm", layernorm_matches},
        {"statistics of rows", statistics_match},
        {"images that pass a branch by", unlisted_images_are_copied},
        {"the number of threads does not matter", threads_do_not_matter},
        {"not a number comes out", not_a_number_comes_out},
    };
    return unit_family_main("math: layers", tests, sizeof tests / sizeof tests[0]);
}
