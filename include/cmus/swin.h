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

/* Tokens and channels of the map that comes out. */
int cmus_swin_tokens(const cmus_swin *swin);
int cmus_swin_channels(const cmus_swin *swin);
/* All blocks, numbered through the stages. */
int cmus_swin_blocks(const cmus_swin *swin);

/* Bytes of a tape of `images` images if no branch is dropped; `keep`: the backward pass will need it. */
size_t cmus_swin_tape_bytes(const cmus_swin *swin, int images, bool keep);
/* Bytes of scratch for forward and backward of `images` images. */
size_t cmus_swin_scratch_bytes(const cmus_swin *swin, int images);

/* features [count][tokens][channels] of images[i] [3][S][S]. depth[i] [blocks][2] are the factors of stochastic depth
 * of image i (0: the branch is not computed); depth or depth[i] NULL: all 1. The tape lies in `memory`, which must keep
 * its content until the backward pass; with keep = false the tape can only be freed with its arena. `scratch` is reset.
 */
cmus_swin_tape *cmus_swin_forward(const cmus_swin *swin, const float *weights, const float *const *images,
                                  const float *const *depth, int count, bool keep, cmus_arena *memory,
                                  cmus_arena *scratch, float *features);

/* Adds to `gradient` (flat) what the listed images of the tape give; d_features [active_count][tokens][channels]
 * belongs to active[0 ... active_count - 1]. Images that are not listed cost nothing. */
void cmus_swin_backward(const cmus_swin *swin, const float *weights, float *gradient, const cmus_swin_tape *tape,
                        const int *active, int active_count, const float *d_features, cmus_arena *scratch);

#endif
