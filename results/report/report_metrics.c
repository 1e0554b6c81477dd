#include "report/report_metrics.h"

#include <math.h>

#include "cmus/memory.h"
#include "cmus/roc_area.h"

const report_metric_name report_metric_names[REPORT_METRICS] = {
    [REPORT_METRIC_ACCURACY] = {"accuracy", "ACC"},
    [REPORT_METRIC_MACRO_AUC] = {"macro_auc", "AUC"},
    [REPORT_METRIC_MACRO_F1] = {"macro_f1", "F1"},
};

const report_metric_name report_class_metric_names[REPORT_CLASS_METRICS] = {
    [REPORT_CLASS_PRECISION] = {"precision", "Precision"},
    [REPORT_CLASS_RECALL] = {"recall", "Recall"},
    [REPORT_CLASS_SPECIFICITY] = {"specificity", "Specificity"},
    [REPORT_CLASS_F1] = {"f1", "F1"},
    [REPORT_CLASS_AUC] = {"auc", "AUC"},
};

size_t report_metric_count(size_t classes) {
    return REPORT_METRICS + classes * REPORT_CLASS_METRICS;
}

size_t report_class_metric_index(size_t class_index, report_class_metric metric) {
    return REPORT_METRICS + class_index * REPORT_CLASS_METRICS + metric;
}

size_t report_argmax(const double *values, size_t count) {
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (values[i] > values[best])
            best = i;
    return best;
}

static double ratio(size_t part, size_t whole) {
    return whole ? (double)part / (double)whole : NAN;
}

double report_class_auc(const double *probabilities, const int *labels, size_t cases, size_t classes,
                        size_t class_index) {
    return cmus_class_auc(probabilities, labels, cases, classes, class_index);
}

size_t report_metrics_support(const report_metrics *metrics, size_t class_index) {
    size_t support = 0;
    for (size_t j = 0; j < metrics->classes; j++)
        support += metrics->confusion[class_index * metrics->classes + j];
    return support;
}

static void compute_class(report_metrics *metrics, size_t class_index) {
    size_t classes = metrics->classes, hits = metrics->confusion[class_index * classes + class_index];
    size_t support = report_metrics_support(metrics, class_index), predicted = 0;
    for (size_t i = 0; i < classes; i++)
        predicted += metrics->confusion[i * classes + class_index];
    size_t negatives = metrics->cases - support, false_positives = predicted - hits;
    double *values = metrics->values + report_class_metric_index(class_index, 0);
    values[REPORT_CLASS_PRECISION] = !support ? NAN : predicted ? ratio(hits, predicted) : 0;
    values[REPORT_CLASS_RECALL] = ratio(hits, support);
    values[REPORT_CLASS_SPECIFICITY] = ratio(negatives - false_positives, negatives);
    values[REPORT_CLASS_F1] = support ? ratio(2 * hits, support + predicted) : NAN;
}

/* Mean of one metric over the classes. */
static double macro_mean(const report_metrics *metrics, report_class_metric metric) {
    double sum = 0;
    for (size_t i = 0; i < metrics->classes; i++)
        sum += metrics->values[report_class_metric_index(i, metric)];
    return sum / (double)metrics->classes;
}

void report_metrics_compute(const double *probabilities, const int *labels, size_t cases, size_t classes,
                            report_metrics *metrics) {
    metrics->cases = cases;
    metrics->classes = classes;
    metrics->values = cmus_allocate(report_metric_count(classes), sizeof(double));
    metrics->confusion = cmus_allocate(classes * classes, sizeof(size_t));
    size_t right = 0;
    for (size_t i = 0; i < cases; i++) {
        size_t predicted = report_argmax(probabilities + i * classes, classes), label = (size_t)labels[i];
        metrics->confusion[label * classes + predicted]++;
        right += predicted == label;
    }
    for (size_t i = 0; i < classes; i++) {
        compute_class(metrics, i);
        metrics->values[report_class_metric_index(i, REPORT_CLASS_AUC)] =
            report_class_auc(probabilities, labels, cases, classes, i);
    }
    metrics->values[REPORT_METRIC_ACCURACY] = ratio(right, cases);
    metrics->values[REPORT_METRIC_MACRO_AUC] = macro_mean(metrics, REPORT_CLASS_AUC);
    metrics->values[REPORT_METRIC_MACRO_F1] = macro_mean(metrics, REPORT_CLASS_F1);
}

void report_metrics_free(report_metrics *metrics) {
    cmus_free(metrics->values);
    cmus_free(metrics->confusion);
    *metrics = (report_metrics){0};
}

void report_mean_and_deviation(const double *values, size_t count, double *mean, double *deviation) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    *mean = count ? sum / (double)count : NAN;
    for (size_t i = 0; i < count; i++)
        squares += (values[i] - *mean) * (values[i] - *mean);
    *deviation = count > 1 ? sqrt(squares / (double)(count - 1)) : NAN;
}
