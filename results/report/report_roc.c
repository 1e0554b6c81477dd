#include "report/report_roc.h"

#include <math.h>

#include "cmus/memory.h"
#include "cmus/roc_area.h"

void report_roc_compute(const double *probabilities, const int *labels, size_t cases, size_t classes,
                        size_t class_index, report_class_curve *roc) {
    *roc = (report_class_curve){.area = NAN};
    size_t positives = 0;
    for (size_t i = 0; i < cases; i++)
        positives += (size_t)labels[i] == class_index;
    size_t negatives = cases - positives;
    if (!positives || !negatives)
        return;
    cmus_scored *scored = cmus_scored_sorted(probabilities, labels, cases, classes, class_index);
    report_class_curve_add(roc, 0, 0);
    double kept = 0; /* sum of both rates at the last kept point */
    size_t hits = 0;
    for (size_t begin = 0, end; begin < cases; begin = end) {
        for (end = begin; end < cases && scored[end].score == scored[begin].score; end++)
            hits += scored[end].positive;
        double x = (double)(end - hits) / (double)negatives, y = (double)hits / (double)positives;
        if (x + y - kept < REPORT_CLASS_CURVE_NEAREST && end < cases)
            continue;
        report_class_curve_add(roc, x, y);
        kept = x + y;
    }
    cmus_free(scored);
}

double report_roc_at(const report_class_curve *roc, double false_positive_rate) {
    const double *x = roc->x, *y = roc->y;
    size_t i = roc->points - 1; /* the last point at or left of the asked rate */
    while (i > 0 && x[i] > false_positive_rate)
        i--;
    if (i + 1 == roc->points || x[i] >= false_positive_rate)
        return y[i];
    return y[i] + (y[i + 1] - y[i]) * (false_positive_rate - x[i]) / (x[i + 1] - x[i]);
}
