/* Laying out a tape in an arena (internal to the encoder). */
#ifndef CMUS_SWIN_TAPE_H
#define CMUS_SWIN_TAPE_H

#include "swin_internal.h"

/* Takes a tape for `count` images out of `memory`; the branches keep the images whose factor in depth is not 0. If
 * nothing is kept, blocks share their buffers and only two maps are alive at a time. NULL while the arena only
 * measures. */
cmus_swin_tape *cmus_swin_tape_take(const cmus_swin *swin, const float *const *depth, int count, cmus_keep keep,
                                    cmus_arena *memory);

#endif
