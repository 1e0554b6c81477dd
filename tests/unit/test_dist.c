/* The ranks' functions: the same program under 1, 2 and 4 ranks, each checked against what the ranks gave. */
#include <string.h>

#include "cmus/communicator.h"
#include "cmus/memory.h"
#include "unit.h"

static cmus_communicator world;

static void sums_are_right_in_any_bucket(void) {
    enum { COUNT = 1000 };
    float values[COUNT];
    for (size_t bucket = 4; bucket <= 8192; bucket *= 3) {
        for (int i = 0; i < COUNT; i++)
            values[i] = (float)(i + world.rank);
        cmus_sum_floats(&world, values, COUNT, bucket);
        int wrong = 0;
        for (int i = 0; i < COUNT; i++)
            wrong += values[i] != (float)(i * world.ranks + world.ranks * (world.ranks - 1) / 2);
        CU_ASSERT_EQUAL(wrong, 0);
    }
    double sums[2] = {1, world.rank};
    cmus_sum_doubles(&world, sums, 2);
    CU_ASSERT_EQUAL(sums[0], world.ranks);
    CU_ASSERT_EQUAL(sums[1], world.ranks * (world.ranks - 1) / 2);
    double largest = -world.rank;
    cmus_maximum_double(&world, &largest);
    CU_ASSERT_EQUAL(largest, 0);
}

static void broadcast_reaches_all(void) {
    int value = world.rank + 10;
    cmus_broadcast(&world, &value, sizeof value, world.ranks - 1);
    CU_ASSERT_EQUAL(value, world.ranks + 9);
}

static void gather_keeps_the_order(void) {
    char text[16];
    memset(text, 'a' + world.rank, sizeof text);
    char *all;
    size_t sizes[64] = {0};
    cmus_gather_bytes(&world, text, (size_t)world.rank, &all, sizes); /* rank 0 gives nothing */
    if (world.rank != 0) {
        CU_ASSERT_PTR_NULL(all);
        return;
    }
    const char *at = all;
    for (int rank = 0; rank < world.ranks; rank++) {
        CU_ASSERT_EQUAL(sizes[rank], rank);
        for (int i = 0; i < rank; i++)
            CU_ASSERT_EQUAL(*at++, 'a' + rank);
    }
    cmus_free(all);
}

static void all_agree_on_the_first_failure(void) {
    CU_ASSERT_EQUAL(cmus_agree(&world, CMUS_OK), CMUS_OK);
    cmus_status own = CMUS_OK;
    if (world.rank >= world.ranks / 2)
        own = cmus_fail(CMUS_ERROR_DATA, "rank %d can't read its case", world.rank);
    CU_ASSERT_EQUAL(cmus_agree(&world, own), CMUS_ERROR_DATA);
    char expected[64];
    snprintf(expected, sizeof expected, "rank %d can't read its case", world.ranks / 2);
    CU_ASSERT_STRING_EQUAL(cmus_last_error(), expected);
    cmus_barrier(&world);
    CU_ASSERT(cmus_threads_per_rank() >= 1);
    CU_ASSERT(strlen(cmus_host_name()) > 0);
    CU_ASSERT_PTR_NULL(strchr(cmus_mpi_version(), '\n'));
}

int main(int argc, char **argv) {
    static const unit_test tests[] = {
        {"sums are right in any bucket", sums_are_right_in_any_bucket},
        {"broadcast reaches all", broadcast_reaches_all},
        {"gather keeps the order", gather_keeps_the_order},
        {"all agree on the first failure", all_agree_on_the_first_failure},
    };
    world = cmus_communicator_begin(&argc, &argv, "test_dist");
    int code = unit_main("dist", tests, sizeof tests / sizeof tests[0]);
    cmus_communicator_end();
    return code;
}
