/* Paired tests of cmus-report: published values, and those of scipy and scikit-learn in golden/comparison.json. */
#include <jansson.h>
#include <math.h>
#include <stdbool.h>

#include "cmus/memory.h"
#include "report/tests_paired.h"
#include "unit.h"

static json_t *golden;

/* Equal within `within`, or both undefined. */
static bool near(double value, double expected, double within) {
    return isnan(expected) ? isnan(value) : fabs(value - expected) <= within;
}

static double number(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    CU_ASSERT_FATAL(json_is_number(value) || json_is_null(value));
    return json_is_null(value) ? NAN : json_number_value(value);
}

static double *numbers(const json_t *list) {
    double *values = cmus_allocate(json_array_size(list), sizeof *values);
    for (size_t i = 0; i < json_array_size(list); i++)
        values[i] = json_number_value(json_array_get(list, i));
    return values;
}

static int *labels_of(const json_t *table) {
    const json_t *list = json_object_get(table, "labels");
    int *labels = cmus_allocate(json_array_size(list), sizeof *labels);
    for (size_t i = 0; i < json_array_size(list); i++)
        labels[i] = (int)json_integer_value(json_array_get(list, i));
    return labels;
}

static double *rows_of(const json_t *rows) {
    size_t cases = json_array_size(rows), classes = json_array_size(json_array_get(rows, 0));
    double *values = cmus_allocate(cases * classes, sizeof *values);
    for (size_t i = 0; i < cases * classes; i++)
        values[i] = json_number_value(json_array_get(json_array_get(rows, i / classes), i % classes));
    return values;
}

static void check_mcnemar(report_mcnemar test, const json_t *expected, double within) {
    CU_ASSERT_EQUAL(test.base_only, (size_t)number(expected, "base_only"));
    CU_ASSERT_EQUAL(test.other_only, (size_t)number(expected, "other_only"));
    CU_ASSERT_EQUAL(test.exact, test.base_only + test.other_only < 25);
    CU_ASSERT(near(test.statistic, number(expected, "statistic"), within < 1e-9 ? 1e-9 : 5e-4));
    CU_ASSERT(near(test.p, number(expected, "p"), within));
}

static void test_mcnemar_published(void) {
    const json_t *expected = json_object_get(json_object_get(golden, "published"), "mcnemar");
    check_mcnemar(report_mcnemar_test(86, 150), expected, 5e-9);
}

static void test_mcnemar_scipy(void) {
    const json_t *list = json_object_get(golden, "mcnemar");
    CU_ASSERT_FATAL(json_array_size(list) >= 10);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        check_mcnemar(report_mcnemar_test((size_t)number(one, "base_only"), (size_t)number(one, "other_only")), one,
                      1e-12);
    }
}

/* Two columns, so that the score of class 1 orders the cases and that of class 0 orders them the other way. */
static double *two_columns(const double *scores, size_t cases) {
    double *table = cmus_allocate(2 * cases, sizeof *table);
    for (size_t i = 0; i < cases; i++) {
        table[2 * i] = -scores[i];
        table[2 * i + 1] = scores[i];
    }
    return table;
}

static void test_delong_published(void) {
    const json_t *published = json_object_get(golden, "published"), *expected = json_object_get(published, "delong");
    size_t cases = json_array_size(json_object_get(published, "labels"));
    int *labels = labels_of(published);
    double *base_scores = numbers(json_object_get(published, "base"));
    double *other_scores = numbers(json_object_get(published, "other"));
    double *base = two_columns(base_scores, cases), *other = two_columns(other_scores, cases);
    report_area_test tests[3];
    report_delong_test(base, other, labels, cases, 2, tests);
    for (size_t i = 0; i < 3; i++) { /* both classes and their mean have the same areas, so the same test */
        double half_width = 1.959963984540054 * tests[i].error;
        CU_ASSERT(near(tests[i].base, number(expected, "base"), 1e-14));
        CU_ASSERT(near(tests[i].other, number(expected, "other"), 1e-14));
        CU_ASSERT(near(tests[i].z, number(expected, "z"), 1e-13));
        CU_ASSERT(near(tests[i].p, number(expected, "p"), 1e-14));
        CU_ASSERT(near(tests[i].difference - half_width, number(expected, "low"), 1e-14));
        CU_ASSERT(near(tests[i].difference + half_width, number(expected, "high"), 1e-14));
    }
    cmus_free(labels);
    cmus_free(base_scores);
    cmus_free(other_scores);
    cmus_free(base);
    cmus_free(other);
}

static void check_table(const json_t *table) {
    const json_t *expected = json_object_get(table, "delong");
    size_t cases = json_array_size(json_object_get(table, "labels")), classes = json_array_size(expected) - 1;
    int *labels = labels_of(table);
    double *base = rows_of(json_object_get(table, "base")), *other = rows_of(json_object_get(table, "other"));
    report_area_test *tests = cmus_allocate(classes + 1, sizeof *tests);
    check_mcnemar(report_mcnemar_cases(base, other, labels, cases, classes), json_object_get(table, "mcnemar"), 1e-12);
    report_delong_test(base, other, labels, cases, classes, tests);
    for (size_t i = 0; i <= classes; i++) {
        const json_t *one = json_array_get(expected, i);
        CU_ASSERT(near(tests[i].base, number(one, "base"), 1e-12));
        CU_ASSERT(near(tests[i].other, number(one, "other"), 1e-12));
        CU_ASSERT(near(tests[i].difference, number(one, "difference"), 1e-12));
        CU_ASSERT(near(tests[i].error, number(one, "error"), 1e-9));
        CU_ASSERT(near(tests[i].z, number(one, "z"), 1e-9));
        CU_ASSERT(near(tests[i].p, number(one, "p"), 1e-9));
    }
    cmus_free(labels);
    cmus_free(base);
    cmus_free(other);
    cmus_free(tests);
}

static void test_tables(void) {
    const json_t *tables = json_object_get(golden, "tables");
    CU_ASSERT_FATAL(json_array_size(tables) >= 30);
    for (size_t i = 0; i < json_array_size(tables); i++)
        check_table(json_array_get(tables, i));
}

/* Areas 1 and 0 do not vary: no test. */
static void test_delong_without_variance(void) {
    const double base[] = {1, 0, 1, 0, 0, 1, 0, 1}, other[] = {0, 1, 0, 1, 1, 0, 1, 0};
    const int labels[] = {0, 0, 1, 1};
    report_area_test tests[3];
    report_delong_test(base, other, labels, 4, 2, tests);
    CU_ASSERT(tests[2].base == 1 && tests[2].other == 0 && tests[2].error == 0);
    CU_ASSERT(isnan(tests[2].z) && isnan(tests[2].p));
    report_delong_test(base, base, labels, 4, 2, tests);
    CU_ASSERT(tests[2].z == 0 && tests[2].p == 1);
}

static void test_holm(void) {
    double adjusted[5];
    report_holm((const double[]){0.01, NAN, 0.04, 0.03, 0.005}, 5, adjusted);
    CU_ASSERT(near(adjusted[0], 0.03, 1e-15) && isnan(adjusted[1]) && near(adjusted[2], 0.06, 1e-15));
    CU_ASSERT(near(adjusted[3], 0.06, 1e-15) && near(adjusted[4], 0.02, 1e-15));
    report_holm((const double[]){0.6, 0.7}, 2, adjusted);
    CU_ASSERT(adjusted[0] == 1 && adjusted[1] == 1);
}

static void test_holm_golden(void) {
    const json_t *list = json_object_get(golden, "holm");
    CU_ASSERT_FATAL(json_array_size(list) >= 4);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        size_t count = json_array_size(json_object_get(one, "p"));
        double *p = numbers(json_object_get(one, "p")), *expected = numbers(json_object_get(one, "adjusted"));
        double *adjusted = cmus_allocate(count, sizeof *adjusted);
        report_holm(p, count, adjusted);
        for (size_t j = 0; j < count; j++)
            CU_ASSERT(near(adjusted[j], expected[j], 1e-14));
        cmus_free(p);
        cmus_free(expected);
        cmus_free(adjusted);
    }
}

int main(void) {
    static const unit_test tests[] = {
        {"McNemar: published value", test_mcnemar_published},
        {"McNemar: scipy's values", test_mcnemar_scipy},
        {"DeLong: published value", test_delong_published},
        {"tables: scikit-learn's and scipy's values", test_tables},
        {"DeLong: areas that do not vary", test_delong_without_variance},
        {"Holm by hand", test_holm},
        {"Holm of many", test_holm_golden},
    };
    golden = json_load_file(COMPARISON_GOLDEN, 0, NULL);
    int code = golden ? unit_main("report_tests_paired", tests, sizeof tests / sizeof tests[0]) : 1;
    json_decref(golden);
    return code;
}
