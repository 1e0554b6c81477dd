#include <string.h>

#include "swin_tape.h"

/* Scratch of a forward pass: what attention mixed or merging joined (a map), and the inside of a branch that the tape
 * does not keep (four). */
typedef struct forward_scratch {
    float *map, *wide;
} forward_scratch;

enum { BACKWARD_UNITS = 10 /* swin_backward.c's buffers */, FORWARD_UNITS = 5, LISTS = 5, CACHE_LINE = 64 };

size_t cmus_swin_scratch_bytes(const cmus_swin *swin, int count, cmus_keep keep) {
    int units = keep == CMUS_KEEP_NOTHING ? FORWARD_UNITS : BACKWARD_UNITS;
    size_t lists = LISTS * sizeof(int) + 2 * (size_t)swin->stages[0].tokens * sizeof(float);
    return (size_t)count * ((size_t)units * swin->unit * sizeof(float) + lists) + (BACKWARD_UNITS + LISTS) * CACHE_LINE;
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
    if (tape->keep != CMUS_KEEP_NOTHING)
        cmus_row_statistics(tape->embedded_statistics, tape->embedded, &all, stage->channels);
    cmus_layernorm_forward(tape->stage_in[0], tape->embedded, weights + swin->patch_norm_weight,
                           weights + swin->patch_norm_bias, &all, stage->channels);
}

void cmus_swin_qkv(const swin_stage *stage, const swin_block *block, const float *weights, const block_tape *tape,
                   const cmus_subset *images, float *qkv) {
    int channels = stage->channels;
    cmus_operand normal = cmus_swin_normal(tape->in, tape->in_statistics, images, channels, weights,
                                           block->norm1_weight, block->norm1_bias);
    cmus_operand weight = {.values = weights + block->qkv_weight, .width = channels, .transposed = true};
    cmus_result result = {.values = qkv, .width = 3 * channels, .bias = weights + block->qkv_bias};
    cmus_product(&normal, &weight, &result, cmus_subset_rows(images), 3 * channels, channels);
}

void cmus_swin_hidden(const swin_stage *stage, const swin_block *block, const float *weights, const block_tape *tape,
                      const cmus_subset *images, float *hidden) {
    int channels = stage->channels;
    cmus_operand normal = cmus_swin_normal(tape->middle, tape->middle_statistics, images, channels, weights,
                                           block->norm2_weight, block->norm2_bias);
    cmus_operand weight = {.values = weights + block->mlp0_weight, .width = channels, .transposed = true};
    cmus_result result = {.values = hidden, .width = MLP_RATIO * channels, .bias = weights + block->mlp0_bias};
    cmus_product(&normal, &weight, &result, cmus_subset_rows(images), MLP_RATIO * channels, channels);
}

static void attention_forward(const swin_stage *stage, const swin_block *block, const cmus_windows *windows,
                              const float *weights, const block_tape *tape, int count, const forward_scratch *scratch) {
    int channels = stage->channels;
    cmus_subset kept = {.images = tape->attention.images, .count = tape->attention.count, .tokens = stage->tokens};
    float *qkv = tape->qkv ? tape->qkv : scratch->wide;
    cmus_row_statistics(tape->in_statistics, tape->in, &kept, channels);
    cmus_swin_qkv(stage, block, weights, tape, &kept, qkv);
    cmus_window_attention_forward(scratch->map, qkv, weights + block->qkv_bias, weights + block->bias_table, windows,
                                  kept.count, channels, stage->heads);
    cmus_copy_unlisted(tape->middle, tape->in, &kept, count, channels);
    cmus_operand mixed = {.values = scratch->map, .width = channels};
    cmus_operand weight = {.values = weights + block->proj_weight, .width = channels, .transposed = true};
    cmus_result result = {.values = tape->middle,
                          .width = channels,
                          .form = CMUS_RESULT_RESIDUAL,
                          .bias = weights + block->proj_bias,
                          .rows = &kept,
                          .factor = tape->attention.factor,
                          .other = tape->in};
    cmus_product(&mixed, &weight, &result, cmus_subset_rows(&kept), channels, channels);
}

static void mlp_forward(const swin_stage *stage, const swin_block *block, const float *weights, const block_tape *tape,
                        int count, const forward_scratch *scratch) {
    int channels = stage->channels, wide = MLP_RATIO * channels;
    cmus_subset kept = {.images = tape->mlp.images, .count = tape->mlp.count, .tokens = stage->tokens};
    float *hidden = tape->hidden ? tape->hidden : scratch->wide;
    cmus_row_statistics(tape->middle_statistics, tape->middle, &kept, channels);
    cmus_swin_hidden(stage, block, weights, tape, &kept, hidden);
    cmus_copy_unlisted(tape->out, tape->middle, &kept, count, channels);
    cmus_operand active = {.values = hidden, .width = wide, .form = CMUS_OPERAND_GELU};
    cmus_operand weight = {.values = weights + block->mlp3_weight, .width = wide, .transposed = true};
    cmus_result result = {.values = tape->out,
                          .width = channels,
                          .form = CMUS_RESULT_RESIDUAL,
                          .bias = weights + block->mlp3_bias,
                          .rows = &kept,
                          .factor = tape->mlp.factor,
                          .other = tape->middle};
    cmus_product(&active, &weight, &result, cmus_subset_rows(&kept), channels, wide);
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
    int wide = 4 * stage->channels;
    float *joined = scratch->map, *statistics = scratch->wide;
    cmus_swin_merge_gather(joined, cmus_swin_stage_out(swin, tape, index), &all, stage->side, stage->channels);
    cmus_row_statistics(statistics, joined, &merged, wide);
    cmus_operand normal =
        cmus_swin_normal(joined, statistics, &merged, wide, weights, stage->merge_norm_weight, stage->merge_norm_bias);
    cmus_operand weight = {.values = weights + stage->merge_weight, .width = wide, .transposed = true};
    cmus_result result = {.values = tape->stage_in[index + 1], .width = next->channels};
    cmus_product(&normal, &weight, &result, cmus_subset_rows(&merged), next->channels, wide);
}

/* The tensors of a layer lie together and in the order of the layers, so the last one's end is what a layer needs. */
static void need(const cmus_passage *passage, size_t to) {
    if (passage && passage->need)
        passage->need(passage->context, to);
}

cmus_swin_tape *cmus_swin_forward(const cmus_swin *swin, const float *weights, const float *const *images,
                                  const float *const *depth, int count, cmus_keep keep, cmus_arena *memory,
                                  cmus_arena *scratch_memory, const cmus_passage *passage, float *features) {
    cmus_swin_tape *tape = cmus_swin_tape_take(swin, depth, count, keep, memory);
    size_t unit = (size_t)count * swin->unit * sizeof(float);
    cmus_arena_reset(scratch_memory);
    forward_scratch scratch = {.map = cmus_arena_take(scratch_memory, 1, unit),
                               .wide = cmus_arena_take(scratch_memory, FORWARD_UNITS - 1, unit)};
    need(passage, swin->stages[0].blocks[0].norm1_weight);
    embed(swin, weights, images, tape);
    for (int s = 0; s < CMUS_SWIN_STAGES; s++) {
        const swin_stage *stage = &swin->stages[s];
        for (int b = 0; b < stage->depth; b++) {
            const block_tape *block = &tape->blocks[stage->first_block + b];
            need(passage, stage->blocks[b].mlp3_bias + (size_t)stage->channels);
            attention_forward(stage, &stage->blocks[b], &stage->windows[b % 2], weights, block, count, &scratch);
            mlp_forward(stage, &stage->blocks[b], weights, block, count, &scratch);
        }
        if (s + 1 < CMUS_SWIN_STAGES) {
            need(passage, stage->merge_norm_bias + 4 * (size_t)stage->channels);
            merge_forward(swin, s, weights, tape, &scratch);
        }
    }
    const swin_stage *last = &swin->stages[CMUS_SWIN_STAGES - 1];
    cmus_subset all = {.count = count, .tokens = last->tokens};
    const float *out = cmus_swin_stage_out(swin, tape, CMUS_SWIN_STAGES - 1);
    if (keep != CMUS_KEEP_NOTHING)
        cmus_row_statistics(tape->out_statistics, out, &all, last->channels);
    need(passage, swin->norm_bias + (size_t)last->channels);
    cmus_layernorm_forward(features, out, weights + swin->norm_weight, weights + swin->norm_bias, &all, last->channels);
    return tape;
}
