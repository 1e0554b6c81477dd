#include "report/calibration.h"

#include "report/report_metrics.h"

size_t report_calibration_bin_of(double confidence) {
    size_t bin = (size_t)(confidence * REPORT_CALIBRATION_BINS);
    return bin < REPORT_CALIBRATION_BINS ? bin : REPORT_CALIBRATION_BINS - 1;
}

void report_calibration_compute(const double *probabilities, const int *labels, size_t cases, size_t classes,
                                report_calibration_bin bins[REPORT_CALIBRATION_BINS]) {
    for (int i = 0; i < REPORT_CALIBRATION_BINS; i++)
        bins[i] = (report_calibration_bin){0};
    for (size_t i = 0; i < cases; i++) {
        size_t predicted = report_argmax(probabilities + i * classes, classes);
        double confidence = probabilities[i * classes + predicted];
        report_calibration_bin *bin = &bins[report_calibration_bin_of(confidence)];
        bin->cases++;
        bin->right += (size_t)labels[i] == predicted;
        bin->confidence += confidence;
    }
}
