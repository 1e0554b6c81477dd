/* Fused matrix products against a plain double twin: all forms of operands and results, sizes around the edges of
 * tiles, panels and slices; what must not change a bit; what must not be touched. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/random.h"
#include "twins.h"
#include "unit_family.h"

/* The forms that an operand or a result can have. */
typedef struct left_variant {
    bool transposed, sums;
    cmus_operand_form form;
} left_variant;

static const left_variant lefts[] = {
    {false, false, CMUS_OPERAND_PLAIN}, {false, false, CMUS_OPERAND_SCALED}, {false, false, CMUS_OPERAND_LAYERNORM},
    {false, false, CMUS_OPERAND_GELU},  {true, false, CMUS_OPERAND_PLAIN},   {true, true, CMUS_OPERAND_PLAIN},
    {true, true, CMUS_OPERAND_SCALED},
};

typedef struct right_variant {
    bool transposed;
    cmus_operand_form form;
} right_variant;

static const right_variant rights[] = {
    {false, CMUS_OPERAND_PLAIN}, {false, CMUS_OPERAND_SCALED}, {false, CMUS_OPERAND_LAYERNORM},
    {false, CMUS_OPERAND_GELU},  {true, CMUS_OPERAND_PLAIN},
};

typedef struct result_variant {
    cmus_result_form form;
    bool bias, factor, rows;
} result_variant;

static const result_variant results[] = {
    {CMUS_RESULT_STORE, false, false, false},      {CMUS_RESULT_STORE, true, false, false},
    {CMUS_RESULT_ADD, false, false, false},        {CMUS_RESULT_RESIDUAL, true, true, true},
    {CMUS_RESULT_RESIDUAL, false, true, true},     {CMUS_RESULT_RESIDUAL, true, false, true},
    {CMUS_RESULT_RESIDUAL, true, false, false},    {CMUS_RESULT_GELU_SLOPE, false, false, true},
    {CMUS_RESULT_GELU_SLOPE, false, false, false},
};

enum {
    LEFTS = sizeof lefts / sizeof lefts[0],
    RIGHTS = sizeof rights / sizeof rights[0],
    RESULTS = sizeof results / sizeof results[0],
    VARIANTS = LEFTS * RIGHTS * RESULTS
};

/* Which product; `salt` also chooses widths, subsets and places in memory. */
typedef struct choice {
    int m, n, k, variant;
    unsigned salt;
} choice;

/* One product: its operands and result, and what the result's memory held before. */
typedef struct trial {
    choice c;
    cmus_operand left, right;
    cmus_result result;
    cmus_subset left_rows, right_rows, result_rows;
    float *memory, *before, *sums_before; /* of the result: [size]; of the sums [m] */
    size_t size, margin;                  /* floats of the result's memory; of them in front of the values */
    void *taken[32];
    float *floats[32]; /* those that hold inputs, */
    size_t lengths[32];
    int count, float_count;
    unsigned drawn;
} trial;

/* From malloc, as what lies behind the last byte must belong to nobody: the sanitizer sees who reads it. */
static void *take(trial *t, size_t bytes) {
    void *memory = malloc(bytes);
    if (!memory || t->count == sizeof t->taken / sizeof t->taken[0])
        abort();
    return t->taken[t->count++] = memory;
}

/* `count` numbers in middle +- spread at any place in memory. */
static float *take_floats(trial *t, size_t count, float middle, float spread) {
    enum { POOL = 65521, STEP = 7919 };
    static float pool[POOL];
    if (pool[0] == 0)
        for (size_t i = 0; i < POOL; i++)
            pool[i] = (float)(2 * cmus_uniform_at(1, i) - 1);
    size_t shift = (t->c.salt + (unsigned)t->count) % 3, at = (t->c.salt * 31 + t->drawn++) * (size_t)STEP;
    float *values = (float *)take(t, (count + shift) * sizeof *values) + shift;
    for (size_t i = 0; i < count; i++)
        values[i] = middle + spread * pool[(at + i) % POOL];
    t->floats[t->float_count] = values;
    t->lengths[t->float_count++] = count;
    return values;
}

static void give_back(trial *t) {
    for (int i = 0; i < t->count; i++)
        free(t->taken[i]);
}

/* A subset for `rows` rows: NULL, or the images in order, or from the last one back with one left out. Returns the rows
 * of the full array. */
static int choose_rows(trial *t, cmus_subset *subset, const cmus_subset **rows, int needed, bool must) {
    static const int tokens[] = {7, 1, 3, 16, 49};
    unsigned draw = t->c.salt + 5 * t->drawn++;
    int kind = must ? 1 + (int)(draw % 2) : (int)(draw % 3);
    *rows = kind == 0 ? NULL : subset;
    *subset = (cmus_subset){.tokens = tokens[draw / 3 % 5]};
    subset->count = (needed + subset->tokens - 1) / subset->tokens;
    if (kind < 2)
        return needed;
    int total = subset->count + 2, *images = take(t, (size_t)subset->count * sizeof *images);
    for (int i = 0; i < subset->count; i++)
        images[i] = total - 1 - i - (i >= subset->count / 2);
    subset->images = images;
    return total * subset->tokens;
}

/* An operand of `stored` rows of `length` numbers. Whoever stores the left operand by depth owns whole rows. */
static cmus_operand make_operand(trial *t, cmus_subset *subset, int stored, int length, cmus_operand_form form,
                                 bool transposed, bool right) {
    cmus_operand operand = {.width = length + (int)(t->c.salt / 2 % 4), .transposed = transposed, .form = form};
    int full = stored;
    if (!transposed || !right)
        full = choose_rows(t, subset, &operand.rows, stored, form == CMUS_OPERAND_SCALED);
    int last = transposed && !right ? operand.width : length;
    operand.values = take_floats(t, (size_t)(full - 1) * (size_t)operand.width + (size_t)last, 0, 1.5f);
    if (form == CMUS_OPERAND_SCALED)
        operand.factor = take_floats(t, (size_t)subset->count, 1, 0.5f);
    if (form == CMUS_OPERAND_LAYERNORM) {
        operand.statistics = take_floats(t, 2 * (size_t)full, 1, 0.75f);
        operand.gamma = take_floats(t, (size_t)length, 1, 0.5f);
        operand.beta = take_floats(t, (size_t)length, 0, 0.5f);
    }
    return operand;
}

/* NaN where the result must be written without being read. */
static void make_result(trial *t, const result_variant *variant, bool sums) {
    enum { MARGIN = 67 };
    const choice *c = &t->c;
    cmus_result *result = &t->result;
    *result = (cmus_result){.width = c->n + (int)(c->salt / 3 % 4), .form = variant->form};
    int full = c->m;
    if (variant->rows)
        full = choose_rows(t, &t->result_rows, &result->rows, c->m, true);
    bool residual = variant->form == CMUS_RESULT_RESIDUAL;
    size_t last = (size_t)result->width * (size_t)(full - 1) + (size_t)c->n;
    size_t written = residual ? last : (size_t)result->width * (size_t)(c->m - 1) + (size_t)c->n;
    t->margin = c->salt & 1 ? MARGIN : 0; /* else it ends where the memory does */
    t->size = written + 2 * t->margin;
    t->memory = take_floats(t, t->size, 0, 1);
    t->before = take_floats(t, t->size, 0, 1);
    result->values = t->memory + t->margin;
    for (int i = 0; i < c->m && variant->form != CMUS_RESULT_ADD; i++)
        for (int j = 0; j < c->n; j++)
            t->before[t->margin + cmus_full_row(residual ? result->rows : NULL, i) * (size_t)result->width +
                      (size_t)j] = NAN;
    if (variant->bias)
        result->bias = take_floats(t, (size_t)c->n, 0, 1);
    if (variant->factor)
        result->factor = take_floats(t, (size_t)t->result_rows.count, 1, 0.5f);
    if (residual || variant->form == CMUS_RESULT_GELU_SLOPE)
        result->other = take_floats(t, last, 0, 2);
    if (sums) {
        result->left_sums = take_floats(t, (size_t)c->m, 0, 1);
        t->sums_before = take_floats(t, (size_t)c->m, 0, 1);
    }
}

/* All variants are numbered: left form first. */
static void make(trial *t, choice c) {
    const left_variant *left = &lefts[c.variant % LEFTS];
    const right_variant *right = &rights[c.variant / LEFTS % RIGHTS];
    *t = (trial){.c = c};
    t->left = make_operand(t, &t->left_rows, left->transposed ? c.k : c.m, left->transposed ? c.m : c.k, left->form,
                           left->transposed, false);
    t->right = make_operand(t, &t->right_rows, right->transposed ? c.n : c.k, right->transposed ? c.k : c.n,
                            right->form, right->transposed, true);
    make_result(t, &results[c.variant / (LEFTS * RIGHTS) % RESULTS], left->sums);
}

static void run(trial *t, int threads) {
    memcpy(t->memory, t->before, t->size * sizeof(float));
    if (t->sums_before)
        memcpy(t->result.left_sums, t->sums_before, (size_t)t->c.m * sizeof(float));
    omp_set_num_threads(threads);
    cmus_product(&t->left, &t->right, &t->result, t->c.m, t->c.n, t->c.k);
}

static bool fail(const trial *t, const char *what, size_t at, double found, double reference) {
    printf("\n  variant %d, m %d, n %d, k %d, salt %u: %s %zu: %.9g, reference %.9g\n", t->c.variant, t->c.m, t->c.n,
           t->c.k, t->c.salt, what, at, found, reference);
    return false;
}

static bool rounded; /* operands are rounded to bfloat16 */

/* The result in memory is that of the twin, and nothing else was touched. */
static bool check(const trial *t) {
    const double CLOSE = 2e-6, TINY = 1e-6; /* of the terms; where they are themselves differences */
    const double close = rounded ? 8e-3 /* 2^-8 an operand */ : CLOSE;
    double *values = cmus_allocate(t->size, sizeof *values), *magnitude = cmus_allocate(t->size, sizeof *magnitude);
    double *sums = cmus_allocate((size_t)t->c.m, sizeof *sums);
    for (size_t i = 0; i < t->size; i++) {
        values[i] = (double)t->before[i];
        magnitude[i] = -1;
    }
    for (int i = 0; i < t->c.m && t->sums_before; i++)
        sums[i] = (double)t->sums_before[i];
    twin_product(values + t->margin, magnitude + t->margin, sums, &t->left, &t->right, &t->result, t->c.m, t->c.n,
                 t->c.k);
    bool passed = true;
    for (size_t i = 0; i < t->size && passed; i++) {
        double found = (double)t->memory[i];
        if (magnitude[i] < 0 && memcmp(&t->memory[i], &t->before[i], sizeof(float)) != 0)
            passed = fail(t, "touched", i, found, values[i]);
        if (magnitude[i] >= 0 && !(fabs(found - values[i]) <= close * magnitude[i] + TINY))
            passed = fail(t, "value", i, found, values[i]);
    }
    for (int i = 0; i < t->c.m && t->sums_before && passed; i++)
        if (!(fabs((double)t->result.left_sums[i] - sums[i]) <= CLOSE * (2 + t->c.k)))
            passed = fail(t, "sum", (size_t)i, (double)t->result.left_sums[i], sums[i]);
    cmus_free(values);
    cmus_free(magnitude);
    cmus_free(sums);
    return passed;
}

static bool matches(choice c, int threads) {
    trial t;
    make(&t, c);
    run(&t, threads);
    bool passed = check(&t);
    give_back(&t);
    return passed;
}

/* All triples of sizes, each in one variant; all variants come up with many sizes. */
static void all_sizes_match(void) {
    static const int sizes[] = {1, 2, 3, 5, 13, 14, 15, 29, 31, 32, 33, 47, 48, 49, 64, 97, 127, 130};
    enum { SIZES = sizeof sizes / sizeof sizes[0], TRIPLES = SIZES * SIZES * SIZES, STEP = 101 };
    int usual = omp_get_max_threads(), wrong = 0;
    for (int i = 0; i < TRIPLES && wrong < 10; i++)
        wrong += !matches((choice){.m = sizes[i % SIZES],
                                   .n = sizes[i / SIZES % SIZES],
                                   .k = sizes[i / (SIZES * SIZES)],
                                   .variant = i * STEP % VARIANTS,
                                   .salt = (unsigned)i * STEP},
                          1 + i * STEP / 7 % 3);
    CU_ASSERT_EQUAL(wrong, 0);
    omp_set_num_threads(usual);
}

enum { SLICE = 512 /* the largest slice of the depth of all families (kernels/product.h, kernels/bfloat16.c) */ };

/* Several slices of the depth, several packings of the columns, several blocks of left panels: all variants. */
static const int large[][3] = {{33, 47, SLICE},   {31, 33, SLICE + 1},   {15, 31, 1100},
                               {2, 4096 + 35, 3}, {24 * 14 + 17, 33, 5}, {2 * 24 * 5 + 3, 13, 3}};
enum { LARGE = sizeof large / sizeof large[0] };

static void large_sizes_match(void) {
    int usual = omp_get_max_threads(), wrong = 0;
    for (int i = 0; i < LARGE * VARIANTS && wrong < 10; i++) {
        const int *size = large[i % LARGE];
        wrong += !matches((choice){size[0], size[1], size[2], i / LARGE, (unsigned)i}, 1 + i % 3);
    }
    CU_ASSERT(matches((choice){5, 4096 + 33, 2 * SLICE + 3, 0, 1}, usual));
    CU_ASSERT(matches((choice){24 * 14 + 1, 97, SLICE + 1, 5, 1}, usual));
    CU_ASSERT_EQUAL(wrong, 0);
    omp_set_num_threads(usual);
}

static void threads_do_not_matter(void) {
    static const int sizes[][3] = {{5, 130, 33},  {14, 32, 513}, {130, 5, 48},
                                   {97, 127, 64}, {350, 49, 29}, {3, 4150, 2}};
    static const int counts[] = {2, 3, 5};
    int usual = omp_get_max_threads(), wrong = 0;
    for (int variant = 0; variant < VARIANTS && wrong < 10; variant++) {
        const int *size = sizes[variant % 6];
        trial t;
        make(&t, (choice){size[0], size[1], size[2], variant, (unsigned)variant * 3});
        run(&t, 1);
        float *one = take_floats(&t, t.size, 0, 1), *sums = take_floats(&t, (size_t)t.c.m, 0, 1);
        memcpy(one, t.memory, t.size * sizeof *one);
        if (t.sums_before)
            memcpy(sums, t.result.left_sums, (size_t)t.c.m * sizeof *sums);
        for (int i = 0; i < 3; i++) {
            run(&t, counts[i]);
            bool same = memcmp(one, t.memory, t.size * sizeof *one) == 0 &&
                        (!t.sums_before || memcmp(sums, t.result.left_sums, (size_t)t.c.m * sizeof *sums) == 0);
            wrong += !same && !fail(&t, "threads", (size_t)counts[i], 0, 0);
        }
        give_back(&t);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    omp_set_num_threads(usual);
}

/* The runtime may give fewer threads than were asked for. */
static void fewer_threads_are_enough(void) {
    enum { MANY = 16 };
    int usual = omp_get_max_threads();
    omp_set_dynamic(1);
    for (int left = 0; left < LEFTS; left++)
        CU_ASSERT(matches((choice){97, 130, 33, left, 1}, MANY));
    omp_set_dynamic(0);
    omp_set_num_threads(usual);
}

/* The rows of one image alone come out with the same bits as in the batch. */
static void batches_do_not_matter(void) {
    enum { TOKENS = 5, COUNT = 7, M = TOKENS * COUNT, N = 49, K = SLICE + 31 };
    int images[COUNT] = {7, 2, 0, 3, 6, 1, 4}, wrong = 0;
    for (int variant = 0; variant < VARIANTS; variant++) {
        if (lefts[variant % LEFTS].transposed)
            continue;
        trial t;
        make(&t, (choice){(COUNT + 1) * TOKENS, N, K, variant, 0}); /* room for all images in every array */
        const result_variant *form = &results[variant / (LEFTS * RIGHTS)];
        cmus_subset all = {images, COUNT, TOKENS};
        bool residual = form->form == CMUS_RESULT_RESIDUAL, add = form->form == CMUS_RESULT_ADD;
        float factor[COUNT], left_factor[COUNT], *together = take_floats(&t, t.size, 0, 1);
        for (int i = 0; i < COUNT; i++)
            factor[i] = left_factor[i] = 0.5f + 0.125f * (float)i;
        t.left.rows = &all;
        t.left.factor = left_factor;
        t.result.rows = form->rows || residual ? &all : NULL;
        t.result.factor = form->factor ? factor : NULL;
        t.c.m = M;
        run(&t, 2);
        memcpy(together, t.memory, t.size * sizeof *together);
        memcpy(t.memory, t.before, t.size * sizeof *together);
        size_t image = (size_t)TOKENS * (size_t)t.result.width;
        for (int i = 0; i < COUNT; i++) {
            cmus_subset one = {images + i, 1, TOKENS};
            cmus_operand left = t.left;
            cmus_result result = t.result;
            left.rows = &one;
            left.factor = left_factor + i;
            result.rows = t.result.rows ? &one : NULL;
            result.factor = t.result.factor ? factor + i : NULL;
            if (!residual)
                result.values += (size_t)i * image;
            if (result.other && !result.rows)
                result.other += (size_t)i * image;
            cmus_product(&left, &t.right, &result, TOKENS, N, K);
        }
        wrong += memcmp(together, t.memory, t.size * sizeof *together) != 0 && !fail(&t, "batch", add, 0, 0);
        give_back(&t);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* Not finite are the elements that are not finite in the twin, no others. Returns how many; -1 if they are others. */
static int not_finite(const trial *t) {
    double *values = cmus_allocate(t->size, sizeof *values), *magnitude = cmus_allocate(t->size, sizeof *magnitude);
    double *sums = cmus_allocate((size_t)t->c.m, sizeof *sums);
    int found = 0, wrong = 0;
    for (size_t i = 0; i < t->size; i++)
        values[i] = (double)t->before[i];
    for (int i = 0; i < t->c.m && t->sums_before; i++)
        sums[i] = (double)t->sums_before[i];
    twin_product(values + t->margin, magnitude + t->margin, sums, &t->left, &t->right, &t->result, t->c.m, t->c.n,
                 t->c.k);
    for (size_t i = 0; i < t->size; i++) {
        found += !isfinite(values[i]);
        wrong += isfinite(values[i]) != isfinite(t->memory[i]);
    }
    for (int i = 0; i < t->c.m && t->sums_before; i++)
        wrong += isfinite(sums[i]) != isfinite(t->result.left_sums[i]);
    cmus_free(values);
    cmus_free(magnitude);
    cmus_free(sums);
    return wrong ? -1 : found;
}

/* A NaN or an infinity in any array, at any place, used or not. */
static void not_finite_comes_out(void) {
    int usual = omp_get_max_threads(), wrong = 0, shown = 0, hidden = 0;
    for (int variant = 0; variant < VARIANTS; variant++) {
        trial t;
        make(&t, (choice){17, 35, 20, variant, (unsigned)variant * 7});
        for (size_t i = 0; i < t.lengths[0]; i += 3) /* of the left operand: 0 times NaN is NaN */
            t.floats[0][i] = 0;
        for (int i = 0; i < t.float_count && wrong < 10; i++)
            for (int p = 0; p < 3; p++) {
                float *place = t.floats[i] + (t.lengths[i] * (size_t)p * 2 / 5 + (size_t)variant) % t.lengths[i];
                float kept = *place;
                *place = p == 1 ? INFINITY : NAN;
                run(&t, 1 + variant % 2);
                int found = not_finite(&t);
                wrong += found < 0 && !fail(&t, "not finite", (size_t)i, 0, 0);
                shown += found > 0;
                hidden += found == 0;
                *place = kept;
            }
        give_back(&t);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(shown > hidden && hidden > 0);
    omp_set_num_threads(usual);
}

static void nothing_is_nothing(void) {
    for (int variant = 0; variant < VARIANTS; variant++) {
        trial t;
        make(&t, (choice){1, 1, 5, variant, (unsigned)variant});
        for (int side = 0; side < 2; side++) {
            memcpy(t.memory, t.before, t.size * sizeof(float));
            cmus_product(&t.left, &t.right, &t.result, side, 1 - side, 5);
            CU_ASSERT_EQUAL(memcmp(t.memory, t.before, t.size * sizeof(float)), 0);
        }
        give_back(&t);
    }
}

enum { SIDE = 69, MANY_ROWS = 64, VALUES = SIDE * MANY_ROWS };

/* out = GELU(in), or its slope, through a product; [MANY_ROWS][SIDE]: whole vectors and what is left of a row. */
typedef void (*evaluate)(float *out, const float *in);

static const float *identity(void) {
    static float matrix[SIDE * SIDE];
    for (int i = 0; i < SIDE; i++)
        matrix[i * SIDE + i] = 1;
    return matrix;
}

static void gelu_of_left(float *out, const float *in) {
    cmus_operand left = {.values = in, .width = SIDE, .form = CMUS_OPERAND_GELU};
    cmus_operand right = {.values = identity(), .width = SIDE};
    cmus_product(&left, &right, &(cmus_result){.values = out, .width = SIDE}, MANY_ROWS, SIDE, SIDE);
}

static void gelu_of_right(float *out, const float *in) {
    cmus_operand left = {.values = identity(), .width = SIDE};
    cmus_operand right = {.values = in, .width = SIDE, .form = CMUS_OPERAND_GELU};
    cmus_product(&left, &right, &(cmus_result){.values = out, .width = SIDE}, MANY_ROWS, SIDE, MANY_ROWS);
}

static void slope(float *out, const float *in) {
    static float ones[SIDE];
    for (int i = 0; i < SIDE; i++)
        ones[i] = 1;
    cmus_operand left = {.values = ones, .width = 1}, right = {.values = ones, .width = SIDE};
    cmus_result result = {.values = out, .width = SIDE, .form = CMUS_RESULT_GELU_SLOPE, .other = in};
    cmus_product(&left, &right, &result, MANY_ROWS, SIDE, 1);
}

/* Largest error over [from, to] in `blocks` blocks of even steps, as a part of max(1, |x|). */
static double largest_error(evaluate function, double (*reference)(double), double from, double to, int blocks) {
    static float in[VALUES], out[VALUES];
    double largest = 0, step = (to - from) / ((double)blocks * VALUES - 1);
    for (int b = 0; b < blocks; b++) {
        for (int i = 0; i < VALUES; i++)
            in[i] = (float)(from + step * ((double)b * VALUES + i));
        function(out, in);
        for (int i = 0; i < VALUES; i++) {
            double x = (double)in[i], error = fabs((double)out[i] - reference(x)) / fmax(1, fabs(x));
            largest = error <= largest ? largest : error; /* a NaN stays */
        }
    }
    return largest;
}

static void gelu_is_accurate(void) {
    if (rounded)
        return;
    static const evaluate values[] = {gelu_of_left, gelu_of_right};
    for (int i = 0; i < 2; i++) {
        CU_ASSERT(largest_error(values[i], twin_gelu, -10, 10, 300) < 3e-7);
        CU_ASSERT(largest_error(values[i], twin_gelu, -1e-3, 1e-3, 5) < 1e-9);
        CU_ASSERT(largest_error(values[i], twin_gelu, -1000, 1000, 50) < 3e-7);
        CU_ASSERT(largest_error(values[i], twin_gelu, -1e30, 1e30, 2) < 3e-7);
    }
    CU_ASSERT(largest_error(slope, twin_gelu_slope, -10, 10, 300) < 3e-7);
    CU_ASSERT(largest_error(slope, twin_gelu_slope, -1000, 1000, 50) < 3e-7);
    CU_ASSERT(largest_error(slope, twin_gelu_slope, -1e30, 1e30, 2) < 3e-7);
}

/* The twin's slope is the derivative of its GELU. */
static void slope_is_the_derivative(void) {
    const double STEP = 1e-5;
    for (double x = -8; x <= 8; x += 0.0625)
        CU_ASSERT_DOUBLE_EQUAL((twin_gelu(x + STEP) - twin_gelu(x - STEP)) / (2 * STEP), twin_gelu_slope(x), 1e-9);
}

/* CMUS_BFLOAT16 set: the same tests of the products in bfloat16 that it names. */
int main(void) {
    enum { SKIPPED = 77 };
    const char *bfloat16 = getenv("CMUS_BFLOAT16");
    rounded = bfloat16 && *bfloat16;
    if (rounded && cmus_products_precision(CMUS_PRECISION_BF16) != CMUS_OK) {
        printf("skipped: this processor or this build has no products in bfloat16 by %s\n", bfloat16);
        return SKIPPED;
    }
    printf("products in %s\n", cmus_products_description());
    static const unit_test tests[] = {
        {"all sizes", all_sizes_match},
        {"large sizes in all forms", large_sizes_match},
        {"the number of threads does not matter", threads_do_not_matter},
        {"fewer threads than asked for are enough", fewer_threads_are_enough},
        {"the rest of a batch does not matter", batches_do_not_matter},
        {"what is not finite comes out", not_finite_comes_out},
        {"no rows, no columns", nothing_is_nothing},
        {"GELU and its slope", gelu_is_accurate},
        {"the slope is the derivative", slope_is_the_derivative},
    };
    return unit_family_main("math: products", tests, sizeof tests / sizeof tests[0]);
}
