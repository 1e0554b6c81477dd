/* The comparison routine that the golden and unit tests rely on. */
#include "compare.h"
#include "unit.h"

static void finds_worst(void) {
    double value[4] = {3, 0, 4.5, -1}, reference[4] = {3, 0, 4, -1.25};
    comparison c = compare_arrays(value, reference, 4);
    CU_ASSERT_EQUAL(c.worst, 2);
    CU_ASSERT_EQUAL(c.largest, 0.5);
    CU_ASSERT_EQUAL(c.value, 4.5);
    CU_ASSERT_EQUAL(c.reference, 4);
    CU_ASSERT_DOUBLE_EQUAL(c.norm_value, sqrt(9 + 20.25 + 1), 1e-15);
    CU_ASSERT_DOUBLE_EQUAL(c.norm_reference, sqrt(9 + 16 + 1.5625), 1e-15);
    CU_ASSERT_DOUBLE_EQUAL(c.relative, sqrt(0.25 + 0.0625) / sqrt(26.5625), 1e-15);
    CU_ASSERT_EQUAL(compare_arrays(value, value, 4).relative, 0);
    CU_ASSERT_EQUAL(compare_arrays(value, value, 4).worst, 0);
    CU_ASSERT_EQUAL(compare_arrays(value, reference, 1).relative, 0);
}

static void zero_reference_must_be_met_exactly(void) {
    double zero[3] = {0, -0.0, 0}, tiny[3] = {0, 1e-300, 0};
    CU_ASSERT_EQUAL(compare_arrays(zero, zero, 3).relative, 0);
    comparison c = compare_arrays(tiny, zero, 3);
    CU_ASSERT_EQUAL(c.largest, 1e-300);
    CU_ASSERT_EQUAL(c.worst, 1);
    double small[3] = {0, 0, 1e-100};
    CU_ASSERT_EQUAL(compare_arrays(small, zero, 3).relative, INFINITY);
    CU_ASSERT_EQUAL(compare_arrays(tiny, zero, 3).relative, INFINITY);
    CU_ASSERT_EQUAL(compare_arrays(zero, small, 3).relative, 1);
}

static void not_a_number_is_never_close(void) {
    for (size_t place = 0; place < 3; place++) {
        double value[3] = {1, 2, 3}, reference[3] = {1, 2, 3.5};
        value[place] = NAN;
        comparison c = compare_arrays(value, reference, 3);
        CU_ASSERT_EQUAL(c.relative, INFINITY);
        CU_ASSERT_FALSE(c.largest <= 1e300);
        value[place] = 1;
        reference[place] = NAN;
        CU_ASSERT_EQUAL(compare_arrays(value, reference, 3).relative, INFINITY);
        value[place] = INFINITY;
        reference[place] = INFINITY; /* even if both have it: nothing was compared */
        CU_ASSERT_EQUAL(compare_arrays(value, reference, 3).relative, INFINITY);
    }
    double value[3] = {1, NAN, 3}, reference[3] = {1, 2, 300};
    CU_ASSERT_EQUAL(compare_arrays(value, reference, 3).worst, 1);
}

int main(void) {
    static const unit_test tests[] = {
        {"finds the worst element", finds_worst},
        {"zero must be met exactly", zero_reference_must_be_met_exactly},
        {"not a number is never close", not_a_number_is_never_close},
    };
    return unit_main("compare", tests, sizeof tests / sizeof tests[0]);
}
