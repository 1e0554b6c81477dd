#include <string.h>

#include "cmus/gemm.h"
#include "swin_tape.h"

/* Scratch of one forward block: normalised rows and branch output (a map each), GELU output (four). */
typedef struct forward_scratch {
    float *normal, *branch, *active;
} forward_scratch;

enum { BACKWARD_UNITS = 12 /* swin_backward.c's buffers; forward needs 6 of the same size */, FORWARD_UNITS = 6 };

size_t cmus_swin_scratch_bytes(const cmus_swin *swin, int images) {
    /* one cache line of rounding a buffer; the lists of the backward pass */
    return (size_t)images * (BACKWARD_UNITS * swin->unit * sizeof(float) + 8 * sizeof(int)) + 64 * 64;
}

/* patches [tokens][48] of one image [3][S][S], in the order of a convolution weight: channel, row, column. */
static void cut_patches(float *patches, const float *image, int size, int side) {
    for (int t = 0; t < side * side; t++)
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < PATCH; y++)
                memcpy(patches + (size_t)t * PATCH_VALUES + (size_t)((c * PATCH + y) * PATCH),
                       image + ((size_t)c * (size_t)size + (size_t)(t / side * PATCH + y)) * (size_t)size +
                           (size_t)(t % side * PATCH),
                       PATCH * sizeof *patches);
}

static void embed(const cmus_swin *swin, const float *weights, const float *const *images, cmus_swin_tape *tape) {
    const swin_stage *stage = &swin->stages[0];
#pragma omp parallel for schedule(static)
    for (int i = 0; i < tape->count; i++)
        cut_patches(tape->patches + (size_t)i * (size_t)stage->tokens * PATCH_VALUES, images[i], swin->image_size,
                    stage->side);
    cmus_linear_forward(tape->embedded, tape->patches, weights + swin->patch_weight, weights + swin->patch_bias,
                        tape->count * stage->tokens, PATCH_VALUES, stage->channels);
    cmus_subset all = {.count = tape->count, .tokens = stage->tokens};
    cmus_layernorm_forward(tape->stage_in[0], tape->embedded, weights + swin->patch_norm_weight,
                           weights + swin->patch_norm_bias, &all, stage->channels);
}

static void block_forward(const swin_stage *stage, int index, const float *weights, const block_tape *tape, int count,
                          const forward_scratch *scratch) {
    const swin_block *block = &stage->blocks[index];
    const cmus_windows *windows = &stage->windows[index % 2];
    int channels = stage->channels;
    cmus_subset kept = {.images = tape->attention.images, .count = tape->attention.count, .tokens = stage->tokens};
    int rows = cmus_subset_rows(&kept);
    cmus_layernorm_forward(scratch->normal, tape->in, weights + block->norm1_weight, weights + block->norm1_bias, &kept,
                           channels);
    cmus_linear_forward(tape->qkv, scratch->normal, weights + block->qkv_weight, weights + block->qkv_bias, rows,
                        channels, 3 * channels);
    cmus_window_attention_forward(tape->mixed, tape->qkv, weights + block->qkv_bias, weights + block->bias_table,
                                  windows, kept.count, channels, stage->heads);
    cmus_linear_forward(scratch->branch, tape->mixed, weights + block->proj_weight, weights + block->proj_bias, rows,
                        channels, channels);
    cmus_residual_forward(tape->middle, tape->in, scratch->branch, tape->attention.factor, &kept, count, channels);

    kept = (cmus_subset){.images = tape->mlp.images, .count = tape->mlp.count, .tokens = stage->tokens};
    rows = cmus_subset_rows(&kept);
    cmus_layernorm_forward(scratch->normal, tape->middle, weights + block->norm2_weight, weights + block->norm2_bias,
                           &kept, channels);
    cmus_linear_forward(tape->hidden, scratch->normal, weights + block->mlp0_weight, weights + block->mlp0_bias, rows,
                        channels, MLP_RATIO * channels);
    cmus_gelu_forward(scratch->active, tape->hidden, (size_t)rows * (size_t)(MLP_RATIO * channels));
    cmus_linear_forward(scratch->branch, scratch->active, weights + block->mlp3_weight, weights + block->mlp3_bias,
                        rows, MLP_RATIO * channels, channels);
    cmus_residual_forward(tape->out, tape->middle, scratch->branch, tape->mlp.factor, &kept, count, channels);
}

/* Token of the map that lies at `part` of the 2x2 block of merged token t, or -1 on padding. The parts' order is that
 * of torchvision's PatchMerging: (even row, even column), (odd, even), (even, odd), (odd, odd). */
static int merged_token(int t, int part, int side) {
    int next = (side + 1) / 2, row = 2 * (t / next) + part % 2, column = 2 * (t % next) + part / 2;
    return row < side && column < side ? row * side + column : -1;
}

void cmus_swin_merge_gather(float *out, const float *in, const cmus_subset *subset, int side, int channels) {
    int next = (side + 1) / 2, merged = next * next;
    size_t width = (size_t)channels;
#pragma omp parallel for schedule(static)
    for (int r = 0; r < subset->count * merged; r++) {
        int item = r / merged, image = subset->images ? subset->images[item] : item;
        for (int part = 0; part < 4; part++) {
            int token = merged_token(r % merged, part, side);
            float *to = out + ((size_t)r * 4 + (size_t)part) * width;
            if (token < 0)
                memset(to, 0, width * sizeof *to);
            else
                memcpy(to, in + ((size_t)image * (size_t)(side * side) + (size_t)token) * width, width * sizeof *to);
        }
    }
}

void cmus_swin_merge_scatter(float *d_in, const float *d_out, int count, int side, int channels) {
    int next = (side + 1) / 2, merged = next * next;
    size_t width = (size_t)channels;
#pragma omp parallel for schedule(static)
    for (int r = 0; r < count * merged; r++)
        for (int part = 0; part < 4; part++) {
            int token = merged_token(r % merged, part, side);
            if (token >= 0) /* every token of the map belongs to one part of one merged token */
                memcpy(d_in + ((size_t)(r / merged) * (size_t)(side * side) + (size_t)token) * width,
                       d_out + ((size_t)r * 4 + (size_t)part) * width, width * sizeof *d_in);
        }
}

static void merge_forward(const cmus_swin *swin, int index, const float *weights, const cmus_swin_tape *tape,
                          const forward_scratch *scratch) {
    const swin_stage *stage = &swin->stages[index], *next = stage + 1;
    cmus_subset all = {.count = tape->count, .tokens = stage->tokens};
    cmus_subset merged = {.count = tape->count, .tokens = next->tokens};
    cmus_swin_merge_gather(scratch->branch, cmus_swin_stage_out(swin, tape, index), &all, stage->side, stage->channels);
    cmus_layernorm_forward(scratch->normal, scratch->branch, weights + stage->merge_norm_weight,
                           weights + stage->merge_norm_bias, &merged, 4 * stage->channels);
    cmus_linear_forward(tape->stage_in[index + 1], scratch->normal, weights + stage->merge_weight, NULL,
                        cmus_subset_rows(&merged), 4 * stage->channels, next->channels);
}

cmus_swin_tape *cmus_swin_forward(const cmus_swin *swin, const float *weights, const float *const *images,
                                  const float *const *depth, int count, bool keep, cmus_arena *memory,
                                  cmus_arena *scratch_memory, float *features) {
    cmus_swin_tape *tape = cmus_swin_tape_take(swin, depth, count, keep, memory);
    size_t unit = (size_t)count * swin->unit * sizeof(float);
    cmus_arena_reset(scratch_memory);
    forward_scratch scratch = {.normal = cmus_arena_take(scratch_memory, 1, unit),
                               .branch = cmus_arena_take(scratch_memory, 1, unit),
                               .active = cmus_arena_take(scratch_memory, FORWARD_UNITS - 2, unit)};
    embed(swin, weights, images, tape);
    for (int s = 0; s < CMUS_SWIN_STAGES; s++) {
        const swin_stage *stage = &swin->stages[s];
        for (int b = 0; b < stage->depth; b++)
            block_forward(stage, b, weights, &tape->blocks[stage->first_block + b], count, &scratch);
        if (s + 1 < CMUS_SWIN_STAGES)
            merge_forward(swin, s, weights, tape, &scratch);
    }
    const swin_stage *last = &swin->stages[CMUS_SWIN_STAGES - 1];
    cmus_subset all = {.count = count, .tokens = last->tokens};
    cmus_layernorm_forward(features, cmus_swin_stage_out(swin, tape, CMUS_SWIN_STAGES - 1), weights + swin->norm_weight,
                           weights + swin->norm_bias, &all, last->channels);
    return tape;
}
