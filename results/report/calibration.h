/* How well the confidence of a prediction (its largest probability) tells how often it is right: bins of confidence, as
 * in the expected calibration error (Guo et al. 2017, "On Calibration of Modern Neural Networks"). Pure functions. */
#ifndef CMUS_REPORT_CALIBRATION_H
#define CMUS_REPORT_CALIBRATION_H

#include <stddef.h>

/* Bin i of width 1/15 is from i/15 to (i + 1)/15, without its upper end but for the last. */
enum { REPORT_CALIBRATION_BINS = 15 };

typedef struct report_calibration_bin {
    size_t cases, right;
    double confidence; /* sum over the cases */
} report_calibration_bin;

/* In which bin a confidence in 0 ... 1 lies. */
size_t report_calibration_bin_of(double confidence);

/* Probabilities are [cases][classes], labels [cases]; the predicted class is that of report_argmax(). */
void report_calibration_compute(const double *probabilities, const int *labels, size_t cases, size_t classes,
                                report_calibration_bin bins[REPORT_CALIBRATION_BINS]);

#endif
