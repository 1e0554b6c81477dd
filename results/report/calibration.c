#include "report/calibration.h"

void report_calibration_compute(const double *probabilities, const int *labels, size_t cases, size_t classes,
                                report_confidence_bin bins[REPORT_CALIBRATION_BINS]) {
    for (int i = 0; i < REPORT_CALIBRATION_BINS; i++)
        bins[i] = (report_confidence_bin){0};
    for (size_t i = 0; i < cases; i++) {
        size_t predicted = report_argmax(probabilities + i * classes, classes);
        double confidence = probabilities[i * classes + predicted];
        report_confidence_bin *bin = &bins[report_calibration_bin(confidence)];
        bin->cases++;
        bin->right += (size_t)labels[i] == predicted;
        bin->confidence += confidence;
    }
}
