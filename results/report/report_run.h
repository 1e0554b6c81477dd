/* One RUN: its fold folders, read and proved to belong together; or an outside test set (external.h). */
#ifndef CMUS_REPORT_RUN_H
#define CMUS_REPORT_RUN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "cmus/status.h"
#include "report/external.h"
#include "report/features.h"
#include "report/report_predictions.h"
#include "report/training.h"

typedef struct report_fold {
    char *folder;      /* RUN/fold-K */
    long number;       /* K; -1 for a folder that is no fold-K */
    long fold, repeat; /* as run.json has them */
    long folds;        /* folds of the run, by run.json */
    char *dataset_hash;
    char *config_hash;   /* of the keys that change results */
    char *config;        /* text of config.yaml */
    json_t *information; /* run.json */
    report_training training;
    report_predictions predictions;
    report_features features;
    bool usable; /* read without a problem, and agrees with the other folds */
} report_fold;

typedef struct report_run {
    char *path, *name;  /* name: last part of the path */
    report_fold *folds; /* [count] */
    size_t count;
    size_t expected; /* folds that the run should have, of all repeats; as many as are there if no run.json tells */
    char **problems; /* [problem_count]: what keeps the run from being complete, folds named */
    size_t problem_count;
    report_external *external; /* NULL: folds of cmus-train. Else there is one fold, which has only folder, information
                                  (predictions.json without its cases), predictions, an empty config and, if it is
                                  known, the dataset_hash of the cases */
} report_run;

/* An empty run of this path; its name is the path's last part. */
void report_run_name(const char *path, report_run *run);

/* Reads RUN/fold-K/ and proves: every fold there and finished, configurations, data set hashes and classes equal, no
 * case and no patient in two folds (of one repeat). What is wrong with a fold is no failure but a problem in the list,
 * and the fold is not usable then; the folds without problems form the largest part of the run that agrees. NOT_FOUND
 * or IO if RUN is no folder with folds. Free it with report_run_free(), also after a failure. */
cmus_status report_run_read(const char *path, report_run *run);
void report_run_free(report_run *run);

/* Adds a problem, beginning with the name of the fold, and makes the fold unusable. */
void report_problem(report_run *run, report_fold *fold, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The part of report_run_read() that compares folds (report_proof.c). */
void report_prove(report_run *run);

/* Usable folds; those without a problem. */
size_t report_usable_folds(const report_run *run);
/* A usable fold, from which classes and configuration are taken; NULL if there is none. */
const report_fold *report_first_fold(const report_run *run);
/* Cases and different patients of the usable folds, each counted once, however often the folds are repeated. */
size_t report_count_cases(const report_run *run);
size_t report_count_patients(const report_run *run);
/* "fold 3", or "repeat 1, fold 3" if the run has repeats; free with cmus_free(). */
char *report_fold_name(const report_run *run, const report_fold *fold);

#endif
