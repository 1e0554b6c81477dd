/* Two or more runs on the same cases: differences with paired bootstrap intervals, McNemar's and DeLong's tests.
 *
 * The first run is the base; a difference is another run's value minus the base's. A prediction of one run belongs to
 * the other's of the same repeat and case id; all numbers here are of all these predictions pooled. A run with one
 * repeat only has it as the first, whatever its number.
 *
 * The tests take each case once: where there are repeats, a case's probabilities are averaged over them.
 */
#ifndef CMUS_REPORT_COMPARE_H
#define CMUS_REPORT_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

#include "cmus/status.h"
#include "report/evaluation.h"
#include "report/tests_paired.h"

typedef struct report_difference {
    double base, other, difference;
    double low, high; /* percentile interval (REPORT_INTERVAL_LEVEL) over the same draws of patients for both runs;
                         undefined where the difference is */
    size_t undefined; /* draws in which the difference is undefined; they are left out of the interval */
} report_difference;

/* One head of one run against the base. */
typedef struct report_head_comparison {
    bool present;              /* both runs have the head */
    report_difference *values; /* [report_metric_count(classes)] */
    report_area_test *areas;   /* [classes + 1]: each class, then their mean */
    double *area_holm;         /* [classes + 1]: p by Holm; all classes of all runs are one family, all means another */
} report_head_comparison;

/* Right and wrong cases of two runs. */
typedef struct report_pair {
    size_t base, other; /* runs */
    bool present[REPORT_HEADS];
    double accuracy_difference[REPORT_HEADS]; /* pooled over all repeats */
    report_mcnemar mcnemar[REPORT_HEADS];
    double holm[REPORT_HEADS]; /* p by Holm over all pairs of the head */
} report_pair;

typedef struct report_comparison {
    const report_evaluation *evaluations; /* [runs] */
    size_t runs, classes;
    size_t predictions;            /* compared: each repeat of a case */
    size_t cases, patients;        /* different ones among them */
    size_t left_out;               /* predictions that not all runs have; 0 unless the report is partial */
    size_t draws;                  /* of the bootstrap */
    report_head_comparison *heads; /* [runs - 1][REPORT_HEADS]: of run 1, 2, ... */
    report_pair *pairs;            /* [pair_count]: those with the base first, in the order of the runs */
    size_t pair_count;
} report_comparison;

/* `evaluations` [runs], runs >= 2, must outlive the comparison. Runs of other data sets, classes, cases, labels or
 * patients are an error that says what differs (DATA); with `partial` only the predictions that all runs have are
 * compared, and having none is the error. Free with report_comparison_free(), also after a failure. */
cmus_status report_compare(const report_evaluation *evaluations, size_t runs, bool partial,
                           report_comparison *comparison);
void report_comparison_free(report_comparison *comparison);

/* The comparison of a head of run `other` (1 ... runs - 1) with the base. */
const report_head_comparison *report_head_compared(const report_comparison *comparison, size_t other, report_head head);

#endif
