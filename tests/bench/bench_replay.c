#include <cblas.h>
#include <string.h>

#include "bench.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/random.h"

enum { REPEATS = 5 };

/* Operands large enough for every product of a list. */
typedef struct operands {
    float *left, *right, *out;
} operands;

static size_t stored(int rows, int ld) {
    return (size_t)rows * (size_t)ld;
}

static float *filled(size_t count) {
    float *values = cmus_allocate_raw(count, sizeof *values);
    uint64_t key = cmus_random_key(1, "bench operand", NULL, 0);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(2 * cmus_uniform_at(key, i) - 1);
    return values;
}

static operands make_operands(const bench_replay *replay) {
    size_t left = 0, right = 0, out = 0;
    for (size_t i = 0; i < replay->count; i++) {
        const cmus_product_shape *s = &replay->rows[i].shape;
        size_t l = stored(s->transpose_left ? s->k : s->m, s->ld_left), o = stored(s->m, s->ld_out);
        size_t r = stored(s->transpose_right ? s->n : s->k, s->ld_right);
        left = l > left ? l : left;
        right = r > right ? r : right;
        out = o > out ? o : out;
    }
    return (operands){filled(left), filled(right), filled(out)};
}

static double multiply(const cmus_product_shape *s, const operands *of) {
    double began = cmus_seconds();
    cblas_sgemm(CblasRowMajor, s->transpose_left ? CblasTrans : CblasNoTrans,
                s->transpose_right ? CblasTrans : CblasNoTrans, s->m, s->n, s->k, 1, of->left, s->ld_left, of->right,
                s->ld_right, s->accumulate ? 1 : 0, of->out, s->ld_out);
    return cmus_seconds() - began;
}

/* The row of the shape among the first `count`, or a new one behind them. */
static size_t find_row(const cmus_profile_product_row *rows, size_t count, const cmus_product_shape *shape) {
    size_t at = 0;
    while (at < count && !cmus_product_same(&rows[at].shape, shape))
        at++;
    return at;
}

/* Adds up rows of the same shape in place, leaves out those that are only recomputed; returns how many are left. */
static size_t merge_rows(cmus_profile_product_row *rows, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        cmus_profile_product_row row = rows[i];
        if (row.count == 0)
            continue;
        size_t at = find_row(rows, kept, &row.shape);
        if (at == kept) {
            rows[kept++] = row;
            continue;
        }
        rows[at].count += row.count;
        rows[at].recomputed += row.recomputed;
        rows[at].seconds += row.seconds;
    }
    return kept;
}

/* The products of all ranks, the same list in the same order on each. */
static void join_ranks(const cmus_communicator *communicator, const cmus_profile_product_row *own, size_t own_count,
                       bench_replay *replay) {
    size_t bytes = 0, *sizes = cmus_allocate((size_t)communicator->ranks, sizeof *sizes);
    char *all;
    cmus_gather_bytes(communicator, own, own_count * sizeof *own, &all, sizes);
    if (communicator->rank == 0) {
        for (int rank = 0; rank < communicator->ranks; rank++)
            bytes += sizes[rank];
        replay->rows = (cmus_profile_product_row *)(void *)all;
        replay->count = merge_rows(replay->rows, bytes / sizeof *own);
    }
    cmus_broadcast(communicator, &replay->count, sizeof replay->count, 0);
    if (communicator->rank != 0)
        replay->rows = cmus_allocate(replay->count, sizeof *replay->rows);
    cmus_broadcast(communicator, replay->rows, replay->count * sizeof *replay->rows, 0);
    cmus_free(sizes);
}

bench_replay bench_replay_products(const cmus_communicator *communicator) {
    bench_replay replay = {0};
    size_t own_count;
    cmus_profile_product_row *own = cmus_profile_products(&own_count);
    join_ranks(communicator, own, own_count, &replay);
    replay.alone = cmus_allocate(replay.count, sizeof *replay.alone);
    operands of = make_operands(&replay);
    for (size_t i = 0; i < replay.count; i++) {
        const cmus_product_shape *shape = &replay.rows[i].shape;
        cmus_barrier(communicator);
        multiply(shape, &of);
        double best = multiply(shape, &of);
        for (int repeat = 1; repeat < REPEATS; repeat++) {
            double seconds = multiply(shape, &of);
            best = seconds < best ? seconds : best;
        }
        replay.alone[i] = best;
    }
    double flops = 0, seconds = 0;
    for (size_t i = 0; i < own_count; i++) {
        if (own[i].count == 0)
            continue;
        flops += cmus_product_flops(&own[i].shape) * (double)own[i].count;
        seconds += replay.alone[find_row(replay.rows, replay.count, &own[i].shape)] * (double)own[i].count;
    }
    replay.rate = seconds > 0 ? flops / seconds : 0; /* a rank without cases has no products */
    cmus_sum_doubles(communicator, &replay.rate, 1);
    cmus_free(of.left);
    cmus_free(of.right);
    cmus_free(of.out);
    cmus_free(own);
    return replay;
}

void bench_replay_free(bench_replay *replay) {
    cmus_free(replay->rows);
    cmus_free(replay->alone);
}
