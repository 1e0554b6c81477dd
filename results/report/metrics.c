#include "report/metrics.h"

#include <math.h>

#include "cmus/memory.h"
#include "report/roc.h"

const cmus_metric_name cmus_metric_names[CMUS_METRICS] = {
    [CMUS_METRIC_ACCURACY] = {"accuracy", "ACC"},
    [CMUS_METRIC_MACRO_AUC] = {"macro_auc", "AUC"},
    [CMUS_METRIC_MACRO_F1] = {"macro_f1", "F1"},
};

const cmus_metric_name cmus_class_metric_names[CMUS_CLASS_METRICS] = {
    [CMUS_CLASS_PRECISION] = {"precision", "Precision"},
    [CMUS_CLASS_RECALL] = {"recall", "Recall"},
    [CMUS_CLASS_SPECIFICITY] = {"specificity", "Specificity"},
    [CMUS_CLASS_F1] = {"f1", "F1"},
    [CMUS_CLASS_AUC] = {"auc", "AUC"},
};

size_t cmus_metric_count(size_t classes) {
    return CMUS_METRICS + classes * CMUS_CLASS_METRICS;
}

size_t cmus_class_metric_index(size_t class_index, cmus_class_metric metric) {
    return CMUS_METRICS + class_index * CMUS_CLASS_METRICS + metric;
}

size_t cmus_argmax(const double *values, size_t count) {
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (values[i] > values[best])
            best = i;
    return best;
}

static double ratio(size_t part, size_t whole) {
    return whole ? (double)part / (double)whole : NAN;
}

double cmus_class_auc(const double *probabilities, const int *labels, size_t cases, size_t classes,
                      size_t class_index) {
    cmus_scored *scored = cmus_scored_sorted(probabilities, labels, cases, classes, class_index);
    size_t positives = 0;
    double rank_sum = 0; /* of the positives, ranks from the highest score down; halves, so exact up to 2^52 */
    for (size_t begin = 0, end; begin < cases; begin = end) {
        size_t tied = 0;
        for (end = begin; end < cases && scored[end].score == scored[begin].score; end++)
            tied += scored[end].positive;
        rank_sum += (double)tied * ((double)begin + 1 + (double)end) / 2;
        positives += tied;
    }
    cmus_free(scored);
    size_t negatives = cases - positives;
    if (!positives || !negatives)
        return NAN;
    double p = (double)positives, n = (double)negatives;
    return 1 - (rank_sum - p * (p + 1) / 2) / (p * n);
}

size_t cmus_metrics_support(const cmus_metrics *metrics, size_t class_index) {
    size_t support = 0;
    for (size_t j = 0; j < metrics->classes; j++)
        support += metrics->confusion[class_index * metrics->classes + j];
    return support;
}

static void compute_class(cmus_metrics *metrics, size_t class_index) {
    size_t classes = metrics->classes, hits = metrics->confusion[class_index * classes + class_index];
    size_t support = cmus_metrics_support(metrics, class_index), predicted = 0;
    for (size_t i = 0; i < classes; i++)
        predicted += metrics->confusion[i * classes + class_index];
    size_t negatives = metrics->cases - support, false_positives = predicted - hits;
    double *values = metrics->values + cmus_class_metric_index(class_index, 0);
    values[CMUS_CLASS_PRECISION] = !support ? NAN : predicted ? ratio(hits, predicted) : 0;
    values[CMUS_CLASS_RECALL] = ratio(hits, support);
    values[CMUS_CLASS_SPECIFICITY] = ratio(negatives - false_positives, negatives);
    values[CMUS_CLASS_F1] = support ? ratio(2 * hits, support + predicted) : NAN;
}

/* Mean of one metric over the classes. */
static double macro_mean(const cmus_metrics *metrics, cmus_class_metric metric) {
    double sum = 0;
    for (size_t i = 0; i < metrics->classes; i++)
        sum += metrics->values[cmus_class_metric_index(i, metric)];
    return sum / (double)metrics->classes;
}

void cmus_metrics_compute(const double *probabilities, const int *labels, size_t cases, size_t classes,
                          cmus_metrics *metrics) {
    metrics->cases = cases;
    metrics->classes = classes;
    metrics->values = cmus_allocate(cmus_metric_count(classes), sizeof(double));
    metrics->confusion = cmus_allocate(classes * classes, sizeof(size_t));
    size_t right = 0;
    for (size_t i = 0; i < cases; i++) {
        size_t predicted = cmus_argmax(probabilities + i * classes, classes), label = (size_t)labels[i];
        metrics->confusion[label * classes + predicted]++;
        right += predicted == label;
    }
    for (size_t i = 0; i < classes; i++) {
        compute_class(metrics, i);
        metrics->values[cmus_class_metric_index(i, CMUS_CLASS_AUC)] =
            cmus_class_auc(probabilities, labels, cases, classes, i);
    }
    metrics->values[CMUS_METRIC_ACCURACY] = ratio(right, cases);
    metrics->values[CMUS_METRIC_MACRO_AUC] = macro_mean(metrics, CMUS_CLASS_AUC);
    metrics->values[CMUS_METRIC_MACRO_F1] = macro_mean(metrics, CMUS_CLASS_F1);
}

void cmus_metrics_free(cmus_metrics *metrics) {
    cmus_free(metrics->values);
    cmus_free(metrics->confusion);
    *metrics = (cmus_metrics){0};
}

void cmus_mean_and_deviation(const double *values, size_t count, double *mean, double *deviation) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    *mean = count ? sum / (double)count : NAN;
    for (size_t i = 0; i < count; i++)
        squares += (values[i] - *mean) * (values[i] - *mean);
    *deviation = count > 1 ? sqrt(squares / (double)(count - 1)) : NAN;
}
