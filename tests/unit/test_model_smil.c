/* Instance weights: the worked examples, and random bags against the twin. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmus/smil.h"
#include "twin_check.h"
#include "twins.h"
#include "unit.h"

enum { MOST = 8 };

typedef struct example {
    const char *name;
    double threshold;
    int count, size;
    float maps[MOST * 3];
    double weight[MOST];
    int centre;
} example;

/* A third point at distances `from0` and `from1` from (0, 0) and (side, 0). */
static void place_third(float *maps, double side, double from0, double from1) {
    double x = (from0 * from0 - from1 * from1 + side * side) / (2 * side);
    maps[2] = (float)side;
    maps[4] = (float)x;
    maps[5] = (float)sqrt(from0 * from0 - x * x);
}

static void check(const example *e) {
    double weight[MOST], distance[MOST];
    bool kept[MOST];
    cmus_smil smil = cmus_smil_weights(e->maps, e->count, (size_t)e->size, e->threshold, weight, distance, kept);
    CU_ASSERT_EQUAL(smil.centre, e->centre);
    CU_ASSERT_EQUAL(distance[smil.centre], 0);
    for (int k = 0; k < e->count; k++) {
        if (!(fabs(weight[k] - e->weight[k]) < 1e-6))
            printf("\n  %s: weight %d is %.9g, not %.9g\n", e->name, k, weight[k], e->weight[k]);
        CU_ASSERT_DOUBLE_EQUAL(weight[k], e->weight[k], 1e-6);
        CU_ASSERT_EQUAL(kept[k], e->count <= 2 || distance[k] <= e->threshold * smil.mean_distance);
        CU_ASSERT(kept[k] || weight[k] == 0);
    }
}

static void examples_come_out(void) {
    example table[] = {
        {"0, 1, 3", 1.5, 3, 1, {0, 1, 3}, {1, 1, 0}, 1},
        {"plane", 1.5, 5, 2, {0, 0, 1, 0, 0, 2, -3, 0, 0, -4}, {1, 1, 1.0 / 3, 1.0 / 9, 0}, 0},
        {"line", 1.5, 6, 1, {0, 1, -1.1f, 30, 2, -2.1f}, {1, 1, .826446, 0, .045455, 0}, 0},
        {"far one first", 1.5, 6, 1, {30, 0, 1, -1.1f, 2, -2.1f}, {0, 1, 1, .826446, .045455, 0}, 1},
        {"centre last", 1.5, 6, 2, {30, 0, 1, 0, -1.1f, 0, 0, 1.2f, 0, -1.3f, 0, 0}, {0, 1, .606061, .277778, 0, 1}, 5},
        {"nearly at the mean", 1.0, 3, 2, {0}, {1, 1, 0}, 0},
        {"nobody near", 0.5, 3, 2, {0}, {1, 0, 0}, 0},
        {"equilateral", 1.5, 3, 3, {1, 0, 0, 0, 1, 0, 0, 0, 1}, {1, 1, 1}, 0},
        {"three equal points", 1.5, 3, 2, {4, 5, 4, 5, 4, 5}, {1, 1, 1}, 0},
        {"A, A, B", 1.5, 3, 2, {1, 2, 1, 2, 5, 6}, {1, 1, 0}, 0},
        {"one", 1.5, 1, 2, {1, 2}, {1}, 0},
        {"two", 0.1, 2, 2, {1, 2, 3, 4}, {1, 1}, 0},
    };
    place_third(table[5].maps, .1, 1, 1.0001);
    place_third(table[6].maps, 1, 1.0001, 1.5);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        check(&table[i]);
}

static void lowest_index_wins_a_tie(void) {
    /* 1 and 2 have the same sum of distances; so have all corners of a square */
    check(&(example){"line of four", 1.5, 4, 1, {0, 1, 2, 3}, {1, 1, 1, 0}, 1});
    /* the diagonal is farther than 1.0 times the mean */
    check(&(example){"square", 1.0, 4, 2, {0, 0, 1, 0, 1, 1, 0, 1}, {1, 1, 0, 1}, 0});
    check(&(example){"square, all kept", 1.5, 4, 2, {0, 0, 1, 0, 1, 1, 0, 1}, {1, 1, 0, 1}, 0});
}

static void mean_distance_is_of_scaled_maps(void) {
    float maps[6] = {0, 0, 2, 0, 0, 4}; /* scaled by 4: sides 0.5, 1 and sqrt(1.25) */
    double weight[3], distance[3];
    bool kept[3];
    cmus_smil smil = cmus_smil_weights(maps, 3, 2, 1.5, weight, distance, kept);
    CU_ASSERT_DOUBLE_EQUAL(smil.mean_distance, (0.5 + 1 + sqrt(1.25)) / 3, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(distance[1], 0.5, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(distance[2], 1, 1e-12);
    float equal[6] = {7, 7, 7, 7, 7, 7};
    smil = cmus_smil_weights(equal, 3, 2, 1.5, weight, distance, kept);
    CU_ASSERT_EQUAL(smil.mean_distance, 0);
    CU_ASSERT(kept[0] && kept[1] && kept[2]);
    smil = cmus_smil_weights(maps, 2, 3, 1.5, weight, distance, kept);
    CU_ASSERT(smil.mean_distance == 0 && smil.centre == 0 && kept[1] && distance[1] == 0);
}

static void not_finite_counts_as_zero(void) {
    float bad[10] = {0, NAN, 1, 0, INFINITY, 2, -3, -INFINITY, 0, -4}, good[10];
    double weight[2][5], distance[2][5];
    bool kept[2][5];
    for (int i = 0; i < 10; i++)
        good[i] = isfinite(bad[i]) ? bad[i] : 0;
    cmus_smil a = cmus_smil_weights(bad, 5, 2, 1.5, weight[0], distance[0], kept[0]);
    cmus_smil b = cmus_smil_weights(good, 5, 2, 1.5, weight[1], distance[1], kept[1]);
    CU_ASSERT_EQUAL(a.centre, b.centre);
    CU_ASSERT_EQUAL(a.mean_distance, b.mean_distance);
    CU_ASSERT_EQUAL(memcmp(weight[0], weight[1], sizeof weight[0]), 0);
    CU_ASSERT_DOUBLE_EQUAL(weight[0][3], 1.0 / 9, 1e-6);
    float nothing[6] = {NAN, NAN, NAN, NAN, NAN, INFINITY};
    cmus_smil_weights(nothing, 3, 2, 1.5, weight[0], distance[0], kept[0]);
    for (int k = 0; k < 3; k++)
        CU_ASSERT_EQUAL(weight[0][k], 1);
}

static void random_bags_match(void) {
    enum { SIZE = 50 };
    for (int trial = 0; trial < 60; trial++) {
        char name[32];
        snprintf(name, sizeof name, "bag %d", trial);
        int count = 1 + trial % MOST;
        twin_values maps = twin_values_make((size_t)count * SIZE, name, 1, 3);
        for (size_t i = 0; i < maps.count; i++) { /* maps grow, so that their distances differ */
            maps.f[i] *= 1 + 0.3f * (float)(i / SIZE);
            maps.d[i] = (double)maps.f[i];
        }
        double weight[MOST], distance[MOST], expected[MOST], mean, threshold = 0.8 + 0.1 * (trial % 7);
        bool kept[MOST];
        cmus_smil smil = cmus_smil_weights(maps.f, count, SIZE, threshold, weight, distance, kept);
        CU_ASSERT_EQUAL(smil.centre, twin_smil(maps.d, count, SIZE, threshold, expected, &mean));
        CU_ASSERT_DOUBLE_EQUAL(smil.mean_distance, mean, 1e-9);
        for (int k = 0; k < count; k++)
            CU_ASSERT_DOUBLE_EQUAL(weight[k], expected[k], 1e-9);
        twin_values_free(&maps);
    }
}

int main(void) {
    static const unit_test tests[] = {
        {"worked examples", examples_come_out},
        {"lowest index wins a tie", lowest_index_wins_a_tie},
        {"mean distance is of scaled maps", mean_distance_is_of_scaled_maps},
        {"non-finite values count as zero", not_finite_counts_as_zero},
        {"random bags", random_bags_match},
    };
    return unit_main("model: SMIL", tests, sizeof tests / sizeof tests[0]);
}
