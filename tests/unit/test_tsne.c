/* t-SNE against scikit-learn's: the divergence of its places, and places as good as its; threads; what is degenerate.
 */
#include <jansson.h>
#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/random.h"
#include "report/tsne.h"
#include "unit.h"

enum { NEIGHBOURS = 10 };

static json_t *sets;

/* A list of lists of numbers as an array; free with cmus_free(). */
static double *read_rows(const json_t *rows, size_t *count, size_t *width) {
    *count = json_array_size(rows);
    *width = json_array_size(json_array_get(rows, 0));
    double *values = cmus_allocate(*count * *width, sizeof(double));
    for (size_t i = 0; i < *count; i++)
        for (size_t j = 0; j < *width; j++)
            values[i * *width + j] = json_number_value(json_array_get(json_array_get(rows, i), j));
    return values;
}

static float *read_points(const json_t *set, size_t *count, size_t *dimensions) {
    double *values = read_rows(json_object_get(set, "points"), count, dimensions);
    float *points = cmus_allocate(*count * *dimensions, sizeof(float));
    for (size_t i = 0; i < *count * *dimensions; i++)
        points[i] = (float)values[i];
    cmus_free(values);
    return points;
}

static double number_of(const json_t *set, const char *key) {
    return json_number_value(json_object_get(set, key));
}

/* Whether `other` is among the nearest neighbours of `own`; values [count][width]. */
static bool is_near(const double *values, size_t count, size_t width, size_t own, size_t other) {
    double limit = 0;
    size_t nearer = 0;
    for (size_t k = 0; k < width; k++)
        limit += pow(values[own * width + k] - values[other * width + k], 2);
    for (size_t i = 0; i < count; i++) {
        double square = 0;
        for (size_t k = 0; k < width; k++)
            square += pow(values[own * width + k] - values[i * width + k], 2);
        nearer += i != own && i != other && square < limit;
    }
    return nearer < NEIGHBOURS;
}

/* Share of the points' nearest neighbours that are the nearest in the plane too. */
static double share_preserved(const float *points, size_t count, size_t dimensions, const double *places) {
    double *wide = cmus_allocate(count * dimensions, sizeof(double));
    for (size_t i = 0; i < count * dimensions; i++)
        wide[i] = points[i];
    size_t both = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            both += i != j && is_near(places, count, 2, i, j) && is_near(wide, count, dimensions, i, j);
    cmus_free(wide);
    return (double)both / (double)(count * NEIGHBOURS);
}

static void test_divergence_of_their_places(void) {
    for (size_t i = 0; i < json_array_size(sets); i++) {
        const json_t *set = json_array_get(sets, i);
        size_t count, dimensions, width;
        float *points = read_points(set, &count, &dimensions);
        double *places = read_rows(json_object_get(set, "places"), &count, &width);
        double expected = number_of(set, "divergence");
        double got = report_tsne_divergence(points, count, dimensions, number_of(set, "perplexity"), places);
        CU_ASSERT_DOUBLE_EQUAL(got, expected, 1e-3 * expected); /* theirs is in float32, of the step before */
        cmus_free(points);
        cmus_free(places);
    }
}

static void test_places_as_good_as_theirs(void) {
    for (size_t i = 0; i < json_array_size(sets); i++) {
        const json_t *set = json_array_get(sets, i);
        size_t count, dimensions;
        float *points = read_points(set, &count, &dimensions);
        double *places = cmus_allocate(2 * count, sizeof(double)), perplexity = number_of(set, "perplexity");
        double divergence = report_tsne(points, count, dimensions, perplexity, 1, places);
        double preserved = share_preserved(points, count, dimensions, places);
        printf("(%s: divergence %.4f, theirs %.4f; preserved %.3f, theirs %.3f) ",
               json_string_value(json_object_get(set, "name")), divergence, number_of(set, "divergence"), preserved,
               number_of(set, "preserved"));
        CU_ASSERT(divergence <= 1.02 * number_of(set, "divergence"));
        CU_ASSERT(preserved >= number_of(set, "preserved") - 0.02);
        CU_ASSERT_DOUBLE_EQUAL(divergence, report_tsne_divergence(points, count, dimensions, perplexity, places), 1e-9);
        cmus_free(points);
        cmus_free(places);
    }
}

static void test_threads_and_seeds(void) {
    size_t count, dimensions;
    float *points = read_points(json_array_get(sets, 1), &count, &dimensions);
    double *one = cmus_allocate(2 * count, sizeof(double)), *three = cmus_allocate(2 * count, sizeof(double));
    int before = omp_get_max_threads();
    omp_set_num_threads(1);
    double first = report_tsne(points, count, dimensions, 20, 1, one);
    omp_set_num_threads(3);
    double second = report_tsne(points, count, dimensions, 20, 1, three);
    CU_ASSERT_EQUAL(first, second);
    CU_ASSERT_EQUAL(memcmp(one, three, 2 * count * sizeof(double)), 0);
    report_tsne(points, count, dimensions, 20, 2, three);
    CU_ASSERT_NOT_EQUAL(memcmp(one, three, 2 * count * sizeof(double)), 0);
    omp_set_num_threads(before);
    cmus_free(points);
    cmus_free(one);
    cmus_free(three);
}

/* Points of a set that has nothing to lay out by: the places are finite, centred, and not all the same. */
static void check_degenerate(const float *points, size_t count, size_t dimensions) {
    double *places = cmus_allocate(2 * count, sizeof(double)), sum[2] = {0, 0};
    double divergence = report_tsne(points, count, dimensions, report_tsne_perplexity(count), 1, places);
    CU_ASSERT(isfinite(divergence));
    bool differ = false;
    for (size_t i = 0; i < 2 * count; i++) {
        CU_ASSERT(isfinite(places[i]));
        sum[i % 2] += places[i];
        differ = differ || places[i] != places[i % 2];
    }
    CU_ASSERT(differ);
    CU_ASSERT_DOUBLE_EQUAL(sum[0], 0, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(sum[1], 0, 1e-6);
    cmus_free(places);
}

static void test_degenerate(void) {
    enum { POINTS = 60, WIDTH = 3 };
    float points[POINTS * WIDTH] = {0};
    check_degenerate(points, POINTS, WIDTH); /* all at one place */
    check_degenerate(points, REPORT_TSNE_FEWEST, WIDTH);
    for (size_t i = 0; i < POINTS; i++)
        points[i * WIDTH] = (float)i;
    check_degenerate(points, POINTS, WIDTH); /* on a line */
    for (size_t i = 0; i < POINTS; i++)
        points[i * WIDTH] = i < 40 ? 5 : -3e30f;
    check_degenerate(points, POINTS, WIDTH); /* two places, far apart, more points in each than the perplexity */
}

static void test_perplexity(void) {
    CU_ASSERT_DOUBLE_EQUAL(report_tsne_perplexity(REPORT_TSNE_FEWEST), 1, 0);
    CU_ASSERT_DOUBLE_EQUAL(report_tsne_perplexity(31), 10, 0);
    CU_ASSERT_DOUBLE_EQUAL(report_tsne_perplexity(5000), 30, 0);
}

int main(void) {
    static const unit_test tests[] = {
        {"divergence of scikit-learn's places", test_divergence_of_their_places},
        {"places as good as scikit-learn's", test_places_as_good_as_theirs},
        {"threads do not change it, the seed does", test_threads_and_seeds},
        {"degenerate points", test_degenerate},
        {"perplexity", test_perplexity},
    };
    json_error_t error;
    sets = json_load_file(TSNE_GOLDEN, 0, &error);
    if (!json_array_size(sets)) {
        fprintf(stderr, "%s: %s\n", TSNE_GOLDEN, error.text);
        return 1;
    }
    int result = unit_main("tsne", tests, sizeof tests / sizeof tests[0]);
    json_decref(sets);
    return result;
}
