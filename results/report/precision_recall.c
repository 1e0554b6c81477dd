#include "report/precision_recall.h"

#include <math.h>

#include "cmus/memory.h"
#include "cmus/roc_area.h"

static void add_point(report_precision_recall *curve, size_t *capacity, double recall, double precision) {
    size_t other = *capacity;
    curve->recall = cmus_grow(curve->recall, &other, curve->points + 1, sizeof(double));
    curve->precision = cmus_grow(curve->precision, capacity, curve->points + 1, sizeof(double));
    curve->recall[curve->points] = recall;
    curve->precision[curve->points++] = precision;
}

void report_precision_recall_compute(const double *probabilities, const int *labels, size_t cases, size_t classes,
                                     size_t class_index, report_precision_recall *curve) {
    const double nearest = 1e-3;
    *curve = (report_precision_recall){.average = NAN};
    size_t positives = 0, capacity = 0;
    for (size_t i = 0; i < cases; i++)
        positives += (size_t)labels[i] == class_index;
    if (!positives)
        return;
    cmus_scored *scored = cmus_scored_sorted(probabilities, labels, cases, classes, class_index);
    curve->average = 0;
    double before = 0; /* recall at the last threshold */
    size_t hits = 0;
    for (size_t begin = 0, end; begin < cases; begin = end) {
        for (end = begin; end < cases && scored[end].score == scored[begin].score; end++)
            hits += scored[end].positive;
        double recall = (double)hits / (double)positives, precision = (double)hits / (double)end;
        curve->average += (recall - before) * precision;
        before = recall;
        size_t last = curve->points - 1;
        if (curve->points && end < cases &&
            fabs(recall - curve->recall[last]) + fabs(precision - curve->precision[last]) < nearest)
            continue;
        add_point(curve, &capacity, recall, precision);
    }
    cmus_free(scored);
}

void report_precision_recall_free(report_precision_recall *curve) {
    cmus_free(curve->recall);
    cmus_free(curve->precision);
    *curve = (report_precision_recall){0};
}

double report_precision_at(const report_precision_recall *curve, double recall) {
    size_t begin = 0, end = curve->points - 1; /* the first point that reaches it; the last has recall 1 */
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (curve->recall[middle] < recall)
            begin = middle + 1;
        else
            end = middle;
    }
    return curve->precision[begin];
}
