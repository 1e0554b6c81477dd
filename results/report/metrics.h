/* Classification metrics: pure functions on arrays, used by cmus-report and free of files and ranks.
 *
 * Probabilities are [cases][classes], labels [cases] in 0 ... classes - 1. A metric that has no value is NaN and is
 * called undefined: everything of a class without cases but its specificity, the AUC of a class that has all the cases,
 * each mean that would take in an undefined value. The precision of a class that has cases but is never predicted is 0,
 * as in scikit-learn.
 */
#ifndef CMUS_METRICS_H
#define CMUS_METRICS_H

#include <stddef.h>

/* Metrics of a whole table. A new one is a value here, a name in metrics.c and a line in cmus_metrics_compute(). */
typedef enum cmus_metric {
    CMUS_METRIC_ACCURACY,
    CMUS_METRIC_MACRO_AUC, /* mean of the classes' AUCs */
    CMUS_METRIC_MACRO_F1,
    CMUS_METRICS
} cmus_metric;

/* Metrics of one class against the rest, by argmax but for the AUC. */
typedef enum cmus_class_metric {
    CMUS_CLASS_PRECISION,
    CMUS_CLASS_RECALL,
    CMUS_CLASS_SPECIFICITY,
    CMUS_CLASS_F1,
    CMUS_CLASS_AUC,
    CMUS_CLASS_METRICS
} cmus_class_metric;

typedef struct cmus_metric_name {
    const char *key;   /* in JSON and CSV: "macro_auc" */
    const char *label; /* for people: "AUC" */
} cmus_metric_name;
extern const cmus_metric_name cmus_metric_names[CMUS_METRICS];
extern const cmus_metric_name cmus_class_metric_names[CMUS_CLASS_METRICS];

typedef struct cmus_metrics {
    size_t cases, classes;
    double *values;    /* [cmus_metric_count()]: those of the table, then those of each class */
    size_t *confusion; /* [classes][classes]: row = true class, column = predicted class */
} cmus_metrics;

/* How many values a table with this many classes has, and where that of one class lies. */
size_t cmus_metric_count(size_t classes);
size_t cmus_class_metric_index(size_t class_index, cmus_class_metric metric);

/* Index of the largest value, the lowest on a tie. count >= 1. */
size_t cmus_argmax(const double *values, size_t count);

/* Area under the ROC curve of one class against the rest by Mann-Whitney's U, ties counted half (midranks). */
double cmus_class_auc(const double *probabilities, const int *labels, size_t cases, size_t classes, size_t class_index);

/* All of them; free with cmus_metrics_free(). */
void cmus_metrics_compute(const double *probabilities, const int *labels, size_t cases, size_t classes,
                          cmus_metrics *metrics);
void cmus_metrics_free(cmus_metrics *metrics);

/* Number of cases of the class, from the confusion matrix. */
size_t cmus_metrics_support(const cmus_metrics *metrics, size_t class_index);

/* Mean and sample standard deviation (n - 1). One undefined value makes both undefined; the SD of one value is
 * undefined. */
void cmus_mean_and_deviation(const double *values, size_t count, double *mean, double *deviation);

#endif
