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

/* Leaves out rows that are only recomputed, in place; returns how many are left. */
static size_t needed_rows(cmus_profile_product_row *rows, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (rows[i].count > 0)
            rows[kept++] = rows[i];
    return kept;
}

bench_replay bench_replay_products(void) {
    bench_replay replay = {0};
    replay.rows = cmus_profile_products(&replay.count);
    replay.count = needed_rows(replay.rows, replay.count);
    replay.alone = cmus_allocate(replay.count, sizeof *replay.alone);
    operands of = make_operands(&replay);
    double flops = 0, seconds = 0;
    for (size_t i = 0; i < replay.count; i++) {
        const cmus_product_shape *shape = &replay.rows[i].shape;
        multiply(shape, &of);
        double best = multiply(shape, &of);
        for (int repeat = 1; repeat < REPEATS; repeat++) {
            double again = multiply(shape, &of);
            best = again < best ? again : best;
        }
        replay.alone[i] = best;
        flops += cmus_product_flops(shape) * (double)replay.rows[i].count;
        seconds += best * (double)replay.rows[i].count;
    }
    replay.rate = seconds > 0 ? flops / seconds : 0;
    cmus_free(of.left);
    cmus_free(of.right);
    cmus_free(of.out);
    return replay;
}

void bench_replay_free(bench_replay *replay) {
    cmus_free(replay->rows);
    cmus_free(replay->alone);
}
