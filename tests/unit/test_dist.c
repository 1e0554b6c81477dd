/* The ranks' functions: the same program under 1, 2 and 4 ranks, each checked against what the ranks gave. */
#include <string.h>

#include "cmus/communicator.h"
#include "cmus/memory.h"
#include "unit.h"

static cmus_communicator world;

static void sums_are_those_of_all_ranks(void) {
    double sums[2] = {1, world.rank};
    cmus_sum_doubles(&world, sums, 2);
    CU_ASSERT_EQUAL(sums[0], world.ranks);
    CU_ASSERT_EQUAL(sums[1], world.ranks * (world.ranks - 1) / 2);
    double largest = -world.rank;
    cmus_maximum_double(&world, &largest);
    CU_ASSERT_EQUAL(largest, 0);
}

/* Message number k from one rank to another: its size differs, its bytes say where it is from and to. */
static size_t message_size(int from, int to, int k) {
    return (size_t)(1 + from + 3 * to + 1000 * k * k);
}

static char message_byte(int from, int to, int k) {
    return (char)(1 + from + 8 * to + 64 * k);
}

/* Every pair of ranks has several messages each way, among them large ones; the last rank may be left out. */
static void exchange(int ranks) {
    enum { EACH = 20, MOST = 8 * EACH };
    cmus_message sends[MOST], receives[MOST];
    size_t count = 0, wrong = 0;
    for (int k = 0; k < EACH; k++)
        for (int peer = 0; peer < ranks; peer++) {
            if (peer == world.rank || world.rank >= ranks)
                continue;
            size_t out = message_size(world.rank, peer, k), in = message_size(peer, world.rank, k);
            sends[count] = (cmus_message){peer, cmus_allocate(out, 1), out};
            memset(sends[count].data, message_byte(world.rank, peer, k), out);
            receives[count++] = (cmus_message){peer, cmus_allocate(in, 1), in};
        }
    cmus_exchange(&world, sends, count, receives, count);
    for (size_t i = 0, k = 0; i < count; i++) {
        k = i / (size_t)(ranks - 1);
        const char *got = receives[i].data;
        for (size_t at = 0; at < receives[i].size; at++)
            wrong += got[at] != message_byte(receives[i].peer, world.rank, (int)k);
        cmus_free(sends[i].data);
        cmus_free(receives[i].data);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void messages_reach_their_peer(void) {
    CU_ASSERT_FATAL(world.ranks <= 8);
    exchange(world.ranks);
    exchange(world.ranks > 2 ? world.ranks - 1 : world.ranks); /* a rank without messages calls too */
    cmus_exchange(&world, NULL, 0, NULL, 0);
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
        {"sums are those of all ranks", sums_are_those_of_all_ranks},
        {"messages reach their peer", messages_reach_their_peer},
        {"broadcast reaches all", broadcast_reaches_all},
        {"gather keeps the order", gather_keeps_the_order},
        {"all agree on the first failure", all_agree_on_the_first_failure},
    };
    world = cmus_communicator_begin(&argc, &argv, "test_dist");
    int code = unit_main("dist", tests, sizeof tests / sizeof tests[0]);
    cmus_communicator_end();
    return code;
}
