/* A curve of one class against the rest, as ROC (report_roc.h) and precision-recall (precision_recall.h) make it. */
#ifndef CMUS_REPORT_CLASS_CURVE_H
#define CMUS_REPORT_CLASS_CURVE_H

#include <stddef.h>

typedef struct report_class_curve {
    size_t points, capacity;
    double *x, *y; /* [points]; no points if the curve is undefined */
    double area;   /* average precision; NaN for ROC, whose area is a metric (cmus/roc_area.h) */
} report_class_curve;

/* Points nearer than this to the last kept one (sum of both differences) are left out, so that a curve of a million
 * cases stays drawable. */
#define REPORT_CLASS_CURVE_NEAREST 1e-3

void report_class_curve_add(report_class_curve *curve, double x, double y);
void report_class_curve_free(report_class_curve *curve);

#endif
