/* data_bench: what reading costs an update. The same updates with images from shards, through the prefetch, and with
 * images that were in memory before, in turn.
 *   data_bench UPDATES DATA CONFIG [KEY=VALUE...]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/adam.h"
#include "cmus/gemm.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/prefetch.h"
#include "cmus/program.h"
#include "cmus/sampler.h"

enum { MOMENTS = 3, WARM_UP = 2, MOST_UPDATES = 10000 };

typedef struct bench {
    cmus_config config;
    cmus_dataset *dataset;
    cmus_net *net;
    float *moments[MOMENTS];
    int updates;
    int *order;                                 /* [updates][batch] */
    cmus_batch **batches;                       /* [updates], in memory */
    double *memory, *shards, *waited, *loading; /* [updates]: seconds */
    long images;
} bench;

static cmus_status prepare(bench *b, const char *data, const char *path, char **overrides, int count) {
    CMUS_TRY(cmus_blas_check());
    CMUS_TRY(cmus_config_read(path, (const char *const *)overrides, (size_t)count, &b->config));
    CMUS_TRY(cmus_dataset_open(data, &b->dataset));
    CMUS_TRY(cmus_dataset_needs_all(b->dataset, data));
    b->config.net.classes = cmus_dataset_class_count(b->dataset);
    b->config.net.image_size = cmus_dataset_image_size(b->dataset);
    CMUS_TRY(cmus_net_create(&b->config.net, true, &b->net));
    size_t updates = (size_t)b->updates, size = cmus_net_parameters(b->net)->size;
    cmus_parameters_initialize(cmus_net_parameters(b->net), b->config.seed, cmus_net_weights(b->net));
    for (int i = 0; i < MOMENTS; i++)
        b->moments[i] = cmus_allocate(size, sizeof(float));
    b->batches = cmus_allocate(updates, sizeof(cmus_batch *));
    double **times[] = {&b->memory, &b->shards, &b->waited, &b->loading};
    for (int i = 0; i < 4; i++)
        *times[i] = cmus_allocate(updates, sizeof(double));
    b->order = cmus_allocate(updates * (size_t)b->config.batch, sizeof(int));
    int cases = cmus_dataset_case_count(b->dataset), *shuffled = cmus_allocate((size_t)cases, sizeof(int));
    for (int i = 0; i < cases; i++)
        shuffled[i] = i;
    cmus_epoch_order(b->config.seed, 0, shuffled, cases);
    for (int i = 0; i < b->updates * b->config.batch; i++)
        b->order[i] = shuffled[i % cases];
    cmus_free(shuffled);
    return CMUS_OK;
}

static const int *cases_of(const bench *b, int update) {
    return b->order + update * b->config.batch;
}

/* Every update's images into memory; the seconds that it takes are what the foreground would need. */
static cmus_status load_all(bench *b) {
    for (int update = 0; update < b->updates; update++) {
        b->batches[update] = cmus_batch_create(b->net, b->dataset, &b->config);
        for (int again = 0; again < 2; again++) { /* the second time its memory is there, as in training */
            double began = cmus_seconds();
            cmus_wave *wave = cmus_wave_whole(b->net, b->dataset, &b->config, cases_of(b, update), b->config.batch, 0);
            cmus_status status = cmus_batch_load(b->batches[update], wave, 0);
            b->loading[update] = cmus_seconds() - began;
            b->images += again ? wave->first[wave->count] : 0;
            cmus_wave_free(wave);
            CMUS_TRY(status);
        }
    }
    return CMUS_OK;
}

static void compute(bench *b, cmus_share share) {
    cmus_net_gradients(b->net, share.cases, share.case_count, 1.0 / b->config.batch, share.results);
}

static void move_weights(bench *b) {
    cmus_adam adam = cmus_adam_published();
    adam.lr = 0; /* the same weights in both ways */
    cmus_adam_update(&adam, 1, cmus_net_parameters(b->net)->size, cmus_net_weights(b->net), cmus_net_gradient(b->net),
                     b->moments[0], b->moments[1], b->moments[2]);
}

static double from_memory(bench *b, int update) {
    double began = cmus_seconds();
    compute(b, cmus_batch_share(b->batches[update]));
    move_weights(b);
    return cmus_seconds() - began;
}

static cmus_status from_shards(bench *b, cmus_prefetch *prefetch, double *seconds, double *waited) {
    double began = cmus_seconds(), before = cmus_prefetch_waited(prefetch);
    cmus_portion portion;
    do {
        CMUS_TRY(cmus_prefetch_next(prefetch, &portion));
        compute(b, portion.share);
    } while (!portion.wave->last);
    move_weights(b);
    *seconds = cmus_seconds() - began;
    *waited = cmus_prefetch_waited(prefetch) - before;
    return CMUS_OK;
}

/* An update each way in turn. The thread loads during those from shards, as it begins when a portion is given back. */
static cmus_status race(bench *b) {
    const cmus_communicator alone = {0, 1};
    cmus_prefetch *prefetch = cmus_prefetch_create(&alone, b->net, b->dataset, &b->config);
    for (int update = 0; update < b->updates; update++)
        cmus_prefetch_add(prefetch, cases_of(b, update), b->config.batch, 0);
    cmus_status status = CMUS_OK;
    for (int update = 0; update < b->updates && status == CMUS_OK; update++) {
        if (update % 2 == 0)
            b->memory[update] = from_memory(b, update);
        status = from_shards(b, prefetch, &b->shards[update], &b->waited[update]);
        if (update % 2 == 1)
            b->memory[update] = from_memory(b, update);
    }
    cmus_prefetch_free(prefetch);
    return status;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values. */
static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, compare);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

static void report(bench *b) {
    int count = b->updates - WARM_UP;
    double *ratio = cmus_allocate((size_t)count, sizeof *ratio), images = (double)b->images / b->updates;
    for (int i = 0; i < count; i++)
        ratio[i] = b->shards[WARM_UP + i] / b->memory[WARM_UP + i];
    double middle = median(ratio, count), memory = median(b->memory + WARM_UP, count);
    double loading = median(b->loading + WARM_UP, count);
    printf("%d updates of %d cases, %.1f images of %d px; medians of all but %d\n", b->updates, b->config.batch, images,
           b->config.net.image_size, WARM_UP);
    printf("images in memory      %10.5f s an update\n", memory);
    printf("images from shards    %10.5f s an update, of which waited %.6f s\n", median(b->shards + WARM_UP, count),
           median(b->waited + WARM_UP, count));
    printf("ratio                 %10.4f median of pairs; quartiles %.4f, %.4f\n", middle, ratio[count / 4],
           ratio[count - 1 - count / 4]);
    printf("loading alone         %10.5f s an update = %.1f us an image = %.2f %% of an update\n", loading,
           loading / images * 1e6, 100 * loading / memory);
    cmus_free(ratio);
}

static void release(bench *b) {
    for (int update = 0; b->batches && update < b->updates; update++)
        cmus_batch_free(b->batches[update]);
    for (int i = 0; i < MOMENTS; i++)
        cmus_free(b->moments[i]);
    double *times[] = {b->memory, b->shards, b->waited, b->loading};
    for (int i = 0; i < 4; i++)
        cmus_free(times[i]);
    cmus_free(b->batches);
    cmus_free(b->order);
    cmus_net_free(b->net);
    cmus_dataset_close(b->dataset);
}

int main(int argc, char **argv) {
    cmus_program_begin("data_bench");
    bench b = {.updates = argc > 3 ? atoi(argv[1]) : 0};
    if (b.updates <= WARM_UP || b.updates > MOST_UPDATES) {
        fprintf(stderr, "usage: data_bench UPDATES DATA CONFIG [KEY=VALUE...], with %d to %d updates\n", WARM_UP + 1,
                MOST_UPDATES);
        return 2;
    }
    cmus_status status = prepare(&b, argv[2], argv[3], argv + 4, argc - 4);
    if (status == CMUS_OK)
        status = load_all(&b);
    if (status == CMUS_OK)
        status = race(&b);
    if (status == CMUS_OK)
        report(&b);
    release(&b);
    return cmus_program_end(status);
}
