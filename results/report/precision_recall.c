#include "report/precision_recall.h"

#include <math.h>

#include "cmus/memory.h"
#include "cmus/roc_area.h"

void report_precision_recall_compute(const double *probabilities, const int *labels, size_t cases, size_t classes,
                                     size_t class_index, report_class_curve *curve) {
    *curve = (report_class_curve){.area = NAN};
    size_t positives = 0;
    for (size_t i = 0; i < cases; i++)
        positives += (size_t)labels[i] == class_index;
    if (!positives)
        return;
    cmus_scored *scored = cmus_scored_sorted(probabilities, labels, cases, classes, class_index);
    curve->area = 0;
    double before = 0; /* recall at the last threshold */
    size_t hits = 0;
    for (size_t begin = 0, end; begin < cases; begin = end) {
        for (end = begin; end < cases && scored[end].score == scored[begin].score; end++)
            hits += scored[end].positive;
        double recall = (double)hits / (double)positives, precision = (double)hits / (double)end;
        curve->area += (recall - before) * precision;
        before = recall;
        size_t last = curve->points - 1;
        if (curve->points && end < cases &&
            fabs(recall - curve->x[last]) + fabs(precision - curve->y[last]) < REPORT_CLASS_CURVE_NEAREST)
            continue;
        report_class_curve_add(curve, recall, precision);
    }
    cmus_free(scored);
}

double report_precision_at(const report_class_curve *curve, double recall) {
    size_t begin = 0, end = curve->points - 1; /* the first point that reaches it; the last has recall 1 */
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (curve->x[middle] < recall)
            begin = middle + 1;
        else
            end = middle;
    }
    return curve->y[begin];
}
