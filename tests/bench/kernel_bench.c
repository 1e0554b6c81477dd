/* Speed of the kernels of src/math on the shapes of Swin-B at 224 pixels: for one core, run it with OMP_NUM_THREADS=1.
 */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmus/adam.h"
#include "cmus/gemm.h"
#include "cmus/layers.h"
#include "cmus/memory.h"
#include "cmus/window_attention.h"

static int images = 12, repeats = 15;
static bool best;
static const char *only;

static error_t parse_option(int key, char *value, struct argp_state *state) {
    switch (key) {
    case 'i':
        images = atoi(value);
        break;
    case 'r':
        repeats = atoi(value);
        break;
    case 'b':
        best = true;
        break;
    case ARGP_KEY_ARG:
        only = value;
        break;
    case ARGP_KEY_END:
        if (images < 1 || repeats < 1)
            argp_error(state, "--images and --repeats take numbers from 1 on");
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median (or, with --best, shortest) seconds of one call; the first one, which meets untouched memory, does not count.
 */
static double seconds_of(void (*call)(void *), void *context) {
    double *seconds = cmus_allocate((size_t)repeats, sizeof *seconds);
    call(context);
    for (int i = 0; i < repeats; i++) {
        double begin = now();
        call(context);
        seconds[i] = now() - begin;
    }
    qsort(seconds, (size_t)repeats, sizeof *seconds, ascending);
    double chosen = seconds[best ? 0 : repeats / 2];
    cmus_free(seconds);
    return chosen;
}

/* Even values in +-spread, the same in every run. */
static float *values(size_t count, float spread) {
    float *out = cmus_allocate_raw(count, sizeof *out);
    uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        out[i] = spread * ((float)(state >> 8) / (float)(1 << 23) - 1.0f);
    }
    return out;
}

static bool wanted(const char *name) {
    return !only || strcmp(only, name) == 0;
}

typedef struct attention {
    cmus_windows windows;
    int channels, heads;
    float *qkv, *bias, *table, *out, *d_qkv, *d_bias, *d_table;
} attention;

static void attention_forward(void *context) {
    attention *a = context;
    cmus_window_attention_forward(a->out, a->qkv, a->bias, a->table, &a->windows, images, a->channels, a->heads);
}

static void attention_backward(void *context) {
    attention *a = context;
    cmus_window_attention_backward(a->d_qkv, a->d_bias, a->d_table, NULL, a->out, a->qkv, a->bias, a->table,
                                   &a->windows, NULL, images, a->channels, a->heads);
}

/* Products of 49 x 49 x 32 per head: two forward, five backward. */
static void bench_attention(int stage, bool shifted) {
    attention a = {.channels = 128 << stage, .heads = 4 << stage};
    int side = 56 >> stage;
    cmus_windows_make(&a.windows, side, side, shifted);
    size_t rows = (size_t)images * (size_t)(side * side), width = (size_t)a.channels;
    a.qkv = values(rows * 3 * width, 2);
    a.bias = values(3 * width, 1);
    a.table = values(CMUS_BIAS_ROWS * (size_t)a.heads, 1);
    a.out = values(rows * width, 1e-3f);
    a.d_qkv = values(rows * 3 * width, 0);
    a.d_bias = values(3 * width, 0);
    a.d_table = values(CMUS_BIAS_ROWS * (size_t)a.heads, 0);
    double product = 2.0 * 49 * 49 * 32 * images * a.windows.count * a.heads * 1e-9;
    double forward = seconds_of(attention_forward, &a), backward = seconds_of(attention_backward, &a);
    printf("attention stage %d %-9s forward %8.3f ms %6.1f GFLOP/s   backward %8.3f ms %6.1f GFLOP/s\n", stage + 1,
           shifted ? "shifted" : "unshifted", 1e3 * forward, 2 * product / forward, 1e3 * backward,
           5 * product / backward);
    float *all[] = {a.qkv, a.bias, a.table, a.out, a.d_qkv, a.d_bias, a.d_table};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        cmus_free(all[i]);
    cmus_windows_free(&a.windows);
}

typedef struct rows {
    int channels;
    cmus_subset subset;
    size_t count;
    float *in, *out, *gradient, *gamma, *d_gamma, *statistics;
} rows;

static void layernorm_forward(void *context) {
    rows *r = context;
    cmus_layernorm_forward(r->out, r->in, r->gamma, r->gamma, &r->subset, r->channels);
}

static void layernorm_statistics(void *context) {
    rows *r = context;
    cmus_row_statistics(r->statistics, r->in, &r->subset, r->channels);
}

static void layernorm_backward(void *context) {
    rows *r = context;
    cmus_layernorm_backward(r->out, r->d_gamma, r->d_gamma + r->channels, r->gradient, r->in, r->statistics, r->gamma,
                            &r->subset, &r->subset, r->channels);
}

/* `tokens` rows of an image; in nanoseconds an element. */
static void bench_rows(const char *name, int tokens, int channels, void (*const calls[])(void *),
                       const char *const names[], int count) {
    size_t width = (size_t)channels;
    rows r = {.channels = channels, .subset = {NULL, images, tokens}, .count = (size_t)(images * tokens) * width};
    r.in = values(r.count, 3);
    r.out = values(r.count, 0);
    r.gradient = values(r.count, 1);
    r.gamma = values(width, 1);
    r.d_gamma = values(2 * width, 0);
    r.statistics = values(2 * (size_t)(images * tokens), 1);
    printf("%-10s %5d x %4d", name, images * tokens, channels);
    for (int i = 0; i < count; i++) {
        double seconds = seconds_of(calls[i], &r);
        printf("   %s %.3f ms, %.2f elements/ns", names[i], 1e3 * seconds, 1e-9 * (double)r.count / seconds);
    }
    printf("\n");
    float *all[] = {r.in, r.out, r.gradient, r.gamma, r.d_gamma, r.statistics};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        cmus_free(all[i]);
}

typedef struct moments {
    size_t count;
    float *buffers[5];
} moments;

static void adam_update(void *context) {
    moments *m = context;
    cmus_adam adam = cmus_adam_published();
    cmus_adam_update(&adam, 3, m->count, m->buffers[0], m->buffers[1], m->buffers[2], m->buffers[3], m->buffers[4]);
}

static void bench_adam(size_t count) {
    moments m = {.count = count};
    for (int i = 0; i < 5; i++)
        m.buffers[i] = values(count, i < 3 ? 1 : 0);
    double seconds = seconds_of(adam_update, &m);
    printf("adam %zu weights %.3f ms, %.1f GB/s of %zu bytes a weight\n", count, 1e3 * seconds,
           (double)(count * 40) * 1e-9 / seconds, (size_t)40);
    for (int i = 0; i < 5; i++)
        cmus_free(m.buffers[i]);
}

static void run(void) {
    printf("kernels %s, %d images\n", cmus_kernels_description(), images);
    if (wanted("attention"))
        for (int stage = 0; stage < 4; stage++)
            for (int shifted = 0; shifted < (stage < 3 ? 2 : 1); shifted++)
                bench_attention(stage, shifted);
    static void (*const layernorm[])(void *) = {layernorm_forward, layernorm_statistics, layernorm_backward};
    static const char *const names[] = {"forward", "statistics", "backward"};
    if (wanted("layernorm"))
        for (int stage = 0; stage < 4; stage += 2)
            bench_rows("layernorm", 3136 >> 2 * stage, 128 << stage, layernorm, names, 3);
    if (wanted("adam"))
        bench_adam((size_t)1 << 25);
}

int main(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"images", 'i', "N", 0, "Images a call (12: maps that do not fit in the second cache)", 0},
        {"repeats", 'r', "N", 0, "Calls of which the median counts (15)", 0},
        {"best", 'b', NULL, 0, "The fastest call instead of the median: on a machine that is busy with other work", 0},
        {0}};
    static const struct argp parser = {
        options,
        parse_option,
        "[attention|layernorm|adam]",
        "Times the kernels of src/math on the shapes of Swin-B at 224 pixels; all of them, or the named ones."
        "\vOMP_NUM_THREADS=1 gives the speed of one core; CMUS_KERNELS picks the kernels.",
        NULL,
        NULL,
        NULL};
    argp_parse(&parser, argc, argv, 0, NULL, NULL);
    run();
    return EXIT_SUCCESS;
}
