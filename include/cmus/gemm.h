/* Small matrix products: the one place where a BLAS is called. The large ones are in product.h.
 *
 * Matrices are row-major. Products run on all threads of the OpenMP pool, which OpenBLAS shares. Not collective.
 */
#ifndef CMUS_GEMM_H
#define CMUS_GEMM_H

#include <stdbool.h>

#include "cmus/status.h"

/* c [m, n] = alpha * op(a) op(b) + beta * c, op transposing if asked; op(a) is [m, k], op(b) is [k, n]. lda, ldb, ldc:
 * floats from one stored row to the next. beta = 0 overwrites c without reading it. */
void cmus_gemm(bool transpose_a, bool transpose_b, int m, int n, int k, float alpha, const float *a, int lda,
               const float *b, int ldb, float beta, float *c, int ldc);

/* ARGUMENT if the BLAS that was loaded has a thread pool of its own (pthreads) beside OpenMP's: says what to install.
 */
cmus_status cmus_blas_check(void);
/* The BLAS, its options and its kernel, for run.json: "OpenBLAS 0.3.21 ... USE_OPENMP ..., kernel SkylakeX". */
const char *cmus_blas_description(void);
/* Which of this project's own kernels was picked for the processor: "avx512", "avx2" or "generic". The environment
 * variable CMUS_KERNELS names another one that the processor can run. */
const char *cmus_kernels_description(void);

#endif
