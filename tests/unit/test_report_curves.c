/* What the pictures of cmus-report show: precision-recall curves, calibration bins, Wilson intervals. */
#include <jansson.h>
#include <math.h>
#include <stdbool.h>

#include "cmus/memory.h"
#include "report/calibration.h"
#include "report/precision_recall.h"
#include "report/wilson.h"
#include "unit.h"

static bool same(double value, double expected) {
    return fabs(value - expected) <= 1e-12;
}

/* Two classes: the score of class 1, class 0 has the rest. */
static double *two_columns(const double *scores, size_t cases) {
    double *probabilities = cmus_allocate(2 * cases, sizeof *probabilities);
    for (size_t i = 0; i < cases; i++) {
        probabilities[2 * i] = 1 - scores[i];
        probabilities[2 * i + 1] = scores[i];
    }
    return probabilities;
}

static void test_precision_recall(void) {
    double *p = two_columns((const double[]){0.9, 0.7, 0.7, 0.4, 0.1}, 5);
    report_class_curve curve;
    report_precision_recall_compute(p, (const int[]){1, 1, 0, 0, 1}, 5, 2, 1, &curve);
    const double recall[] = {1.0 / 3, 2.0 / 3, 2.0 / 3, 1}, precision[] = {1, 2.0 / 3, 0.5, 0.6};
    CU_ASSERT_EQUAL_FATAL(curve.points, 4);
    for (size_t i = 0; i < 4; i++)
        CU_ASSERT(same(curve.x[i], recall[i]) && same(curve.y[i], precision[i]));
    CU_ASSERT(same(curve.area, (1 + 2.0 / 3 + 0.6) / 3));
    CU_ASSERT(same(report_precision_at(&curve, 0), 1));
    CU_ASSERT(same(report_precision_at(&curve, 0.5), 2.0 / 3));
    CU_ASSERT(same(report_precision_at(&curve, 2.0 / 3), 2.0 / 3)); /* the highest threshold that reaches it */
    CU_ASSERT(same(report_precision_at(&curve, 1), 0.6));
    report_class_curve_free(&curve);
    report_precision_recall_compute(p, (const int[]){0, 0, 0, 0, 0}, 5, 2, 1, &curve);
    CU_ASSERT(curve.points == 0 && isnan(curve.area));
    report_class_curve_free(&curve);
    cmus_free(p);
}

/* A curve of many cases is thinned, but keeps its end and its area. */
static void test_thinned(void) {
    enum { CASES = 20000 };
    double *scores = cmus_allocate(CASES, sizeof *scores), area = 0, before = 0;
    int *labels = cmus_allocate(CASES, sizeof *labels);
    for (int i = 0; i < CASES; i++) {
        scores[i] = (double)((i * 7919) % CASES) / CASES;
        labels[i] = (i * 104729) % CASES < scores[i] * CASES;
    }
    double *p = two_columns(scores, CASES);
    report_class_curve curve;
    report_precision_recall_compute(p, labels, CASES, 2, 1, &curve);
    CU_ASSERT(curve.points > 500 && curve.points < 4000);
    for (size_t i = 0; i < curve.points; i++) {
        area += (curve.x[i] - before) * curve.y[i];
        before = curve.x[i];
    }
    CU_ASSERT(before == 1);
    CU_ASSERT(fabs(area - curve.area) < 1e-3);
    report_class_curve_free(&curve);
    cmus_free(p);
    cmus_free(labels);
    cmus_free(scores);
}

static void test_calibration(void) {
    /* three classes: confidences .5 (right), .45 (wrong, the same bin), 1 (right), .34 (wrong) */
    const double p[] = {0.5, 0.3, 0.2, 0.45, 0.3, 0.25, 0, 1, 0, 0.33, 0.33, 0.34};
    report_confidence_bin bins[REPORT_CALIBRATION_BINS];
    report_calibration_compute(p, (const int[]){0, 1, 1, 0}, 4, 3, bins);
    size_t cases = 0, right = 0;
    double error = 0;
    for (int i = 0; i < REPORT_CALIBRATION_BINS; i++) {
        cases += bins[i].cases;
        right += bins[i].right;
        error += fabs((double)bins[i].right - bins[i].confidence) / 4;
    }
    CU_ASSERT(cases == 4 && right == 2);
    const report_confidence_bin *last = &bins[REPORT_CALIBRATION_BINS - 1];
    CU_ASSERT(last->cases == 1 && last->right == 1 && same(last->confidence, 1));
    CU_ASSERT(same(bins[report_calibration_bin(0.34)].confidence, 0.34));
    report_metrics metrics;
    report_metrics_compute(p, (const int[]){0, 1, 1, 0}, 4, 3, &metrics);
    CU_ASSERT(same(error, metrics.values[REPORT_METRIC_ECE])); /* the bins are those of the metric */
    report_metrics_free(&metrics);
}

static double number(const json_t *array, size_t index) {
    return json_number_value(json_array_get(array, index));
}

static void check_golden_curve(const json_t *golden) {
    const json_t *scores_in = json_object_get(golden, "scores"), *labels_in = json_object_get(golden, "labels");
    const json_t *recall = json_object_get(golden, "recall"), *precision = json_object_get(golden, "precision");
    size_t cases = json_array_size(scores_in);
    double *scores = cmus_allocate(cases, sizeof *scores);
    int *labels = cmus_allocate(cases, sizeof *labels);
    for (size_t i = 0; i < cases; i++) {
        scores[i] = number(scores_in, i);
        labels[i] = (int)number(labels_in, i);
    }
    double *p = two_columns(scores, cases);
    report_class_curve curve;
    report_precision_recall_compute(p, labels, cases, 2, 1, &curve);
    CU_ASSERT(same(curve.area, json_number_value(json_object_get(golden, "average"))));
    /* scikit-learn 1.2 also lists every threshold after the full recall */
    CU_ASSERT_EQUAL_FATAL(curve.points, json_array_size(recall));
    for (size_t i = 0; i < curve.points; i++)
        CU_ASSERT(same(curve.x[i], number(recall, i)) && same(curve.y[i], number(precision, i)));
    report_class_curve_free(&curve);
    cmus_free(p);
    cmus_free(labels);
    cmus_free(scores);
}

static void test_golden(void) {
    json_t *golden = json_load_file(CURVES_GOLDEN, 0, NULL);
    const json_t *curves = json_object_get(golden, "precision_recall"), *intervals = json_object_get(golden, "wilson");
    CU_ASSERT_FATAL(json_array_size(curves) == 15 && json_array_size(intervals) == 16);
    for (size_t i = 0; i < json_array_size(curves); i++)
        check_golden_curve(json_array_get(curves, i));
    for (size_t i = 0; i < json_array_size(intervals); i++) {
        const json_t *row = json_array_get(intervals, i);
        double low, high;
        report_wilson((size_t)number(row, 0), (size_t)number(row, 1), &low, &high);
        CU_ASSERT(same(low, number(row, 2)) && same(high, number(row, 3)));
    }
    json_decref(golden);
}

int main(void) {
    static const unit_test tests[] = {
        {"precision-recall by hand", test_precision_recall},
        {"a long curve is thinned", test_thinned},
        {"calibration bins", test_calibration},
        {"values of scikit-learn and scipy", test_golden},
    };
    return unit_main("report_curves", tests, sizeof tests / sizeof tests[0]);
}
