/* Classification metrics: pure functions on arrays, used by cmus-report and free of files and ranks.
 *
 * Probabilities are [cases][classes], labels [cases] in 0 ... classes - 1. A metric that has no value is NaN and is
 * called undefined: everything of a class without cases but its specificity, the AUC of a class that has all the cases,
 * each mean that would take in an undefined value. The precision of a class that has cases but is never predicted is 0,
 * as in scikit-learn.
 */
#ifndef CMUS_REPORT_METRICS_H
#define CMUS_REPORT_METRICS_H

#include <stddef.h>

/* Metrics of a whole table. A new one is a value here, a name in report_metrics.c and a line in
 * report_metrics_compute(). */
typedef enum report_metric {
    REPORT_METRIC_ACCURACY,
    REPORT_METRIC_MACRO_AUC, /* mean of the classes' AUCs */
    REPORT_METRIC_MACRO_F1,
    REPORT_METRICS
} report_metric;

/* Metrics of one class against the rest, by argmax but for the AUC. */
typedef enum report_class_metric {
    REPORT_CLASS_PRECISION,
    REPORT_CLASS_RECALL,
    REPORT_CLASS_SPECIFICITY,
    REPORT_CLASS_F1,
    REPORT_CLASS_AUC,
    REPORT_CLASS_METRICS
} report_class_metric;

typedef struct report_metric_name {
    const char *key;   /* in JSON and CSV: "macro_auc" */
    const char *label; /* for people: "AUC" */
} report_metric_name;
extern const report_metric_name report_metric_names[REPORT_METRICS];
extern const report_metric_name report_class_metric_names[REPORT_CLASS_METRICS];

typedef struct report_metrics {
    size_t cases, classes;
    double *values;    /* [report_metric_count()]: those of the table, then those of each class */
    size_t *confusion; /* [classes][classes]: row = true class, column = predicted class */
} report_metrics;

/* How many values a table with this many classes has, and where that of one class lies. */
size_t report_metric_count(size_t classes);
size_t report_class_metric_index(size_t class_index, report_class_metric metric);

/* Index of the largest value, the lowest on a tie. count >= 1. */
size_t report_argmax(const double *values, size_t count);

/* Area under the ROC curve of one class against the rest by Mann-Whitney's U, ties counted half (midranks). */
double report_class_auc(const double *probabilities, const int *labels, size_t cases, size_t classes,
                        size_t class_index);

/* All of them; free with report_metrics_free(). */
void report_metrics_compute(const double *probabilities, const int *labels, size_t cases, size_t classes,
                            report_metrics *metrics);
void report_metrics_free(report_metrics *metrics);

/* Number of cases of the class, from the confusion matrix. */
size_t report_metrics_support(const report_metrics *metrics, size_t class_index);

/* Mean and sample standard deviation (n - 1). One undefined value makes both undefined; the SD of one value is
 * undefined. */
void report_mean_and_deviation(const double *values, size_t count, double *mean, double *deviation);

#endif
