#include "swin_tape.h"

#include "cmus/memory.h"

static float *take(cmus_arena *memory, int count, size_t each) {
    return cmus_arena_take(memory, (size_t)count * each, sizeof(float));
}

/* Lists the images that keep branch `part` (0: attention, 1: MLP) of a block. */
static void take_branch(branch_tape *branch, const float *const *depth, int count, int block, int part,
                        cmus_arena *memory) {
    branch->images = cmus_arena_take(memory, (size_t)count, sizeof(int));
    branch->factor = cmus_arena_take(memory, (size_t)count, sizeof(float));
    for (int i = 0; i < count; i++) {
        float factor = depth && depth[i] ? depth[i][2 * block + part] : 1.0f;
        if (factor == 0)
            continue;
        if (branch->images) {
            branch->images[branch->count] = i;
            branch->factor[branch->count] = factor;
        }
        branch->count++;
    }
}

/* Maps that blocks share when nothing is kept. */
typedef struct shared_buffers {
    float *middle, *statistics, *map[2];
} shared_buffers;

static void take_block(block_tape *block, const swin_stage *stage, int count, cmus_keep keep,
                       const shared_buffers *shared, int parity, cmus_arena *memory) {
    size_t tokens = (size_t)stage->tokens, width = tokens * (size_t)stage->channels;
    if (keep == CMUS_KEEP_NOTHING) {
        block->middle = shared->middle;
        block->in_statistics = block->middle_statistics = shared->statistics;
        block->out = shared->map[parity];
        return;
    }
    if (keep == CMUS_KEEP_ALL) {
        block->qkv = take(memory, block->attention.count, 3 * width);
        block->hidden = take(memory, block->mlp.count, MLP_RATIO * width);
    }
    block->in_statistics = take(memory, count, 2 * tokens);
    block->middle_statistics = take(memory, count, 2 * tokens);
    block->middle = take(memory, count, width);
    block->out = take(memory, count, width);
}

cmus_swin_tape *cmus_swin_tape_take(const cmus_swin *swin, const float *const *depth, int count, cmus_keep keep,
                                    cmus_arena *memory) {
    const swin_stage *first = &swin->stages[0];
    cmus_swin_tape measured, *taken = cmus_arena_take(memory, 1, sizeof *taken), *tape = taken ? taken : &measured;
    block_tape *blocks = cmus_arena_take(memory, (size_t)swin->blocks, sizeof *blocks), ignored;
    *tape = (cmus_swin_tape){.count = count, .keep = keep, .blocks = blocks};
    tape->patches = take(memory, count, (size_t)first->tokens * PATCH_VALUES);
    tape->embedded = take(memory, count, (size_t)first->tokens * (size_t)first->channels);
    if (keep != CMUS_KEEP_NOTHING) {
        tape->embedded_statistics = take(memory, count, 2 * (size_t)first->tokens);
        tape->out_statistics = take(memory, count, 2 * (size_t)cmus_swin_tokens(swin));
    }
    shared_buffers shared = {0};
    if (keep == CMUS_KEEP_NOTHING)
        shared = (shared_buffers){.middle = take(memory, count, swin->unit),
                                  .statistics = take(memory, count, 2 * (size_t)first->tokens),
                                  .map = {take(memory, count, swin->unit), take(memory, count, swin->unit)}};
    int parity = 0;
    for (int s = 0; s < CMUS_SWIN_STAGES; s++) {
        const swin_stage *stage = &swin->stages[s];
        tape->stage_in[s] = keep == CMUS_KEEP_NOTHING
                                ? shared.map[parity]
                                : take(memory, count, (size_t)stage->tokens * (size_t)stage->channels);
        parity ^= 1;
        const float *in = tape->stage_in[s];
        for (int b = 0; b < stage->depth; b++) {
            block_tape *block = taken ? &blocks[stage->first_block + b] : &ignored;
            *block = (block_tape){.in = in};
            take_branch(&block->attention, depth, count, stage->first_block + b, 0, memory);
            take_branch(&block->mlp, depth, count, stage->first_block + b, 1, memory);
            take_block(block, stage, count, keep, &shared, parity, memory);
            in = block->out;
            parity ^= 1;
        }
    }
    return taken;
}

size_t cmus_swin_tape_bytes(const cmus_swin *swin, const float *const *depth, int count, cmus_keep keep) {
    cmus_arena measure = cmus_arena_make(0);
    cmus_swin_tape_take(swin, depth, count, keep, &measure);
    return measure.used;
}
