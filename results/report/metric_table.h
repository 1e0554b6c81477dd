/* Predictions prepared for computing their metrics many times with other weights, as a bootstrap does.
 *
 * A weight of a case is how often it counts: weights 2 and 0 give what the table with that case twice and without the
 * other gives. Everything that does not depend on weights (the order by each class's probability, the predicted class,
 * the terms of losses) is computed once.
 */
#ifndef CMUS_REPORT_METRIC_TABLE_H
#define CMUS_REPORT_METRIC_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "report/report_metrics.h"

typedef struct report_table report_table;

/* Probabilities are [cases][classes] and finite, labels [cases] in 0 ... classes - 1; both are copied as far as needed.
 * Free with report_table_free(). Fatal from 2^30 cases on. */
report_table *report_table_create(const double *probabilities, const int *labels, size_t cases, size_t classes);
void report_table_free(report_table *table);

/* All metrics into `values` [report_metric_count(classes)], in the order of report_metrics.values. `weights` is [cases]
 * with a sum below 2^31, or NULL: each case once. Any number of threads may use one table. */
void report_table_metrics(const report_table *table, const uint32_t *weights, double *values);

/* Metrics and confusion matrix with each case once. Free with report_metrics_free(). */
void report_table_summarize(const report_table *table, report_metrics *metrics);

#endif
