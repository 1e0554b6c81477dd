/* The inner parts of a matrix product in float32: operands packed into panels on the way from memory, and the tile of
 * the result that stays in registers.
 *
 * A left panel holds up to TILE_ROWS rows of the left matrix, a right panel TILE_COLUMNS columns of the right one, both
 * for one slice of the depth.
 */
#ifndef CMUS_KERNEL_PRODUCT_H
#define CMUS_KERNEL_PRODUCT_H

#include <string.h>

#include "kernels.h"
#include "lanes.h"
#include "operand.h"

#if defined(__AVX512F__)
enum { TILE_ROWS = 14 }; /* 28 accumulators of 32 registers */
#elif defined(__AVX2__)
enum { TILE_ROWS = 6 }; /* 12 of 16 */
#else
enum { TILE_ROWS = 5 }; /* 10 of 16 */
#endif
enum {
    ROW_DEPTH = 512,           /* largest slice of the depth if the left operand is stored by rows */
    COLUMN_DEPTH = 512,        /* the same if it is stored by depth */
    ROW_STEP = ROW_DEPTH + 16, /* floats from row to row of a left panel: off the cache's powers of two */
    PANEL_SIZE = 16 * ROW_STEP,
    COLUMN_STEP = 16 /* floats from one depth to the next in a left panel that is stored by depth: a tile's rows fit */
};

/* Rows [first, end) of a left matrix stored by rows: one after another, [ROW_STEP] each, panel after panel. */
static inline __attribute__((always_inline)) void pack_rows(const cmus_operand *operand, cmus_operand_form form,
                                                            int first, int end, int rows, int begin, int depth,
                                                            float *packed) {
    row_walk walk = walk_begin(operand->rows, first);
    for (int row = first; row < end; row++, walk_on(&walk)) {
        int at = row - first;
        operand_segment(operand, form, &walk, begin, depth,
                        packed + (size_t)(at / rows) * PANEL_SIZE + (size_t)(at % rows) * ROW_STEP);
    }
}

/* The same from a matrix stored by depth: panels [depth][COLUMN_STEP] of `rows` rows each; sums [end - first] += the
 * sums over the depth. Each stored row is read from its beginning to its end, as memory likes it. */
static inline __attribute__((always_inline)) void pack_columns(const cmus_operand *operand, cmus_operand_form form,
                                                               int first, int end, int rows, int begin, int depth,
                                                               float *packed, float *sums) {
    row_walk walk = walk_begin(operand->rows, begin);
    for (int k = 0; k < depth; k++, walk_on(&walk)) {
        float *to = packed + (size_t)k * COLUMN_STEP;
        stored_row stored = stored_row_at(operand, form, &walk);
        int row = first;
        /* whole vectors where the stored row is long enough: what is too much belongs to no row of the tile */
        for (; row < end && row + COLUMN_STEP <= operand->width; row += rows, to += PANEL_SIZE)
            row_segment(&stored, form, row, COLUMN_STEP, to);
        for (; row < end; row += rows, to += PANEL_SIZE)
            row_segment(&stored, form, row, end - row < rows ? end - row : rows, to);
    }
    for (int row = first; sums && row < end; row += rows, packed += PANEL_SIZE, sums += rows) {
        float total[COLUMN_STEP] = {0};
        for (int k = 0; k < depth; k++)
            for (int r = 0; r < COLUMN_STEP; r++)
                total[r] += packed[(size_t)k * COLUMN_STEP + (size_t)r];
        for (int r = 0; r < rows && row + r < end; r++)
            sums[r] += total[r];
    }
}

/* Columns [first, first + columns) of a right matrix stored by depth: panels [depth][TILE_COLUMNS]; what is missing of
 * the last panel is zero. */
static inline __attribute__((always_inline)) void pack_right(const cmus_operand *operand, cmus_operand_form form,
                                                             int first, int columns, int begin, int depth,
                                                             float *packed) {
    row_walk walk = walk_begin(operand->rows, begin);
    for (int k = 0; k < depth; k++, walk_on(&walk)) {
        float *to = packed + (size_t)k * TILE_COLUMNS;
        int c = 0;
        stored_row stored = stored_row_at(operand, form, &walk);
        for (; c + TILE_COLUMNS <= columns; c += TILE_COLUMNS, to += (size_t)depth * TILE_COLUMNS)
            row_segment(&stored, form, first + c, TILE_COLUMNS, to);
        if (c < columns) {
            row_segment(&stored, form, first + c, columns - c, to);
            memset(to + columns - c, 0, (size_t)(TILE_COLUMNS - (columns - c)) * sizeof *to);
        }
    }
}

/* Columns [first, first + columns) (at most LANES) of a right matrix stored by columns (a weight [outputs, inputs] of a
 * linear layer; always plain) into one half of a panel. */
static void pack_half_transposed(const cmus_operand *operand, int first, int columns, int begin, int depth,
                                 float *panel) {
    const float *in = operand->values + (size_t)first * (size_t)operand->width + begin;
    int k = 0;
    for (; columns == LANES && k + LANES <= depth; k += LANES) {
        lanes square[LANES];
#pragma GCC unroll 16
        for (int c = 0; c < LANES; c++)
            square[c] = *(const loose_lanes *)(in + (size_t)c * (size_t)operand->width + k);
        transpose_lanes(square);
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++)
            *(lanes *)(panel + (size_t)(k + i) * TILE_COLUMNS) = square[i];
    }
    for (; k < depth; k++)
        for (int c = 0; c < LANES; c++)
            panel[(size_t)k * TILE_COLUMNS + (size_t)c] =
                c < columns ? in[(size_t)c * (size_t)operand->width + (size_t)k] : 0;
}

static void pack_right_transposed(const cmus_operand *operand, int first, int columns, int begin, int depth,
                                  float *packed) {
    for (int c = 0; c < columns; c += TILE_COLUMNS, packed += (size_t)depth * TILE_COLUMNS)
        for (int half = 0; half < TILE_COLUMNS; half += LANES) {
            int left = columns - c - half;
            pack_half_transposed(operand, first + c + half,
                                 left < 0       ? 0
                                 : left < LANES ? left
                                                : LANES,
                                 begin, depth, packed + half);
        }
}

static void product_pack_left(const cmus_operand *operand, int first, int end, int rows, int begin, int depth,
                              float *packed, float *sums) {
    if (!operand->transposed) {
        switch (operand->form) {
        case CMUS_OPERAND_PLAIN:
            pack_rows(operand, CMUS_OPERAND_PLAIN, first, end, rows, begin, depth, packed);
            return;
        case CMUS_OPERAND_SCALED:
            pack_rows(operand, CMUS_OPERAND_SCALED, first, end, rows, begin, depth, packed);
            return;
        case CMUS_OPERAND_LAYERNORM:
            pack_rows(operand, CMUS_OPERAND_LAYERNORM, first, end, rows, begin, depth, packed);
            return;
        case CMUS_OPERAND_GELU:
            pack_rows(operand, CMUS_OPERAND_GELU, first, end, rows, begin, depth, packed);
            return;
        }
    }
    if (operand->form == CMUS_OPERAND_SCALED)
        pack_columns(operand, CMUS_OPERAND_SCALED, first, end, rows, begin, depth, packed, sums);
    else
        pack_columns(operand, CMUS_OPERAND_PLAIN, first, end, rows, begin, depth, packed, sums);
}

static void product_pack_right(const cmus_operand *operand, int first, int columns, int begin, int depth,
                               float *packed) {
    if (operand->transposed) {
        pack_right_transposed(operand, first, columns, begin, depth, packed);
        return;
    }
    switch (operand->form) {
    case CMUS_OPERAND_PLAIN:
        pack_right(operand, CMUS_OPERAND_PLAIN, first, columns, begin, depth, packed);
        return;
    case CMUS_OPERAND_SCALED:
        pack_right(operand, CMUS_OPERAND_SCALED, first, columns, begin, depth, packed);
        return;
    case CMUS_OPERAND_LAYERNORM:
        pack_right(operand, CMUS_OPERAND_LAYERNORM, first, columns, begin, depth, packed);
        return;
    case CMUS_OPERAND_GELU:
        pack_right(operand, CMUS_OPERAND_GELU, first, columns, begin, depth, packed);
        return;
    }
}

/* tile [rows][TILE_COLUMNS] = left panel times right panel; element (r, k) of the left one at r * row_step + k *
 * depth_step. `rows` and the steps are constants wherever this is inlined, so that all sums stay in registers. What is
 * needed next is asked for a little at a time, as much at once would fill the queue that the operands need. */
static inline __attribute__((always_inline)) void multiply(int rows, size_t row_step, size_t depth_step,
                                                           const float *restrict left, const float *restrict right,
                                                           int depth, float *restrict tile, cmus_tile_next next) {
    enum { LINE = 16 /* floats */ };
    lanes sum[TILE_ROWS][2];
    for (int r = 0; r < rows; r++)
        sum[r][0] = sum[r][1] = (lanes){0};
    int parts = (rows + 1) / 2; /* two rows of the result each */
    int k = 0, step = depth / parts + 1, ahead = (next.right_lines + parts - 1) / parts;
    while (k < depth) {
        int end = k + step < depth ? k + step : depth;
        for (int r = 0; r < 2; r++, next.out += next.out_width) {
            __builtin_prefetch(next.out, 1, 2);
            __builtin_prefetch(next.out + LINE, 1, 2);
        }
        for (int line = 0; line < ahead; line++, next.right += LINE)
            __builtin_prefetch(next.right, 0, 2);
        for (; k < end; k++) {
            lanes right0 = ((const lanes *)right)[0], right1 = ((const lanes *)right)[1];
            right += TILE_COLUMNS;
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++) {
                float factor = left[(size_t)r * row_step];
                sum[r][0] += factor * right0;
                sum[r][1] += factor * right1;
            }
            left += depth_step;
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
        ((lanes *)tile)[2 * r] = sum[r][0];
        ((lanes *)tile)[2 * r + 1] = sum[r][1];
    }
}

static inline __attribute__((always_inline)) void multiply_rows(int rows, size_t row_step, size_t depth_step,
                                                                const float *left, const float *right, int depth,
                                                                float *tile, cmus_tile_next next) {
    switch (rows) {
    case 1:
        multiply(1, row_step, depth_step, left, right, depth, tile, next);
        return;
    case 2:
        multiply(2, row_step, depth_step, left, right, depth, tile, next);
        return;
    case 3:
        multiply(3, row_step, depth_step, left, right, depth, tile, next);
        return;
    case 4:
        multiply(4, row_step, depth_step, left, right, depth, tile, next);
        return;
    case 5:
        multiply(5, row_step, depth_step, left, right, depth, tile, next);
        return;
#if defined(__AVX2__) || defined(__AVX512F__)
    case 6:
        multiply(6, row_step, depth_step, left, right, depth, tile, next);
        return;
#endif
#if defined(__AVX512F__)
    case 7:
        multiply(7, row_step, depth_step, left, right, depth, tile, next);
        return;
    case 8:
        multiply(8, row_step, depth_step, left, right, depth, tile, next);
        return;
    case 9:
        multiply(9, row_step, depth_step, left, right, depth, tile, next);
        return;
    case 10:
        multiply(10, row_step, depth_step, left, right, depth, tile, next);
        return;
    case 11:
        multiply(11, row_step, depth_step, left, right, depth, tile, next);
        return;
    case 12:
        multiply(12, row_step, depth_step, left, right, depth, tile, next);
        return;
    case 13:
        multiply(13, row_step, depth_step, left, right, depth, tile, next);
        return;
    case 14:
        multiply(14, row_step, depth_step, left, right, depth, tile, next);
        return;
#endif
    }
}

static void product_multiply(bool left_by_depth, int rows, const float *left, const float *right, int depth,
                             float *tile, cmus_tile_next next) {
    if (left_by_depth)
        multiply_rows(rows, 1, COLUMN_STEP, left, right, depth, tile, next);
    else
        multiply_rows(rows, ROW_STEP, 1, left, right, depth, tile, next);
}

static const cmus_product_kernels product_kernels = {.name = "float32",
                                                     .tile_rows = TILE_ROWS,
                                                     .tile_columns = TILE_COLUMNS,
                                                     .row_depth = ROW_DEPTH,
                                                     .column_depth = COLUMN_DEPTH,
                                                     .depth_step = 1,
                                                     .values = 1,
                                                     .panel_size = PANEL_SIZE,
                                                     .pack_left = product_pack_left,
                                                     .pack_right = product_pack_right,
                                                     .multiply = product_multiply,
                                                     .store = product_store};

#endif
