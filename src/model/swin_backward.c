#include <string.h>

#include "cmus/gemm.h"
#include "cmus/log.h"
#include "swin_internal.h"

/* All maps of gradients are compact: they hold the active images only, in the order of `active`. */
typedef struct backward_state {
    const float *weights;
    float *gradient;
    const int *active; /* [count]: images of the tape */
    int count;
    float *d_map, *d_next;            /* a map each: gradient of the residual stream, and the one of the stage before */
    float *normal, *branch, *wide[2]; /* a map, a map, four maps each */
    int *subset, *slots, *position;   /* lists, [count] each */
    float *factor;                    /* [count] */
} backward_state;

/* The active images that kept a branch: their place in the compact maps (subset), in the tape's full maps (images) and
 * in the branch's own buffers (slots). */
static int active_branch(backward_state *state, const branch_tape *branch, int *images) {
    int found = 0;
    for (int a = 0; a < state->count; a++)
        for (int slot = 0; slot < branch->count; slot++)
            if (branch->images[slot] == state->active[a]) {
                state->subset[found] = a;
                images[found] = state->active[a];
                state->slots[found] = slot;
                state->factor[found++] = branch->factor[slot];
                break;
            }
    return found;
}

/* d_map += LayerNorm's gradient: the rows come from the tape's full map, the gradient goes to the compact one. */
static void normal_backward(backward_state *state, const float *d_out, const float *in, const int *images, int count,
                            int tokens, int channels, size_t gamma, size_t beta) {
    cmus_subset from = {.images = images, .count = count, .tokens = tokens};
    cmus_subset to = {.images = state->subset, .count = count, .tokens = tokens};
    cmus_layernorm_backward(state->d_map, state->gradient + gamma, state->gradient + beta, d_out, in,
                            state->weights + gamma, &from, &to, channels);
}

static void mlp_backward(backward_state *state, const swin_stage *stage, const swin_block *block,
                         const block_tape *tape) {
    const float *weights = state->weights;
    float *gradient = state->gradient;
    int *images = state->position, count = active_branch(state, &tape->mlp, images);
    if (count == 0)
        return;
    int channels = stage->channels, wide = MLP_RATIO * channels;
    cmus_subset compact = {.images = state->subset, .count = count, .tokens = stage->tokens};
    cmus_subset full = {.images = images, .count = count, .tokens = stage->tokens};
    cmus_subset kept = {.images = state->slots, .count = count, .tokens = stage->tokens};
    int rows = cmus_subset_rows(&compact);
    float *d_hidden = state->wide[0], *active = state->wide[1];
    cmus_residual_backward(state->branch, state->d_map, state->factor, &compact, channels);
    cmus_gemm(false, false, rows, wide, channels, 1, state->branch, channels, weights + block->mlp3_weight, wide, 0,
              d_hidden, wide);
    cmus_gelu_backward(active, d_hidden, tape->hidden, &kept, wide);
    cmus_linear_backward(NULL, gradient + block->mlp3_weight, gradient + block->mlp3_bias, state->branch, active,
                         weights + block->mlp3_weight, rows, wide, channels);
    cmus_layernorm_forward(state->normal, tape->middle, weights + block->norm2_weight, weights + block->norm2_bias,
                           &full, channels);
    cmus_linear_backward(state->branch, gradient + block->mlp0_weight, gradient + block->mlp0_bias, d_hidden,
                         state->normal, weights + block->mlp0_weight, rows, channels, wide);
    normal_backward(state, state->branch, tape->middle, images, count, stage->tokens, channels, block->norm2_weight,
                    block->norm2_bias);
}

static void attention_backward(backward_state *state, const swin_stage *stage, const swin_block *block,
                               const cmus_windows *windows, const block_tape *tape) {
    const float *weights = state->weights;
    float *gradient = state->gradient;
    int *images = state->position, count = active_branch(state, &tape->attention, images);
    if (count == 0)
        return;
    int channels = stage->channels;
    cmus_subset compact = {.images = state->subset, .count = count, .tokens = stage->tokens};
    cmus_subset full = {.images = images, .count = count, .tokens = stage->tokens};
    cmus_subset kept = {.images = state->slots, .count = count, .tokens = stage->tokens};
    int rows = cmus_subset_rows(&compact);
    float *d_qkv = state->wide[0], *mixed = state->wide[1], *d_mixed = state->normal;
    cmus_residual_backward(state->branch, state->d_map, state->factor, &compact, channels);
    cmus_gather(mixed, tape->mixed, &kept, channels);
    cmus_linear_backward(d_mixed, gradient + block->proj_weight, gradient + block->proj_bias, state->branch, mixed,
                         weights + block->proj_weight, rows, channels, channels);
    cmus_window_attention_backward(d_qkv, gradient + block->qkv_bias, gradient + block->bias_table, NULL, d_mixed,
                                   tape->qkv, weights + block->qkv_bias, weights + block->bias_table, windows,
                                   state->slots, count, channels, stage->heads);
    cmus_layernorm_forward(state->normal, tape->in, weights + block->norm1_weight, weights + block->norm1_bias, &full,
                           channels);
    cmus_linear_backward(state->branch, gradient + block->qkv_weight, gradient + block->qkv_bias, d_qkv, state->normal,
                         weights + block->qkv_weight, rows, channels, 3 * channels);
    normal_backward(state, state->branch, tape->in, images, count, stage->tokens, channels, block->norm1_weight,
                    block->norm1_bias);
}

/* From d_map of stage index + 1 to that of stage index. */
static void merge_backward(backward_state *state, const cmus_swin *swin, const cmus_swin_tape *tape, int index) {
    const swin_stage *stage = &swin->stages[index], *next = stage + 1;
    cmus_subset active = {.images = state->active, .count = state->count, .tokens = stage->tokens};
    cmus_subset merged = {.count = state->count, .tokens = next->tokens};
    int rows = cmus_subset_rows(&merged), wide = 4 * stage->channels;
    float *joined = state->wide[0], *d_joined = state->wide[1];
    cmus_swin_merge_gather(joined, cmus_swin_stage_out(swin, tape, index), &active, stage->side, stage->channels);
    cmus_layernorm_forward(state->normal, joined, state->weights + stage->merge_norm_weight,
                           state->weights + stage->merge_norm_bias, &merged, wide);
    cmus_linear_backward(state->branch, state->gradient + stage->merge_weight, NULL, state->d_map, state->normal,
                         state->weights + stage->merge_weight, rows, wide, next->channels);
    memset(d_joined, 0, (size_t)rows * (size_t)wide * sizeof *d_joined);
    cmus_layernorm_backward(d_joined, state->gradient + stage->merge_norm_weight,
                            state->gradient + stage->merge_norm_bias, state->branch, joined,
                            state->weights + stage->merge_norm_weight, &merged, &merged, wide);
    cmus_swin_merge_scatter(state->d_next, d_joined, state->count, stage->side, stage->channels);
    float *kept = state->d_map;
    state->d_map = state->d_next;
    state->d_next = kept;
}

static void embed_backward(backward_state *state, const cmus_swin *swin, const cmus_swin_tape *tape) {
    const swin_stage *stage = &swin->stages[0];
    cmus_subset active = {.images = state->active, .count = state->count, .tokens = stage->tokens};
    cmus_subset all = {.count = state->count, .tokens = stage->tokens};
    int rows = cmus_subset_rows(&active);
    float *d_embedded = state->branch, *patches = state->wide[0];
    memset(d_embedded, 0, (size_t)rows * (size_t)stage->channels * sizeof *d_embedded);
    cmus_layernorm_backward(d_embedded, state->gradient + swin->patch_norm_weight,
                            state->gradient + swin->patch_norm_bias, state->d_map, tape->embedded,
                            state->weights + swin->patch_norm_weight, &active, &all, stage->channels);
    cmus_gather(patches, tape->patches, &active, PATCH_VALUES);
    cmus_linear_backward(NULL, state->gradient + swin->patch_weight, state->gradient + swin->patch_bias, d_embedded,
                         patches, NULL, rows, PATCH_VALUES, stage->channels);
}

static backward_state make_state(const cmus_swin *swin, const float *weights, float *gradient, const int *active,
                                 int count, cmus_arena *scratch) {
    size_t unit = (size_t)count * swin->unit * sizeof(float), list = (size_t)count * sizeof(int);
    cmus_arena_reset(scratch);
    return (backward_state){.weights = weights,
                            .gradient = gradient,
                            .active = active,
                            .count = count,
                            .d_map = cmus_arena_take(scratch, 1, unit),
                            .d_next = cmus_arena_take(scratch, 1, unit),
                            .normal = cmus_arena_take(scratch, 1, unit),
                            .branch = cmus_arena_take(scratch, 1, unit),
                            .wide = {cmus_arena_take(scratch, 4, unit), cmus_arena_take(scratch, 4, unit)},
                            .subset = cmus_arena_take(scratch, 1, list),
                            .slots = cmus_arena_take(scratch, 1, list),
                            .position = cmus_arena_take(scratch, 1, list),
                            .factor = cmus_arena_take(scratch, 1, list)};
}

void cmus_swin_backward(const cmus_swin *swin, const float *weights, float *gradient, const cmus_swin_tape *tape,
                        const int *active, int active_count, const float *d_features, cmus_arena *scratch) {
    if (active_count == 0)
        return;
    if (!tape->kept)
        cmus_fatal("the backward pass needs a tape that was kept");
    backward_state state = make_state(swin, weights, gradient, active, active_count, scratch);
    const swin_stage *last = &swin->stages[CMUS_SWIN_STAGES - 1];
    cmus_subset listed = {.images = active, .count = active_count, .tokens = last->tokens};
    cmus_subset all = {.count = active_count, .tokens = last->tokens};
    memset(state.d_map, 0, (size_t)cmus_subset_rows(&all) * (size_t)last->channels * sizeof *state.d_map);
    cmus_layernorm_backward(state.d_map, gradient + swin->norm_weight, gradient + swin->norm_bias, d_features,
                            cmus_swin_stage_out(swin, tape, CMUS_SWIN_STAGES - 1), weights + swin->norm_weight, &listed,
                            &all, last->channels);
    for (int s = CMUS_SWIN_STAGES - 1; s >= 0; s--) {
        const swin_stage *stage = &swin->stages[s];
        for (int b = stage->depth - 1; b >= 0; b--) {
            const block_tape *block = &tape->blocks[stage->first_block + b];
            mlp_backward(&state, stage, &stage->blocks[b], block);
            attention_backward(&state, stage, &stage->blocks[b], &stage->windows[b % 2], block);
        }
        if (s > 0)
            merge_backward(&state, swin, tape, s - 1);
    }
    embed_backward(&state, swin, tape);
}
