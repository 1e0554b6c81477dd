/* Classification metrics: pure functions on arrays, used by cmus-report and free of files and ranks.
 *
 * Probabilities are [cases][classes], labels [cases] in 0 ... classes - 1. A metric that has no value is NaN and is
 * called undefined: everything of a class without cases but its specificity, the AUC of a class that has all the cases,
 * each mean that would take in an undefined value; kappa where truth and prediction are one and the same class
 * throughout; MCC where the truth is one class throughout. The precision of a class that has cases but is never
 * predicted is 0, as in scikit-learn, and so is MCC where the prediction is one class throughout.
 */
#ifndef CMUS_REPORT_METRICS_H
#define CMUS_REPORT_METRICS_H

#include <stdbool.h>
#include <stddef.h>

/* Metrics of a whole table. A new one is a value here, a name in report_metrics.c and a line in
 * report_table_metrics(). The first REPORT_MAIN_METRICS are those of short tables. */
typedef enum report_metric {
    REPORT_METRIC_ACCURACY,
    REPORT_METRIC_MACRO_AUC, /* mean of the classes' AUCs */
    REPORT_METRIC_MACRO_F1,
    REPORT_METRIC_BALANCED_ACCURACY, /* mean recall of the classes */
    REPORT_METRIC_AVERAGED_ROC,      /* area of the averaged ROC curve, see metric_curve.h */
    REPORT_METRIC_WEIGHTED_F1,       /* mean of the F1 of the classes that have cases, by their number */
    REPORT_METRIC_MACRO_PRECISION,
    REPORT_METRIC_MACRO_RECALL, /* the same number as the balanced accuracy, under the name that tables want */
    REPORT_METRIC_MACRO_SPECIFICITY,
    REPORT_METRIC_KAPPA,    /* Cohen's, unweighted */
    REPORT_METRIC_MCC,      /* Matthews' correlation of several classes (Gorodkin 2004) */
    REPORT_METRIC_BRIER,    /* mean over the cases of the squared differences, summed over the classes: 0 ... 2 */
    REPORT_METRIC_ECE,      /* expected calibration error of the top probability (Guo et al. 2017) */
    REPORT_METRIC_LOG_LOSS, /* mean of -ln p(true class) */
    REPORT_METRICS
} report_metric;
enum { REPORT_MAIN_METRICS = REPORT_METRIC_MACRO_F1 + 1 };

/* Metrics of one class against the rest, by argmax but for the AUC. */
typedef enum report_class_metric {
    REPORT_CLASS_PRECISION,
    REPORT_CLASS_RECALL,
    REPORT_CLASS_SPECIFICITY,
    REPORT_CLASS_F1,
    REPORT_CLASS_AUC,
    REPORT_CLASS_METRICS
} report_class_metric;

/* How people want to read a value. */
typedef enum report_scale {
    REPORT_SCALE_PERCENT, /* a share, shown times 100 */
    REPORT_SCALE_PLAIN,   /* a coefficient or a loss, shown as it is */
} report_scale;

typedef struct report_metric_name {
    const char *key;   /* in JSON and CSV: "macro_auc" */
    const char *label; /* head of a column: "AUC" */
    const char *title; /* in full: "Macro AUC" */
    report_scale scale;
    bool smaller_is_better;
    const char *definition; /* a sentence of a Methods section; NULL for a class's metric */
} report_metric_name;
extern const report_metric_name report_metric_names[REPORT_METRICS];
extern const report_metric_name report_class_metric_names[REPORT_CLASS_METRICS];

/* The name of the value with this index, of the table or of a class. */
const report_metric_name *report_metric_of(size_t value_index);

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

/* All of them; free with report_metrics_free(). */
void report_metrics_compute(const double *probabilities, const int *labels, size_t cases, size_t classes,
                            report_metrics *metrics);
void report_metrics_free(report_metrics *metrics);

/* Number of cases of the class, from the confusion matrix. */
size_t report_metrics_support(const report_metrics *metrics, size_t class_index);

/* Equal bins of the top probability for the calibration error and its curve: bin i holds ]i / 15, (i + 1) / 15], bin 0
 * also 0. */
enum { REPORT_CALIBRATION_BINS = 15 };
size_t report_calibration_bin(double probability);

/* Mean and sample standard deviation (n - 1). One undefined value makes both undefined; the SD of one value is
 * undefined. */
void report_mean_and_deviation(const double *values, size_t count, double *mean, double *deviation);

#endif
