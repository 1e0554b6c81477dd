#include "report/report_metrics.h"

#include <math.h>

#include "cmus/memory.h"
#include "report/metric_table.h"

const report_metric_name report_metric_names[REPORT_METRICS] = {
    [REPORT_METRIC_ACCURACY] = {"accuracy", "ACC", "Accuracy", REPORT_SCALE_PERCENT, false,
                                "Share of the cases whose most probable class is the true one."},
    [REPORT_METRIC_MACRO_AUC] =
        {"macro_auc", "AUC", "Macro AUC", REPORT_SCALE_PERCENT, false,
         "Mean over the classes of the area under the ROC curve of one class against the rest, ties counted half."},
    [REPORT_METRIC_MACRO_F1] = {"macro_f1", "F1", "Macro F1", REPORT_SCALE_PERCENT, false, "Mean of the classes' F1."},
    [REPORT_METRIC_BALANCED_ACCURACY] = {"balanced_accuracy", "Balanced ACC", "Balanced accuracy", REPORT_SCALE_PERCENT,
                                         false, "Mean of the classes' recalls; the same number as the macro recall."},
    [REPORT_METRIC_AVERAGED_ROC] =
        {"averaged_roc_area", "Averaged ROC", "Area of the averaged ROC curve", REPORT_SCALE_PERCENT, false,
         "Area under the mean of the classes' ROC curves, each read off by linear interpolation at all false positive "
         "rates of any class, at a vertical step its upper end: at least as large as the macro AUC."},
    [REPORT_METRIC_WEIGHTED_F1] = {"weighted_f1", "Weighted F1", "Weighted F1", REPORT_SCALE_PERCENT, false,
                                   "Mean of the classes' F1, weighted by their cases."},
    [REPORT_METRIC_MACRO_PRECISION] = {"macro_precision", "Precision", "Macro precision", REPORT_SCALE_PERCENT, false,
                                       "Mean of the classes' precisions."},
    [REPORT_METRIC_MACRO_RECALL] = {"macro_recall", "Recall", "Macro recall", REPORT_SCALE_PERCENT, false,
                                    "Mean of the classes' recalls."},
    [REPORT_METRIC_MACRO_SPECIFICITY] = {"macro_specificity", "Specificity", "Macro specificity", REPORT_SCALE_PERCENT,
                                         false, "Mean of the classes' specificities."},
    [REPORT_METRIC_KAPPA] = {"kappa", "Kappa", "Cohen's kappa", REPORT_SCALE_PLAIN, false,
                             "Agreement of prediction and truth beyond chance: 1 is perfect, 0 is chance."},
    [REPORT_METRIC_MCC] = {"mcc", "MCC", "Matthews' correlation", REPORT_SCALE_PLAIN, false,
                           "Correlation of prediction and truth over all classes: 1 is perfect, 0 is chance."},
    [REPORT_METRIC_BRIER] = {"brier", "Brier", "Brier score", REPORT_SCALE_PLAIN, true,
                             "Mean squared difference of probabilities and truth, summed over the classes: 0 to 2."},
    [REPORT_METRIC_ECE] = {"ece", "ECE", "Expected calibration error", REPORT_SCALE_PERCENT, true,
                           "Mean difference of accuracy and top probability over 15 equal bins of the top probability, "
                           "weighted by their cases."},
    [REPORT_METRIC_LOG_LOSS] = {"log_loss", "Log loss", "Log loss", REPORT_SCALE_PLAIN, true,
                                "Mean of -ln of the probability of the true class."},
};

const report_metric_name report_class_metric_names[REPORT_CLASS_METRICS] = {
    [REPORT_CLASS_PRECISION] = {"precision", "Precision", "Precision", REPORT_SCALE_PERCENT, false, NULL},
    [REPORT_CLASS_RECALL] = {"recall", "Recall", "Recall", REPORT_SCALE_PERCENT, false, NULL},
    [REPORT_CLASS_SPECIFICITY] = {"specificity", "Specificity", "Specificity", REPORT_SCALE_PERCENT, false, NULL},
    [REPORT_CLASS_F1] = {"f1", "F1", "F1", REPORT_SCALE_PERCENT, false, NULL},
    [REPORT_CLASS_AUC] = {"auc", "AUC", "AUC", REPORT_SCALE_PERCENT, false, NULL},
};

size_t report_metric_count(size_t classes) {
    return REPORT_METRICS + classes * REPORT_CLASS_METRICS;
}

size_t report_class_metric_index(size_t class_index, report_class_metric metric) {
    return REPORT_METRICS + class_index * REPORT_CLASS_METRICS + metric;
}

const report_metric_name *report_metric_of(size_t value_index) {
    return value_index < REPORT_METRICS
               ? &report_metric_names[value_index]
               : &report_class_metric_names[(value_index - REPORT_METRICS) % REPORT_CLASS_METRICS];
}

size_t report_argmax(const double *values, size_t count) {
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (values[i] > values[best])
            best = i;
    return best;
}

size_t report_metrics_support(const report_metrics *metrics, size_t class_index) {
    size_t support = 0;
    for (size_t j = 0; j < metrics->classes; j++)
        support += metrics->confusion[class_index * metrics->classes + j];
    return support;
}

size_t report_calibration_bin(double probability) {
    size_t bin = (size_t)(probability * REPORT_CALIBRATION_BINS);
    /* the product is rounded, and an upper edge belongs to the bin below it */
    while (bin > 0 && probability <= (double)bin / REPORT_CALIBRATION_BINS)
        bin--;
    while (bin + 1 < REPORT_CALIBRATION_BINS && probability > (double)(bin + 1) / REPORT_CALIBRATION_BINS)
        bin++;
    return bin;
}

void report_metrics_compute(const double *probabilities, const int *labels, size_t cases, size_t classes,
                            report_metrics *metrics) {
    report_table *table = report_table_create(probabilities, labels, cases, classes);
    report_table_summarize(table, metrics);
    report_table_free(table);
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
