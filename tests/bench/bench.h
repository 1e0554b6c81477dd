/* What the sources of step_bench share. */
#ifndef CMUS_BENCH_H
#define CMUS_BENCH_H

#include <stdbool.h>

#include "cmus/batch.h"
#include "cmus/communicator.h"
#include "cmus/profile.h"

/* Where the cases of the steps come from: random images in memory, or a packed data set. */
typedef struct bench_cases bench_cases;

/* Not collective. `dataset` NULL: images in memory, drawn once; each case has max_tem TEM images. Only what `rank` of
 * `ranks` needs is made. All arguments must outlive it. */
bench_cases *bench_cases_make(const cmus_net *net, cmus_dataset *dataset, const cmus_config *config,
                              const cmus_communicator *communicator);
void bench_cases_free(bench_cases *cases);

/* Shares the cases of a step (from 0) over the ranks as the trainer does. Returns the images of all of them. */
int bench_cases_share(bench_cases *cases, int step);
/* Cases of this rank in the shared step. */
int bench_cases_own(const bench_cases *cases);
/* Makes `count` of this rank's cases from `begin` on ready, with the random choices of training for this step. */
cmus_status bench_cases_load(bench_cases *cases, int step, int begin, int count);
/* The loaded ones. */
const cmus_case *bench_cases_loaded(const bench_cases *cases);
cmus_case_result *bench_cases_results(bench_cases *cases);

/* The phases of a step: names of operations in the profile. */
enum { BENCH_DATA, BENCH_FORWARD, BENCH_BACKWARD, BENCH_REDUCTION, BENCH_UPDATE, BENCH_PHASES };
extern const char *const bench_phase_names[BENCH_PHASES];

typedef struct bench_step {
    double seconds;             /* of the slowest rank */
    double phase[BENCH_PHASES]; /* mean of the ranks */
    double flops;               /* that had to be done, of all ranks */
    double loss;                /* mean of the cases */
    int images;                 /* of all ranks */
} bench_step;

/* The matrix products of all ranks' steps, done alone by the BLAS. */
typedef struct bench_replay {
    cmus_profile_product_row *rows; /* [count]: counts and seconds are sums over the ranks */
    double *alone;                  /* [count]: seconds of one such product on this rank */
    size_t count;
    double rate; /* FLOP/s of all ranks together */
} bench_replay;

/* Collective. Each product of the profile that had to be done, warm, the best of 5, by cblas_sgemm with this rank's
 * threads, on all ranks at the same time. A rank's rate is FLOPs / seconds of its own products in their numbers; `rate`
 * is the sum of the ranks' rates. */
bench_replay bench_replay_products(const cmus_communicator *communicator);
void bench_replay_free(bench_replay *replay);

/* What the report says besides. */
typedef struct bench_report {
    const cmus_communicator *communicator;
    const cmus_config *config;
    const char *data; /* NULL: in memory */
    const bench_step *steps;
    int step_count, first; /* steps before `first` are warming up */
    int products;          /* rows of the table of products; 0: none */
    double peak_memory;    /* bytes of the largest rank */
    const bench_replay *replay;
} bench_report;

/* Collective. Prints to stdout on rank 0; the profile holds the steps from `first` on. */
void bench_report_print(const bench_report *report);

/* Writes a row a step. IO. */
cmus_status bench_steps_write(const char *path, const bench_step *steps, int count);

#endif
