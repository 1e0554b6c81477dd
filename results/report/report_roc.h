/* ROC curves of one class against the rest, for pictures. The area is in cmus/roc_area.h. */
#ifndef CMUS_REPORT_ROC_H
#define CMUS_REPORT_ROC_H

#include "report/class_curve.h"

/* x: false positive rate, y: true positive rate. Corners from (0, 0) to (1, 1); cases with the same score make one
 * step. No points if the class has no or all cases. Free with report_class_curve_free(). */
void report_roc_compute(const double *probabilities, const int *labels, size_t cases, size_t classes,
                        size_t class_index, report_class_curve *roc);

/* True positive rate at a false positive rate: the upper end of a vertical step, else by linear interpolation.
 * Needs a curve with points. */
double report_roc_at(const report_class_curve *roc, double false_positive_rate);

#endif
