#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "cmus/gemm.h"
#include "cmus/memory.h"
#include "cmus/product.h"

enum { NAME_SIZE = 48 };

const char *const bench_phase_names[BENCH_PHASES] = {"data", "forward", "backward", "update"};

static int ascending(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right ? 1 : 0;
}

typedef struct spread {
    double median, least;
} spread;

/* Sorts the values. */
static spread spread_of(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, ascending);
    return (spread){.median = (values[(count - 1) / 2] + values[count / 2]) / 2, .least = values[0]};
}

/* Phase BENCH_PHASES is the whole step. */
static void print_phase(const bench_report *report, int phase) {
    int count = report->step_count - report->first;
    double *update = cmus_allocate((size_t)count, sizeof *update), *image = cmus_allocate((size_t)count, sizeof *image);
    for (int i = 0; i < count; i++) {
        const bench_step *step = &report->steps[report->first + i];
        update[i] = phase == BENCH_PHASES ? step->seconds : step->phase[phase];
        image[i] = update[i] / step->images;
    }
    spread updates = spread_of(update, count), images = spread_of(image, count);
    printf("%-12s %12.4f %12.4f %14.4f %12.4f\n", phase == BENCH_PHASES ? "all" : bench_phase_names[phase],
           updates.median, updates.least, images.median, images.least);
    cmus_free(update);
    cmus_free(image);
}

static int by_own(const void *a, const void *b) {
    double left = ((const cmus_profile_operation *)a)->own, right = ((const cmus_profile_operation *)b)->own;
    return left < right ? 1 : left > right ? -1 : 0;
}

static bool contains_others(const char *name) {
    bool found = strcmp(name, "step") == 0;
    for (int phase = 0; phase < BENCH_PHASES; phase++)
        found = found || strcmp(name, bench_phase_names[phase]) == 0;
    return found;
}

static void print_operations(const cmus_profile_operation *rows, size_t count, int steps) {
    double all = 0, each = 1.0 / steps;
    for (size_t i = 0; i < count; i++)
        all += rows[i].own;
    printf("\nTime by operation (mean of the steps; without the operations inside it)\n");
    printf("%-28s %10s %8s %10s %10s\n", "operation", "s a step", "share", "calls", "GFLOP/s");
    for (size_t i = 0; i < count; i++) {
        double flops = rows[i].flops + rows[i].recomputed;
        char name[NAME_SIZE + 8], rate[32] = "";
        snprintf(name, sizeof name, "%s%s", rows[i].name, contains_others(rows[i].name) ? ", rest" : "");
        if (flops > 0)
            snprintf(rate, sizeof rate, "%.1f", flops / rows[i].own * 1e-9);
        printf("%-28s %10.4f %7.1f%% %10.1f %10s\n", name, rows[i].own * each, 100 * rows[i].own / all,
               (double)rows[i].calls * each, rate);
    }
}

static int by_seconds(const void *a, const void *b) {
    double left = (*(const cmus_profile_product_row *const *)a)->seconds;
    double right = (*(const cmus_profile_product_row *const *)b)->seconds;
    return left < right ? 1 : left > right ? -1 : 0;
}

/* The products that took most time, in the step and alone. */
static void print_products(const bench_report *report) {
    const bench_replay *replay = report->replay;
    const cmus_profile_product_row **order = cmus_allocate(replay->count, sizeof *order);
    for (size_t i = 0; i < replay->count; i++)
        order[i] = &replay->rows[i];
    qsort(order, replay->count, sizeof *order, by_seconds);
    size_t shown = (size_t)report->products < replay->count ? (size_t)report->products : replay->count;
    double steps = report->step_count - report->first;
    printf("\nProducts that took most time (GFLOP/s in the step and alone)\n");
    printf("%7s %6s %6s  %-12s %9s %10s %9s %9s\n", "m", "n", "k", "form", "a step", "s a step", "in step", "alone");
    for (size_t i = 0; i < shown; i++) {
        const cmus_product_shape *s = &order[i]->shape;
        double flops = cmus_product_flops(s), count = (double)(order[i]->count + order[i]->recomputed);
        printf("%7d %6d %6d  %c %c %-8s %9.1f %10.4f %9.1f %9.1f\n", s->m, s->n, s->k, s->transpose_left ? 'T' : 'N',
               s->transpose_right ? 'T' : 'N', s->accumulate ? "add" : "set", count / steps, order[i]->seconds / steps,
               flops * count / order[i]->seconds * 1e-9, flops / replay->alone[order[i] - replay->rows] * 1e-9);
    }
    cmus_free(order);
}

/* Needed FLOPs, rates and memory. */
static void print_rates(const bench_report *report, const cmus_profile_operation *rows, size_t operation_count) {
    int count = report->step_count - report->first;
    double *rate = cmus_allocate((size_t)count, sizeof *rate), flops = 0, recomputed = 0;
    for (int i = 0; i < count; i++) {
        const bench_step *step = &report->steps[report->first + i];
        rate[i] = step->flops / step->seconds;
        flops += step->flops / count;
    }
    for (size_t i = 0; i < operation_count; i++)
        recomputed += rows[i].recomputed / count;
    double reached = spread_of(rate, count).median, alone = report->replay->rate;
    printf("\n%-44s %12.6g GFLOP\n", "needed for an update (mean)", flops * 1e-9);
    printf("%-44s %12.6g GFLOP\n", "done once more for want of memory (mean)", recomputed * 1e-9);
    printf("%-44s %12.1f GFLOP/s\n", "needed FLOPs / time of an update (median)", reached * 1e-9);
    printf("%-44s %12.1f GFLOP/s (%zu shapes, best of 5)\n", "SGEMM alone on the products of these updates",
           alone * 1e-9, report->replay->count);
    printf("%-44s %12.1f %%\n", "ratio", alone > 0 ? 100 * reached / alone : 0);
    printf("%-44s %12.2f GiB\n", "peak memory", report->peak_memory / 0x1p30);
    cmus_free(rate);
}

static void print_head(const bench_report *report) {
    const bench_step *last = &report->steps[report->step_count - 1];
    int threads = omp_get_max_threads();
    printf("%d thread%s; %d cases an update, %s; %d updates, of which the last %d count\n", threads,
           threads == 1 ? "" : "s", report->config->batch, report->data ? report->data : "in memory",
           report->step_count, report->step_count - report->first);
    printf("%d images in the last update, mean loss of its cases %.6f\n", last->images, last->loss);
    printf("%s; %s kernels, products in %s\n\n", cmus_blas_description(), cmus_kernels_description(),
           cmus_products_description());
    printf("%-12s %12s %12s %14s %12s\n", "seconds", "an update", "shortest", "an image", "shortest");
}

void bench_report_print(const bench_report *report) {
    size_t count;
    cmus_profile_operation *rows = cmus_profile_operations(&count);
    if (count > 0)
        qsort(rows, count, sizeof *rows, by_own);
    print_head(report);
    for (int phase = 0; phase <= BENCH_PHASES; phase++)
        print_phase(report, phase);
    print_rates(report, rows, count);
    print_operations(rows, count, report->step_count - report->first);
    if (report->products > 0)
        print_products(report);
    cmus_free(rows);
}

cmus_status bench_steps_write(const char *path, const bench_step *steps, int count) {
    cmus_file_writer *writer;
    CMUS_TRY(cmus_file_writer_open(path, &writer));
    cmus_file_writer_print(writer, "step,images,seconds");
    for (int phase = 0; phase < BENCH_PHASES; phase++)
        cmus_file_writer_print(writer, ",%s", bench_phase_names[phase]);
    cmus_file_writer_print(writer, ",gflop,loss\n");
    for (int i = 0; i < count; i++) {
        cmus_file_writer_print(writer, "%d,%d,%.6f", i + 1, steps[i].images, steps[i].seconds);
        for (int phase = 0; phase < BENCH_PHASES; phase++)
            cmus_file_writer_print(writer, ",%.6f", steps[i].phase[phase]);
        cmus_file_writer_print(writer, ",%.9g,%.9g\n", steps[i].flops * 1e-9, steps[i].loss);
    }
    return cmus_file_writer_commit(writer);
}
