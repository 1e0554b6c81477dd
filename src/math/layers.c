#include "cmus/layers.h"

#include <stdbool.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/profile.h"
#include "kernels/kernels.h"

enum { ROW_SHARES = 16, ELEMENT_BLOCK = 4096 };

/* Row of the full array for row r of the compact one. */
static inline size_t full_row(const cmus_subset *subset, int r) {
    if (!subset->images)
        return (size_t)r;
    return (size_t)subset->images[r / subset->tokens] * (size_t)subset->tokens + (size_t)(r % subset->tokens);
}

void cmus_layernorm_forward(float *out, const float *in, const float *gamma, const float *beta,
                            const cmus_subset *subset, int channels) {
    double began = cmus_profile_begin();
    const cmus_kernels *kernels = cmus_kernels_pick();
    int rows = cmus_subset_rows(subset);
    size_t width = (size_t)channels;
#pragma omp parallel for schedule(static)
    for (int r = 0; r < rows; r++)
        kernels->layernorm_forward(out + (size_t)r * width, in + full_row(subset, r) * width, gamma, beta, channels);
    cmus_profile_end("layernorm", began);
}

void cmus_layernorm_backward(float *d_in, float *d_gamma, float *d_beta, const float *d_out, const float *in,
                             const float *gamma, const cmus_subset *from, const cmus_subset *to, int channels) {
    double began = cmus_profile_begin();
    const cmus_kernels *kernels = cmus_kernels_pick();
    int rows = cmus_subset_rows(from), shares = rows < ROW_SHARES ? rows : ROW_SHARES;
    size_t width = (size_t)channels;
    float *partial = cmus_allocate((size_t)shares * 2 * width, sizeof *partial);
#pragma omp parallel for schedule(static)
    for (int s = 0; s < shares; s++) {
        float *own = partial + (size_t)s * 2 * width;
        int begin = (int)((long long)rows * s / shares), end = (int)((long long)rows * (s + 1) / shares);
        for (int r = begin; r < end; r++)
            kernels->layernorm_backward(d_in + full_row(to, r) * width, own, own + width, d_out + (size_t)r * width,
                                        in + full_row(from, r) * width, gamma, channels);
    }
    for (int s = 0; s < shares; s++)
        for (size_t c = 0; c < width; c++) {
            d_gamma[c] += partial[(size_t)s * 2 * width + c];
            d_beta[c] += partial[((size_t)s * 2 + 1) * width + c];
        }
    cmus_free(partial);
    cmus_profile_end("layernorm backward", began);
}

static inline size_t block_size(size_t begin, size_t count) {
    return count - begin < ELEMENT_BLOCK ? count - begin : ELEMENT_BLOCK;
}

void cmus_gelu_forward(float *out, const float *in, size_t count) {
    double began = cmus_profile_begin();
    const cmus_kernels *kernels = cmus_kernels_pick();
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i += ELEMENT_BLOCK)
        kernels->gelu_forward(out + i, in + i, block_size(i, count));
    cmus_profile_end("gelu", began);
}

void cmus_gelu_backward(float *out, float *gradient, const float *in, const cmus_subset *subset, int channels) {
    double began = cmus_profile_begin();
    const cmus_kernels *kernels = cmus_kernels_pick();
    int rows = cmus_subset_rows(subset);
    size_t width = (size_t)channels;
#pragma omp parallel for schedule(static)
    for (int r = 0; r < rows; r++)
        kernels->gelu_backward(out + (size_t)r * width, gradient + (size_t)r * width, in + full_row(subset, r) * width,
                               width);
    cmus_profile_end("gelu backward", began);
}

void cmus_residual_forward(float *out, const float *in, const float *branch, const float *factor,
                           const cmus_subset *subset, int total, int channels) {
    double began = cmus_profile_begin();
    const cmus_kernels *kernels = cmus_kernels_pick();
    int rows = cmus_subset_rows(subset);
    size_t width = (size_t)channels;
    if (subset->count < total) { /* the images that are not listed pass through */
        size_t image = (size_t)subset->tokens * width;
        bool *listed = cmus_allocate((size_t)total, sizeof *listed);
        for (int i = 0; i < subset->count; i++)
            listed[subset->images ? subset->images[i] : i] = true;
#pragma omp parallel for schedule(static)
        for (int i = 0; i < total; i++)
            if (!listed[i])
                memcpy(out + (size_t)i * image, in + (size_t)i * image, image * sizeof *out);
        cmus_free(listed);
    }
#pragma omp parallel for schedule(static)
    for (int r = 0; r < rows; r++) {
        size_t row = full_row(subset, r) * width;
        kernels->add_scaled(out + row, in + row, branch + (size_t)r * width, factor ? factor[r / subset->tokens] : 1.0f,
                            width);
    }
    cmus_profile_end("residual", began);
}

void cmus_residual_backward(float *d_branch, const float *d_out, const float *factor, const cmus_subset *subset,
                            int channels) {
    double began = cmus_profile_begin();
    const cmus_kernels *kernels = cmus_kernels_pick();
    int rows = cmus_subset_rows(subset);
    size_t width = (size_t)channels;
#pragma omp parallel for schedule(static)
    for (int r = 0; r < rows; r++)
        kernels->scale(d_branch + (size_t)r * width, d_out + full_row(subset, r) * width,
                       factor ? factor[r / subset->tokens] : 1.0f, width);
    cmus_profile_end("residual backward", began);
}

void cmus_gather(float *out, const float *in, const cmus_subset *subset, int channels) {
    double began = cmus_profile_begin();
    int rows = cmus_subset_rows(subset);
    size_t width = (size_t)channels;
#pragma omp parallel for schedule(static)
    for (int r = 0; r < rows; r++)
        memcpy(out + (size_t)r * width, in + full_row(subset, r) * width, width * sizeof *out);
    cmus_profile_end("gather", began);
}
