/* What swin.c (structure), swin_forward.c and swin_backward.c share. */
#ifndef CMUS_SWIN_INTERNAL_H
#define CMUS_SWIN_INTERNAL_H

#include "cmus/product.h"
#include "cmus/swin.h"

enum { PATCH = 4, PATCH_VALUES = PATCH * PATCH * 3, MLP_RATIO = 4 };

/* Offsets of a block's tensors in the flat buffer. */
typedef struct swin_block {
    size_t norm1_weight, norm1_bias, bias_table, qkv_weight, qkv_bias, proj_weight, proj_bias;
    size_t norm2_weight, norm2_bias, mlp0_weight, mlp0_bias, mlp3_weight, mlp3_bias;
} swin_block;

typedef struct swin_stage {
    int side, tokens, channels, heads, depth, first_block;
    cmus_windows windows[2];                                 /* of even and of shifted blocks */
    swin_block *blocks;                                      /* [depth] */
    size_t merge_norm_weight, merge_norm_bias, merge_weight; /* to the next stage; not in the last */
} swin_stage;

struct cmus_swin {
    int blocks, image_size;
    size_t patch_weight, patch_bias, patch_norm_weight, patch_norm_bias, norm_weight, norm_bias;
    swin_stage stages[CMUS_SWIN_STAGES];
    size_t unit; /* floats an image of the widest map; scratch is counted in these */
};

/* A residual branch: which images kept it and what it left. */
typedef struct branch_tape {
    int count;
    int *images;   /* [count] */
    float *factor; /* [count] */
} branch_tape;

typedef struct block_tape {
    branch_tape attention, mlp;
    const float *in;                          /* [images][tokens][channels] */
    float *qkv;                               /* [attention.count][tokens][3 channels], or NULL: computed again */
    float *middle;                            /* [images][tokens][channels]: between the branches */
    float *hidden;                            /* [mlp.count][tokens][4 channels]: before GELU; or NULL */
    float *out;                               /* [images][tokens][channels] */
    float *in_statistics, *middle_statistics; /* [images][tokens][2]: mean and inverse deviation, for LayerNorm */
} block_tape;

struct cmus_swin_tape {
    int count;
    cmus_keep keep;
    float *patches;                              /* [images][tokens][48] */
    float *embedded;                             /* [images][tokens][channels] before its LayerNorm */
    float *embedded_statistics, *out_statistics; /* [images][tokens][2]: of the first and the last LayerNorm; if kept */
    float *stage_in[CMUS_SWIN_STAGES];
    block_tape *blocks;
};

/* Rows of a full map behind LayerNorm, as an operand of a product; gamma and beta are places in the flat buffer. */
static inline cmus_operand cmus_swin_normal(const float *map, const float *statistics, const cmus_subset *rows,
                                            int channels, const float *weights, size_t gamma, size_t beta) {
    return (cmus_operand){.values = map,
                          .width = channels,
                          .rows = rows,
                          .form = CMUS_OPERAND_LAYERNORM,
                          .statistics = statistics,
                          .gamma = weights + gamma,
                          .beta = weights + beta};
}

/* The linear layers of a block that the backward pass may have to compute again; rows of the listed images only.
 * qkv [rows][3 channels] = the first layer of the attention branch on LayerNorm(tape->in), */
void cmus_swin_qkv(const swin_stage *stage, const swin_block *block, const float *weights, const block_tape *tape,
                   const cmus_subset *images, float *qkv);
/* hidden [rows][4 channels] = the first layer of the MLP on LayerNorm(tape->middle). */
void cmus_swin_hidden(const swin_stage *stage, const swin_block *block, const float *weights, const block_tape *tape,
                      const cmus_subset *images, float *hidden);

/* The map behind the last block of a stage. */
const float *cmus_swin_stage_out(const cmus_swin *swin, const cmus_swin_tape *tape, int stage);

/* The 2x2 neighbours of each token side by side: out [count][next tokens][4 channels] from in (full, subset's images).
 */
void cmus_swin_merge_gather(float *out, const float *in, const cmus_subset *subset, int side, int channels);
/* in [count][tokens][channels] = the gradient's way back (what fell on padding is dropped). */
void cmus_swin_merge_scatter(float *d_in, const float *d_out, int count, int side, int channels);

#endif
