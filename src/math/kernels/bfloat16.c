/* Matrix products of bfloat16 operands with float32 sums, by AMX or by the bfloat16 instructions of AVX-512.
 *
 * Both read the same panels. A left panel holds rows of the left matrix, ROW_STEP values each; a right panel holds, for
 * every two depths, the pairs of TILE_COLUMNS columns. Operands take their form in float32 and are rounded (to nearest,
 * even) at the end.
 */
#include <immintrin.h>
#include <string.h>

#include "bfloat16.h"
#include "operand.h"

enum {
    DEPTH = 512, /* largest slice */
    DEPTH_STEP = 32,
    ROW_STEP = DEPTH + 32, /* values from row to row of a left panel: off the cache's powers of two */
    AMX_ROWS = 32,
    AVX512_ROWS = 14,
    PANEL_SIZE = AMX_ROWS * ROW_STEP / 2, /* floats */
    VECTOR = 32                           /* values of bfloat16 */
};

static inline int filled_up(int depth) {
    return (depth + DEPTH_STEP - 1) / DEPTH_STEP * DEPTH_STEP;
}

/* 32 floats as 32 values of bfloat16. */
static inline __m512i round_pair(__m512 low, __m512 high) {
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

static inline void round_row(const float *in, int count, uint16_t *out) {
    for (int k = 0; k < count; k += VECTOR)
        _mm512_storeu_si512(out + k, round_pair(_mm512_loadu_ps(in + k), _mm512_loadu_ps(in + k + LANES)));
}

static void segment(const cmus_operand *operand, const row_walk *walk, int begin, int count, float *out) {
    switch (operand->form) {
    case CMUS_OPERAND_PLAIN:
        operand_segment(operand, CMUS_OPERAND_PLAIN, walk, begin, count, out);
        return;
    case CMUS_OPERAND_SCALED:
        operand_segment(operand, CMUS_OPERAND_SCALED, walk, begin, count, out);
        return;
    case CMUS_OPERAND_LAYERNORM:
        operand_segment(operand, CMUS_OPERAND_LAYERNORM, walk, begin, count, out);
        return;
    case CMUS_OPERAND_GELU:
        operand_segment(operand, CMUS_OPERAND_GELU, walk, begin, count, out);
        return;
    }
}

static uint16_t *left_row(float *packed, int row, int rows) {
    return (uint16_t *)(packed + (size_t)(row / rows) * PANEL_SIZE) + (size_t)(row % rows) * ROW_STEP;
}

static void pack_rows(const cmus_operand *operand, int first, int end, int rows, int begin, int depth, float *packed) {
    float values[DEPTH] __attribute__((aligned(64)));
    int filled = filled_up(depth);
    memset(values + depth, 0, (size_t)(filled - depth) * sizeof *values);
    row_walk walk = walk_begin(operand->rows, first);
    for (int row = first; row < end; row++, walk_on(&walk)) {
        segment(operand, &walk, begin, depth, values);
        round_row(values, filled, left_row(packed, row - first, rows));
    }
}

/* Rows of a left matrix stored by depth: squares of 32 depths by 16 rows are turned. */
static void pack_columns(const cmus_operand *operand, int first, int end, int rows, int begin, int depth, float *packed,
                         float *sums) {
    enum { STRIP = 512 /* rows whose values are read at once, as memory likes it */ };
    static _Thread_local float values[VECTOR][STRIP + LANES] __attribute__((aligned(64)));
    int filled = filled_up(depth);
    for (int strip = first; strip < end; strip += STRIP) {
        int count = end - strip < STRIP ? end - strip : STRIP;
        row_walk walk = walk_begin(operand->rows, begin);
        for (int k = 0; k < filled; k += VECTOR) {
            for (int i = 0; i < VECTOR; i++) {
                if (k + i < depth) {
                    segment(operand, &walk, strip, count, values[i]);
                    walk_on(&walk);
                } else {
                    memset(values[i], 0, (size_t)count * sizeof(float));
                }
            }
            for (int r = 0; sums && r < count; r++)
                for (int i = 0; i < VECTOR; i++)
                    sums[strip - first + r] += values[i][r];
            for (int r = 0; r < count; r += LANES) {
                lanes low[LANES], high[LANES];
                for (int i = 0; i < LANES; i++) {
                    low[i] = *(const loose_lanes *)(values[i] + r);
                    high[i] = *(const loose_lanes *)(values[i + LANES] + r);
                }
                transpose_lanes(low);
                transpose_lanes(high);
                for (int i = 0; i < LANES && r + i < count; i++)
                    _mm512_storeu_si512(left_row(packed, strip - first + r + i, rows) + k,
                                        round_pair((__m512)low[i], (__m512)high[i]));
            }
        }
    }
}

static void pack_left(const cmus_operand *operand, int first, int end, int rows, int begin, int depth, float *packed,
                      float *sums) {
    if (operand->transposed)
        pack_columns(operand, first, end, rows, begin, depth, packed, sums);
    else
        pack_rows(operand, first, end, rows, begin, depth, packed);
}

/* The pairs of two depths beside each other: panel [depth / 2][TILE_COLUMNS][2]. */
static inline void store_pairs(const float *even, const float *odd, uint16_t *out) {
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                           21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    for (int c = 0; c < TILE_COLUMNS; c += LANES)
        _mm512_storeu_si512(out + 2 * c, _mm512_permutexvar_epi16(
                                             order, round_pair(_mm512_loadu_ps(even + c), _mm512_loadu_ps(odd + c))));
}

static void pack_right_by_depth(const cmus_operand *operand, int first, int columns, int begin, int depth,
                                float *packed) {
    enum { STRIP = 512 };
    float values[2][STRIP] __attribute__((aligned(64)));
    int filled = filled_up(depth);
    for (int strip = 0; strip < columns; strip += STRIP) {
        int count = columns - strip < STRIP ? columns - strip : STRIP;
        int wide = (count + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS;
        row_walk walk = walk_begin(operand->rows, begin);
        for (int k = 0; k < filled; k += 2) {
            for (int i = 0; i < 2; i++) {
                int there = k + i < depth ? count : 0;
                if (there) {
                    segment(operand, &walk, first + strip, count, values[i]);
                    walk_on(&walk);
                }
                memset(values[i] + there, 0, (size_t)(wide - there) * sizeof(float));
            }
            for (int c = 0; c < wide; c += TILE_COLUMNS)
                store_pairs(values[0] + c, values[1] + c,
                            (uint16_t *)packed + (size_t)(strip + c) * (size_t)filled + (size_t)k * TILE_COLUMNS);
        }
    }
}

/* From a weight [outputs, inputs], whose pairs lie beside each other already: squares of 16 columns by 16 pairs are
 * turned. */
static void pack_right_transposed(const cmus_operand *operand, int first, int columns, int begin, int depth,
                                  float *packed) {
    int filled = filled_up(depth);
    for (int c = 0; c < columns; c += LANES) {
        uint16_t *panel = (uint16_t *)packed + (size_t)(c / TILE_COLUMNS * TILE_COLUMNS) * (size_t)filled;
        for (int k = 0; k < filled; k += VECTOR) {
            lanes square[LANES];
            __mmask16 low = k + LANES <= depth ? 0xFFFF : k < depth ? (__mmask16)((1u << (depth - k)) - 1) : 0;
            int rest = depth - k - LANES;
            __mmask16 high = rest >= LANES ? 0xFFFF : rest > 0 ? (__mmask16)((1u << rest) - 1) : 0;
            for (int i = 0; i < LANES; i++) {
                if (c + i >= columns) {
                    square[i] = (lanes){0};
                    continue;
                }
                const float *in = operand->values + (size_t)(first + c + i) * (size_t)operand->width + begin + k;
                square[i] = (lanes)round_pair(_mm512_maskz_loadu_ps(low, in), _mm512_maskz_loadu_ps(high, in + LANES));
            }
            transpose_lanes(square);
            for (int i = 0; i < LANES; i++)
                *(lanes *)(panel + (size_t)(k / 2 + i) * 2 * TILE_COLUMNS + 2 * (c % TILE_COLUMNS)) = square[i];
        }
        /* the other half of a last panel that has one half only */
        if (c % TILE_COLUMNS == 0 && c + LANES >= columns)
            for (int k = 0; k < filled / 2; k++)
                memset(panel + (size_t)k * 2 * TILE_COLUMNS + TILE_COLUMNS, 0, TILE_COLUMNS * sizeof *panel);
    }
}

static void pack_right(const cmus_operand *operand, int first, int columns, int begin, int depth, float *packed) {
    if (operand->transposed)
        pack_right_transposed(operand, first, columns, begin, depth, packed);
    else
        pack_right_by_depth(operand, first, columns, begin, depth, packed);
}

static inline void ask_for(cmus_tile_next *next, int rows, int lines) {
    enum { LINE = 16 /* floats */ };
    for (int r = 0; r < rows; r++, next->out += next->out_width)
        for (int c = 0; c < TILE_COLUMNS; c += LINE)
            __builtin_prefetch(next->out + c, 1, 2);
    for (int line = 0; line < lines; line++, next->right += LINE)
        __builtin_prefetch(next->right, 0, 2);
}

/* Registers 0 to 3 hold the sums, 4 and 5 the left operand, 6 and 7 the right one. */
static void amx_multiply(bool left_by_depth, int rows, const float *left, const float *right, int depth, float *tile,
                         cmus_tile_next next) {
    (void)left_by_depth;
    enum { HALF = 16, PAIR_BYTES = TILE_COLUMNS * 2 * 2, ROW_BYTES = ROW_STEP * 2, TILE_BYTES = TILE_COLUMNS * 4 };
    const uint16_t *top = (const uint16_t *)left, *bottom = top + HALF * ROW_STEP;
    const uint16_t *pairs = (const uint16_t *)right;
    int steps = depth / DEPTH_STEP, out_rows = (rows + steps - 1) / steps,
        lines = (next.right_lines + steps - 1) / steps;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int step = 0; step < steps; step++) {
        ask_for(&next, out_rows, lines);
        _tile_loadd(4, top, ROW_BYTES);
        _tile_loadd(6, pairs, PAIR_BYTES);
        _tile_loadd(7, pairs + TILE_COLUMNS, PAIR_BYTES);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        if (rows > HALF) {
            _tile_loadd(5, bottom, ROW_BYTES);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
        top += DEPTH_STEP;
        bottom += DEPTH_STEP;
        pairs += DEPTH_STEP * TILE_COLUMNS;
    }
    _tile_stored(0, tile, TILE_BYTES);
    _tile_stored(1, tile + LANES, TILE_BYTES);
    if (rows > HALF) {
        _tile_stored(2, tile + HALF * TILE_COLUMNS, TILE_BYTES);
        _tile_stored(3, tile + HALF * TILE_COLUMNS + LANES, TILE_BYTES);
    }
}

/* Eight registers of 16 rows of 64 bytes. Constant, as the compiler does not see that all of it is read. */
static const struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} __attribute__((aligned(64)))
registers = {.palette = 1, .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};

static void amx_begin(void) {
    _tile_loadconfig(&registers);
}

static void amx_end(void) {
    _tile_release();
}

/* A constant number of rows, so that all sums stay in registers. */
static inline __attribute__((always_inline)) void avx512_rows(int rows, const float *left, const float *right,
                                                              int depth, float *tile, cmus_tile_next next) {
    __m512 sum[AVX512_ROWS][2];
    for (int r = 0; r < rows; r++)
        sum[r][0] = sum[r][1] = _mm512_setzero_ps();
    int steps = depth / DEPTH_STEP, out_rows = (rows + steps - 1) / steps,
        lines = (next.right_lines + steps - 1) / steps;
    for (int step = 0; step < steps; step++) {
        ask_for(&next, out_rows, lines);
        for (int pair = 0; pair < DEPTH_STEP / 2; pair++, left++, right += TILE_COLUMNS) {
            __m512bh right0 = (__m512bh)_mm512_loadu_ps(right), right1 = (__m512bh)_mm512_loadu_ps(right + LANES);
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++) {
                __m512bh factors = (__m512bh)_mm512_set1_ps(left[r * (ROW_STEP / 2)]);
                sum[r][0] = _mm512_dpbf16_ps(sum[r][0], factors, right0);
                sum[r][1] = _mm512_dpbf16_ps(sum[r][1], factors, right1);
            }
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
        _mm512_storeu_ps(tile + r * TILE_COLUMNS, sum[r][0]);
        _mm512_storeu_ps(tile + r * TILE_COLUMNS + LANES, sum[r][1]);
    }
}

static void avx512_multiply(bool left_by_depth, int rows, const float *left, const float *right, int depth, float *tile,
                            cmus_tile_next next) {
    (void)left_by_depth;
    /* the panel has room for rows that are not wanted; few heights, as each is code of its own */
    if (rows <= 4)
        avx512_rows(4, left, right, depth, tile, next);
    else if (rows <= 8)
        avx512_rows(8, left, right, depth, tile, next);
    else if (rows <= 12)
        avx512_rows(12, left, right, depth, tile, next);
    else
        avx512_rows(AVX512_ROWS, left, right, depth, tile, next);
}

const cmus_product_kernels cmus_products_amx = {.name = "bfloat16 by AMX",
                                                .tile_rows = AMX_ROWS,
                                                .tile_columns = TILE_COLUMNS,
                                                .row_depth = DEPTH,
                                                .column_depth = DEPTH,
                                                .depth_step = DEPTH_STEP,
                                                .values = 2,
                                                .panel_size = PANEL_SIZE,
                                                .begin = amx_begin,
                                                .end = amx_end,
                                                .pack_left = pack_left,
                                                .pack_right = pack_right,
                                                .multiply = amx_multiply,
                                                .store = product_store};

const cmus_product_kernels cmus_products_avx512_bfloat16 = {.name = "bfloat16 by AVX512-BF16",
                                                            .tile_rows = AVX512_ROWS,
                                                            .tile_columns = TILE_COLUMNS,
                                                            .row_depth = DEPTH,
                                                            .column_depth = DEPTH,
                                                            .depth_step = DEPTH_STEP,
                                                            .values = 2,
                                                            .panel_size = PANEL_SIZE,
                                                            .pack_left = pack_left,
                                                            .pack_right = pack_right,
                                                            .multiply = avx512_multiply,
                                                            .store = product_store};
