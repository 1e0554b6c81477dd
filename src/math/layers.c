#include "cmus/layers.h"

#include <stdbool.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/product.h"
#include "cmus/profile.h"
#include "kernels/kernels.h"

enum { ROW_SHARES = 16 };

void cmus_row_statistics(float *statistics, const float *in, const cmus_subset *subset, int channels) {
    double began = cmus_profile_begin();
    const cmus_kernels *kernels = cmus_kernels_pick();
    int rows = cmus_subset_rows(subset);
#pragma omp parallel for schedule(static)
    for (int r = 0; r < rows; r++) {
        size_t row = cmus_full_row(subset, r);
        kernels->row_statistics(statistics + 2 * row, in + row * (size_t)channels, channels);
    }
    cmus_profile_end("layernorm statistics", began);
}

void cmus_layernorm_forward(float *out, const float *in, const float *gamma, const float *beta,
                            const cmus_subset *subset, int channels) {
    double began = cmus_profile_begin();
    const cmus_kernels *kernels = cmus_kernels_pick();
    int rows = cmus_subset_rows(subset);
    size_t width = (size_t)channels;
#pragma omp parallel for schedule(static)
    for (int r = 0; r < rows; r++)
        kernels->layernorm_forward(out + (size_t)r * width, in + cmus_full_row(subset, r) * width, gamma, beta,
                                   channels);
    cmus_profile_end("layernorm", began);
}

void cmus_layernorm_backward(float *d_in, float *d_gamma, float *d_beta, const float *d_out, const float *in,
                             const float *statistics, const float *gamma, const cmus_subset *from,
                             const cmus_subset *to, int channels) {
    double began = cmus_profile_begin();
    const cmus_kernels *kernels = cmus_kernels_pick();
    int rows = cmus_subset_rows(from), shares = rows < ROW_SHARES ? rows : ROW_SHARES;
    size_t width = (size_t)channels;
    float *partial = cmus_allocate((size_t)shares * 2 * width, sizeof *partial);
#pragma omp parallel for schedule(static)
    for (int s = 0; s < shares; s++) {
        float *own = partial + (size_t)s * 2 * width;
        int begin = (int)((long long)rows * s / shares), end = (int)((long long)rows * (s + 1) / shares);
        for (int r = begin; r < end; r++) {
            size_t row = cmus_full_row(from, r);
            kernels->layernorm_backward(d_in + cmus_full_row(to, r) * width, own, own + width,
                                        d_out + (size_t)r * width, in + row * width, statistics + 2 * row, gamma,
                                        channels);
        }
    }
    for (int s = 0; s < shares; s++)
        for (size_t c = 0; c < width; c++) {
            d_gamma[c] += partial[(size_t)s * 2 * width + c];
            d_beta[c] += partial[((size_t)s * 2 + 1) * width + c];
        }
    cmus_free(partial);
    cmus_profile_end("layernorm backward", began);
}

void cmus_copy_unlisted(float *out, const float *in, const cmus_subset *subset, int total, int channels) {
    if (subset->count == total)
        return;
    double began = cmus_profile_begin();
    size_t image = (size_t)subset->tokens * (size_t)channels;
    bool *listed = cmus_allocate((size_t)total, sizeof *listed);
    for (int i = 0; i < subset->count; i++)
        listed[subset->images ? subset->images[i] : i] = true;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < total; i++)
        if (!listed[i])
            memcpy(out + (size_t)i * image, in + (size_t)i * image, image * sizeof *out);
    cmus_free(listed);
    cmus_profile_end("copy of dropped branches", began);
}
