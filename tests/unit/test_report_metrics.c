/* Metrics of cmus-report: values by hand, and scikit-learn's in golden/metrics.json. */
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "cmus/memory.h"
#include "cmus/roc_area.h"
#include "report/metric_table.h"
#include "report/metric_text.h"
#include "report/report_metrics.h"
#include "report/report_roc.h"
#include "unit.h"

/* Equal within 1e-12, or both undefined. */
static bool same(double value, double expected) {
    return isnan(expected) ? isnan(value) : fabs(value - expected) <= 1e-12;
}

static double class_value(const report_metrics *metrics, size_t class_index, report_class_metric metric) {
    return metrics->values[report_class_metric_index(class_index, metric)];
}

/* Two classes: the score of class 1, class 0 has the rest. */
static void two_columns(const double *scores, size_t cases, double *probabilities) {
    for (size_t i = 0; i < cases; i++) {
        probabilities[2 * i] = 1 - scores[i];
        probabilities[2 * i + 1] = scores[i];
    }
}

static void test_auc(void) {
    double p[12];
    /* pairs (positive, negative): .8 > .6, .8 > .2, .4 < .6, .4 > .2: three of four */
    two_columns((const double[]){0.8, 0.6, 0.4, 0.2}, 4, p);
    CU_ASSERT(same(cmus_class_auc(p, (const int[]){1, 0, 1, 0}, 4, 2, 1), 0.75));
    CU_ASSERT(same(cmus_class_auc(p, (const int[]){1, 0, 1, 0}, 4, 2, 0), 0.75));
    CU_ASSERT(same(cmus_class_auc(p, (const int[]){1, 1, 0, 0}, 4, 2, 1), 1));
    CU_ASSERT(same(cmus_class_auc(p, (const int[]){0, 0, 1, 1}, 4, 2, 1), 0));
    /* all tied: each pair counts half */
    two_columns((const double[]){0.5, 0.5, 0.5}, 3, p);
    CU_ASSERT(same(cmus_class_auc(p, (const int[]){1, 0, 0}, 3, 2, 1), 0.5));
    /* positives .9 .5 .5, negatives .5 .1 .5: three of 3 pairs with .9; of .5: half, one, half, twice */
    two_columns((const double[]){0.9, 0.5, 0.5, 0.5, 0.1, 0.5}, 6, p);
    CU_ASSERT(same(cmus_class_auc(p, (const int[]){1, 1, 1, 0, 0, 0}, 6, 2, 1), 7.0 / 9));
}

static void test_auc_undefined(void) {
    const double p[] = {0.2, 0.8, 0.6, 0.4};
    CU_ASSERT(isnan(cmus_class_auc(p, (const int[]){1, 1}, 2, 2, 1)));
    CU_ASSERT(isnan(cmus_class_auc(p, (const int[]){1, 1}, 2, 2, 0)));
}

static void test_perfect(void) {
    const double p[] = {0.8, 0.1, 0.1, 0.2, 0.7, 0.1, 0.1, 0.3, 0.6, 0.9, 0.1, 0};
    report_metrics metrics;
    report_metrics_compute(p, (const int[]){0, 1, 2, 0}, 4, 3, &metrics);
    for (size_t i = 0; i < report_metric_count(3); i++)
        if (i >= REPORT_METRICS || !report_metric_names[i].smaller_is_better)
            CU_ASSERT(same(metrics.values[i], 1));
    CU_ASSERT_EQUAL(report_metrics_support(&metrics, 0), 2);
    report_metrics_free(&metrics);
}

/* Six cases, classes 0 0 0 1 1 2, predicted 0 0 1 1 2 2. */
static void test_by_hand(void) {
    const double p[] = {0.6, 0.3, 0.1, 0.5, 0.2, 0.3, 0.3, 0.6, 0.1, 0.1, 0.8, 0.1, 0.2, 0.3, 0.5, 0, 0.1, 0.9};
    const size_t confusion[] = {2, 1, 0, 0, 1, 1, 0, 0, 1};
    report_metrics m;
    report_metrics_compute(p, (const int[]){0, 0, 0, 1, 1, 2}, 6, 3, &m);
    for (size_t i = 0; i < 9; i++)
        CU_ASSERT_EQUAL(m.confusion[i], confusion[i]);
    CU_ASSERT(same(m.values[REPORT_METRIC_ACCURACY], 4.0 / 6));
    CU_ASSERT(same(class_value(&m, 0, REPORT_CLASS_PRECISION), 1));
    CU_ASSERT(same(class_value(&m, 0, REPORT_CLASS_RECALL), 2.0 / 3));
    CU_ASSERT(same(class_value(&m, 0, REPORT_CLASS_SPECIFICITY), 1));
    CU_ASSERT(same(class_value(&m, 1, REPORT_CLASS_PRECISION), 0.5));
    CU_ASSERT(same(class_value(&m, 1, REPORT_CLASS_SPECIFICITY), 0.75));
    CU_ASSERT(same(class_value(&m, 2, REPORT_CLASS_PRECISION), 0.5));
    CU_ASSERT(same(class_value(&m, 2, REPORT_CLASS_SPECIFICITY), 0.8));
    CU_ASSERT(same(class_value(&m, 0, REPORT_CLASS_F1), 0.8));
    CU_ASSERT(same(class_value(&m, 1, REPORT_CLASS_F1), 0.5));
    CU_ASSERT(same(class_value(&m, 2, REPORT_CLASS_F1), 2.0 / 3));
    CU_ASSERT(same(m.values[REPORT_METRIC_MACRO_F1], (0.8 + 0.5 + 2.0 / 3) / 3));
    /* class 0: .6 .5 .3 against .1 .2 0; class 1: .8 .3 against .3 .2 .6 .1; class 2: .9 against all others */
    CU_ASSERT(same(class_value(&m, 0, REPORT_CLASS_AUC), 1));
    CU_ASSERT(same(class_value(&m, 1, REPORT_CLASS_AUC), (4 + 2.5) / 8));
    CU_ASSERT(same(class_value(&m, 2, REPORT_CLASS_AUC), 1));
    CU_ASSERT(same(m.values[REPORT_METRIC_MACRO_AUC], (1 + 6.5 / 8 + 1) / 3));
    report_metrics_free(&m);
}

static void test_absent_class(void) {
    const double p[] = {0.6, 0.3, 0.1, 0.2, 0.3, 0.5, 0.2, 0.7, 0.1};
    report_metrics m;
    report_metrics_compute(p, (const int[]){0, 1, 1}, 3, 3, &m); /* class 2 has no case, but is predicted once */
    CU_ASSERT(same(m.values[REPORT_METRIC_ACCURACY], 2.0 / 3));
    CU_ASSERT(isnan(m.values[REPORT_METRIC_MACRO_AUC]));
    CU_ASSERT(isnan(m.values[REPORT_METRIC_MACRO_F1]));
    CU_ASSERT(isnan(class_value(&m, 2, REPORT_CLASS_PRECISION)));
    CU_ASSERT(isnan(class_value(&m, 2, REPORT_CLASS_RECALL)));
    CU_ASSERT(isnan(class_value(&m, 2, REPORT_CLASS_F1)));
    CU_ASSERT(isnan(class_value(&m, 2, REPORT_CLASS_AUC)));
    CU_ASSERT(same(class_value(&m, 2, REPORT_CLASS_SPECIFICITY), 2.0 / 3));
    CU_ASSERT(same(class_value(&m, 0, REPORT_CLASS_AUC), 1));
    report_metrics_free(&m);
}

static void test_never_predicted(void) {
    const double p[] = {0.6, 0.4, 0.7, 0.3};
    report_metrics m;
    report_metrics_compute(p, (const int[]){0, 1}, 2, 2, &m);
    CU_ASSERT(same(class_value(&m, 1, REPORT_CLASS_PRECISION), 0));
    CU_ASSERT(same(class_value(&m, 1, REPORT_CLASS_RECALL), 0));
    CU_ASSERT(same(class_value(&m, 1, REPORT_CLASS_F1), 0));
    report_metrics_free(&m);
}

static void test_argmax(void) {
    CU_ASSERT_EQUAL(report_argmax((const double[]){0.2, 0.4, 0.4}, 3), 1);
    CU_ASSERT_EQUAL(report_argmax((const double[]){0.5, 0.5}, 2), 0);
}

static void test_mean_and_deviation(void) {
    double mean, deviation;
    report_mean_and_deviation((const double[]){2, 4, 4, 4, 5, 5, 7, 9}, 8, &mean, &deviation);
    CU_ASSERT(same(mean, 5) && same(deviation, sqrt(32.0 / 7)));
    report_mean_and_deviation((const double[]){3}, 1, &mean, &deviation);
    CU_ASSERT(same(mean, 3) && isnan(deviation));
    report_mean_and_deviation((const double[]){3, NAN, 4}, 3, &mean, &deviation);
    CU_ASSERT(isnan(mean) && isnan(deviation));
}

static void test_roc(void) {
    double p[8];
    report_class_curve roc;
    two_columns((const double[]){0.8, 0.6, 0.6, 0.2}, 4, p);
    report_roc_compute(p, (const int[]){1, 0, 1, 0}, 4, 2, 1, &roc);
    const double x[] = {0, 0, 0.5, 1}, y[] = {0, 0.5, 1, 1}; /* the tie is one slanted step */
    CU_ASSERT_EQUAL_FATAL(roc.points, 4);
    for (size_t i = 0; i < roc.points; i++)
        CU_ASSERT(same(roc.x[i], x[i]) && same(roc.y[i], y[i]));
    CU_ASSERT(same(report_roc_at(&roc, 0), 0.5)); /* upper end of the step at 0 */
    CU_ASSERT(same(report_roc_at(&roc, 0.25), 0.75));
    CU_ASSERT(same(report_roc_at(&roc, 0.5), 1));
    CU_ASSERT(same(report_roc_at(&roc, 1), 1));
    report_class_curve_free(&roc);
    report_roc_compute(p, (const int[]){0, 0, 0, 0}, 4, 2, 1, &roc);
    CU_ASSERT_EQUAL(roc.points, 0);
    report_class_curve_free(&roc);
}

/* A curve of many cases is thinned, but keeps its ends and its area. */
static void test_roc_thinned(void) {
    enum { CASES = 20000 };
    double *p = cmus_allocate(2 * CASES, sizeof *p), area = 0;
    int *labels = cmus_allocate(CASES, sizeof *labels);
    for (int i = 0; i < CASES; i++) {
        p[2 * i + 1] = (double)((i * 7919) % CASES) / CASES;
        p[2 * i] = 1 - p[2 * i + 1];
        labels[i] = (i * 104729) % CASES < p[2 * i + 1] * CASES;
    }
    report_class_curve roc;
    report_roc_compute(p, labels, CASES, 2, 1, &roc);
    CU_ASSERT(roc.points > 500 && roc.points < 2100);
    for (size_t i = 1; i < roc.points; i++)
        area += (roc.x[i] - roc.x[i - 1]) * (roc.y[i] + roc.y[i - 1]) / 2;
    CU_ASSERT(fabs(area - cmus_class_auc(p, labels, CASES, 2, 1)) < 1e-3);
    CU_ASSERT(roc.x[roc.points - 1] == 1 && roc.y[roc.points - 1] == 1);
    report_class_curve_free(&roc);
    cmus_free(labels);
    cmus_free(p);
}

static double golden_number(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    CU_ASSERT_FATAL(json_is_number(value) || json_is_null(value));
    return json_is_null(value) ? NAN : json_number_value(value);
}

/* scikit-learn and this project sum in different orders. */
static void check_golden_number(const char *key, double value, double expected) {
    bool equal = isnan(expected) ? isnan(value) : fabs(value - expected) <= 1e-9;
    CU_ASSERT(equal);
    if (!equal)
        fprintf(stderr, "%s: %.17g, scikit-learn has %.17g\n", key, value, expected);
}

/* A table with "weights" is computed with them; the confusion matrix is one without. */
static void check_golden_values(const json_t *table, const double *p, const int *labels, size_t cases, size_t classes) {
    const json_t *per_class = json_object_get(table, "classes"), *given = json_object_get(table, "weights");
    report_metrics metrics;
    report_metrics_compute(p, labels, cases, classes, &metrics);
    for (size_t i = 0; !given && i < classes * classes; i++)
        CU_ASSERT_EQUAL(metrics.confusion[i],
                        (size_t)json_integer_value(json_array_get(
                            json_array_get(json_object_get(table, "confusion"), i / classes), i % classes)));
    if (given) {
        uint32_t *weights = cmus_allocate(cases, sizeof *weights);
        for (size_t i = 0; i < cases; i++)
            weights[i] = (uint32_t)json_integer_value(json_array_get(given, i));
        report_table *prepared = report_table_create(p, labels, cases, classes);
        report_table_metrics(prepared, weights, metrics.values);
        report_table_free(prepared);
        cmus_free(weights);
    }
    for (int i = 0; i < REPORT_METRICS; i++)
        check_golden_number(report_metric_names[i].key, metrics.values[i],
                            golden_number(table, report_metric_names[i].key));
    for (size_t i = 0; i < classes; i++)
        for (int j = 0; j < REPORT_CLASS_METRICS; j++) {
            const char *key = report_class_metric_names[j].key;
            check_golden_number(key, class_value(&metrics, i, (report_class_metric)j),
                                golden_number(json_array_get(per_class, i), key));
        }
    report_metrics_free(&metrics);
}

static void check_golden_table(const json_t *table) {
    const json_t *rows = json_object_get(table, "probabilities"), *labels_in = json_object_get(table, "labels");
    size_t cases = json_array_size(rows), classes = json_array_size(json_object_get(table, "classes"));
    double *p = cmus_allocate(cases * classes, sizeof *p);
    int *labels = cmus_allocate(cases, sizeof *labels);
    for (size_t i = 0; i < cases; i++) {
        labels[i] = (int)json_integer_value(json_array_get(labels_in, i));
        for (size_t j = 0; j < classes; j++)
            p[i * classes + j] = json_number_value(json_array_get(json_array_get(rows, i), j));
    }
    check_golden_values(table, p, labels, cases, classes);
    cmus_free(p);
    cmus_free(labels);
}

static void test_golden(void) {
    json_t *tables = json_load_file(METRICS_GOLDEN, 0, NULL);
    CU_ASSERT_FATAL(json_array_size(tables) == 200);
    for (size_t i = 0; i < json_array_size(tables); i++)
        check_golden_table(json_array_get(tables, i));
    json_decref(tables);
}

/* An upper edge belongs to the bin below it, also where i / 15 times 15 is rounded. */
static void test_calibration_bins(void) {
    CU_ASSERT_EQUAL(report_calibration_bin(0), 0);
    CU_ASSERT_EQUAL(report_calibration_bin(1), REPORT_CALIBRATION_BINS - 1);
    for (size_t i = 1; i <= REPORT_CALIBRATION_BINS; i++) {
        double edge = (double)i / REPORT_CALIBRATION_BINS;
        CU_ASSERT_EQUAL(report_calibration_bin(edge), i - 1);
        CU_ASSERT_EQUAL(report_calibration_bin(nextafter(edge, 0)), i - 1);
        if (i < REPORT_CALIBRATION_BINS)
            CU_ASSERT_EQUAL(report_calibration_bin(nextafter(edge, 1)), i);
    }
}

/* Class 0: .9 .4 against .5 .3, class 1 its mirror: both curves (0, .5), (.5, .5), (.5, 1), (1, 1), AUC 0.75. Read off
 * at 0, 0.5 and 1 the curve is 0.5, 1 and 1: the area is 0.375 + 0.5. */
static void test_averaged_roc(void) {
    double p[8];
    report_metrics m;
    two_columns((const double[]){0.1, 0.6, 0.5, 0.7}, 4, p);
    report_metrics_compute(p, (const int[]){0, 0, 1, 1}, 4, 2, &m);
    CU_ASSERT(same(m.values[REPORT_METRIC_MACRO_AUC], 0.75));
    CU_ASSERT(same(m.values[REPORT_METRIC_AVERAGED_ROC], 0.875));
    report_metrics_free(&m);
}

/* Ties of hundreds of cases: the AUC of the table is that of pairs, and a weight is as good as a repeated case. */
static void test_many_ties(void) {
    enum { CASES = 6000 };
    double *p = cmus_allocate(2 * CASES, sizeof *p), values[REPORT_METRICS + 2 * REPORT_CLASS_METRICS];
    int *labels = cmus_allocate(CASES, sizeof *labels);
    uint32_t *weights = cmus_allocate(CASES, sizeof *weights);
    for (size_t i = 0; i < CASES; i++) {
        p[2 * i + 1] = (double)((i / 3 * 7919) % 13) / 13; /* three equal cases in a row */
        p[2 * i] = 1 - p[2 * i + 1];
        labels[i] = (i / 3 * 104729) % 13 < 7;
        weights[i] = i % 3 == 0 ? 3 : 0;
    }
    report_metrics m;
    report_metrics_compute(p, labels, CASES, 2, &m);
    report_table *table = report_table_create(p, labels, CASES, 2);
    report_table_metrics(table, weights, values);
    CU_ASSERT(same(class_value(&m, 1, REPORT_CLASS_AUC), cmus_class_auc(p, labels, CASES, 2, 1)));
    for (size_t i = 0; i < report_metric_count(2); i++)
        CU_ASSERT_DOUBLE_EQUAL(values[i], m.values[i], 1e-12);
    report_table_free(table);
    report_metrics_free(&m);
    cmus_free(weights);
    cmus_free(labels);
    cmus_free(p);
}

/* One class throughout: nothing to agree on beyond chance. */
static void test_one_class_throughout(void) {
    const double p[] = {0.6, 0.4, 0.7, 0.3}, q[] = {0.6, 0.4, 0.3, 0.7};
    report_metrics m;
    report_metrics_compute(p, (const int[]){0, 0}, 2, 2, &m); /* truth and prediction */
    CU_ASSERT(isnan(m.values[REPORT_METRIC_KAPPA]) && isnan(m.values[REPORT_METRIC_MCC]));
    CU_ASSERT(same(m.values[REPORT_METRIC_WEIGHTED_F1], 1) && isnan(m.values[REPORT_METRIC_BALANCED_ACCURACY]));
    report_metrics_free(&m);
    report_metrics_compute(p, (const int[]){0, 1}, 2, 2, &m); /* prediction */
    CU_ASSERT(same(m.values[REPORT_METRIC_KAPPA], 0) && same(m.values[REPORT_METRIC_MCC], 0));
    report_metrics_free(&m);
    report_metrics_compute(q, (const int[]){0, 0}, 2, 2, &m); /* truth */
    CU_ASSERT(same(m.values[REPORT_METRIC_KAPPA], 0) && isnan(m.values[REPORT_METRIC_MCC]));
    report_metrics_free(&m);
}

/* A certain and wrong case costs -ln of the rounding unit, no infinity. */
static void test_certain_and_wrong(void) {
    const double p[] = {1, 0};
    report_metrics m;
    report_metrics_compute(p, (const int[]){1}, 1, 2, &m);
    CU_ASSERT_DOUBLE_EQUAL(m.values[REPORT_METRIC_LOG_LOSS], 52 * log(2), 1e-9);
    CU_ASSERT(same(m.values[REPORT_METRIC_BRIER], 2) && same(m.values[REPORT_METRIC_ECE], 1));
    report_metrics_free(&m);
}

static void check_text(char *text, const char *expected) {
    CU_ASSERT_STRING_EQUAL(text, expected);
    cmus_free(text);
}

static void test_texts(void) {
    const report_metric_name *share = report_metric_of(0), *kappa = report_metric_of(REPORT_METRIC_KAPPA);
    check_text(report_metric_text(share, 0.95374), "95.37");
    check_text(report_metric_text(kappa, 0.91374), "0.9137");
    check_text(report_metric_text(kappa, NAN), "undefined");
    check_text(report_metric_spread(share, 0.95374, 0.0241), "95.37 ± 2.41");
    check_text(report_metric_spread(share, 0.95374, NAN), "95.37");
    check_text(report_metric_interval(share, 0.951, 0.932, 0.9681), "95.10 [93.20, 96.81]");
    check_text(report_metric_interval(kappa, 0.5, NAN, NAN), "0.5000");
    check_text(report_metric_title(share), "Accuracy, %");
    check_text(report_metric_title(kappa), "Cohen's kappa");
    CU_ASSERT_STRING_EQUAL(report_metric_of(report_class_metric_index(2, REPORT_CLASS_F1))->key, "f1");
}

int main(void) {
    static const unit_test tests[] = {
        {"AUC by pairs, with ties", test_auc},
        {"AUC of one class only is undefined", test_auc_undefined},
        {"perfect predictions", test_perfect},
        {"values by hand", test_by_hand},
        {"an absent class is undefined", test_absent_class},
        {"a class that is never predicted", test_never_predicted},
        {"argmax takes the first of equals", test_argmax},
        {"mean and sample SD", test_mean_and_deviation},
        {"ROC with a tie", test_roc},
        {"ROC of many cases is thinned", test_roc_thinned},
        {"calibration bins hold their upper edge", test_calibration_bins},
        {"area of the averaged ROC curve", test_averaged_roc},
        {"ties of hundreds of cases", test_many_ties},
        {"one class throughout", test_one_class_throughout},
        {"a certain and wrong case", test_certain_and_wrong},
        {"texts of values", test_texts},
        {"scikit-learn's values", test_golden},
    };
    return unit_main("report_metrics", tests, sizeof tests / sizeof tests[0]);
}
