/* exp and erf of the kernels against libm, over dense ranges, compiled for each processor family. */
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
static void exp_plain(float *out, const float *in) {
    for (int i = 0; i < COUNT; i++)
        out[i] = vector_exp(in[i]);
}

FAMILY("avx2,fma") static void exp_avx2(float *out, const float *in) {
    for (int i = 0; i < COUNT; i++)
        out[i] = vector_exp(in[i]);
}

FAMILY("avx512f,avx512dq,avx512bw,avx512vl,fma") static void exp_avx512(float *out, const float *in) {
    for (int i = 0; i < COUNT; i++)
        out[i] = vector_exp(in[i]);
}

static void erf_plain(float *out, const float *in) {
    for (int i = 0; i < COUNT; i++)
        out[i] = vector_erf(in[i]);
}

FAMILY("avx2,fma") static void erf_avx2(float *out, const float *in) {
    for (int i = 0; i < COUNT; i++)
        out[i] = vector_erf(in[i]);
}

FAMILY("avx512f,avx512dq,avx512bw,avx512vl,fma") static void erf_avx512(float *out, const float *in) {
    for (int i = 0; i < COUNT; i++)
        out[i] = vector_erf(in[i]);
}

static evaluate of_family(evaluate plain, evaluate avx2, evaluate avx512) {
    const char *name = cmus_kernels_pick()->name;
    return strcmp(name, "avx512") == 0 ? avx512 : strcmp(name, "avx2") == 0 ? avx2 : plain;
}

typedef double (*error_of)(float x, float found);

static double exp_error(float x, float found) {
    double reference = exp((double)x);
    return fabs((double)found - reference) / reference;
}

static double erf_error(float x, float found) {
    return fabs((double)found - erf((double)x));
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

static void exp_is_accurate(void) {
    evaluate function = of_family(exp_plain, exp_avx2, exp_avx512);
    CU_ASSERT(largest_error(function, exp_error, -87, 88, 400) < 2e-7);
    CU_ASSERT(largest_error(function, exp_error, -1, 1, 100) < 2e-7);
    CU_ASSERT(largest_error(function, exp_error, -1e-6, 1e-6, 10) < 2e-7);
    CU_ASSERT_EQUAL(vector_exp(0), 1);
    CU_ASSERT_EQUAL(vector_exp(1e9f), vector_exp(88)); /* the value at the end of the range */
    CU_ASSERT_EQUAL(vector_exp(INFINITY), vector_exp(88));
    CU_ASSERT_EQUAL(vector_exp(-INFINITY), vector_exp(-87));
    CU_ASSERT(isnan(vector_exp(NAN)));
}

static void erf_is_accurate(void) {
    evaluate function = of_family(erf_plain, erf_avx2, erf_avx512);
    CU_ASSERT(largest_error(function, erf_error, -6, 6, 400) < 2e-7);
    CU_ASSERT(largest_error(function, erf_error, -1e-3, 1e-3, 20) < 1e-10);
    CU_ASSERT(largest_error(function, erf_error, 0.9, 0.95, 50) < 2e-7); /* where the two polynomials meet */
    CU_ASSERT_EQUAL(vector_erf(INFINITY), 1);
    CU_ASSERT_EQUAL(vector_erf(-INFINITY), -1);
    CU_ASSERT_EQUAL(vector_erf(100), 1);
    CU_ASSERT(isnan(vector_erf(NAN)));
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
        {"exp", exp_is_accurate},
        {"erf", erf_is_accurate},
        {"families are found by name", families_have_names},
    };
    return unit_family_main("math: vector functions", tests, sizeof tests / sizeof tests[0]);
}
