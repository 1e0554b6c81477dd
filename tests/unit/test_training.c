/* What training draws and shares: order, flips, stochastic depth, dropout, normalisation, ranks, norms, row logs. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "cmus/adam.h"
#include "cmus/augment.h"
#include "cmus/file.h"
#include "cmus/memory.h"
#include "cmus/metrics.h"
#include "cmus/row_log.h"
#include "cmus/sampler.h"
#include "cmus/wave.h"
#include "unit.h"

static void order_is_keyed_by_epoch(void) {
    enum { COUNT = 50 };
    int one[COUNT], same[COUNT], next[COUNT], seed[COUNT], seen[COUNT] = {0};
    for (int i = 0; i < COUNT; i++)
        one[i] = same[i] = next[i] = seed[i] = i;
    cmus_epoch_order(1, 3, one, COUNT);
    cmus_epoch_order(1, 3, same, COUNT);
    cmus_epoch_order(1, 4, next, COUNT);
    cmus_epoch_order(2, 3, seed, COUNT);
    CU_ASSERT_EQUAL(memcmp(one, same, sizeof one), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(one, next, sizeof one), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(one, seed, sizeof one), 0);
    for (int i = 0; i < COUNT; i++)
        seen[one[i]]++;
    for (int i = 0; i < COUNT; i++)
        CU_ASSERT_EQUAL(seen[i], 1);
}

/* By a plain rule of its own: image after image in falling cost (the first of equal ones first). */
static void share_plainly(const double *cost, int count, int ranks, double *load, int *rank_of) {
    for (int i = 0; i < count; i++)
        rank_of[i] = -1;
    for (int n = 0; n < count; n++) {
        int next = -1, rank = 0;
        for (int i = 0; i < count; i++)
            if (rank_of[i] < 0 && (next < 0 || cost[i] > cost[next]))
                next = i;
        for (int r = 1; r < ranks; r++)
            if (load[r] < load[rank])
                rank = r;
        load[rank] += cost[next];
        rank_of[next] = rank;
    }
}

static void ranks_get_even_shares(void) {
    const double cost[] = {3, 12, 5, 4, 12, 3};
    int rank_of[6], plain[6];
    for (int ranks = 1; ranks <= 8; ranks++) {
        double load[8] = {0, 7, 0, 2}, expected[8] = {0, 7, 0, 2}; /* what they have already counts */
        cmus_share_images(cost, 6, ranks, load, rank_of);
        share_plainly(cost, 6, ranks, expected, plain);
        CU_ASSERT_EQUAL(memcmp(rank_of, plain, sizeof plain), 0);
        CU_ASSERT_EQUAL(memcmp(load, expected, sizeof load), 0);
    }
    double two[2] = {0};
    cmus_share_images(cost, 6, 2, two, rank_of);
    CU_ASSERT(rank_of[1] == 0 && rank_of[4] == 1); /* 12 | 12, 5 | 4, 3 to rank 1, 3 to rank 0 or 1 */
    CU_ASSERT(fabs(two[0] - two[1]) <= 1);
    double many[8] = {0};
    cmus_share_images(cost, 3, 8, many, rank_of); /* more ranks than images: each has a rank of its own */
    CU_ASSERT(rank_of[0] == 2 && rank_of[1] == 0 && rank_of[2] == 1);
    cmus_share_images(cost, 0, 8, many, rank_of);
    CU_ASSERT(many[0] == 12 && many[3] == 0);
}

static void choices_depend_on_each_part_of_the_key(void) {
    enum { DRAWS = 4000 };
    int horizontal = 0, vertical = 0, both = 0, differences[5] = {0};
    for (int i = 0; i < DRAWS; i++) {
        cmus_image_key key = {.seed = 1, .case_hash = (uint64_t)i, .epoch = 2, .modality = CMUS_OM, .image = 0};
        cmus_flips flips = cmus_draw_flips(&key);
        horizontal += flips.horizontal;
        vertical += flips.vertical;
        both += flips.horizontal && flips.vertical;
        cmus_image_key other[5] = {key, key, key, key, key};
        other[0].seed++;
        other[1].epoch++;
        other[2].modality = CMUS_IM;
        other[3].image++;
        for (int part = 0; part < 5; part++) {
            cmus_flips drawn = cmus_draw_flips(&other[part]);
            differences[part] += drawn.horizontal != flips.horizontal;
        }
    }
    CU_ASSERT(abs(horizontal - DRAWS / 2) < 150 && abs(vertical - DRAWS / 2) < 150 && abs(both - DRAWS / 4) < 150);
    for (int part = 0; part < 4; part++)
        CU_ASSERT(abs(differences[part] - DRAWS / 2) < 150);
    CU_ASSERT_EQUAL(differences[4], 0); /* the same key draws the same */
}

static void drops_have_their_rate(void) {
    enum { IMAGES = 4000, BLOCKS = 3 };
    const double probability[BLOCKS] = {0, 0.25, 0.5};
    int kept[BLOCKS][2] = {{0}}, wrong = 0, same_branches = 0;
    for (int image = 0; image < IMAGES; image++) {
        cmus_image_key key = {.seed = 7, .case_hash = 99, .epoch = 1, .modality = CMUS_TEM, .image = image};
        float factors[2 * BLOCKS];
        cmus_draw_depth(&key, probability, BLOCKS, factors);
        for (int i = 0; i < 2 * BLOCKS; i++) {
            float expected = (float)(1 / (1 - probability[i / 2]));
            kept[i / 2][i % 2] += factors[i] > 0;
            wrong += factors[i] != 0 && factors[i] != expected;
        }
        same_branches += (factors[4] > 0) == (factors[5] > 0);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(abs(same_branches - IMAGES / 2) < 150); /* the branches of a block are drawn apart */
    for (int i = 0; i < 2 * BLOCKS; i++)
        CU_ASSERT(abs(kept[i / 2][i % 2] - (int)(IMAGES * (1 - probability[i / 2]))) < 150);
    CU_ASSERT_EQUAL(kept[0][0], IMAGES);
    float dropout[1000], again[1000];
    cmus_draw_dropout(7, 1, 99, 0.5, 1000, dropout);
    cmus_draw_dropout(7, 1, 99, 0.5, 1000, again);
    CU_ASSERT_EQUAL(memcmp(dropout, again, sizeof again), 0);
    cmus_draw_dropout(7, 2, 99, 0.5, 1000, again);
    CU_ASSERT_NOT_EQUAL(memcmp(dropout, again, sizeof again), 0);
    int zeros = 0;
    for (int i = 0; i < 1000; i++)
        zeros += dropout[i] == 0;
    CU_ASSERT(abs(zeros - 500) < 80);
}

static void images_are_normalised_and_flipped(void) {
    enum { SIDE = 2 };
    const uint8_t bytes[SIDE * SIDE * 3] = {0, 255, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100};
    float planes[3 * SIDE * SIDE];
    cmus_normalize_image(bytes, SIDE, (cmus_flips){false, false}, planes);
    CU_ASSERT_DOUBLE_EQUAL(planes[0], (0.0 - 0.485) / 0.229, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(planes[4], (1.0 - 0.456) / 0.224, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(planes[8 + 3], (100 / 255.0 - 0.406) / 0.225, 1e-6);
    float flipped[3 * SIDE * SIDE];
    cmus_normalize_image(bytes, SIDE, (cmus_flips){.horizontal = true}, flipped);
    CU_ASSERT(flipped[0] == planes[1] && flipped[1] == planes[0] && flipped[2] == planes[3]);
    cmus_normalize_image(bytes, SIDE, (cmus_flips){.vertical = true}, flipped);
    CU_ASSERT(flipped[0] == planes[2] && flipped[1] == planes[3] && flipped[3] == planes[1]);
    cmus_normalize_image(bytes, SIDE, (cmus_flips){true, true}, flipped);
    CU_ASSERT(flipped[0] == planes[3] && flipped[1] == planes[2] && flipped[11] == planes[8]);
}

static void metrics_are_sums(void) {
    cmus_case_result result = {
        .total_loss = 2, .loss = {1, 2, 3, 4}, .dead = {false, true, false, false}, .mean_distance = 0.5};
    result.probabilities[CMUS_HEAD_FUSION][1] = 0.7;
    cmus_metrics metrics = {0}, all = {0};
    cmus_metrics_add(&metrics, &result, 1, 3);
    cmus_metrics_add(&metrics, &result, 0, 3);
    cmus_metrics_merge(&all, &metrics);
    cmus_metrics_merge(&all, &metrics);
    CU_ASSERT_EQUAL(all.cases, 4);
    CU_ASSERT_EQUAL(all.correct, 2);
    CU_ASSERT_EQUAL(all.total_loss, 8);
    CU_ASSERT_EQUAL(all.mean_distance, 2);
    CU_ASSERT_EQUAL(all.loss[CMUS_HEAD_IM], 12);
    CU_ASSERT_EQUAL(all.dead[CMUS_HEAD_OM], 4);
    enum { COUNT = 200001 };
    float *values = cmus_allocate(COUNT, sizeof *values);
    for (int i = 0; i < COUNT; i++)
        values[i] = 2;
    CU_ASSERT_DOUBLE_EQUAL(cmus_norm(values, COUNT), 2 * sqrt(COUNT), 1e-9);
    values[COUNT - 1] = NAN;
    CU_ASSERT_TRUE(isnan(cmus_norm(values, COUNT)));
    cmus_free(values);
}

static void expect_content(const char *expected) {
    char *text;
    size_t size;
    CU_ASSERT_EQUAL_FATAL(cmus_file_read("rows_scratch.csv", 1000, &text, &size), CMUS_OK);
    CU_ASSERT_STRING_EQUAL(text, expected);
    cmus_free(text);
}

static void rows_are_cut_back(void) {
    cmus_row_log *log;
    unlink("rows_scratch.csv");
    CU_ASSERT_EQUAL_FATAL(cmus_row_log_open("rows_scratch.csv", "a,b", 0, &log), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_row_log_add(log, "1,2"), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_row_log_add(log, "3,4"), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_row_log_sync(log), CMUS_OK);
    cmus_row_log_close(log);
    expect_content("a,b\n1,2\n3,4\n");
    CU_ASSERT_EQUAL_FATAL(cmus_row_log_open("rows_scratch.csv", "a,b", 1, &log), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_row_log_add(log, "5,6"), CMUS_OK);
    cmus_row_log_close(log);
    expect_content("a,b\n1,2\n5,6\n");
    CU_ASSERT_EQUAL(cmus_row_log_open("rows_scratch.csv", "a,b", 3, &log), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(cmus_row_log_open("rows_scratch.csv", "a,c", 1, &log), CMUS_ERROR_FORMAT);
    CU_ASSERT_PTR_NULL(log);
    CU_ASSERT_EQUAL_FATAL(cmus_row_log_open("rows_scratch.csv", "a,b", 0, &log), CMUS_OK);
    cmus_row_log_close(log);
    expect_content("a,b\n");
    unlink("rows_scratch.csv");
}

int main(void) {
    static const unit_test tests[] = {
        {"order is keyed by epoch", order_is_keyed_by_epoch},
        {"ranks get even shares", ranks_get_even_shares},
        {"choices depend on each part of the key", choices_depend_on_each_part_of_the_key},
        {"drops have their rate", drops_have_their_rate},
        {"images are normalised and flipped", images_are_normalised_and_flipped},
        {"metrics are sums", metrics_are_sums},
        {"rows are cut back", rows_are_cut_back},
    };
    return unit_main("training", tests, sizeof tests / sizeof tests[0]);
}
