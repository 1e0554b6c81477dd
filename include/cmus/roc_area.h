/* The area under the ROC curve, ties counted half: pure functions, for cmus-train while it trains and for cmus-report.
 *
 * The area is Mann-Whitney's U over the number of pairs: the share of the pairs of a positive and a negative case in
 * which the positive one has the higher score, a tie counting one half.
 */
#ifndef CMUS_ROC_AREA_H
#define CMUS_ROC_AREA_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

/* Cases so far, from the highest score down; begins as all zeros. Sums of whole and half numbers: exact up to 2^52. */
typedef struct cmus_roc_area {
    double positives, negatives;
    double pairs; /* in which the positive case comes first */
} cmus_roc_area;

/* The cases of the next lower score, counted or with their weights. */
static inline void cmus_roc_area_add(cmus_roc_area *area, double positives, double negatives) {
    area->pairs += negatives * (area->positives + positives / 2);
    area->positives += positives;
    area->negatives += negatives;
}

/* NaN without positives or without negatives. */
static inline double cmus_roc_area_value(const cmus_roc_area *area) {
    return area->positives > 0 && area->negatives > 0 ? area->pairs / (area->positives * area->negatives) : NAN;
}

typedef struct cmus_scored {
    double score;
    bool positive;
} cmus_scored;

/* The probability [cases][classes] of one class, and who is of it (labels [cases] in 0 ... classes - 1): [cases] in
 * descending order of the score, none of which is NaN; free with cmus_free(). */
cmus_scored *cmus_scored_sorted(const double *probabilities, const int *labels, size_t cases, size_t classes,
                                size_t class_index);

/* Area of one class against the rest; NaN if the class has no or all cases, or a probability is NaN. */
double cmus_class_auc(const double *probabilities, const int *labels, size_t cases, size_t classes, size_t class_index);

/* Mean of the areas of all classes; NaN if one of them is. */
double cmus_macro_auc(const double *probabilities, const int *labels, size_t cases, size_t classes);

#endif
