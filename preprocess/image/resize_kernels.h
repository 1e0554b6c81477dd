/* What one thread does inside a resize: the kernels of both passes, compiled once a processor family, and the weights
 * that they take. Every family gives the same bits: sums are of integers and taken modulo 2^32, so in any order.
 */
#ifndef CMUS_RESIZE_KERNELS_H
#define CMUS_RESIZE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "image.h"

enum {
    CMUS_RESIZE_PRECISION = 32 - 8 - 2, /* bits behind the point: 8 for the pixel and 2 for overshoot are left */
    CMUS_RESIZE_GROUP = 16              /* output pixels that `across` makes at a time */
};

/* The source pixels of every output pixel along one axis, and their weights. */
typedef struct cmus_resize_weights {
    int width;      /* room for each output pixel's weights */
    int *first;     /* [output] */
    int *count;     /* [output] */
    int32_t *fixed; /* [output][width] */
} cmus_resize_weights;

/* Pillow's, `input` source pixels to `output`; the weights that are 0 at the ends are left out. Free them by
 * cmus_resize_weights_free(). */
cmus_resize_weights cmus_resize_weights_make(cmus_filter filter, int input, int output);
void cmus_resize_weights_free(cmus_resize_weights *all);

typedef struct cmus_resize_kernels {
    const char *name;
    int rows; /* that one call of `across` makes */
    /* `rows` rows of [input][channels] to as many of [output][channels]; those of `to` have room for a multiple of
     * CMUS_RESIZE_GROUP pixels. work: cmus_resize_work() bytes. */
    void (*across)(const uint8_t *const *from, int input, int channels, const cmus_resize_weights *weights, int output,
                   uint8_t *work, uint8_t *const *to);
    /* One row of `width` bytes: the sum of [count] rows, each times its weight. */
    void (*down)(const uint8_t *const *from, const int32_t *weight, int count, size_t width, uint8_t *to);
} cmus_resize_kernels;

/* Bytes that `across` needs beside its rows, `rows` at a time. */
size_t cmus_resize_work(const cmus_resize_weights *weights, int output, int channels, int rows);
/* The source pixels [*first, *last) of the output pixels [begin, end). */
void cmus_resize_group(const cmus_resize_weights *weights, int begin, int end, int *first, int *last);

/* The table for this processor, or the one that the environment variable CMUS_KERNELS names. Never NULL. */
const cmus_resize_kernels *cmus_resize_kernels_pick(void);
/* "generic", "avx2" or "avx512", or the best for NULL; NULL if this build or this processor does not have it. */
const cmus_resize_kernels *cmus_resize_kernels_named(const char *name);

#endif
