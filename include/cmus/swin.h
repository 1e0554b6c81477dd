/* Swin Transformer encoder without its classification head, forward and backward over a batch of images:
 * torchvision.models.swin_transformer.SwinTransformer.features followed by .norm (window 7, patch 4, MLP ratio 4).
 *
 * A cmus_swin holds sizes, windows and the places of its parameters in the network's flat buffer, no weights. Rows of
 * all arrays are tokens, image after image. Any image size from 32 px on works: maps are padded as torchvision does.
 * Not collective.
 */
#ifndef CMUS_SWIN_H
#define CMUS_SWIN_H

#include <stdbool.h>

#include "cmus/arena.h"
#include "cmus/cmusnet.h"
#include "cmus/layers.h"
#include "cmus/parameters.h"
#include "cmus/window_attention.h"

enum { CMUS_SWIN_STAGES = 4 };

typedef struct cmus_swin_config {
    int embed_dim, depths[CMUS_SWIN_STAGES], heads[CMUS_SWIN_STAGES], image_size;
} cmus_swin_config;

typedef struct cmus_swin cmus_swin;

/* What a forward pass leaves for the backward pass. */
typedef struct cmus_swin_tape cmus_swin_tape;

/* Adds the encoder's tensors to `parameters`, named PREFIX.0.... and PREFIX.1...., in the order of PyTorch. The
 * configuration was checked by cmus_net_config_check(). */
cmus_swin *cmus_swin_create(const cmus_swin_config *config, cmus_parameters *parameters, const char *prefix);
void cmus_swin_free(cmus_swin *swin);

/* Place of the encoder's first tensor in the flat buffer. */
size_t cmus_swin_begin(const cmus_swin *swin);

/* Tokens and channels of the map that comes out. */
int cmus_swin_tokens(const cmus_swin *swin);
int cmus_swin_channels(const cmus_swin *swin);
/* All blocks, numbered through the stages. */
int cmus_swin_blocks(const cmus_swin *swin);

/* FLOPs of the matrix products of one image's forward pass; depth as in cmus_swin_forward. */
double cmus_swin_cost(const cmus_swin *swin, const float *depth);

/* Bytes of a tape of `count` images; depth as in cmus_swin_forward (NULL: no branch is dropped). */
size_t cmus_swin_tape_bytes(const cmus_swin *swin, const float *const *depth, int count, cmus_keep keep);
/* Bytes of scratch for a forward pass of `count` images, and for the backward pass if `keep` allows one. */
size_t cmus_swin_scratch_bytes(const cmus_swin *swin, int count, cmus_keep keep);

/* features [count][tokens][channels] of images[i] [3][S][S]. depth[i] [blocks][2] are the factors of stochastic depth
 * of image i (0: the branch is not computed); depth or depth[i] NULL: all 1. The tape lies in `memory`, which must keep
 * its content until the backward pass. `scratch` is reset. The features are the same bits whatever is kept. `passage`
 * (NULL: none) is asked for the weights of each layer before they are read. */
cmus_swin_tape *cmus_swin_forward(const cmus_swin *swin, const float *weights, const float *const *images,
                                  const float *const *depth, int count, cmus_keep keep, cmus_arena *memory,
                                  cmus_arena *scratch, const cmus_passage *passage, float *features);

/* Adds to `gradient` (flat) what the listed images of the tape give; d_features [active_count][tokens][channels]
 * belongs to active[0 ... active_count - 1]. Images that are not listed cost nothing. The gradients are the same bits
 * whether the tape holds the maps or all. `passage` (NULL: none) is told after each block which gradients are done; its
 * `ready` is called with cmus_swin_begin() at the end, also if no image is listed. */
void cmus_swin_backward(const cmus_swin *swin, const float *weights, float *gradient, const cmus_swin_tape *tape,
                        const int *active, int active_count, const float *d_features, const cmus_passage *passage,
                        cmus_arena *scratch);

#endif
