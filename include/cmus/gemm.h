/* Matrix products and linear layers: the one place where a BLAS is called.
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

/* out [rows, outputs] = in [rows, inputs] weight' + bias; weight [outputs, inputs]; bias [outputs] or NULL.
 * torch.nn.functional.linear. */
void cmus_linear_forward(float *out, const float *in, const float *weight, const float *bias, int rows, int inputs,
                         int outputs);

/* d_weight += d_out' in; d_bias += column sums of d_out (NULL: no bias); d_in = d_out weight (NULL: not needed). The
 * sums do not depend on the number of threads beyond the BLAS. */
void cmus_linear_backward(float *d_in, float *d_weight, float *d_bias, const float *d_out, const float *in,
                          const float *weight, int rows, int inputs, int outputs);

/* sums [columns] += column sums of values [rows, columns], in an order that does not depend on the number of threads.
 */
void cmus_add_column_sums(float *sums, const float *values, int rows, int columns);

/* ARGUMENT if the BLAS that was loaded has a thread pool of its own (pthreads) beside OpenMP's: says what to install.
 */
cmus_status cmus_blas_check(void);
/* The BLAS, its options and its kernel, for run.json: "OpenBLAS 0.3.21 ... USE_OPENMP ..., kernel SkylakeX". */
const char *cmus_blas_description(void);
/* Which of this project's own kernels was picked for the processor: "avx512", "avx2" or "generic". The environment
 * variable CMUS_KERNELS names another one that the processor can run. */
const char *cmus_kernels_description(void);

#endif
