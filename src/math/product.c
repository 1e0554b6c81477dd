#include "cmus/product.h"

#include <omp.h>

#include "cmus/memory.h"
#include "cmus/profile.h"
#include "kernels/kernels.h"

/* One product and how it is cut. */
typedef struct plan {
    const cmus_operand *left, *right;
    const cmus_result *result;
    const cmus_kernels *kernels;
    int m, n, k;
    int depth;                       /* of a slice */
    int columns;                     /* of the right operand that are packed at once */
    int rows;                        /* of a left panel */
    int row_threads, column_threads; /* the grid that divides the result */
    float *packed_right, *packed_left;
    size_t left_size; /* floats of a thread's packed left block */
} plan;

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

static int round_up(int value, int step) {
    return (value + step - 1) / step * step;
}

static int divide_up(int value, int by) {
    return (value + by - 1) / by;
}

/* Begin of share `index` of `count` over `total` panels. */
static int share_begin(int total, int index, int count) {
    return (int)((long long)total * index / count);
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
    plan p = {.left = left, .right = right, .result = result, .kernels = cmus_kernels_pick(), .m = m, .n = n, .k = k};
    int limit = left->transposed ? CMUS_COLUMN_DEPTH : CMUS_ROW_DEPTH, slices = divide_up(k, limit);
    p.depth = divide_up(k, slices);
    p.columns = n < LARGEST_COLUMNS ? round_up(n, p.kernels->tile_columns) : LARGEST_COLUMNS;
    choose_grid(&p, omp_get_max_threads());
    /* panels of equal height, as many as each row of the grid can share evenly */
    int panels = divide_up(m, p.kernels->tile_rows);
    p.rows = divide_up(m, panels);
    p.left_size = (size_t)CMUS_LEFT_PANELS * CMUS_PANEL_SIZE;
    p.packed_right = workspace_room(&workspace.right, &workspace.right_size, (size_t)p.columns * (size_t)p.depth);
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
    const cmus_kernels *kernels = p->kernels;
    float tile[CMUS_LARGEST_TILE] __attribute__((aligned(64)));
    bool sums = p->result->left_sums && own->first_column == 0 && own->column == 0;
    enum { LINE = 16 /* floats */, SECOND_CACHE = 1 << 17 /* floats that are there anyway */ };
    size_t width = (size_t)p->result->width, panel_size = (size_t)kernels->tile_columns * (size_t)own->depth;
    /* of the next right panel, asked for with each tile */
    size_t share = (size_t)p->columns * (size_t)own->depth > SECOND_CACHE ? panel_size / (size_t)panels : 0;
    bool add = own->begin > 0 || p->result->form == CMUS_RESULT_ADD, last = own->begin + own->depth == p->k;
    int begin = panel * p->rows, end = (panel + panels) * p->rows;
    kernels->product_pack_left(p->left, begin, end < p->m ? end : p->m, p->rows, own->begin, own->depth, packed,
                               sums ? p->result->left_sums + begin : NULL);
    for (int c = own->first_column; c < own->end_column; c += kernels->tile_columns) {
        const float *right = p->packed_right + (size_t)c * (size_t)own->depth;
        int column = own->column + c;
        int columns = p->n - column < kernels->tile_columns ? p->n - column : kernels->tile_columns;
        for (int i = 0; i < panels; i++) {
            int first = (panel + i) * p->rows, rows = p->m - first < p->rows ? p->m - first : p->rows;
            cmus_tile_next next = {.out = p->result->values + result_row(p->result, first) * width + column,
                                   .right = right + panel_size + (size_t)i * share,
                                   .out_width = width,
                                   .right_lines = (int)(share / LINE)};
            kernels->product_multiply(p->left->transposed, rows, packed + (size_t)i * CMUS_PANEL_SIZE, right,
                                      own->depth, tile, next);
            kernels->product_store(p->result, first, rows, column, columns, tile, add, last);
        }
    }
}

/* One slice of the depth times some columns of the right operand; by all threads of the region. */
static void multiply_slice(const plan *p, int begin, int depth, int column, int columns) {
    int thread = omp_get_thread_num(), tile = p->kernels->tile_columns, panels = divide_up(columns, tile);
    int packers = p->row_threads * p->column_threads;
    int first = share_begin(panels, thread, packers) * tile, end = share_begin(panels, thread + 1, packers) * tile;
    if (end > columns)
        end = columns;
    if (first < end)
        p->kernels->product_pack_right(p->right, column + first, end - first, begin, depth,
                                       p->packed_right + (size_t)first * (size_t)depth);
#pragma omp barrier
    int left_panels = divide_up(p->m, p->rows), row = thread / p->column_threads, at = thread % p->column_threads;
    part own = {.first_panel = share_begin(left_panels, row, p->row_threads),
                .end_panel = share_begin(left_panels, row + 1, p->row_threads),
                .first_column = share_begin(panels, at, p->column_threads) * tile,
                .end_column = share_begin(panels, at + 1, p->column_threads) * tile,
                .begin = begin,
                .depth = depth,
                .column = column};
    float *packed = p->packed_left + (size_t)thread * p->left_size;
    if (own.first_column < own.end_column)
        for (int panel = own.first_panel; panel < own.end_panel; panel += CMUS_LEFT_PANELS) {
            int left = own.end_panel - panel;
            multiply_block(p, &own, panel, left < CMUS_LEFT_PANELS ? left : CMUS_LEFT_PANELS, packed);
        }
#pragma omp barrier
}

void cmus_product(const cmus_operand *left, const cmus_operand *right, const cmus_result *result, int m, int n, int k) {
    if (m == 0 || n == 0)
        return;
    double began = cmus_profile_begin();
    plan p = make_plan(left, right, result, m, n, k);
#pragma omp parallel num_threads(p.row_threads *p.column_threads)
    for (int column = 0; column < n; column += p.columns)
        for (int begin = 0; begin < k; begin += p.depth)
            multiply_slice(&p, begin, k - begin < p.depth ? k - begin : p.depth, column,
                           n - column < p.columns ? n - column : p.columns);
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
    cmus_result result = {.values = out, .width = outputs, .bias = bias};
    cmus_product(&left, &right, &result, rows, outputs, inputs);
}

void cmus_linear_backward(float *d_in, float *d_weight, float *d_bias, const float *d_out, const float *in,
                          const float *weight, int rows, int inputs, int outputs) {
    if (rows == 0)
        return;
    cmus_operand gradient = {.values = d_out, .width = outputs, .transposed = true};
    cmus_operand activations = {.values = in, .width = inputs};
    cmus_result sum = {.values = d_weight, .width = inputs, .form = CMUS_RESULT_ADD, .left_sums = d_bias};
    cmus_product(&gradient, &activations, &sum, outputs, inputs, rows);
    if (!d_in)
        return;
    gradient.transposed = false;
    cmus_operand weights = {.values = weight, .width = inputs};
    cmus_result back = {.values = d_in, .width = inputs};
    cmus_product(&gradient, &weights, &back, rows, inputs, outputs);
}
