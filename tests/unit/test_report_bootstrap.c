/* Draws of patients and percentile intervals. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmus/memory.h"
#include "report/bootstrap.h"
#include "unit.h"

static void test_draw_counts(void) {
    CU_ASSERT_EQUAL(report_draw_count(0, 30), 10000);
    CU_ASSERT_EQUAL(report_draw_count(20000, 30), 10000);
    CU_ASSERT_EQUAL(report_draw_count(40000, 30), 5000);
    CU_ASSERT_EQUAL(report_draw_count(1000000, 30), 200);
    CU_ASSERT_EQUAL(report_draw_count(100000000, 30), 100);
    CU_ASSERT_EQUAL(report_draw_count(100, 1 << 13), 2048); /* a thousand classes and more */
}

/* numpy.quantile([0 ... 10], [0.025, 0.975]) is 0.25 and 9.75. */
static void test_interval(void) {
    double values[] = {3, 10, 1, 7, 0, 9, 2, 8, 4, 6, 5}, low, high;
    size_t undefined;
    report_interval(values, 11, 0.95, &low, &high, &undefined);
    CU_ASSERT_DOUBLE_EQUAL(low, 0.25, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(high, 9.75, 1e-12);
    CU_ASSERT_EQUAL(undefined, 0);
    double holes[] = {NAN, 2, NAN, 1, 3};
    report_interval(holes, 5, 0.5, &low, &high, &undefined);
    CU_ASSERT(low == 1.5 && high == 2.5 && undefined == 2);
    double one[] = {4};
    report_interval(one, 1, 0.95, &low, &high, NULL);
    CU_ASSERT(low == 4 && high == 4);
    double none[] = {NAN, NAN};
    report_interval(none, 2, 0.95, &low, &high, &undefined);
    CU_ASSERT(isnan(low) && isnan(high) && undefined == 2);
}

/* All cases of a patient count alike; as many patients are drawn as there are; draws and seeds differ. */
static void test_draws_take_patients(void) {
    const char *const ids[] = {"b", "a", "c", "b", "d", "a", "b"};
    report_draws *draws = report_draws_create(ids, 7, 50, 1), *other = report_draws_create(ids, 7, 50, 2);
    size_t repeated = 0, equal = 0;
    uint32_t before[7] = {0}, weights[7], others[7];
    CU_ASSERT_EQUAL(report_draws_count(draws), 50);
    CU_ASSERT_EQUAL(report_draws_patients(draws), 4);
    for (size_t draw = 0; draw < 50; draw++) {
        report_draws_weights(draws, draw, weights);
        report_draws_weights(other, draw, others);
        CU_ASSERT(weights[0] == weights[3] && weights[0] == weights[6] && weights[1] == weights[5]);
        CU_ASSERT_EQUAL(weights[0] + weights[1] + weights[2] + weights[4], 4);
        repeated += memcmp(weights, before, sizeof weights) == 0;
        equal += memcmp(weights, others, sizeof weights) == 0;
        memcpy(before, weights, sizeof weights);
    }
    CU_ASSERT(repeated < 10 && equal < 10);
    report_draws_free(draws);
    report_draws_free(other);
}

/* The same patients in another order, with other numbers of cases, are drawn alike. */
static void test_draws_are_paired(void) {
    const char *const ids[] = {"b", "a", "c", "d"}, *const others[] = {"d", "a", "a", "c", "b", "b"};
    report_draws *draws = report_draws_create(ids, 4, 20, 7), *second = report_draws_create(others, 6, 20, 7);
    for (size_t draw = 0; draw < 20; draw++) {
        uint32_t weights[4], paired[6];
        report_draws_weights(draws, draw, weights);
        report_draws_weights(second, draw, paired);
        CU_ASSERT(weights[0] == paired[4] && weights[1] == paired[1] && weights[2] == paired[3] &&
                  weights[3] == paired[0]);
    }
    report_draws_free(draws);
    report_draws_free(second);
}

/* How often a patient is drawn is Binomial(n, 1 / n): mean 1, variance 1 - 1 / n. */
static void test_draws_are_even(void) {
    enum { PATIENTS = 10, DRAWS = 20000 };
    const char *const ids[PATIENTS] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    report_draws *draws = report_draws_create(ids, PATIENTS, DRAWS, 3);
    double sum[PATIENTS] = {0}, squares = 0;
    for (size_t draw = 0; draw < DRAWS; draw++) {
        uint32_t weights[PATIENTS];
        report_draws_weights(draws, draw, weights);
        for (size_t i = 0; i < PATIENTS; i++) {
            sum[i] += weights[i];
            squares += ((double)weights[i] - 1) * ((double)weights[i] - 1);
        }
    }
    for (size_t i = 0; i < PATIENTS; i++) /* within five standard errors */
        CU_ASSERT_DOUBLE_EQUAL(sum[i] / DRAWS, 1, 5 * sqrt(0.9 / DRAWS));
    CU_ASSERT_DOUBLE_EQUAL(squares / DRAWS / PATIENTS, 0.9, 0.02);
    report_draws_free(draws);
}

/* Half the width of the interval of the accuracy, of 0.8 on `cases` cases of patients with `together` cases each, which
 * are right or wrong together. */
static double half_width(size_t cases, size_t together) {
    enum { DRAWS = 4000 };
    double *p = cmus_allocate(2 * cases, sizeof *p), *drawn = cmus_allocate(DRAWS, sizeof *drawn), low, high;
    int *labels = cmus_allocate(cases, sizeof *labels);
    char *texts = cmus_allocate(cases, 8);
    const char **ids = cmus_allocate(cases, sizeof *ids);
    uint32_t *weights = cmus_allocate(cases, sizeof *weights);
    for (size_t i = 0; i < cases; i++) {
        size_t patient = i / together;
        snprintf(texts + 8 * i, 8, "%zu", patient);
        ids[i] = texts + 8 * i;
        labels[i] = patient % 2 == 0;
        p[2 * i + (size_t)(patient % 5 ? labels[i] : !labels[i])] = 1;
    }
    report_table *table = report_table_create(p, labels, cases, 2);
    report_draws *draws = report_draws_create(ids, cases, DRAWS, 1);
    double *values = cmus_allocate(report_metric_count(2), sizeof *values);
    for (size_t i = 0; i < DRAWS; i++) {
        report_draws_weights(draws, i, weights);
        report_table_metrics(table, weights, values);
        drawn[i] = values[REPORT_METRIC_ACCURACY];
    }
    report_interval(drawn, DRAWS, 0.95, &low, &high, NULL);
    CU_ASSERT(low < 0.8 && high > 0.8);
    report_draws_free(draws);
    report_table_free(table);
    void *const pieces[] = {p, drawn, labels, texts, ids, weights, values};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        cmus_free(pieces[i]);
    return (high - low) / 2;
}

/* The binomial's 1.96 sqrt(p (1 - p) / n), with n the number of patients and not of cases. */
static void test_width(void) {
    CU_ASSERT_DOUBLE_EQUAL(half_width(400, 1), 1.96 * sqrt(0.8 * 0.2 / 400), 0.003);
    CU_ASSERT_DOUBLE_EQUAL(half_width(400, 4), 1.96 * sqrt(0.8 * 0.2 / 100), 0.006);
}

int main(void) {
    static const unit_test tests[] = {
        {"fewer draws of many cases", test_draw_counts},
        {"percentiles as numpy has them, undefined values left out", test_interval},
        {"a draw takes patients with all their cases", test_draws_take_patients},
        {"draws of two runs are paired", test_draws_are_paired},
        {"each patient is drawn as often", test_draws_are_even},
        {"the interval is that of the binomial over patients", test_width},
    };
    return unit_main("report_bootstrap", tests, sizeof tests / sizeof tests[0]);
}
