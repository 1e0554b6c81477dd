/* Which predictions of several runs belong together. */
#ifndef CMUS_REPORT_COMPARE_CASES_H
#define CMUS_REPORT_COMPARE_CASES_H

#include <stdbool.h>
#include <stddef.h>

#include "cmus/status.h"
#include "report/evaluation.h"

/* Predictions that all runs have, sorted by case id, then by repeat. */
typedef struct report_aligned {
    size_t runs, count;
    size_t **rows;            /* [runs][count]: places in the arrays of report_evaluation */
    int *labels;              /* [count] */
    const char **case_ids;    /* [count], owned by the first run, and so are the patients' */
    const char **patient_ids; /* [count] */
    size_t *case_index;       /* [count]: number of the prediction's case, 0 ... cases - 1, rising */
    size_t cases;
    size_t left_out; /* predictions that are not in all runs */
} report_aligned;

/* DATA says what differs between the runs: data set, classes, cases, a case's label or patient. With `partial`
 * predictions that are not in all runs are left out and counted. Free with report_aligned_free(), also after a
 * failure. */
cmus_status report_align(const report_evaluation *evaluations, size_t runs, bool partial, report_aligned *aligned);
void report_aligned_free(report_aligned *aligned);

#endif
