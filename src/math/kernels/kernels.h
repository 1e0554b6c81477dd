/* The table of kernels that are compiled once a processor family and picked at run time.
 *
 * A kernel works on one thread's share; the callers in src/math divide the work. The sources in this folder are
 * compiled with the flags of each family; only the name of the table differs (CMUS_KERNEL_TABLE).
 */
#ifndef CMUS_KERNELS_H
#define CMUS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmus/adam.h"
#include "cmus/product.h"
#include "cmus/window_attention.h"

/* Of the scores of one window, [key][query]. A bias keeps 48 queries a row, and behind all rows the last query's keys,
 * padded. */
enum {
    CMUS_SCORE_STRIDE = 49,
    CMUS_SCORE_SIZE = (49 * CMUS_SCORE_STRIDE + 15) / 16 * 16,
    CMUS_ODD_SIZE = 64,
    CMUS_BIAS_SIZE = 49 * 48 + CMUS_ODD_SIZE
};

/* One head of one image: all its windows. */
typedef struct cmus_head_task {
    const float *qkv;      /* the image's rows, offset to the head's q */
    const float *qkv_bias; /* offset to the head's q */
    const float *bias;     /* [CMUS_BIAS_SIZE] of the head, times log2(e); the padding holds -infinity */
    const cmus_windows *windows;
    int channels, head_channels;
    float *out;                         /* the image's rows, offset to the head's channels; backward: may be NULL */
    const float *d_out;                 /* backward: the same for the gradient */
    float *d_qkv;                       /* the image's rows, offset to the head's q */
    const float *next_qkv, *next_d_out; /* of the task that this thread does next, or NULL: fetched meanwhile */
    float *d_padded;                    /* [3][head_channels], += */
    float *d_bias;                      /* [CMUS_BIAS_SIZE], += */
    float *scratch;                     /* cmus_head_scratch(head_channels) floats, 64-byte aligned */
} cmus_head_task;

/* Head channels padded to whole vectors. */
static inline int cmus_padded_channels(int head_channels) {
    return (head_channels + 15) / 16 * 16;
}

static inline size_t cmus_head_scratch(int head_channels) {
    size_t padded = (size_t)cmus_padded_channels(head_channels);
    return 6 * 49 * padded + 2 * (size_t)CMUS_SCORE_SIZE + 3 * CMUS_ODD_SIZE;
}

/* Memory that will be needed behind a tile's product: where the tile goes and what it is joined with there, rows of
 * out_width floats (the same place twice if there is nothing to join), and a part of the right panel that comes next,
 * in cache lines. Addresses are only asked for, never read. */
typedef struct cmus_tile_next {
    const float *out, *other, *right;
    size_t out_width;
    int right_lines;
} cmus_tile_next;

/* How matrix products are cut for a kind of processor and precision, and what one thread does with its share
 * (product.c). Packed panels are counted in floats, whatever they hold. */
typedef struct cmus_product_kernels {
    const char *name;
    int tile_rows, tile_columns;
    int row_depth, column_depth; /* largest slice of the depth if the left operand is stored by rows, or by depth */
    int depth_step;              /* a packed slice is filled up with zeros to a multiple of it */
    int values;                  /* in the place of a float of a packed panel */
    int panel_size;              /* floats of a packed left panel */
    /* By each thread before and after its part of a product; NULL: nothing to do. */
    void (*begin)(void);
    void (*end)(void);
    /* Rows [first, end) in panels of `rows`; sums [end - first] += the sums over the depth, or NULL. */
    void (*pack_left)(const cmus_operand *operand, int first, int end, int rows, int begin, int depth, float *packed,
                      float *sums);
    void (*pack_right)(const cmus_operand *operand, int first, int columns, int begin, int depth, float *packed);
    /* tile [tile_rows][tile_columns], of which `rows` rows are wanted; depth of the packed slice. */
    void (*multiply)(bool left_by_depth, int rows, const float *left, const float *right, int depth, float *tile,
                     cmus_tile_next next);
    void (*store)(const cmus_result *result, int first_row, int rows, int first_column, int columns, const float *tile,
                  bool add, bool last);
} cmus_product_kernels;

enum { CMUS_LARGEST_TILE = 32 * 32 };

typedef struct cmus_kernels {
    const char *name;
    const cmus_product_kernels *product; /* in float32 */
    /* mean and inverse deviation of one row */
    void (*row_statistics)(float statistics[2], const float *in, int channels);
    void (*layernorm_forward)(float *out, const float *in, const float *gamma, const float *beta, int channels);
    /* One row; d_gamma and d_beta [channels] of the caller's share. */
    void (*layernorm_backward)(float *d_in, float *d_gamma, float *d_beta, const float *d_out, const float *in,
                               const float statistics[2], const float *gamma, int channels);
    void (*head_forward)(const cmus_head_task *task);
    void (*head_backward)(const cmus_head_task *task);
    bool (*exact_add)(int64_t *sums, float *values, size_t count);
    void (*exact_take)(float *values, int64_t *sums, size_t count);
    double (*sum_of_squares)(const float *values, size_t count);
    void (*adam)(const cmus_adam *adam, double correction1, double correction2, size_t count, float *weights,
                 float *gradient, float *first, float *second, float *second_max);
} cmus_kernels;

/* The table picked for this processor, or named by the environment variable CMUS_KERNELS. Never NULL. */
const cmus_kernels *cmus_kernels_pick(void);
/* Products of bfloat16 operands for this processor: AMX, or else AVX512-BF16; NULL if it has neither, or if
 * CMUS_KERNELS names another family than avx512. CMUS_BFLOAT16=amx or avx512 asks for one of them. */
const cmus_product_kernels *cmus_bfloat16_kernels(void);
/* The named table, or NULL if this build or this processor does not have it. */
const cmus_kernels *cmus_kernels_named(const char *name);

#endif
