/* How well the confidence of a prediction (its largest probability) tells how often it is right: bins of confidence, as
 * in the expected calibration error (Guo et al. 2017, "On Calibration of Modern Neural Networks"). Pure functions. */
#ifndef CMUS_REPORT_CALIBRATION_H
#define CMUS_REPORT_CALIBRATION_H

#include <stddef.h>

#include "report/report_metrics.h"

typedef struct report_confidence_bin {
    size_t cases, right;
    double confidence; /* sum over the cases */
} report_confidence_bin;

/* Bins by report_calibration_bin(). Probabilities are [cases][classes], labels [cases]; the predicted class is that of
 * report_argmax(). */
void report_calibration_compute(const double *probabilities, const int *labels, size_t cases, size_t classes,
                                report_confidence_bin bins[REPORT_CALIBRATION_BINS]);

#endif
