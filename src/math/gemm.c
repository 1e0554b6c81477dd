#include "cmus/gemm.h"

#include <cblas.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/profile.h"

enum { ROW_SHARES = 16 }; /* fixed, so that sums do not depend on the number of threads */

void cmus_gemm(bool transpose_a, bool transpose_b, int m, int n, int k, float alpha, const float *a, int lda,
               const float *b, int ldb, float beta, float *c, int ldc) {
    if (m == 0 || n == 0)
        return;
    double began = cmus_profile_begin();
    cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans, m, n,
                k, alpha, a, lda, b, ldb, beta, c, ldc);
    cmus_profile_product(&(cmus_product_shape){.transpose_left = transpose_a,
                                               .transpose_right = transpose_b,
                                               .m = m,
                                               .n = n,
                                               .k = k,
                                               .ld_left = lda,
                                               .ld_right = ldb,
                                               .ld_out = ldc,
                                               .accumulate = beta != 0});
    cmus_profile_end("product", began);
}

void cmus_linear_forward(float *out, const float *in, const float *weight, const float *bias, int rows, int inputs,
                         int outputs) {
    if (bias) {
        double began = cmus_profile_begin();
        /* the bias goes in first: the product then adds to it, which saves reading the output once more */
#pragma omp parallel for schedule(static)
        for (int r = 0; r < rows; r++)
            memcpy(out + (size_t)r * (size_t)outputs, bias, (size_t)outputs * sizeof *bias);
        cmus_profile_end("bias", began);
    }
    cmus_gemm(false, true, rows, outputs, inputs, 1, in, inputs, weight, inputs, bias ? 1 : 0, out, outputs);
}

void cmus_linear_backward(float *d_in, float *d_weight, float *d_bias, const float *d_out, const float *in,
                          const float *weight, int rows, int inputs, int outputs) {
    if (rows == 0)
        return;
    cmus_gemm(true, false, outputs, inputs, rows, 1, d_out, outputs, in, inputs, 1, d_weight, inputs);
    if (d_bias)
        cmus_add_column_sums(d_bias, d_out, rows, outputs);
    if (d_in)
        cmus_gemm(false, false, rows, inputs, outputs, 1, d_out, outputs, weight, inputs, 0, d_in, inputs);
}

void cmus_add_column_sums(float *sums, const float *values, int rows, int columns) {
    double began = cmus_profile_begin();
    int shares = rows < ROW_SHARES ? rows : ROW_SHARES;
    size_t width = (size_t)columns;
    float *partial = cmus_allocate((size_t)shares * width, sizeof *partial);
#pragma omp parallel for schedule(static)
    for (int s = 0; s < shares; s++) {
        float *own = partial + (size_t)s * width;
        int begin = (int)((long long)rows * s / shares), end = (int)((long long)rows * (s + 1) / shares);
        for (int r = begin; r < end; r++) {
            const float *row = values + (size_t)r * width;
            for (size_t c = 0; c < width; c++)
                own[c] += row[c];
        }
    }
    for (int s = 0; s < shares; s++)
        for (size_t c = 0; c < width; c++)
            sums[c] += partial[(size_t)s * width + c];
    cmus_free(partial);
    cmus_profile_end("bias gradient", began);
}

cmus_status cmus_blas_check(void) {
    enum { OPENMP_BUILD = 2 };
    if (openblas_get_parallel() != OPENMP_BUILD)
        return cmus_fail(
            CMUS_ERROR_ARGUMENT,
            "the OpenBLAS that was loaded (%s) is not its OpenMP build: install libopenblas-openmp-dev and "
            "build again, or set LD_LIBRARY_PATH to the folder of the OpenMP build",
            openblas_get_config());
    return CMUS_OK;
}

const char *cmus_blas_description(void) {
    static char text[256];
    snprintf(text, sizeof text, "%s, kernel %s", openblas_get_config(), openblas_get_corename());
    return text;
}
