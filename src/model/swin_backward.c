#include <string.h>

#include "cmus/log.h"
#include "cmus/profile.h"
#include "swin_internal.h"

/* All maps of gradients are compact: they hold the active images only, in the order of `active`. */
typedef struct backward_state {
    const float *weights;
    float *gradient;
    const int *active; /* [count]: images of the tape */
    int count;
    float *d_map, *branch, *wide[2]; /* gradient of the residual stream; work: a map, and twice four */
    float *statistics;               /* [count][tokens of stage 1][2] */
    int *subset, *slots, *position;  /* lists, [count] each */
    float *factor;                   /* [count] */
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
static void normal_backward(backward_state *state, const float *d_out, const float *in, const float *statistics,
                            const cmus_subset *images, int channels, size_t gamma, size_t beta) {
    cmus_subset to = {.images = state->subset, .count = images->count, .tokens = images->tokens};
    cmus_layernorm_backward(state->d_map, state->gradient + gamma, state->gradient + beta, d_out, in, statistics,
                            state->weights + gamma, images, &to, channels);
}

/* What flows into a branch: the residual stream's gradient times each image's factor. */
static cmus_operand branch_gradient(const backward_state *state, const cmus_subset *compact, int channels) {
    return (cmus_operand){.values = state->d_map,
                          .width = channels,
                          .rows = compact,
                          .form = CMUS_OPERAND_SCALED,
                          .factor = state->factor};
}

/* gradient of a weight [outputs, inputs] += d_out' in, and of its bias += the sums of d_out. d_out as a left operand is
 * stored by depth here. */
static void weight_backward(backward_state *state, size_t weight, size_t bias, cmus_operand d_out,
                            const cmus_operand *in, int outputs, int inputs, int rows) {
    d_out.transposed = true;
    cmus_result sum = {.values = state->gradient + weight,
                       .width = inputs,
                       .form = CMUS_RESULT_ADD,
                       .left_sums = state->gradient + bias};
    cmus_product(&d_out, in, &sum, outputs, inputs, rows);
}

/* d_in [rows, inputs] = d_out weight */
static void input_backward(const backward_state *state, float *d_in, const cmus_operand *d_out, size_t weight,
                           int outputs, int inputs, int rows) {
    cmus_operand right = {.values = state->weights + weight, .width = inputs};
    cmus_result result = {.values = d_in, .width = inputs};
    cmus_product(d_out, &right, &result, rows, inputs, outputs);
}

static void mlp_backward(backward_state *state, const swin_stage *stage, const swin_block *block,
                         const block_tape *tape) {
    const float *weights = state->weights;
    int *images = state->position, count = active_branch(state, &tape->mlp, images);
    if (count == 0)
        return;
    int channels = stage->channels, wide = MLP_RATIO * channels;
    cmus_subset compact = {.images = state->subset, .count = count, .tokens = stage->tokens};
    cmus_subset full = {.images = images, .count = count, .tokens = stage->tokens};
    cmus_subset kept = {.images = tape->hidden ? state->slots : NULL, .count = count, .tokens = stage->tokens};
    int rows = cmus_subset_rows(&compact);
    float *d_hidden = state->wide[0], *hidden = tape->hidden;
    if (!hidden) {
        hidden = state->wide[1];
        bool before = cmus_profile_recomputing(true);
        cmus_swin_hidden(stage, block, weights, tape, &full, hidden);
        cmus_profile_recomputing(before);
    }
    cmus_operand d_branch = branch_gradient(state, &compact, channels);
    cmus_operand weight3 = {.values = weights + block->mlp3_weight, .width = wide};
    cmus_result through_gelu = {
        .values = d_hidden, .width = wide, .form = CMUS_RESULT_GELU_SLOPE, .rows = &kept, .other = hidden};
    cmus_product(&d_branch, &weight3, &through_gelu, rows, wide, channels);
    cmus_operand active = {.values = hidden, .width = wide, .rows = &kept, .form = CMUS_OPERAND_GELU};
    weight_backward(state, block->mlp3_weight, block->mlp3_bias, d_branch, &active, channels, wide, rows);
    cmus_operand normal = cmus_swin_normal(tape->middle, tape->middle_statistics, &full, channels, weights,
                                           block->norm2_weight, block->norm2_bias);
    cmus_operand d_hidden_rows = {.values = d_hidden, .width = wide};
    weight_backward(state, block->mlp0_weight, block->mlp0_bias, d_hidden_rows, &normal, wide, channels, rows);
    input_backward(state, state->branch, &d_hidden_rows, block->mlp0_weight, wide, channels, rows);
    normal_backward(state, state->branch, tape->middle, tape->middle_statistics, &full, channels, block->norm2_weight,
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
    int rows = cmus_subset_rows(&compact);
    const float *qkv = tape->qkv;
    const int *slots = state->slots;
    if (!qkv) {
        bool before = cmus_profile_recomputing(true);
        cmus_swin_qkv(stage, block, weights, tape, &full, state->wide[1]);
        cmus_profile_recomputing(before);
        qkv = state->wide[1];
        slots = NULL;
    }
    float *d_qkv = state->wide[0], *mixed = d_qkv + 3 * (size_t)rows * (size_t)channels, *d_mixed = state->branch;
    cmus_operand d_branch = branch_gradient(state, &compact, channels);
    input_backward(state, d_mixed, &d_branch, block->proj_weight, channels, channels, rows);
    cmus_window_attention_backward(d_qkv, gradient + block->qkv_bias, gradient + block->bias_table, mixed, d_mixed, qkv,
                                   weights + block->qkv_bias, weights + block->bias_table, windows, slots, count,
                                   channels, stage->heads);
    cmus_operand mixed_rows = {.values = mixed, .width = channels};
    weight_backward(state, block->proj_weight, block->proj_bias, d_branch, &mixed_rows, channels, channels, rows);
    cmus_operand normal = cmus_swin_normal(tape->in, tape->in_statistics, &full, channels, weights, block->norm1_weight,
                                           block->norm1_bias);
    cmus_operand d_qkv_rows = {.values = d_qkv, .width = 3 * channels};
    weight_backward(state, block->qkv_weight, block->qkv_bias, d_qkv_rows, &normal, 3 * channels, channels, rows);
    input_backward(state, state->branch, &d_qkv_rows, block->qkv_weight, 3 * channels, channels, rows);
    normal_backward(state, state->branch, tape->in, tape->in_statistics, &full, channels, block->norm1_weight,
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
    cmus_row_statistics(state->statistics, joined, &merged, wide);
    cmus_operand normal = cmus_swin_normal(joined, state->statistics, &merged, wide, state->weights,
                                           stage->merge_norm_weight, stage->merge_norm_bias);
    cmus_operand d_out = {.values = state->d_map, .width = next->channels, .transposed = true};
    cmus_result sum = {.values = state->gradient + stage->merge_weight, .width = wide, .form = CMUS_RESULT_ADD};
    cmus_product(&d_out, &normal, &sum, next->channels, wide, rows);
    d_out.transposed = false;
    input_backward(state, state->branch, &d_out, stage->merge_weight, next->channels, wide, rows);
    memset(d_joined, 0, (size_t)rows * (size_t)wide * sizeof *d_joined);
    cmus_layernorm_backward(d_joined, state->gradient + stage->merge_norm_weight,
                            state->gradient + stage->merge_norm_bias, state->branch, joined, state->statistics,
                            state->weights + stage->merge_norm_weight, &merged, &merged, wide);
    cmus_swin_merge_scatter(state->d_map, d_joined, state->count, stage->side, stage->channels);
}

static void embed_backward(backward_state *state, const cmus_swin *swin, const cmus_swin_tape *tape) {
    const swin_stage *stage = &swin->stages[0];
    cmus_subset active = {.images = state->active, .count = state->count, .tokens = stage->tokens};
    cmus_subset all = {.count = state->count, .tokens = stage->tokens};
    int rows = cmus_subset_rows(&active);
    float *d_embedded = state->branch;
    memset(d_embedded, 0, (size_t)rows * (size_t)stage->channels * sizeof *d_embedded);
    cmus_layernorm_backward(d_embedded, state->gradient + swin->patch_norm_weight,
                            state->gradient + swin->patch_norm_bias, state->d_map, tape->embedded,
                            tape->embedded_statistics, state->weights + swin->patch_norm_weight, &active, &all,
                            stage->channels);
    cmus_operand d_out = {.values = d_embedded, .width = stage->channels};
    cmus_operand patches = {.values = tape->patches, .width = PATCH_VALUES, .rows = &active};
    weight_backward(state, swin->patch_weight, swin->patch_bias, d_out, &patches, stage->channels, PATCH_VALUES, rows);
}

static backward_state make_state(const cmus_swin *swin, const float *weights, float *gradient, const int *active,
                                 int count, cmus_arena *scratch) {
    size_t unit = (size_t)count * swin->unit * sizeof(float), list = (size_t)count * sizeof(int);
    cmus_arena_reset(scratch);
    return (backward_state){
        .weights = weights,
        .gradient = gradient,
        .active = active,
        .count = count,
        .d_map = cmus_arena_take(scratch, 1, unit),
        .branch = cmus_arena_take(scratch, 1, unit),
        .wide = {cmus_arena_take(scratch, 4, unit), cmus_arena_take(scratch, 4, unit)},
        .statistics = cmus_arena_take(scratch, (size_t)count * (size_t)swin->stages[0].tokens, 2 * sizeof(float)),
        .subset = cmus_arena_take(scratch, 1, list),
        .slots = cmus_arena_take(scratch, 1, list),
        .position = cmus_arena_take(scratch, 1, list),
        .factor = cmus_arena_take(scratch, 1, list)};
}

static void ready(const cmus_passage *passage, size_t from) {
    if (passage && passage->ready)
        passage->ready(passage->context, from);
}

void cmus_swin_backward(const cmus_swin *swin, const float *weights, float *gradient, const cmus_swin_tape *tape,
                        const int *active, int active_count, const float *d_features, const cmus_passage *passage,
                        cmus_arena *scratch) {
    if (active_count == 0) {
        ready(passage, cmus_swin_begin(swin));
        return;
    }
    if (tape->keep == CMUS_KEEP_NOTHING)
        cmus_fatal("the backward pass needs a tape that was kept");
    backward_state state = make_state(swin, weights, gradient, active, active_count, scratch);
    const swin_stage *last = &swin->stages[CMUS_SWIN_STAGES - 1];
    cmus_subset listed = {.images = active, .count = active_count, .tokens = last->tokens};
    cmus_subset all = {.count = active_count, .tokens = last->tokens};
    const float *out = cmus_swin_stage_out(swin, tape, CMUS_SWIN_STAGES - 1);
    memset(state.d_map, 0, (size_t)cmus_subset_rows(&all) * (size_t)last->channels * sizeof *state.d_map);
    cmus_layernorm_backward(state.d_map, gradient + swin->norm_weight, gradient + swin->norm_bias, d_features, out,
                            tape->out_statistics, weights + swin->norm_weight, &listed, &all, last->channels);
    for (int s = CMUS_SWIN_STAGES - 1; s >= 0; s--) {
        const swin_stage *stage = &swin->stages[s];
        for (int b = stage->depth - 1; b >= 0; b--) {
            const block_tape *block = &tape->blocks[stage->first_block + b];
            mlp_backward(&state, stage, &stage->blocks[b], block);
            attention_backward(&state, stage, &stage->blocks[b], &stage->windows[b % 2], block);
            ready(passage, stage->blocks[b].norm1_weight);
        }
        if (s > 0) {
            merge_backward(&state, swin, tape, s - 1);
            ready(passage, swin->stages[s - 1].merge_weight);
        }
    }
    embed_backward(&state, swin, tape);
    ready(passage, cmus_swin_begin(swin));
}
