#include "report/metric_curve.h"

#include <math.h>
#include <stdbool.h>

#include "cmus/memory.h"

/* The state of a walk from (0, 0) to (1, 1), in counts. */
typedef struct walk {
    uint64_t x, y;           /* weights of negatives and positives so far */
    uint64_t step_x, step_y; /* of the last point, which is not yet among the corners */
    uint64_t lost;           /* twice the pairs in which the negative stands higher, ties as one half */
    size_t points;
} walk;

/* The last point becomes a corner unless it lies in the middle of two equal steps, as roc_curve() has it. Vertical
 * steps belong to the corner that they begin at. */
static void settle(report_curve *curve, const walk *at, uint64_t next_x, uint64_t next_y) {
    bool middle = at->points > 1 && at->step_x == next_x && at->step_y == next_y;
    if (at->step_x && !middle)
        curve->corners[curve->count++] = (report_corner){(double)at->x / (double)curve->negatives, 0};
}

static void step(report_curve *curve, walk *at, uint64_t x, uint64_t y) {
    if (at->points)
        settle(curve, at, x, y);
    if (!x && curve->count) /* the corner at this rate was just settled or stands already, but for rate 0 */
        curve->corners[curve->count - 1].rise += y;
    at->lost += y * (2 * at->x + x);
    at->x += x;
    at->y += y;
    at->step_x = x;
    at->step_y = y;
    at->points++;
}

void report_curve_walk(const uint32_t *ranked, size_t cases, const uint32_t *weights, report_curve *curve) {
    const uint32_t mask = (1u << REPORT_RANKED_BITS) - 1;
    walk at = {0};
    uint64_t both[2] = {0, 0}; /* negatives and positives of this probability */
    curve->count = 0;
    for (size_t i = 0; i < cases; i++) {
        uint32_t one = ranked[i];
        both[(one & REPORT_RANKED_POSITIVE) != 0] += weights ? weights[one & mask] : 1;
        if ((one & REPORT_RANKED_LAST) && (both[0] | both[1])) {
            step(curve, &at, both[0], both[1]);
            both[0] = both[1] = 0;
        }
    }
    if (at.points)
        settle(curve, &at, 0, 0); /* the end is always a corner: no step is 0, 0 */
    curve->area = curve->positives && curve->negatives
                      ? 1 - (double)at.lost / 2 / ((double)curve->positives * (double)curve->negatives)
                      : NAN;
}

double report_curve_averaged_area(const report_curve *curves, size_t classes) {
    size_t *next = cmus_allocate(classes, sizeof *next);
    double sum = 0, before = 0;
    for (size_t i = 0; i < classes; i++)
        sum += curves[i].area;
    for (bool more = !isnan(sum); more;) {
        double rate = INFINITY;
        for (size_t i = 0; i < classes; i++)
            if (next[i] < curves[i].count)
                rate = fmin(rate, curves[i].corners[next[i]].rate);
        more = isfinite(rate);
        for (size_t i = 0; i < classes; i++)
            if (next[i] < curves[i].count && curves[i].corners[next[i]].rate <= rate)
                sum += (rate - before) * (double)curves[i].corners[next[i]++].rise / (double)curves[i].positives / 2;
        before = rate;
    }
    cmus_free(next);
    return sum / (double)classes;
}
