/* The watchdog of ranks that get on, and its words for those that do not (tests/cli/watchdog.sh has jobs that fail). */
#include <string.h>
#include <unistd.h>

#include "cmus/communicator.h"
#include "cmus/memory.h"
#include "cmus/watchdog.h"
#include "unit.h"
#include "watchdog_report.h"

static cmus_communicator world;

enum { RANKS = 6 };
static char hosts[RANKS][CMUS_HOST_SIZE] = {"n1", "n1", "n2", "n2", "n3", "n3"};

static cmus_rank_watch at(int64_t step, const char *what, double idle, double silent) {
    cmus_rank_watch rank = {{.idle = idle, .step = step}, silent};
    strcpy(rank.state.what, what);
    return rank;
}

static void it_names_those_that_lag_behind(void) {
    cmus_rank_watch watch[RANKS] = {
        at(120, "waiting for the gradients", 61, 0.2),
        at(120, "waiting for the gradients", 62, 0),
        at(119, "backward pass", 70, 0.5),
        at(120, "waiting for the gradients", 60, 0),
        at(119, "reading", 1, 75),
        at(119, "reading", 2, 75),
    };
    cmus_line line = {0};
    cmus_watchdog_describe(&line, watch, hosts, RANKS, 2);
    CU_ASSERT_STRING_EQUAL(
        line.text, "step 120 has been reached by ranks 0-1, 3 (waiting for the gradients for 62 s); rank 2 on n2 still "
                   "at step 119 (backward pass for 70 s); nothing has been heard for 75 s of ranks 4-5 on n3, last at "
                   "step 119 (reading): paused, ended or cut off");
    CU_ASSERT_EQUAL(cmus_rank_stuck(&watch[4]), 76);
}

static void it_tells_hosts_and_work_apart(void) {
    cmus_rank_watch watch[RANKS];
    for (int rank = 0; rank < RANKS; rank++)
        watch[rank] = at(7, rank == 3 ? "backward pass" : "waiting", 5, 0);
    watch[1].state.step = watch[4].state.step = 6;
    watch[5].state.last = 1;
    watch[5].silent = 100; /* it said that it would not say more */
    strcpy(watch[5].state.what, "done");
    cmus_line line = {0};
    cmus_watchdog_describe(&line, watch, hosts, RANKS, 2);
    CU_ASSERT_STRING_EQUAL(line.text,
                           "step 7 has been reached by ranks 0, 2 (waiting for 5 s), rank 3 on n2 (backward pass for 5 "
                           "s), rank 5 on n3 (done); rank 1 on n1 still at step 6 (waiting for 5 s), rank 4 on n3 "
                           "still at step 6 (waiting for 5 s)");
    CU_ASSERT_EQUAL(cmus_rank_stuck(&watch[5]), 0);
}

static void many_ranks_stay_one_line(void) {
    enum { MANY = 4000 };
    cmus_rank_watch *watch = cmus_allocate(MANY, sizeof *watch);
    char(*names)[CMUS_HOST_SIZE] = cmus_allocate(MANY, sizeof *names);
    for (int rank = 0; rank < MANY; rank++) {
        watch[rank] = at(rank % 2 ? rank : MANY, "computing", 60, 0);
        snprintf(names[rank], CMUS_HOST_SIZE, "a-host-with-a-rather-long-name-%d", rank);
    }
    cmus_line line = {0};
    cmus_watchdog_describe(&line, watch, names, MANY, 2);
    CU_ASSERT(line.length < sizeof line.text);
    CU_ASSERT_EQUAL(line.length, strlen(line.text));
    for (int rank = 0; rank < MANY; rank += 2)
        watch[rank].state.step = MANY - 1;
    watch[0].state.step = MANY;
    line.length = 0;
    cmus_watchdog_describe(&line, watch, names, MANY, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(line.text, "rank 1 on a-host-with-a-rather-long-name-1 still at step 1 (computing"));
    CU_ASSERT_PTR_NOT_NULL(strstr(line.text, "and 3987 more ranks"));
    cmus_free(watch);
    cmus_free(names);
}

static void ranks_that_get_on_are_left_alone(void) {
    cmus_watchdog *watchdog = cmus_watchdog_start(&world, 1, 1.5); /* the job would end */
    for (int step = 0; step < 25; step++) {
        cmus_watchdog_at(watchdog, "computing", step);
        usleep(100000);
        cmus_barrier(&world);
    }
    cmus_watchdog_stop(watchdog);
}

/* Starts and stops leave nothing behind that the next one or the main thread could receive, whatever comes first. */
static void it_starts_and_stops(void) {
    for (int i = 0; i < 20; i++) {
        cmus_watchdog *watchdog = cmus_watchdog_start(&world, i % 2, 0);
        if (world.rank == i % 4)
            usleep(30000);
        double values[2] = {1, world.rank};
        cmus_sum_doubles(&world, values, 2);
        CU_ASSERT_EQUAL(values[0], world.ranks);
        if (world.rank == (i + 1) % 4)
            usleep(30000);
        cmus_watchdog_stop(watchdog);
    }
    cmus_watchdog_at(NULL, "nothing", 0);
    cmus_watchdog_stop(NULL);
}

int main(int argc, char **argv) {
    static const unit_test tests[] = {
        {"it names those that lag behind", it_names_those_that_lag_behind},
        {"it tells hosts and work apart", it_tells_hosts_and_work_apart},
        {"many ranks stay one line", many_ranks_stay_one_line},
        {"ranks that get on are left alone", ranks_that_get_on_are_left_alone},
        {"it starts and stops", it_starts_and_stops},
    };
    world = cmus_communicator_begin(&argc, &argv, "test_watchdog");
    int code = unit_main("watchdog", tests, sizeof tests / sizeof tests[0]);
    cmus_communicator_end();
    return code;
}
