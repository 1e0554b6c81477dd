#include "report/tests_paired.h"

#include <math.h>
#include <stdlib.h>

#include "cmus/memory.h"
#include "report/report_metrics.h"

enum { FEWEST_FOR_CHI_SQUARED = 25 };

/* P(X <= most) for X binomial with `count` tries of probability 1/2; count < FEWEST_FOR_CHI_SQUARED, so exact. */
static double binomial_tail(size_t count, size_t most) {
    double choices = 1, sum = 0;
    for (size_t i = 0; i <= most; i++) {
        sum += choices;
        choices = choices * (double)(count - i) / (double)(i + 1);
    }
    return ldexp(sum, -(int)count);
}

report_mcnemar report_mcnemar_test(size_t base_only, size_t other_only) {
    report_mcnemar test = {.base_only = base_only, .other_only = other_only, .statistic = NAN};
    size_t discordant = base_only + other_only, fewer = base_only < other_only ? base_only : other_only;
    test.exact = discordant < FEWEST_FOR_CHI_SQUARED;
    if (test.exact) {
        test.p = fmin(1, 2 * binomial_tail(discordant, fewer));
        return test;
    }
    double excess = fmax(0, (double)(discordant - 2 * fewer) - 1);
    test.statistic = excess * excess / (double)discordant;
    test.p = erfc(sqrt(test.statistic / 2));
    return test;
}

report_mcnemar report_mcnemar_cases(const double *base, const double *other, const int *labels, size_t cases,
                                    size_t classes) {
    size_t base_only = 0, other_only = 0;
    for (size_t i = 0; i < cases; i++) {
        size_t label = (size_t)labels[i];
        bool base_right = report_argmax(base + i * classes, classes) == label;
        bool other_right = report_argmax(other + i * classes, classes) == label;
        base_only += base_right && !other_right;
        other_only += other_right && !base_right;
    }
    return report_mcnemar_test(base_only, other_only);
}

typedef struct placed_case {
    double score;
    size_t index;
    bool positive;
} placed_case;

static int by_score(const void *a, const void *b) {
    double x = ((const placed_case *)a)->score, y = ((const placed_case *)b)->score;
    return (x > y) - (x < y);
}

/* The class's cases sorted by rising score; free with cmus_free(). */
static placed_case *sorted_cases(const double *probabilities, const int *labels, size_t cases, size_t classes,
                                 size_t class_index) {
    placed_case *sorted = cmus_allocate(cases, sizeof *sorted);
    for (size_t i = 0; i < cases; i++)
        sorted[i] = (placed_case){probabilities[i * classes + class_index], i, (size_t)labels[i] == class_index};
    qsort(sorted, cases, sizeof *sorted, by_score);
    return sorted;
}

/* Adds factor * share to shares[i] of every case, and returns the class's area. Without cases on one side: NaN, and so
 * are the shares; with one case on a side its shares are NaN (0 / 0). */
static double add_shares(const double *probabilities, const int *labels, size_t cases, size_t classes,
                         size_t class_index, double factor, double *shares) {
    placed_case *sorted = sorted_cases(probabilities, labels, cases, classes, class_index);
    size_t positive_cases = 0;
    for (size_t i = 0; i < cases; i++)
        positive_cases += sorted[i].positive;
    double positives = (double)positive_cases, negatives = (double)(cases - positive_cases);
    double *placements = cmus_allocate(cases, sizeof *placements), sum = 0;
    size_t hits = 0; /* positives below the stretch of ties */
    for (size_t begin = 0, end; begin < cases; begin = end) {
        size_t tied = 0;
        for (end = begin; end < cases && sorted[end].score == sorted[begin].score; end++)
            tied += sorted[end].positive;
        double below = (double)(begin - hits) + (double)(end - begin - tied) / 2; /* negatives, ties by half */
        double above = positives - (double)hits - (double)tied / 2;               /* positives, ties by half */
        for (size_t i = begin; i < end; i++)
            placements[sorted[i].index] = sorted[i].positive ? below / negatives : above / positives;
        sum += (double)tied * below;
        hits += tied;
    }
    double area = sum / (positives * negatives);
    for (size_t i = 0; i < cases; i++) {
        double side = (size_t)labels[i] == class_index ? positives : negatives;
        shares[i] += factor * (placements[i] - area) / sqrt(side * (side - 1));
    }
    cmus_free(placements);
    cmus_free(sorted);
    return area;
}

/* z and p from the areas and the cases' shares in their difference. */
static void finish_test(const double *shares, size_t cases, report_area_test *test) {
    double variance = 0;
    for (size_t i = 0; i < cases; i++)
        variance += shares[i] * shares[i];
    test->difference = test->other - test->base;
    test->error = sqrt(variance);
    if (test->error == 0)
        test->z = test->difference == 0 ? 0 : NAN;
    else
        test->z = test->difference / test->error;
    test->p = erfc(fabs(test->z) / sqrt(2));
}

void report_delong_test(const double *base, const double *other, const int *labels, size_t cases, size_t classes,
                        report_area_test *tests) {
    double *shares = cmus_allocate(cases, sizeof *shares), *mean_shares = cmus_allocate(cases, sizeof *mean_shares);
    report_area_test *mean = &tests[classes];
    *mean = (report_area_test){0};
    for (size_t i = 0; i < classes; i++) {
        for (size_t j = 0; j < cases; j++)
            shares[j] = 0;
        tests[i].base = add_shares(base, labels, cases, classes, i, -1, shares);
        tests[i].other = add_shares(other, labels, cases, classes, i, 1, shares);
        finish_test(shares, cases, &tests[i]);
        mean->base += tests[i].base / (double)classes;
        mean->other += tests[i].other / (double)classes;
        for (size_t j = 0; j < cases; j++)
            mean_shares[j] += shares[j] / (double)classes;
    }
    finish_test(mean_shares, cases, mean);
    cmus_free(shares);
    cmus_free(mean_shares);
}

typedef struct numbered_p {
    double p;
    size_t index;
} numbered_p;

static int by_p(const void *a, const void *b) {
    const numbered_p *x = a, *y = b;
    if (x->p != y->p)
        return x->p < y->p ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

void report_holm(const double *p, size_t count, double *adjusted) {
    numbered_p *sorted = cmus_allocate(count, sizeof *sorted);
    size_t tests = 0;
    for (size_t i = 0; i < count; i++) {
        adjusted[i] = NAN;
        if (!isnan(p[i]))
            sorted[tests++] = (numbered_p){p[i], i};
    }
    qsort(sorted, tests, sizeof *sorted, by_p);
    double largest = 0;
    for (size_t i = 0; i < tests; i++) {
        largest = fmax(largest, fmin(1, (double)(tests - i) * sorted[i].p));
        adjusted[sorted[i].index] = largest;
    }
    cmus_free(sorted);
}
