/* Row operations of a transformer; what can be done on the way into or out of a matrix product is in product.h.
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

/* statistics (full rows, [2] each) = mean and inverse deviation of the rows of `in` (full), for the listed images. */
void cmus_row_statistics(float *statistics, const float *in, const cmus_subset *subset, int channels);

/* d_in += gradient; d_gamma, d_beta += gradients; d_out compact. `in` and its statistics are full by the subset `from`,
 * d_in by the subset `to` of as many images. */
void cmus_layernorm_backward(float *d_in, float *d_gamma, float *d_beta, const float *d_out, const float *in,
                             const float *statistics, const float *gamma, const cmus_subset *from,
                             const cmus_subset *to, int channels);

/* out = in for the images that are not listed, of `total` in the full arrays: those that pass a residual branch by. */
void cmus_copy_unlisted(float *out, const float *in, const cmus_subset *subset, int total, int channels);

#endif
