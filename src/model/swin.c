/* Structure of the encoder: sizes, tensors, and the memory of a tape. */
#include <stdio.h>

#include "cmus/memory.h"
#include "swin_internal.h"

static size_t add1(cmus_parameters *p, cmus_initial initial, int size, const char *prefix, const char *name) {
    return cmus_parameters_add(p, initial, 0, 1, &size, "%s.%s", prefix, name);
}

static size_t add2(cmus_parameters *p, int rows, int columns, const char *prefix, const char *name) {
    return cmus_parameters_add(p, CMUS_INITIAL_NORMAL, 0, 2, (int[]){rows, columns}, "%s.%s", prefix, name);
}

static void add_block(swin_block *block, cmus_parameters *p, const char *prefix, int channels, int heads) {
    block->norm1_weight = add1(p, CMUS_INITIAL_ONE, channels, prefix, "norm1.weight");
    block->norm1_bias = add1(p, CMUS_INITIAL_ZERO, channels, prefix, "norm1.bias");
    block->bias_table = add2(p, CMUS_BIAS_ROWS, heads, prefix, "attn.relative_position_bias_table");
    block->qkv_weight = add2(p, 3 * channels, channels, prefix, "attn.qkv.weight");
    block->qkv_bias = add1(p, CMUS_INITIAL_ZERO, 3 * channels, prefix, "attn.qkv.bias");
    block->proj_weight = add2(p, channels, channels, prefix, "attn.proj.weight");
    block->proj_bias = add1(p, CMUS_INITIAL_ZERO, channels, prefix, "attn.proj.bias");
    block->norm2_weight = add1(p, CMUS_INITIAL_ONE, channels, prefix, "norm2.weight");
    block->norm2_bias = add1(p, CMUS_INITIAL_ZERO, channels, prefix, "norm2.bias");
    block->mlp0_weight = add2(p, MLP_RATIO * channels, channels, prefix, "mlp.0.weight");
    block->mlp0_bias = add1(p, CMUS_INITIAL_ZERO, MLP_RATIO * channels, prefix, "mlp.0.bias");
    block->mlp3_weight = add2(p, channels, MLP_RATIO * channels, prefix, "mlp.3.weight");
    block->mlp3_bias = add1(p, CMUS_INITIAL_ZERO, channels, prefix, "mlp.3.bias");
}

static void add_stage(cmus_swin *swin, int index, const cmus_swin_config *config, int side, cmus_parameters *p,
                      const char *prefix) {
    swin_stage *stage = &swin->stages[index];
    char name[CMUS_TENSOR_NAME];
    stage->side = side;
    stage->tokens = side * side;
    stage->channels = config->embed_dim << index;
    stage->heads = config->heads[index];
    stage->depth = config->depths[index];
    stage->first_block = swin->blocks;
    swin->blocks += stage->depth;
    cmus_windows_make(&stage->windows[0], side, side, false);
    cmus_windows_make(&stage->windows[1], side, side, true);
    stage->blocks = cmus_allocate((size_t)stage->depth, sizeof *stage->blocks);
    for (int b = 0; b < stage->depth; b++) {
        snprintf(name, sizeof name, "%s.0.%d.%d", prefix, 2 * index + 1, b);
        add_block(&stage->blocks[b], p, name, stage->channels, stage->heads);
    }
    size_t width = (size_t)stage->tokens * (size_t)stage->channels;
    if (width > swin->unit)
        swin->unit = width;
    if (index + 1 == CMUS_SWIN_STAGES)
        return;
    snprintf(name, sizeof name, "%s.0.%d", prefix, 2 * index + 2);
    stage->merge_weight = add2(p, 2 * stage->channels, 4 * stage->channels, name, "reduction.weight");
    stage->merge_norm_weight = add1(p, CMUS_INITIAL_ONE, 4 * stage->channels, name, "norm.weight");
    stage->merge_norm_bias = add1(p, CMUS_INITIAL_ZERO, 4 * stage->channels, name, "norm.bias");
    size_t next_side = (size_t)(side + 1) / 2, merged = next_side * next_side * 4 * (size_t)stage->channels;
    if (merged > swin->unit)
        swin->unit = merged;
}

cmus_swin *cmus_swin_create(const cmus_swin_config *config, cmus_parameters *p, const char *prefix) {
    cmus_swin *swin = cmus_allocate(1, sizeof *swin);
    int dim = config->embed_dim;
    swin->image_size = config->image_size;
    swin->patch_weight = cmus_parameters_add(p, CMUS_INITIAL_UNIFORM, PATCH_VALUES, 4, (int[]){dim, 3, PATCH, PATCH},
                                             "%s.0.0.0.weight", prefix);
    swin->patch_bias = cmus_parameters_add(p, CMUS_INITIAL_UNIFORM, PATCH_VALUES, 1, &dim, "%s.0.0.0.bias", prefix);
    swin->patch_norm_weight = cmus_parameters_add(p, CMUS_INITIAL_ONE, 0, 1, &dim, "%s.0.0.2.weight", prefix);
    swin->patch_norm_bias = cmus_parameters_add(p, CMUS_INITIAL_ZERO, 0, 1, &dim, "%s.0.0.2.bias", prefix);
    int side = config->image_size / PATCH;
    for (int s = 0; s < CMUS_SWIN_STAGES; s++, side = (side + 1) / 2)
        add_stage(swin, s, config, side, p, prefix);
    int channels = cmus_swin_channels(swin);
    swin->norm_weight = cmus_parameters_add(p, CMUS_INITIAL_ONE, 0, 1, &channels, "%s.1.weight", prefix);
    swin->norm_bias = cmus_parameters_add(p, CMUS_INITIAL_ZERO, 0, 1, &channels, "%s.1.bias", prefix);
    return swin;
}

void cmus_swin_free(cmus_swin *swin) {
    if (!swin)
        return;
    for (int s = 0; s < CMUS_SWIN_STAGES; s++) {
        cmus_windows_free(&swin->stages[s].windows[0]);
        cmus_windows_free(&swin->stages[s].windows[1]);
        cmus_free(swin->stages[s].blocks);
    }
    cmus_free(swin);
}

size_t cmus_swin_begin(const cmus_swin *swin) {
    return swin->patch_weight;
}

int cmus_swin_tokens(const cmus_swin *swin) {
    return swin->stages[CMUS_SWIN_STAGES - 1].tokens;
}

int cmus_swin_channels(const cmus_swin *swin) {
    return swin->stages[CMUS_SWIN_STAGES - 1].channels;
}

int cmus_swin_blocks(const cmus_swin *swin) {
    return swin->blocks;
}

double cmus_swin_cost(const cmus_swin *swin, const float *depth) {
    const swin_stage *first = &swin->stages[0];
    double flops = 2.0 * first->tokens * PATCH_VALUES * first->channels;
    for (int s = 0; s < CMUS_SWIN_STAGES; s++) {
        const swin_stage *stage = &swin->stages[s];
        double tokens = stage->tokens, channels = stage->channels;
        for (int b = stage->first_block; b < stage->first_block + stage->depth; b++) {
            if (!depth || depth[2 * b] != 0) /* q, k, v, output; scores and mixing in windows of 49 */
                flops += 2 * tokens * channels * (4 * channels + 2 * 49);
            if (!depth || depth[2 * b + 1] != 0)
                flops += 2 * tokens * channels * 2 * MLP_RATIO * channels;
        }
        if (s + 1 < CMUS_SWIN_STAGES)
            flops += 2 * (double)stage[1].tokens * 4 * channels * 2 * channels;
    }
    return flops;
}

const float *cmus_swin_stage_out(const cmus_swin *swin, const cmus_swin_tape *tape, int stage) {
    const swin_stage *s = &swin->stages[stage];
    return s->depth ? tape->blocks[s->first_block + s->depth - 1].out : tape->stage_in[stage];
}
