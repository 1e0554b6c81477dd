#include "cmus/roc_area.h"

#include <stdlib.h>

#include "cmus/memory.h"

static int by_descending_score(const void *a, const void *b) {
    double x = ((const cmus_scored *)a)->score, y = ((const cmus_scored *)b)->score;
    return (x < y) - (x > y);
}

cmus_scored *cmus_scored_sorted(const double *probabilities, const int *labels, size_t cases, size_t classes,
                                size_t class_index) {
    cmus_scored *scored = cmus_allocate(cases, sizeof *scored);
    for (size_t i = 0; i < cases; i++) {
        scored[i].score = probabilities[i * classes + class_index];
        scored[i].positive = (size_t)labels[i] == class_index;
    }
    if (cases)
        qsort(scored, cases, sizeof *scored, by_descending_score);
    return scored;
}

double cmus_class_auc(const double *probabilities, const int *labels, size_t cases, size_t classes,
                      size_t class_index) {
    for (size_t i = 0; i < cases; i++)
        if (isnan(probabilities[i * classes + class_index]))
            return NAN;
    cmus_scored *scored = cmus_scored_sorted(probabilities, labels, cases, classes, class_index);
    cmus_roc_area area = {0};
    for (size_t begin = 0, end; begin < cases; begin = end) {
        size_t positives = 0;
        for (end = begin; end < cases && scored[end].score == scored[begin].score; end++)
            positives += scored[end].positive;
        cmus_roc_area_add(&area, (double)positives, (double)(end - begin - positives));
    }
    cmus_free(scored);
    return cmus_roc_area_value(&area);
}

double cmus_macro_auc(const double *probabilities, const int *labels, size_t cases, size_t classes) {
    double sum = 0;
    for (size_t i = 0; i < classes; i++)
        sum += cmus_class_auc(probabilities, labels, cases, classes, i);
    return sum / (double)classes;
}
