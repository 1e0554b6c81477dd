/* A job of short steps for tests/cli/watchdog.sh, in which a rank fails in one of several ways.
 *
 * watchdog_program WAY REPORT STALL: each rank prints "rank R is process P" and then does steps of 0.1 s, each with a
 * barrier. At step 5: "none" goes on to step 50; "slow": all take 1.5 s; "stuck": rank 1 (0, if it is alone) stays in
 * its own work; "fatal", "thread", "both": a fatal failure of rank 1 on the main thread, on another one, or on two at
 * once, while all others wait; "kill": rank 1 dies by SIGKILL; "hang": rank 1 fails, and what should end the job never
 * returns; "two": ranks fail on two ranks.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmus/communicator.h"
#include "cmus/log.h"
#include "cmus/watchdog.h"

enum { STEPS = 50, BAD_STEP = 5 };

static void *fail_on_a_thread(void *name) {
    cmus_fatal("failed on purpose on %s", (const char *)name);
}

static void never_return(int code) {
    (void)code;
    for (;;)
        pause();
}

static void start_failing(const char *name) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, fail_on_a_thread, (void *)(size_t)name) != 0)
        exit(3);
}

static void go_wrong(const char *way, int rank, int bad_rank) {
    if (strcmp(way, "two") == 0 && rank < 2)
        cmus_fatal("failed on purpose on rank %d", rank);
    for (int i = 0; strcmp(way, "slow") == 0 && i < 150; i++)
        usleep(10000);
    if (rank != bad_rank)
        return;
    if (strcmp(way, "stuck") == 0)
        for (;;)
            pause();
    if (strcmp(way, "fatal") == 0)
        cmus_fatal("failed on purpose");
    if (strcmp(way, "thread") == 0 || strcmp(way, "both") == 0)
        start_failing("another thread");
    if (strcmp(way, "both") == 0)
        cmus_fatal("failed on purpose on the main thread");
    if (strcmp(way, "kill") == 0)
        raise(SIGKILL);
    if (strcmp(way, "hang") == 0) {
        cmus_set_fatal_exit(never_return);
        cmus_fatal("failed on purpose, with an end that hangs");
    }
}

int main(int argc, char **argv) {
    cmus_communicator world = cmus_communicator_begin(&argc, &argv, "watchdog_program");
    if (argc != 4)
        cmus_fatal("usage: watchdog_program WAY REPORT STALL");
    fprintf(stderr, "rank %d is process %d\n", world.rank, (int)getpid());
    cmus_watchdog *watchdog = cmus_watchdog_start(&world, strtod(argv[2], NULL), strtod(argv[3], NULL));
    for (int step = 0; step < STEPS; step++) {
        cmus_watchdog_at(watchdog, "computing", step);
        usleep(100000);
        if (step == BAD_STEP)
            go_wrong(argv[1], world.rank, world.ranks > 1 ? 1 : 0);
        cmus_watchdog_at(watchdog, "waiting for the others", step);
        cmus_barrier(&world);
    }
    cmus_watchdog_stop(watchdog);
    cmus_communicator_end();
    return 0;
}
