/* Elementwise and row operations of a transformer, each a pair of forward and backward.
 *
 * "Rows of a subset": a batch holds images of `tokens` rows each; `images` [count] lists the ones that take part, NULL
 * for the first `count` in order. Compact arrays hold the rows of the listed images one after another, full arrays the
 * rows of all images. Gradients of parameters accumulate. Results do not depend on the number of threads. Not
 * collective.
 */
#ifndef CMUS_LAYERS_H
#define CMUS_LAYERS_H

#include <stddef.h>

typedef struct cmus_subset {
    const int *images; /* or NULL: 0 ... count - 1 */
    int count;
    int tokens; /* rows an image */
} cmus_subset;

/* Rows of the compact array. */
static inline int cmus_subset_rows(const cmus_subset *subset) {
    return subset->count * subset->tokens;
}

/* out (compact) = LayerNorm(in (full)) over `channels`, eps 1e-5: torch.nn.LayerNorm. gamma, beta [channels]. */
void cmus_layernorm_forward(float *out, const float *in, const float *gamma, const float *beta,
                            const cmus_subset *subset, int channels);

/* d_in += gradient; d_gamma, d_beta += gradients; d_out compact. `in` is full by the subset `from`, d_in by the subset
 * `to` of as many images. */
void cmus_layernorm_backward(float *d_in, float *d_gamma, float *d_beta, const float *d_out, const float *in,
                             const float *gamma, const cmus_subset *from, const cmus_subset *to, int channels);

/* out = GELU(in) with erf, `count` elements: torch.nn.GELU(). Absolute error below 3e-7 * max(1, |in|). */
void cmus_gelu_forward(float *out, const float *in, size_t count);

/* out (compact) = GELU(in (full)) and gradient (compact) *= GELU'(in): what the backward pass of an MLP needs, in one
 * pass. */
void cmus_gelu_backward(float *out, float *gradient, const float *in, const cmus_subset *subset, int channels);

/* out (full) = in (full), plus factor[i] * branch (compact) for the i-th listed image. factor [count] or NULL (all 1).
 * `total` images in the full arrays. */
void cmus_residual_forward(float *out, const float *in, const float *branch, const float *factor,
                           const cmus_subset *subset, int total, int channels);

/* d_branch (compact) = factor * d_out (full). The gradient of `in` is d_out itself. */
void cmus_residual_backward(float *d_branch, const float *d_out, const float *factor, const cmus_subset *subset,
                            int channels);

/* Copies rows of the subset: out (compact) = in (full). */
void cmus_gather(float *out, const float *in, const cmus_subset *subset, int channels);

#endif
