/* ROC curves of one class against the rest, for pictures. The area is in cmus/roc_area.h. */
#ifndef CMUS_REPORT_ROC_H
#define CMUS_REPORT_ROC_H

#include <stddef.h>

/* Corners from (0, 0) to (1, 1); cases with the same score make one step. No points if the class has no or all cases.
 */
typedef struct report_roc {
    size_t points;
    double *false_positive_rate, *true_positive_rate; /* [points] */
} report_roc;

/* Points that lie nearer than 1/1000 (sum of both differences) to the last kept one are left out, so that a curve of a
 * million cases stays drawable. Free with report_roc_free(). */
void report_roc_compute(const double *probabilities, const int *labels, size_t cases, size_t classes,
                        size_t class_index, report_roc *roc);
void report_roc_free(report_roc *roc);

/* True positive rate at a false positive rate: the upper end of a vertical step, else by linear interpolation.
 * Needs a curve with points. */
double report_roc_at(const report_roc *roc, double false_positive_rate);

#endif
