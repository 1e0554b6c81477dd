/* Precision-recall curves of one class against the rest, and their average precision. Pure functions. */
#ifndef CMUS_REPORT_PRECISION_RECALL_H
#define CMUS_REPORT_PRECISION_RECALL_H

#include <stddef.h>

/* One point for each threshold, from the highest on; cases with the same score make one. Without cases of the class
 * there are no points, and the average is undefined (NaN). */
typedef struct report_precision_recall {
    size_t points;
    double *recall, *precision; /* [points] */
    double average;             /* sum of precision times the step in recall, as scikit-learn has it */
} report_precision_recall;

/* Points that lie nearer than 1/1000 (sum of both differences) to the last kept one are left out, so that a curve of a
 * million cases stays drawable; the average takes in all of them. Free with report_precision_recall_free(). */
void report_precision_recall_compute(const double *probabilities, const int *labels, size_t cases, size_t classes,
                                     size_t class_index, report_precision_recall *curve);
void report_precision_recall_free(report_precision_recall *curve);

/* Precision at the highest threshold that reaches this recall (0 ... 1). Needs a curve with points. */
double report_precision_at(const report_precision_recall *curve, double recall);

#endif
