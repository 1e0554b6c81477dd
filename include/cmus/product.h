/* Matrix products with what stands before and behind them in a transformer: one pass over memory for LayerNorm, linear
 * layer, bias, GELU and residual branch together.
 *
 * result [m, n] = form(left [m, k] right [k, n]). Operands are read through their form (LayerNorm, GELU, a factor an
 * image) while they are packed for the cache; the result is written through its own. Matrices are row-major floats.
 * The order of every sum depends on k alone: results do not depend on the number of threads, nor on how the rows of a
 * batch are grouped. Runs on all threads of the OpenMP pool; call it outside parallel regions. Not collective.
 */
#ifndef CMUS_PRODUCT_H
#define CMUS_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>

#include "cmus/layers.h"
#include "cmus/status.h"

/* What the operands of a product are rounded to on their way into the caches. */
typedef enum cmus_precision {
    CMUS_PRECISION_FP32,
    CMUS_PRECISION_BF16 /* bfloat16: float32 with 8 bits of mantissa */
} cmus_precision;

typedef enum cmus_operand_form {
    CMUS_OPERAND_PLAIN,
    CMUS_OPERAND_SCALED,    /* rows times the factor of their image */
    CMUS_OPERAND_LAYERNORM, /* (x - mean) * inverse deviation * gamma + beta */
    CMUS_OPERAND_GELU       /* GELU(x) with erf; error below 3e-7 * max(1, |x|) */
} cmus_operand_form;

/* A matrix as it is stored, and what is done to it on the way in. */
typedef struct cmus_operand {
    const float *values;
    int width;               /* floats from one stored row to the next; all of them may be read */
    bool transposed;         /* stored as [k, m] (left) or [n, k] (right) */
    const cmus_subset *rows; /* stored row r is row r of this subset in the full array; NULL: r itself. A transposed
                                right operand has none */
    cmus_operand_form form;  /* of stored rows; a transposed right operand is always plain */
    const float *factor;     /* SCALED: [rows->count] */
    const float *statistics; /* LAYERNORM: mean and inverse deviation of every row of the full array */
    const float *gamma, *beta;
} cmus_operand;

typedef enum cmus_result_form {
    CMUS_RESULT_STORE,     /* values = product + bias */
    CMUS_RESULT_ADD,       /* values += product */
    CMUS_RESULT_RESIDUAL,  /* values = other + factor * (product + bias), both at the full rows of `rows` */
    CMUS_RESULT_GELU_SLOPE /* values = product * GELU'(other), `other` at the full rows of `rows`; error of GELU' as of
                              GELU */
} cmus_result_form;

typedef struct cmus_result {
    float *values;
    int width; /* floats from one row to the next, of `other` too */
    cmus_result_form form;
    const float *bias;       /* [n] or NULL; STORE and RESIDUAL */
    const cmus_subset *rows; /* RESIDUAL, GELU_SLOPE; NULL: row r is row r */
    const float *factor;     /* RESIDUAL: [rows->count] or NULL (all 1) */
    const float *other;      /* does not overlap `values` */
    bool exact;              /* in float32 whatever the precision of products is */
    float *left_sums;        /* [m] += sums of the left operand over k, or NULL; the left operand must be transposed */
} cmus_result;

/* Row of the full array behind stored row r. */
static inline size_t cmus_full_row(const cmus_subset *rows, int r) {
    if (!rows || !rows->images)
        return (size_t)r;
    return (size_t)rows->images[r / rows->tokens] * (size_t)rows->tokens + (size_t)(r % rows->tokens);
}

/* The product. A left operand that is transposed is plain or scaled. */
void cmus_product(const cmus_operand *left, const cmus_operand *right, const cmus_result *result, int m, int n, int k);

/* Sets the precision of all products from now on; it is FP32 before the first call. With BF16, sums and results stay
 * float32, and so does what the forms do (LayerNorm, GELU, factors, bias). Call it outside parallel regions. CONFIG if
 * the processor, or the kernels that CMUS_KERNELS names, have neither AVX512-BF16 nor AMX; the precision is then as it
 * was. The environment variable CMUS_BFLOAT16 (amx, avx512) names one of the two. Not collective: each rank asks for
 * its own processor. */
cmus_status cmus_products_precision(cmus_precision precision);
/* The precision and by what: "float32", "bfloat16 by AMX", "bfloat16 by AVX512-BF16". */
const char *cmus_products_description(void);

/* The linear layers outside the encoders, always in float32.
 * out [rows, outputs] = in [rows, inputs] weight' + bias; weight [outputs, inputs]; bias [outputs] or NULL.
 * torch.nn.functional.linear. */
void cmus_linear_forward(float *out, const float *in, const float *weight, const float *bias, int rows, int inputs,
                         int outputs);

/* d_weight += d_out' in (NULL: not needed, nor is d_bias); d_bias += column sums of d_out (NULL: no bias); d_in = d_out
 * weight (NULL: not needed). */
void cmus_linear_backward(float *d_in, float *d_weight, float *d_bias, const float *d_out, const float *in,
                          const float *weight, int rows, int inputs, int outputs);

#endif
