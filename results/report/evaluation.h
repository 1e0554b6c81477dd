/* The numbers of one run: every head, each fold, mean and SD over the folds, and all folds pooled with intervals. */
#ifndef CMUS_REPORT_EVALUATION_H
#define CMUS_REPORT_EVALUATION_H

#include <stdbool.h>
#include <stddef.h>

#include "report/report_metrics.h"
#include "report/report_run.h"

/* Share of the draws that lies within an interval. */
#define REPORT_INTERVAL_LEVEL 0.95

typedef struct report_head_results {
    bool present;
    double *probabilities; /* [cases][classes] of all usable folds, in their order */
    report_metrics pooled;
    report_metrics *folds;    /* [folds] */
    double *mean, *deviation; /* [report_metric_count(classes)], like report_metrics.values; not shown of an external
                                 test set, which has no folds */
    double *low, *high;       /* likewise: ends of the pooled value's interval; undefined where that value is */
    size_t *undefined_draws;  /* likewise: draws in which the value was undefined; the others make the interval */
} report_head_results;

typedef struct report_evaluation {
    const report_run *run;
    size_t classes, cases, folds; /* cases: predictions of all usable folds; folds: usable ones */
    char **class_names;           /* [classes], valid UTF-8, owned by this */
    const report_fold **used;     /* [folds]: the usable folds */
    int *labels;                  /* [cases] */
    report_head_results heads[REPORT_HEADS];
    size_t patients, different_cases;
    size_t draws; /* of patients with replacement, for the intervals (bootstrap.h) */
    bool partial;
} report_evaluation;

/* Uses the threads of OpenMP for the draws; their number does not change the result. Needs at least one usable fold;
 * `run` must outlive the evaluation. Free with report_evaluation_free(). */
void report_evaluate(const report_run *run, report_evaluation *evaluation);
void report_evaluation_free(report_evaluation *evaluation);

/* "3 of 5 folds"; "external test set, one network". Free with cmus_free(). */
char *report_folds_text(const report_evaluation *evaluation);

/* In which folds the value with this index is undefined: "fold 1, fold 4"; NULL if in none. Free with cmus_free(). */
char *report_undefined_folds(const report_evaluation *evaluation, report_head head, size_t value_index);

#endif
