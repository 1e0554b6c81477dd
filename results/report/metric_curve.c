#include "report/metric_curve.h"

#include <math.h>
#include <stdbool.h>

#include "cmus/memory.h"
#include "cmus/roc_area.h"

/* Negatives in the low half, positives in the high one: the weight of all cases with one probability. */
typedef uint64_t paces;

static uint32_t across(paces step) {
    return (uint32_t)step;
}

static uint32_t upwards(paces step) {
    return (uint32_t)(step >> 32);
}

enum { BLOCK = 1024 }; /* cases gathered at a time, so that their steps stay in the first cache */

/* Sums the cases of ranked [count] up into steps that are not 0; cases that tie with the next block's are left in
 * *rest. Without branches that depend on the data: weights are as random as a bootstrap's draws. */
static size_t gather_steps(const uint32_t *ranked, size_t count, const uint32_t *weights, paces *rest, paces *steps) {
    const uint32_t mask = (1u << REPORT_RANKED_BITS) - 1;
    size_t found = 0;
    paces sum = *rest;
    for (size_t i = 0; i < count; i++) {
        uint32_t one = ranked[i];
        paces weight = weights ? weights[one & mask] : 1;
        sum += weight << ((one & REPORT_RANKED_POSITIVE) ? 32 : 0);
        steps[found] = sum;
        bool last = (one & REPORT_RANKED_LAST) != 0;
        found += last & (sum != 0);
        sum = last ? 0 : sum;
    }
    *rest = sum;
    return found;
}

/* The state of a walk from (0, 0) to (1, 1), in counts. */
typedef struct walk {
    cmus_roc_area area; /* its negatives are the place */
    uint32_t rise;      /* since the last step to the right */
    paces before;       /* the last step, if it was not the first */
    paces all;          /* all bits set, but not before the first step */
    size_t corners;
} walk;

/* A step to the right makes the point that it leaves a corner, together with the steps upwards that end there. That is
 * not so in the middle of two equal steps, which roc_curve() leaves out, though never the end of the first step. What
 * is written at the last place stays only if it was a corner. */
static void take_steps(const paces *steps, size_t count, walk *state, report_corner *corners) {
    walk at = *state;
    for (size_t i = 0; i < count; i++) {
        uint32_t x = across(steps[i]), y = upwards(steps[i]);
        bool right = x != 0, middle = steps[i] == at.before;
        corners[at.corners] = (report_corner){(uint32_t)at.area.negatives, at.rise};
        at.corners += right & !middle;
        at.rise = right ? 0 : at.rise + y;
        cmus_roc_area_add(&at.area, y, x);
        at.before = steps[i] & at.all;
        at.all = ~(paces)0;
    }
    *state = at;
}

void report_curve_walk(const uint32_t *ranked, size_t cases, const uint32_t *weights, report_curve *curve) {
    paces steps[BLOCK], rest = 0;
    walk at = {0};
    for (size_t begin = 0; begin < cases; begin += BLOCK) {
        size_t size = cases - begin < BLOCK ? cases - begin : BLOCK;
        size_t count = gather_steps(ranked + begin, size, weights, &rest, steps);
        take_steps(steps, count, &at, curve->corners);
    }
    curve->corners[at.corners] = (report_corner){(uint32_t)at.area.negatives, at.rise};
    curve->count = at.corners + 1;
    curve->area = cmus_roc_area_value(&at.area);
}

/* How far the merging of a class's corners has come. */
typedef struct place {
    const report_corner *corners, *end;
    double negatives, gain; /* gain: of the area, for each positive of a step and unit of distance */
    double rate;            /* of the next corner; infinite behind the last */
} place;

static void read_rate(place *at) {
    at->rate = at->corners < at->end ? at->corners->negatives / at->negatives : INFINITY;
}

double report_curve_averaged_area(const report_curve *curves, size_t classes) {
    place *places = cmus_allocate(classes, sizeof *places);
    double sum = 0, before = 0;
    for (size_t i = 0; i < classes; i++) {
        const report_curve *curve = &curves[i];
        places[i] = (place){.corners = curve->corners,
                            .end = curve->corners + curve->count,
                            .negatives = (double)curve->negatives,
                            .gain = 1 / (double)curve->positives / 2};
        read_rate(&places[i]);
        sum += curve->area;
    }
    while (!isnan(sum) && before < 1) { /* each curve's last corner is at 1 */
        double rate = 1;
        for (size_t i = 0; i < classes; i++)
            rate = places[i].rate < rate ? places[i].rate : rate;
        for (size_t i = 0; i < classes; i++)
            if (places[i].rate <= rate) {
                sum += (rate - before) * places[i].corners->rise * places[i].gain;
                places[i].corners++;
                read_rate(&places[i]);
            }
        before = rate;
    }
    cmus_free(places);
    return sum / (double)classes;
}
