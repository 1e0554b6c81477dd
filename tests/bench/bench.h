/* What the sources of step_bench share. */
#ifndef CMUS_BENCH_H
#define CMUS_BENCH_H

#include <stdbool.h>

#include "cmus/batch.h"
#include "cmus/profile.h"

/* Where the cases of the steps come from: random images in memory, or a packed data set. */
typedef struct bench_cases bench_cases;

/* `dataset` NULL: images in memory, drawn once; each case has max_tem TEM images. All arguments must outlive it. */
bench_cases *bench_cases_make(const cmus_net *net, cmus_dataset *dataset, const cmus_config *config);
void bench_cases_free(bench_cases *cases);

/* Makes the cases of a step (from 0) ready, with the random choices of training: config->batch of them. FORMAT or
 * CHECKSUM names shard and case. */
cmus_status bench_cases_load(bench_cases *cases, int step);
/* The loaded ones, and their images. */
const cmus_case *bench_cases_loaded(const bench_cases *cases);
cmus_case_result *bench_cases_results(bench_cases *cases);
int bench_cases_images(const bench_cases *cases);

/* The phases of a step: names of operations in the profile. */
enum { BENCH_DATA, BENCH_FORWARD, BENCH_BACKWARD, BENCH_UPDATE, BENCH_PHASES };
extern const char *const bench_phase_names[BENCH_PHASES];

typedef struct bench_step {
    double seconds;
    double phase[BENCH_PHASES]; /* seconds */
    double flops;               /* that had to be done */
    double loss;                /* mean of the cases */
    int images;
} bench_step;

/* The matrix products of the steps, done alone by the BLAS. */
typedef struct bench_replay {
    cmus_profile_product_row *rows; /* [count] */
    double *alone;                  /* [count]: seconds of one such product */
    size_t count;
    double rate; /* FLOP/s */
} bench_replay;

/* Each product of the profile that had to be done, warm, the best of 5, by cblas_sgemm. The rate is FLOPs / seconds of
 * all of them in their numbers. */
bench_replay bench_replay_products(void);
void bench_replay_free(bench_replay *replay);

/* What the report says besides. */
typedef struct bench_report {
    const cmus_config *config;
    const char *data; /* NULL: in memory */
    const bench_step *steps;
    int step_count, first; /* steps before `first` are warming up */
    int products;          /* rows of the table of products; 0: none */
    double peak_memory;    /* bytes */
    const bench_replay *replay;
} bench_report;

/* Prints to stdout; the profile holds the steps from `first` on. */
void bench_report_print(const bench_report *report);

/* Writes a row a step. IO. */
cmus_status bench_steps_write(const char *path, const bench_step *steps, int count);

#endif
