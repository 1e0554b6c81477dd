#include <stdbool.h>
#include <stdint.h>
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
    int *each;                       /* [count]: 0, 1, 2, ... */
    float *factor;                   /* [count] */
    const cmus_passage *passage;     /* NULL: nobody is told */
} backward_state;

/* Whether each image's gradients are taken by themselves. */
static bool image_by_image(const backward_state *state) {
    return state->passage && state->passage->take;
}

static void take(const backward_state *state, size_t begin, size_t count) {
    if (image_by_image(state))
        state->passage->take(state->passage->context, begin, count);
}

/* The rows of one image of an operand whose images have `tokens` rows each; *one is for its use. */
static cmus_operand operand_of_image(const cmus_operand *all, int image, int tokens, cmus_subset *one) {
    cmus_operand part = *all;
    size_t row = (size_t)image * (size_t)tokens;
    *one = (cmus_subset){.count = 1, .tokens = tokens};
    part.rows = all->rows ? one : NULL;
    part.factor = all->factor ? all->factor + image : NULL;
    if (all->rows && all->rows->images) {
        one->images = all->rows->images + image;
    } else {
        part.values += row * (size_t)all->width;
        part.statistics = all->statistics ? all->statistics + 2 * row : NULL;
    }
    return part;
}

static cmus_subset subset_of_image(const cmus_subset *all, int image) {
    return (cmus_subset){.images = all->images + image, .count = 1, .tokens = all->tokens};
}

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

/* d_in += LayerNorm's gradient, and those of gamma and beta; arguments as of cmus_layernorm_backward, the subsets with
 * their images listed. */
static void layernorm_backward(const backward_state *state, float *d_in, const float *d_out, const float *in,
                               const float *statistics, const cmus_subset *from, const cmus_subset *to, int channels,
                               size_t gamma, size_t beta) {
    const float *weight = state->weights + gamma;
    float *d_gamma = state->gradient + gamma, *d_beta = state->gradient + beta;
    if (!image_by_image(state)) {
        cmus_layernorm_backward(d_in, d_gamma, d_beta, d_out, in, statistics, weight, from, to, channels);
        return;
    }
    size_t map = (size_t)from->tokens * (size_t)channels;
    for (int i = 0; i < from->count; i++) {
        cmus_subset from_one = subset_of_image(from, i), to_one = subset_of_image(to, i);
        cmus_layernorm_backward(d_in, d_gamma, d_beta, d_out + (size_t)i * map, in, statistics, weight, &from_one,
                                &to_one, channels);
        take(state, gamma, (size_t)channels);
        take(state, beta, (size_t)channels);
    }
}

/* d_map += LayerNorm's gradient: the rows come from the tape's full map, the gradient goes to the compact one. */
static void normal_backward(backward_state *state, const float *d_out, const float *in, const float *statistics,
                            const cmus_subset *images, int channels, size_t gamma, size_t beta) {
    cmus_subset to = {.images = state->subset, .count = images->count, .tokens = images->tokens};
    layernorm_backward(state, state->d_map, d_out, in, statistics, images, &to, channels, gamma, beta);
}

/* What flows into a branch: the residual stream's gradient times each image's factor. */
static cmus_operand branch_gradient(const backward_state *state, const cmus_subset *compact, int channels) {
    return (cmus_operand){.values = state->d_map,
                          .width = channels,
                          .rows = compact,
                          .form = CMUS_OPERAND_SCALED,
                          .factor = state->factor};
}

static const size_t NO_BIAS = SIZE_MAX;

/* gradient of a weight [outputs, inputs] += d_out' in, and of its bias += the sums of d_out (NO_BIAS: none). d_out as a
 * left operand is stored by depth here. `rows` are those of `images` images. */
static void weight_backward(const backward_state *state, size_t weight, size_t bias, cmus_operand d_out,
                            const cmus_operand *in, int outputs, int inputs, int rows, int images) {
    d_out.transposed = true;
    cmus_result sum = {.values = state->gradient + weight,
                       .width = inputs,
                       .form = CMUS_RESULT_ADD,
                       .left_sums = bias == NO_BIAS ? NULL : state->gradient + bias};
    if (!image_by_image(state)) {
        cmus_product(&d_out, in, &sum, outputs, inputs, rows);
        return;
    }
    int tokens = rows / images;
    for (int i = 0; i < images; i++) {
        cmus_subset left_rows, right_rows;
        cmus_operand left = operand_of_image(&d_out, i, tokens, &left_rows);
        cmus_operand right = operand_of_image(in, i, tokens, &right_rows);
        cmus_product(&left, &right, &sum, outputs, inputs, tokens);
        take(state, weight, (size_t)outputs * (size_t)inputs);
        if (bias != NO_BIAS)
            take(state, bias, (size_t)outputs);
    }
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
    weight_backward(state, block->mlp3_weight, block->mlp3_bias, d_branch, &active, channels, wide, rows, count);
    cmus_operand normal = cmus_swin_normal(tape->middle, tape->middle_statistics, &full, channels, weights,
                                           block->norm2_weight, block->norm2_bias);
    cmus_operand d_hidden_rows = {.values = d_hidden, .width = wide};
    weight_backward(state, block->mlp0_weight, block->mlp0_bias, d_hidden_rows, &normal, wide, channels, rows, count);
    input_backward(state, state->branch, &d_hidden_rows, block->mlp0_weight, wide, channels, rows);
    normal_backward(state, state->branch, tape->middle, tape->middle_statistics, &full, channels, block->norm2_weight,
                    block->norm2_bias);
}

/* Through the windows of all images; arguments as of cmus_window_attention_backward. */
static void windows_backward(const backward_state *state, const swin_stage *stage, const swin_block *block,
                             const cmus_windows *windows, float *d_qkv, float *mixed, const float *d_mixed,
                             const float *qkv, const int *slots, int count) {
    const float *bias = state->weights + block->qkv_bias, *table = state->weights + block->bias_table;
    float *d_bias = state->gradient + block->qkv_bias, *d_table = state->gradient + block->bias_table;
    int channels = stage->channels, heads = stage->heads;
    if (!image_by_image(state)) {
        cmus_window_attention_backward(d_qkv, d_bias, d_table, mixed, d_mixed, qkv, bias, table, windows, slots, count,
                                       channels, heads);
        return;
    }
    size_t map = (size_t)stage->tokens * (size_t)channels;
    for (int i = 0; i < count; i++) {
        size_t at = (size_t)i * map;
        cmus_window_attention_backward(d_qkv + 3 * at, d_bias, d_table, mixed + at, d_mixed + at,
                                       slots ? qkv : qkv + 3 * at, bias, table, windows, slots ? slots + i : NULL, 1,
                                       channels, heads);
        take(state, block->qkv_bias, 3 * (size_t)channels);
        take(state, block->bias_table, (size_t)CMUS_BIAS_ROWS * (size_t)heads);
    }
}

static void attention_backward(backward_state *state, const swin_stage *stage, const swin_block *block,
                               const cmus_windows *windows, const block_tape *tape) {
    const float *weights = state->weights;
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
    windows_backward(state, stage, block, windows, d_qkv, mixed, d_mixed, qkv, slots, count);
    cmus_operand mixed_rows = {.values = mixed, .width = channels};
    weight_backward(state, block->proj_weight, block->proj_bias, d_branch, &mixed_rows, channels, channels, rows,
                    count);
    cmus_operand normal = cmus_swin_normal(tape->in, tape->in_statistics, &full, channels, weights, block->norm1_weight,
                                           block->norm1_bias);
    cmus_operand d_qkv_rows = {.values = d_qkv, .width = 3 * channels};
    weight_backward(state, block->qkv_weight, block->qkv_bias, d_qkv_rows, &normal, 3 * channels, channels, rows,
                    count);
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
    cmus_operand d_out = {.values = state->d_map, .width = next->channels};
    weight_backward(state, stage->merge_weight, NO_BIAS, d_out, &normal, next->channels, wide, rows, state->count);
    input_backward(state, state->branch, &d_out, stage->merge_weight, next->channels, wide, rows);
    memset(d_joined, 0, (size_t)rows * (size_t)wide * sizeof *d_joined);
    merged.images = state->each;
    layernorm_backward(state, d_joined, state->branch, joined, state->statistics, &merged, &merged, wide,
                       stage->merge_norm_weight, stage->merge_norm_bias);
    cmus_swin_merge_scatter(state->d_map, d_joined, state->count, stage->side, stage->channels);
}

static void embed_backward(backward_state *state, const cmus_swin *swin, const cmus_swin_tape *tape) {
    const swin_stage *stage = &swin->stages[0];
    cmus_subset active = {.images = state->active, .count = state->count, .tokens = stage->tokens};
    cmus_subset all = {.images = state->each, .count = state->count, .tokens = stage->tokens};
    int rows = cmus_subset_rows(&active);
    float *d_embedded = state->branch;
    memset(d_embedded, 0, (size_t)rows * (size_t)stage->channels * sizeof *d_embedded);
    layernorm_backward(state, d_embedded, state->d_map, tape->embedded, tape->embedded_statistics, &active, &all,
                       stage->channels, swin->patch_norm_weight, swin->patch_norm_bias);
    cmus_operand d_out = {.values = d_embedded, .width = stage->channels};
    cmus_operand patches = {.values = tape->patches, .width = PATCH_VALUES, .rows = &active};
    weight_backward(state, swin->patch_weight, swin->patch_bias, d_out, &patches, stage->channels, PATCH_VALUES, rows,
                    state->count);
}

static backward_state make_state(const cmus_swin *swin, const float *weights, float *gradient, const int *active,
                                 int count, const cmus_passage *passage, cmus_arena *scratch) {
    size_t unit = (size_t)count * swin->unit * sizeof(float), list = (size_t)count * sizeof(int);
    cmus_arena_reset(scratch);
    backward_state state = {
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
        .factor = cmus_arena_take(scratch, 1, list),
        .each = cmus_arena_take(scratch, 1, list),
        .passage = passage};
    for (int i = 0; i < count; i++)
        state.each[i] = i;
    return state;
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
    backward_state state = make_state(swin, weights, gradient, active, active_count, passage, scratch);
    const swin_stage *last = &swin->stages[CMUS_SWIN_STAGES - 1];
    cmus_subset listed = {.images = active, .count = active_count, .tokens = last->tokens};
    cmus_subset all = {.images = state.each, .count = active_count, .tokens = last->tokens};
    const float *out = cmus_swin_stage_out(swin, tape, CMUS_SWIN_STAGES - 1);
    memset(state.d_map, 0, (size_t)cmus_subset_rows(&all) * (size_t)last->channels * sizeof *state.d_map);
    layernorm_backward(&state, state.d_map, d_features, out, tape->out_statistics, &listed, &all, last->channels,
                       swin->norm_weight, swin->norm_bias);
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
