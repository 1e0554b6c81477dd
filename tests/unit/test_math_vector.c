/* exp2 and GELU of the kernels against libm, over dense ranges, compiled for each processor family. */
#include <math.h>
#include <string.h>

#include "kernels/vector_math.h"
#include "unit_family.h"

#if defined(__x86_64__)
#define FAMILY(flags) __attribute__((target(flags)))
#else
#define FAMILY(flags)
#endif

enum { COUNT = 1 << 12 };

typedef void (*evaluate)(float *out, const float *in);

/* The compiler inlines the functions into these and may contract products and sums as the family's kernels do. */
static void exp2_plain(float *out, const float *in) {
    for (int i = 0; i < COUNT; i++)
        out[i] = vector_exp2(in[i]);
}

FAMILY("avx2,fma") static void exp2_avx2(float *out, const float *in) {
    for (int i = 0; i < COUNT; i++)
        out[i] = vector_exp2(in[i]);
}

FAMILY("avx512f,avx512dq,avx512bw,avx512vl,fma") static void exp2_avx512(float *out, const float *in) {
    for (int i = 0; i < COUNT; i++)
        out[i] = vector_exp2(in[i]);
}

static void gelu_plain(float *out, const float *in) {
    for (int i = 0; i < COUNT; i++)
        out[i] = gelu_value(in[i]);
}

FAMILY("avx2,fma") static void gelu_avx2(float *out, const float *in) {
    for (int i = 0; i < COUNT; i++)
        out[i] = gelu_value(in[i]);
}

FAMILY("avx512f,avx512dq,avx512bw,avx512vl,fma") static void gelu_avx512(float *out, const float *in) {
    for (int i = 0; i < COUNT; i++)
        out[i] = gelu_value(in[i]);
}

static void slope_plain(float *out, const float *in) {
    for (int i = 0; i < COUNT; i++)
        gelu_value_and_slope(in[i], &out[i]);
}

FAMILY("avx2,fma") static void slope_avx2(float *out, const float *in) {
    for (int i = 0; i < COUNT; i++)
        gelu_value_and_slope(in[i], &out[i]);
}

FAMILY("avx512f,avx512dq,avx512bw,avx512vl,fma") static void slope_avx512(float *out, const float *in) {
    for (int i = 0; i < COUNT; i++)
        gelu_value_and_slope(in[i], &out[i]);
}

static evaluate of_family(evaluate plain, evaluate avx2, evaluate avx512) {
    const char *name = cmus_kernels_pick()->name;
    return strcmp(name, "avx512") == 0 ? avx512 : strcmp(name, "avx2") == 0 ? avx2 : plain;
}

typedef double (*error_of)(float x, float found);

static double exp2_error(float x, float found) {
    double reference = exp2((double)x);
    return fabs((double)found - reference) / reference;
}

/* Of the normal distribution; exact in the relative error far below 0. */
static double probability(double x) {
    return 0.5 * erfc(-x / sqrt(2));
}

static double gelu_error(float x, float found) {
    return fabs((double)found - (double)x * probability((double)x)) / fmax(1, fabs((double)x));
}

static double relative_gelu_error(float x, float found) {
    return fabs((double)found / ((double)x * probability((double)x)) - 1);
}

static double gelu_slope_error(float x, float found) {
    double wide = (double)x, density = exp(-wide * wide / 2) / sqrt(2 * acos(-1));
    return fabs((double)found - (probability(wide) + wide * density));
}

/* Largest error over [from, to] in `blocks` blocks of even steps. */
static double largest_error(evaluate function, error_of error, double from, double to, int blocks) {
    static float in[COUNT], out[COUNT];
    double largest = 0, step = (to - from) / ((double)blocks * COUNT - 1);
    for (int b = 0; b < blocks; b++) {
        for (int i = 0; i < COUNT; i++)
            in[i] = (float)(from + step * ((double)b * COUNT + i));
        function(out, in);
        for (int i = 0; i < COUNT; i++) {
            double found = error(in[i], out[i]);
            largest = found <= largest ? largest : found; /* a NaN stays */
        }
    }
    return largest;
}

static void exp2_is_accurate(void) {
    evaluate function = of_family(exp2_plain, exp2_avx2, exp2_avx512);
    CU_ASSERT(largest_error(function, exp2_error, -126, 127, 400) < 2.5e-7);
    CU_ASSERT(largest_error(function, exp2_error, -1, 1, 100) < 2.5e-7);
    CU_ASSERT(largest_error(function, exp2_error, -1e-6, 1e-6, 10) < 2.5e-7);
    CU_ASSERT_EQUAL(vector_exp2(-128), 0);
    CU_ASSERT_EQUAL(vector_exp2(-1e9f), 0);
    CU_ASSERT_EQUAL(vector_exp2(-INFINITY), 0);
    CU_ASSERT(isnan(vector_exp2(NAN)));
}

static void gelu_is_accurate(void) {
    evaluate function = of_family(gelu_plain, gelu_avx2, gelu_avx512);
    CU_ASSERT(largest_error(function, gelu_error, -10, 10, 400) < 2e-7);
    CU_ASSERT(largest_error(function, gelu_error, -1000, 1000, 100) < 2e-7);
    CU_ASSERT(largest_error(function, relative_gelu_error, -2, -1e-6, 100) < 3e-6);
    CU_ASSERT(largest_error(function, relative_gelu_error, -4, -2, 100) < 1e-4);
    CU_ASSERT(largest_error(function, relative_gelu_error, -5, -4, 100) < 2e-3);
    CU_ASSERT(largest_error(function, relative_gelu_error, -12, -5, 100) < 2);
    CU_ASSERT_EQUAL(gelu_value(0), 0);
    CU_ASSERT_EQUAL(gelu_value(100), 100);
    CU_ASSERT_EQUAL(gelu_value(-1e30f), 0);
    CU_ASSERT_EQUAL(gelu_value(INFINITY), INFINITY);
    CU_ASSERT(isnan(gelu_value(NAN)));
}

static void gelu_slope_is_accurate(void) {
    evaluate function = of_family(slope_plain, slope_avx2, slope_avx512);
    CU_ASSERT(largest_error(function, gelu_slope_error, -10, 10, 400) < 3e-7);
    CU_ASSERT(largest_error(function, gelu_slope_error, -1000, 1000, 100) < 3e-7);
    for (float x = -9; x < 9; x += 0.37f) {
        float slope, value = gelu_value_and_slope(x, &slope);
        CU_ASSERT_EQUAL(value, gelu_value(x));
        CU_ASSERT_EQUAL(slope, gelu_slope(x));
    }
    CU_ASSERT_EQUAL(gelu_slope(100), 1);
    CU_ASSERT_EQUAL(gelu_slope(-100), 0);
    CU_ASSERT(isnan(gelu_slope(NAN)));
}

static void families_have_names(void) {
    CU_ASSERT_PTR_NOT_NULL(cmus_kernels_named("generic"));
    CU_ASSERT_PTR_NULL(cmus_kernels_named("none"));
    const char *wanted = getenv("CMUS_KERNELS");
    if (wanted && *wanted)
        CU_ASSERT_STRING_EQUAL(cmus_kernels_pick()->name, wanted);
}

int main(void) {
    static const unit_test tests[] = {
        {"exp2", exp2_is_accurate},
        {"GELU", gelu_is_accurate},
        {"slope of GELU", gelu_slope_is_accurate},
        {"families are found by name", families_have_names},
    };
    return unit_family_main("math: vector functions", tests, sizeof tests / sizeof tests[0]);
}
