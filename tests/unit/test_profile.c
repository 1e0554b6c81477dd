#include "cmus/profile.h"

#include <string.h>
#include <time.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "unit.h"

static void begin_anew(void) {
    cmus_profile_reset();
    cmus_profile_enable(true);
}

static void wait(double seconds) {
    double until = cmus_seconds() + seconds;
    while (cmus_seconds() < until)
        ;
}

static cmus_profile_operation entry(const char *name) {
    size_t count;
    cmus_profile_operation found = {0}, *table = cmus_profile_operations(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].name, name) == 0)
            found = table[i];
    cmus_free(table);
    return found;
}

static void off_by_default(void) {
    size_t operations, products;
    CU_ASSERT_EQUAL(cmus_profile_begin(), 0);
    cmus_profile_end("product", 0);
    cmus_profile_product(&(cmus_product_shape){.m = 2, .n = 3, .k = 4});
    cmus_profile_flops("attention", 5);
    cmus_free(cmus_profile_operations(&operations));
    cmus_free(cmus_profile_products(&products));
    CU_ASSERT_EQUAL(operations, 0);
    CU_ASSERT_EQUAL(products, 0);
    CU_ASSERT_EQUAL(cmus_profile_needed_flops(), 0);
}

/* Turned on inside an operation: its end must not be counted; turned off inside one: its end must be. */
static void switched_in_between(void) {
    cmus_profile_reset();
    double began = cmus_profile_begin();
    cmus_profile_enable(true);
    cmus_profile_end("early", began);
    began = cmus_profile_begin();
    cmus_profile_enable(false);
    cmus_profile_end("late", began);
    CU_ASSERT_EQUAL(entry("early").calls, 0);
    CU_ASSERT_EQUAL(entry("late").calls, 1);
}

static void operations_nest(void) {
    begin_anew();
    double outer = cmus_profile_begin();
    for (int i = 0; i < 3; i++) {
        double inner = cmus_profile_begin();
        wait(0.005);
        cmus_profile_end("inner", inner);
    }
    wait(0.005);
    cmus_profile_end("outer", outer);
    cmus_profile_operation in = entry("inner"), out = entry("outer");
    CU_ASSERT_EQUAL(in.calls, 3);
    CU_ASSERT_EQUAL(out.calls, 1);
    CU_ASSERT(in.seconds >= 0.015);
    CU_ASSERT_DOUBLE_EQUAL(in.own, in.seconds, 1e-9);
    CU_ASSERT(out.own >= 0.005);
    CU_ASSERT_DOUBLE_EQUAL(out.seconds, out.own + in.seconds, 1e-9);
    size_t count;
    cmus_profile_operation *table = cmus_profile_operations(&count);
    CU_ASSERT_EQUAL(count, 2);
    CU_ASSERT(count == 2 && table[0].own >= table[1].own);
    cmus_free(table);
}

static void record(const cmus_product_shape *shape) {
    double began = cmus_profile_begin();
    wait(0.001);
    cmus_profile_product(shape);
    cmus_profile_end("product", began);
}

static void products_are_counted(void) {
    begin_anew();
    cmus_product_shape one = {.m = 2, .n = 3, .k = 4, .ld_left = 4, .ld_right = 3, .ld_out = 3}, other = one;
    other.accumulate = true;
    for (int i = 0; i < 3; i++)
        record(&one);
    record(&other);
    CU_ASSERT_FALSE(cmus_profile_recomputing(true));
    record(&one);
    cmus_profile_flops("attention", 1000);
    CU_ASSERT(cmus_profile_recomputing(false));
    cmus_profile_flops("attention", 100);
    CU_ASSERT_EQUAL(cmus_profile_needed_flops(), 4 * 48 + 100);
    CU_ASSERT_EQUAL(entry("product").flops, 4 * 48);
    CU_ASSERT_EQUAL(entry("product").recomputed, 48);
    CU_ASSERT_EQUAL(entry("attention").flops, 100);
    CU_ASSERT_EQUAL(entry("attention").recomputed, 1000);
    size_t count;
    cmus_profile_product_row *rows = cmus_profile_products(&count);
    CU_ASSERT_EQUAL_FATAL(count, 2);
    CU_ASSERT_EQUAL(rows[0].count, 3);
    CU_ASSERT_EQUAL(rows[0].recomputed, 1);
    CU_ASSERT_FALSE(rows[0].shape.accumulate);
    CU_ASSERT_EQUAL(rows[1].count, 1);
    CU_ASSERT(rows[0].seconds >= 0.004);
    CU_ASSERT(rows[1].seconds >= 0.001);
    CU_ASSERT_DOUBLE_EQUAL(rows[0].seconds + rows[1].seconds, entry("product").seconds, 1e-9);
    cmus_free(rows);
}

/* Shape i of many that differ in one field each. */
static cmus_product_shape numbered(int i) {
    cmus_product_shape shape = {.m = 1, .n = 1, .k = 1, .ld_left = 1, .ld_right = 1, .ld_out = 1};
    int *const fields[] = {&shape.m, &shape.n, &shape.k, &shape.ld_left, &shape.ld_right, &shape.ld_out};
    *fields[i % 6] += 1 + i / 6;
    shape.transpose_left = i & 1;
    return shape;
}

static void many_shapes_are_told_apart(void) {
    enum { SHAPES = 3000 };
    begin_anew();
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < SHAPES; i++) {
            cmus_product_shape shape = numbered(i);
            cmus_profile_product(&shape);
        }
    size_t count;
    cmus_profile_product_row *rows = cmus_profile_products(&count);
    CU_ASSERT_EQUAL(count, SHAPES);
    bool twice = true, sorted = true;
    for (size_t i = 0; i < count; i++) {
        twice = twice && rows[i].count == 2;
        const cmus_product_shape *a = &rows[i].shape, *b = &rows[i + 1 < count ? i + 1 : i].shape;
        sorted = sorted && (double)a->m * a->n * a->k >= (double)b->m * b->n * b->k;
    }
    CU_ASSERT(twice);
    CU_ASSERT(sorted);
    cmus_free(rows);
    cmus_profile_reset();
}

int main(void) {
    static const unit_test tests[] = {
        {"off by default", off_by_default},
        {"switched in between", switched_in_between},
        {"operations nest", operations_nest},
        {"products are counted", products_are_counted},
        {"many shapes are told apart", many_shapes_are_told_apart},
    };
    return unit_main("profile", tests, sizeof tests / sizeof tests[0]);
}
