/* The cases of a run one by one: in the order in which the page shows them, and as cases.csv. */
#ifndef CMUS_REPORT_CASES_H
#define CMUS_REPORT_CASES_H

#include <stdbool.h>
#include <stddef.h>

#include "cmus/status.h"
#include "report/evaluation.h"

/* One prediction: row `row` of the fold evaluation->used[fold]. */
typedef struct report_case {
    size_t fold, row;
    size_t predicted;  /* class by the fusion head */
    double confidence; /* its probability */
    const char *id;    /* owned by the predictions */
    bool wrong;
} report_case;

/* The wrong predictions, the surest first; behind them, if `all`, the right ones, the least sure first. *wrong: number
 * of wrong ones. The caller frees the list by cmus_free(). */
report_case *report_cases_list(const report_evaluation *evaluation, bool all, size_t *count, size_t *wrong);

/* How many of the single heads predict the class that the fusion head does; *heads: how many single heads there are. */
int report_case_agreement(const report_evaluation *evaluation, const report_case *one, int *heads);

/* Writes cases.csv: every prediction of all runs in the order of the folds' files. A head or a class that a run lacks,
 * and the fold of an external test set, is an empty cell. IO. */
cmus_status report_cases_csv(const char *path, const report_evaluation *evaluations, size_t runs);

#endif
