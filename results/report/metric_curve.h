/* Areas of ROC curves of weighted cases: of one class against the rest, and of the classes' averaged curve. */
#ifndef CMUS_REPORT_METRIC_CURVE_H
#define CMUS_REPORT_METRIC_CURVE_H

#include <stddef.h>
#include <stdint.h>

/* A case in the order of one class's probability: its index, and two marks. */
enum { REPORT_RANKED_BITS = 30 };
#define REPORT_RANKED_POSITIVE (1u << 30) /* the case is of the class */
#define REPORT_RANKED_LAST (1u << 31)     /* the next case has a lower probability */

/* A corner of a class's ROC curve: how many negatives lie left of it, and the vertical step there in positives. */
typedef struct report_corner {
    uint32_t negatives, rise;
} report_corner;

typedef struct report_curve {
    uint64_t positives, negatives;
    double area;            /* by Mann-Whitney's U, ties counted half; undefined without positives or negatives */
    report_corner *corners; /* room for [cases + 1]: from left to right, the first with 0 negatives */
    size_t count;
} report_curve;

/* Walks through `ranked` [cases], by descending probability. positives, negatives (the sums of weights, below 2^31) and
 * corners must be set; area, count and what corners point to are written. `weights` [cases] may be NULL: each case
 * once.
 */
void report_curve_walk(const uint32_t *ranked, size_t cases, const uint32_t *weights, report_curve *curve);

/* Area of the mean of the classes' curves (defined ones, [classes]), by the usual recipe with scikit-learn and numpy:
 * the curves of roc_curve() are read off by interp() at all false positive rates that any of them has a corner at,
 * averaged, and the area is taken by auc(). At a vertical step interp() gives the upper end, so each step also lifts
 * the trapezium left of it: the area is the mean of the classes' AUCs plus half of each step times the distance to the
 * rate before it, over the classes. Corners are the points that roc_curve(drop_intermediate=True) keeps. */
double report_curve_averaged_area(const report_curve *curves, size_t classes);

#endif
