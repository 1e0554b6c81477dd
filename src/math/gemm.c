#include "cmus/gemm.h"

#include <cblas.h>
#include <stdio.h>

#include "cmus/profile.h"

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

cmus_status cmus_blas_check(void) {
    enum { OPENMP_BUILD = 2 };
    if (openblas_get_parallel() != OPENMP_BUILD)
        return cmus_fail(
            CMUS_ERROR_ARGUMENT,
            "the OpenBLAS that was loaded (%s) is not its OpenMP build: install libopenblas-openmp-dev, or name the "
            "folder that has it to cmake by -DCMAKE_PREFIX_PATH, and build again from an empty folder",
            openblas_get_config());
    return CMUS_OK;
}

const char *cmus_blas_description(void) {
    static char text[256];
    snprintf(text, sizeof text, "%s, kernel %s", openblas_get_config(), openblas_get_corename());
    return text;
}
