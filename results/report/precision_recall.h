/* Precision-recall curves of one class against the rest, and their average precision. Pure functions. */
#ifndef CMUS_REPORT_PRECISION_RECALL_H
#define CMUS_REPORT_PRECISION_RECALL_H

#include "report/class_curve.h"

/* x: recall, y: precision, area: the average precision, which is the sum of precision times the step in recall, as
 * scikit-learn has it, over all thresholds. One point for each threshold, from the highest on; cases with the same
 * score make one. Without cases of the class there are no points, and the area is undefined (NaN). Free with
 * report_class_curve_free(). */
void report_precision_recall_compute(const double *probabilities, const int *labels, size_t cases, size_t classes,
                                     size_t class_index, report_class_curve *curve);

/* Precision at the highest threshold that reaches this recall (0 ... 1). Needs a curve with points. */
double report_precision_at(const report_class_curve *curve, double recall);

#endif
