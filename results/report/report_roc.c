#include "report/report_roc.h"

#include "cmus/memory.h"
#include "cmus/roc_area.h"

static void add_point(report_roc *roc, size_t *capacity, double false_positive_rate, double true_positive_rate) {
    size_t other = *capacity;
    roc->false_positive_rate = cmus_grow(roc->false_positive_rate, &other, roc->points + 1, sizeof(double));
    roc->true_positive_rate = cmus_grow(roc->true_positive_rate, capacity, roc->points + 1, sizeof(double));
    roc->false_positive_rate[roc->points] = false_positive_rate;
    roc->true_positive_rate[roc->points++] = true_positive_rate;
}

void report_roc_compute(const double *probabilities, const int *labels, size_t cases, size_t classes,
                        size_t class_index, report_roc *roc) {
    const double nearest = 1e-3;
    *roc = (report_roc){0};
    size_t positives = 0, capacity = 0;
    for (size_t i = 0; i < cases; i++)
        positives += (size_t)labels[i] == class_index;
    size_t negatives = cases - positives;
    if (!positives || !negatives)
        return;
    cmus_scored *scored = cmus_scored_sorted(probabilities, labels, cases, classes, class_index);
    add_point(roc, &capacity, 0, 0);
    double kept = 0; /* sum of both rates at the last kept point */
    size_t hits = 0;
    for (size_t begin = 0, end; begin < cases; begin = end) {
        for (end = begin; end < cases && scored[end].score == scored[begin].score; end++)
            hits += scored[end].positive;
        double x = (double)(end - hits) / (double)negatives, y = (double)hits / (double)positives;
        if (x + y - kept < nearest && end < cases)
            continue;
        add_point(roc, &capacity, x, y);
        kept = x + y;
    }
    cmus_free(scored);
}

void report_roc_free(report_roc *roc) {
    cmus_free(roc->false_positive_rate);
    cmus_free(roc->true_positive_rate);
    *roc = (report_roc){0};
}

double report_roc_at(const report_roc *roc, double false_positive_rate) {
    const double *x = roc->false_positive_rate, *y = roc->true_positive_rate;
    size_t i = roc->points - 1; /* the last point at or left of the asked rate */
    while (i > 0 && x[i] > false_positive_rate)
        i--;
    if (i + 1 == roc->points || x[i] >= false_positive_rate)
        return y[i];
    return y[i] + (y[i + 1] - y[i]) * (false_positive_rate - x[i]) / (x[i + 1] - x[i]);
}
