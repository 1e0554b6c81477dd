#include "cmus/product.h"

#include <omp.h>

#include "cmus/gemm.h"
#include "cmus/memory.h"
#include "cmus/profile.h"
#include "kernels/kernels.h"

enum { LEFT_PANELS = 24 /* that stay in the second cache */ };

/* What all products but the exact ones use; NULL: float32. */
static const cmus_product_kernels *rounded_kernels;

/* One product and how it is cut. */
typedef struct plan {
    const cmus_operand *left, *right;
    const cmus_result *result;
    const cmus_product_kernels *kernels;
    int m, n, k;
    int depth;                       /* of a slice */
    int columns;                     /* of the right operand that are packed at once */
    int rows;                        /* of a left panel */
    int row_threads, column_threads; /* the grid that divides the result */
    float *packed_right, *packed_left;
    size_t left_size; /* floats of a thread's packed left block */
} plan;

static int round_up(int value, int step) {
    return (value + step - 1) / step * step;
}

static int divide_up(int value, int by) {
    return (value + by - 1) / by;
}

/* Floats that `columns` packed columns of a slice take. */
static size_t packed_size(const plan *p, int columns, int depth) {
    return (size_t)columns * (size_t)round_up(depth, p->kernels->depth_step) / (size_t)p->kernels->values;
}

/* Panels of packed operands; kept from product to product, as taking fresh memory would cost page faults. Products are
 * only called by the one thread that opens parallel regions. */
static struct {
    float *right, *left;
    size_t right_size, left_size;
} workspace;

static float *workspace_room(float **buffer, size_t *size, size_t needed) {
    if (needed > *size) {
        cmus_free(*buffer);
        *buffer = cmus_allocate_raw(needed, sizeof **buffer);
        *size = needed;
    }
    return *buffer;
}

/* Begin of share `index` of `count` over `total` panels. */
static int share_begin(int total, int index, int count) {
    return (int)((long long)total * index / count);
}

static const cmus_product_kernels *choose_kernels(const cmus_result *result) {
    return rounded_kernels && !result->exact ? rounded_kernels : cmus_kernels_pick()->product;
}

cmus_status cmus_products_precision(cmus_precision precision) {
    const cmus_product_kernels *kernels = precision == CMUS_PRECISION_BF16 ? cmus_bfloat16_kernels() : NULL;
    if (precision == CMUS_PRECISION_BF16 && !kernels)
        return cmus_fail(
            CMUS_ERROR_CONFIG,
            "precision: bf16 needs a processor with AVX512-BF16 or AMX (AMD from Zen 4 on, Intel from "
            "Sapphire Rapids on) and a compiler that knows them; here the %s kernels were picked. fp32 works "
            "everywhere",
            cmus_kernels_description());
    rounded_kernels = kernels;
    return CMUS_OK;
}

const char *cmus_products_description(void) {
    return (rounded_kernels ? rounded_kernels : cmus_kernels_pick()->product)->name;
}

/* The grid of threads whose largest share is smallest; rows are divided first, as threads beside each other in columns
 * pack the same rows. */
static void choose_grid(plan *p, int threads) {
    int row_panels = divide_up(p->m, p->kernels->tile_rows), column_panels = divide_up(p->n, p->kernels->tile_columns);
    long long best = -1;
    for (int columns = 1; columns <= threads; columns++) {
        if (threads % columns)
            continue;
        long long share = (long long)divide_up(row_panels, threads / columns) * divide_up(column_panels, columns);
        if (best < 0 || share < best) {
            best = share;
            p->column_threads = columns;
            p->row_threads = threads / columns;
        }
    }
}

static plan make_plan(const cmus_operand *left, const cmus_operand *right, const cmus_result *result, int m, int n,
                      int k) {
    enum { LARGEST_COLUMNS = 4096 };
    const double WORTH_SHARING = 4e6; /* multiplications; fewer are done before another thread is awake */
    plan p = {
        .left = left, .right = right, .result = result, .kernels = choose_kernels(result), .m = m, .n = n, .k = k};
    int limit = left->transposed ? p.kernels->column_depth : p.kernels->row_depth, slices = divide_up(k, limit);
    p.depth = round_up(divide_up(k, slices), p.kernels->depth_step);
    p.columns = n < LARGEST_COLUMNS ? round_up(n, p.kernels->tile_columns) : LARGEST_COLUMNS;
    choose_grid(&p, (double)m * n * k < WORTH_SHARING ? 1 : omp_get_max_threads());
    /* panels of equal height */
    int panels = divide_up(m, p.kernels->tile_rows);
    p.rows = divide_up(m, panels);
    p.left_size = (size_t)LEFT_PANELS * (size_t)p.kernels->panel_size;
    p.packed_right = workspace_room(&workspace.right, &workspace.right_size, packed_size(&p, p.columns, p.depth));
    p.packed_left = workspace_room(&workspace.left, &workspace.left_size, p.left_size * (size_t)omp_get_max_threads());
    return p;
}

/* The part of a result that one thread computes from one packed slice. */
typedef struct part {
    int first_panel, end_panel;   /* left */
    int first_column, end_column; /* from first_column of the slice on, multiples of the tile */
    int begin, depth;             /* slice */
    int column;                   /* of the result where the packed columns begin */
} part;

/* Row of `values` for row r of the result. */
static size_t result_row(const cmus_result *result, int r) {
    return result->form == CMUS_RESULT_RESIDUAL ? cmus_full_row(result->rows, r) : (size_t)r;
}

static void multiply_block(const plan *p, const part *own, int panel, int panels, float *packed) {
    const cmus_product_kernels *kernels = p->kernels;
    float tile[CMUS_LARGEST_TILE] __attribute__((aligned(64)));
    bool sums = p->result->left_sums && own->first_column == 0 && own->column == 0;
    enum { LINE = 16 /* floats */, SECOND_CACHE = 1 << 17 /* floats that are there anyway */ };
    size_t width = (size_t)p->result->width, panel_size = packed_size(p, kernels->tile_columns, own->depth);
    int filled = round_up(own->depth, kernels->depth_step);
    /* of the next right panel, asked for with each tile */
    size_t share = packed_size(p, p->columns, own->depth) > SECOND_CACHE ? panel_size / (size_t)panels : 0;
    bool add = own->begin > 0 || p->result->form == CMUS_RESULT_ADD, last = own->begin + own->depth == p->k;
    int begin = panel * p->rows, end = (panel + panels) * p->rows;
    kernels->pack_left(p->left, begin, end < p->m ? end : p->m, p->rows, own->begin, own->depth, packed,
                       sums ? p->result->left_sums + begin : NULL);
    for (int c = own->first_column; c < own->end_column; c += kernels->tile_columns) {
        const float *right = p->packed_right + packed_size(p, c, own->depth);
        int column = own->column + c;
        int columns = p->n - column < kernels->tile_columns ? p->n - column : kernels->tile_columns;
        for (int i = 0; i < panels; i++) {
            int first = (panel + i) * p->rows, rows = p->m - first < p->rows ? p->m - first : p->rows;
            const float *out = p->result->values + result_row(p->result, first) * width + column;
            const float *other = p->result->other && last
                                     ? p->result->other + cmus_full_row(p->result->rows, first) * width + column
                                     : out;
            cmus_tile_next next = {.out = out,
                                   .other = other,
                                   .right = right + panel_size + (size_t)i * share,
                                   .out_width = width,
                                   .right_lines = (int)(share / LINE)};
            kernels->multiply(p->left->transposed, rows, packed + (size_t)i * (size_t)kernels->panel_size, right,
                              filled, tile, next);
            kernels->store(p->result, first, rows, column, columns, tile, add, last);
        }
    }
}

/* The result's part at one place of the grid, from one packed slice. */
static void multiply_place(const plan *p, int place, int begin, int depth, int column, int columns) {
    int tile = p->kernels->tile_columns, panels = divide_up(columns, tile), left_panels = divide_up(p->m, p->rows);
    int row = place / p->column_threads, at = place % p->column_threads;
    part own = {.first_panel = share_begin(left_panels, row, p->row_threads),
                .end_panel = share_begin(left_panels, row + 1, p->row_threads),
                .first_column = share_begin(panels, at, p->column_threads) * tile,
                .end_column = share_begin(panels, at + 1, p->column_threads) * tile,
                .begin = begin,
                .depth = depth,
                .column = column};
    float *packed = p->packed_left + (size_t)place * p->left_size;
    if (own.first_column < own.end_column)
        for (int panel = own.first_panel; panel < own.end_panel; panel += LEFT_PANELS) {
            int left = own.end_panel - panel;
            multiply_block(p, &own, panel, left < LEFT_PANELS ? left : LEFT_PANELS, packed);
        }
}

/* One slice of the depth times some columns of the right operand; by all threads of the region, which may be fewer than
 * the grid has places (OMP_DYNAMIC, OMP_THREAD_LIMIT). */
static void multiply_slice(const plan *p, int begin, int depth, int column, int columns) {
    int tile = p->kernels->tile_columns, panels = divide_up(columns, tile), places = p->row_threads * p->column_threads;
    int thread = omp_get_thread_num(), threads = omp_get_num_threads();
    if (begin > 0 || column > 0) {
#pragma omp barrier /* nobody reads the slice before any more */
    }
    for (int place = thread; place < places; place += threads) {
        int first = share_begin(panels, place, places) * tile, end = share_begin(panels, place + 1, places) * tile;
        if (end > columns)
            end = columns;
        if (first < end)
            p->kernels->pack_right(p->right, column + first, end - first, begin, depth,
                                   p->packed_right + packed_size(p, first, depth));
    }
#pragma omp barrier
    for (int place = thread; place < places; place += threads)
        multiply_place(p, place, begin, depth, column, columns);
}

void cmus_product(const cmus_operand *left, const cmus_operand *right, const cmus_result *result, int m, int n, int k) {
    if (m == 0 || n == 0)
        return;
    double began = cmus_profile_begin();
    plan p = make_plan(left, right, result, m, n, k);
#pragma omp parallel num_threads(p.row_threads *p.column_threads)
    {
        if (p.kernels->begin)
            p.kernels->begin();
        for (int column = 0; column < n; column += p.columns)
            for (int begin = 0; begin < k; begin += p.depth)
                multiply_slice(&p, begin, k - begin < p.depth ? k - begin : p.depth, column,
                               n - column < p.columns ? n - column : p.columns);
        if (p.kernels->end)
            p.kernels->end();
    }
    cmus_profile_product(&(cmus_product_shape){.transpose_left = left->transposed,
                                               .transpose_right = right->transposed,
                                               .m = m,
                                               .n = n,
                                               .k = k,
                                               .ld_left = left->width,
                                               .ld_right = right->width,
                                               .ld_out = result->width,
                                               .accumulate = result->form == CMUS_RESULT_ADD});
    cmus_profile_end("product", began);
}

void cmus_linear_forward(float *out, const float *in, const float *weight, const float *bias, int rows, int inputs,
                         int outputs) {
    cmus_operand left = {.values = in, .width = inputs};
    cmus_operand right = {.values = weight, .width = inputs, .transposed = true};
    cmus_result result = {.values = out, .width = outputs, .bias = bias, .exact = true};
    cmus_product(&left, &right, &result, rows, outputs, inputs);
}

void cmus_linear_backward(float *d_in, float *d_weight, float *d_bias, const float *d_out, const float *in,
                          const float *weight, int rows, int inputs, int outputs) {
    if (rows == 0)
        return;
    cmus_operand gradient = {.values = d_out, .width = outputs};
    if (d_weight) {
        cmus_operand transposed = gradient, activations = {.values = in, .width = inputs};
        transposed.transposed = true;
        cmus_result sum = {
            .values = d_weight, .width = inputs, .form = CMUS_RESULT_ADD, .left_sums = d_bias, .exact = true};
        cmus_product(&transposed, &activations, &sum, outputs, inputs, rows);
    }
    if (d_in) {
        cmus_operand weights = {.values = weight, .width = inputs};
        cmus_result back = {.values = d_in, .width = inputs, .exact = true};
        cmus_product(&gradient, &weights, &back, rows, inputs, outputs);
    }
}
