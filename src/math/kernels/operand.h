/* What happens to the operands and to the result of a matrix product on their way: stored rows are read through the
 * operand's form, and a finished tile, which is still in the first cache, is written through the result's.
 */
#ifndef CMUS_KERNEL_OPERAND_H
#define CMUS_KERNEL_OPERAND_H

#include "kernels.h"
#include "lanes.h"
#include "vector_math.h"

enum { TILE_COLUMNS = 2 * LANES };

/* Goes through the rows of a subset without a division for each. */
typedef struct row_walk {
    const cmus_subset *rows;
    int image, token;
    size_t full; /* row of the full array */
} row_walk;

static inline row_walk walk_begin(const cmus_subset *rows, int row) {
    row_walk walk = {.rows = rows, .full = cmus_full_row(rows, row)};
    if (rows) {
        walk.image = row / rows->tokens;
        walk.token = row % rows->tokens;
    }
    return walk;
}

static inline void walk_on(row_walk *walk) {
    walk->full++;
    if (!walk->rows || ++walk->token < walk->rows->tokens)
        return;
    walk->token = 0;
    walk->image++;
    if (walk->rows->images && walk->image < walk->rows->count)
        walk->full = (size_t)walk->rows->images[walk->image] * (size_t)walk->rows->tokens;
}

/* A stored row of an operand and what its form needs. */
typedef struct stored_row {
    const float *in, *gamma, *beta;
    float factor, mean, inverse;
} stored_row;

static inline stored_row stored_row_at(const cmus_operand *operand, cmus_operand_form form, const row_walk *walk) {
    stored_row row = {.in = operand->values + walk->full * (size_t)operand->width};
    if (form == CMUS_OPERAND_SCALED)
        row.factor = operand->factor[walk->image];
    if (form == CMUS_OPERAND_LAYERNORM) {
        row.mean = operand->statistics[2 * walk->full];
        row.inverse = operand->statistics[2 * walk->full + 1];
        row.gamma = operand->gamma;
        row.beta = operand->beta;
    }
    return row;
}

/* `count` values of a stored row from column `begin` on, as the form asks. */
static inline __attribute__((always_inline)) void row_segment(const stored_row *row, cmus_operand_form form, int begin,
                                                              int count, float *restrict out) {
    const float *restrict in = row->in + begin;
    if (form == CMUS_OPERAND_PLAIN) {
        int i = 0;
        for (; i + LANES <= count; i += LANES) /* by hand, or it becomes a call of memmove */
            *(loose_lanes *)(out + i) = *(const loose_lanes *)(in + i);
        for (; i < count; i++)
            out[i] = in[i];
    } else if (form == CMUS_OPERAND_SCALED) {
        for (int i = 0; i < count; i++)
            out[i] = row->factor * in[i];
    } else if (form == CMUS_OPERAND_LAYERNORM) {
        const float *restrict gamma = row->gamma + begin, *restrict beta = row->beta + begin;
        for (int i = 0; i < count; i++)
            out[i] = (in[i] - row->mean) * row->inverse * gamma[i] + beta[i];
    } else {
#pragma omp simd
        for (int i = 0; i < count; i++)
            out[i] = gelu_value(in[i]);
    }
}

static inline __attribute__((always_inline)) void operand_segment(const cmus_operand *operand, cmus_operand_form form,
                                                                  const row_walk *walk, int begin, int count,
                                                                  float *restrict out) {
    stored_row row = stored_row_at(operand, form, walk);
    row_segment(&row, form, begin, count, out);
}

/* What happens to a finished tile. */
typedef struct tile_store {
    cmus_result_form form; /* of this slice: STORE until the last one */
    bool add, bias;
} tile_store;

/* One row of a finished tile; `columns` and `how` are constants but for the last tile of a row. */
static inline __attribute__((always_inline)) void store_row(const cmus_result *result, tile_store how, int row,
                                                            size_t full, int first_column, int columns,
                                                            const float *restrict tile) {
    size_t width = (size_t)result->width;
    bool residual = result->form == CMUS_RESULT_RESIDUAL;
    float *restrict out = result->values + (residual ? full : (size_t)row) * width + first_column;
    float value[TILE_COLUMNS];
    for (int c = 0; c < columns; c++)
        value[c] = tile[c];
    if (how.add)
        for (int c = 0; c < columns; c++)
            value[c] += out[c];
    if (how.bias) {
        const float *restrict bias = result->bias + first_column;
        for (int c = 0; c < columns; c++)
            value[c] += bias[c];
    }
    if (how.form == CMUS_RESULT_RESIDUAL) {
        const float *restrict other = result->other + full * width + first_column;
        float factor = result->factor ? result->factor[row / result->rows->tokens] : 1.0f;
        for (int c = 0; c < columns; c++)
            value[c] = other[c] + factor * value[c];
    } else if (how.form == CMUS_RESULT_GELU_SLOPE) {
        const float *restrict other = result->other + full * width + first_column;
#pragma omp simd
        for (int c = 0; c < columns; c++)
            value[c] *= gelu_slope(other[c]);
    }
    for (int c = 0; c < columns; c++)
        out[c] = value[c];
}

static inline __attribute__((always_inline)) void store_tile(const cmus_result *result, tile_store how, int first_row,
                                                             int rows, int first_column, int columns,
                                                             const float *tile) {
    row_walk walk = walk_begin(result->rows, first_row);
    if (columns == TILE_COLUMNS)
        for (int r = 0; r < rows; r++, walk_on(&walk))
            store_row(result, how, first_row + r, walk.full, first_column, TILE_COLUMNS, tile + r * TILE_COLUMNS);
    else
        for (int r = 0; r < rows; r++, walk_on(&walk))
            store_row(result, how, first_row + r, walk.full, first_column, columns, tile + r * TILE_COLUMNS);
}

/* The finished tile into the result. `add`: an earlier slice of the depth is there already; `last`: no slice follows.
 */
static void product_store(const cmus_result *result, int first_row, int rows, int first_column, int columns,
                          const float *tile, bool add, bool last) {
    tile_store how = {.form = last ? result->form : CMUS_RESULT_STORE, .add = add, .bias = last && result->bias};
    if (how.form == CMUS_RESULT_RESIDUAL || how.form == CMUS_RESULT_GELU_SLOPE)
        store_tile(result, how, first_row, rows, first_column, columns, tile);
    else if (add)
        store_tile(result, (tile_store){CMUS_RESULT_STORE, true, how.bias}, first_row, rows, first_column, columns,
                   tile);
    else
        store_tile(result, (tile_store){CMUS_RESULT_STORE, false, how.bias}, first_row, rows, first_column, columns,
                   tile);
}

#endif
