/* --compare-to FILE.json: what a report changes against the summary.json of an earlier one.
 *
 * The earlier one may be of another data set or other folds, so values stand beside each other and nothing is tested.
 * A run is compared with the earlier run of its name; a summary of one run is compared with every run.
 */
#ifndef CMUS_REPORT_DRIFT_H
#define CMUS_REPORT_DRIFT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "cmus/status.h"
#include "report/evaluation.h"

typedef struct report_drift {
    char *path;
    json_t *summary;     /* the whole file */
    const json_t **runs; /* [run_count]: the earlier run of each run, within `summary`; NULL if there is none */
    size_t run_count;
} report_drift;

typedef enum report_scope { REPORT_SCOPE_POOLED, REPORT_SCOPE_MEAN, REPORT_SCOPES } report_scope;
extern const char *const report_scope_keys[REPORT_SCOPES]; /* "pooled", "mean" */
/* How many of them, from the first on, these runs have: an external test set has no folds to take a mean of. */
int report_drift_scopes(const report_evaluation *evaluations);

/* What a number of now was then. */
typedef struct report_earlier {
    bool known;   /* false: the earlier summary does not have this value */
    double value; /* NaN: undefined */
} report_earlier;

/* Reads a summary and finds the earlier runs. FORMAT if it is no summary of cmus-report in the format of this version
 * (summary.h); DATA if it has none of the runs. Free with report_drift_free(), also after a failure. */
cmus_status report_drift_read(const char *path, const report_evaluation *evaluations, size_t runs, report_drift *drift);
void report_drift_free(report_drift *drift);

/* The earlier value of a run's head; `value` as in report_metrics.values, classes by their names. */
report_earlier report_drift_value(const report_drift *drift, const report_evaluation *evaluation, size_t run,
                                  report_head head, report_scope scope, size_t value);

/* A text of the earlier run, such as "dataset_hash"; "" if it is not there. */
const char *report_drift_text(const report_drift *drift, size_t run, const char *key);

/* Rows run,head,scope,class,metric,old,new,difference in full precision; what the earlier summary lacks is empty. IO.
 */
cmus_status report_drift_csv(const char *path, const report_drift *drift, const report_evaluation *evaluations);

#endif
