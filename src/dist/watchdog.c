#include "cmus/watchdog.h"

#include <math.h>
#include <mpi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "mpi_check.h"
#include "watchdog_report.h"

enum {
    MONITORS = 2,
    RANKS_A_TICK = 256, /* a monitor hears of about so many ranks four times a second */
    SILENT_TICKS = 6,   /* without a message: a rank that runs sends at least every second tick */
    TAG = 1
};
static const double TICK = 0.25, END_TICK = 0.01, PAUSE_TICKS = 8, MONITOR_GRACE = 1.0; /* seconds, but for PAUSE */

/* A message on its way to a monitor. Synchronous sends, so that one that the monitor has not taken is still on its way
 * and no second one follows: a paused or cut-off monitor does not make messages pile up. */
typedef struct outbox {
    MPI_Request request;
    cmus_rank_state state;
    bool last_taken;
} outbox;

struct cmus_watchdog {
    const cmus_communicator *communicator;
    double report_seconds, stall_seconds, tick, silent_limit;
    char (*hosts)[CMUS_HOST_SIZE];
    MPI_Comm own; /* a communicator that only the thread uses */
    pthread_t thread;

    /* What this rank does, from cmus_watchdog_at(). */
    _Atomic(const char *) what;
    _Atomic int64_t step;
    atomic_ulong changes;

    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool stop; /* under the lock */

    /* The thread's alone. */
    double before; /* time of the last tick */
    unsigned long seen;
    cmus_rank_watch *watch; /* [ranks]; of the others only on a monitor */
    outbox out[MONITORS];
    MPI_Request incoming;
    cmus_rank_state received;
    int last_messages; /* received from other ranks */
    double next_report;
};

static bool is_monitor(const cmus_watchdog *watchdog) {
    return watchdog->communicator->rank < MONITORS && watchdog->communicator->ranks > 1;
}

/* The others' states, as they come in. */
static void receive(cmus_watchdog *watchdog) {
    while (watchdog->last_messages < watchdog->communicator->ranks - 1) {
        int done = 0;
        MPI_Status status;
        if (watchdog->incoming == MPI_REQUEST_NULL)
            cmus_mpi_check(MPI_Irecv(&watchdog->received, (int)sizeof watchdog->received, MPI_BYTE, MPI_ANY_SOURCE, TAG,
                                     watchdog->own, &watchdog->incoming),
                           "MPI_Irecv");
        cmus_mpi_check(MPI_Test(&watchdog->incoming, &done, &status), "MPI_Test");
        if (!done)
            return;
        watchdog->watch[status.MPI_SOURCE] = (cmus_rank_watch){.state = watchdog->received};
        watchdog->last_messages += watchdog->received.last;
    }
}

/* This rank's state to one of the monitors, unless that has not taken the one before. */
static void send(cmus_watchdog *watchdog, int monitor, bool last) {
    outbox *out = &watchdog->out[monitor];
    int done = 1;
    if (out->request != MPI_REQUEST_NULL)
        cmus_mpi_check(MPI_Test(&out->request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (!done)
        return;
    if (out->state.last) {
        out->last_taken = true;
        return;
    }
    out->state = watchdog->watch[watchdog->communicator->rank].state;
    out->state.last = last;
    cmus_mpi_check(
        MPI_Issend(&out->state, (int)sizeof out->state, MPI_BYTE, monitor, TAG, watchdog->own, &out->request),
        "MPI_Issend");
}

/* One round of messages. True if this rank has sent all that it will, and heard all that it must. */
static bool exchange(cmus_watchdog *watchdog, bool last) {
    const cmus_communicator *communicator = watchdog->communicator;
    bool all_taken = true;
    for (int monitor = 0; monitor < MONITORS && monitor < communicator->ranks; monitor++) {
        if (monitor == communicator->rank)
            continue;
        send(watchdog, monitor, last);
        all_taken = all_taken && watchdog->out[monitor].last_taken;
    }
    if (is_monitor(watchdog))
        receive(watchdog);
    return last && all_taken && (!is_monitor(watchdog) || watchdog->last_messages == communicator->ranks - 1);
}

/* Brings this rank's own state up to date, and the time since anything was heard of the others. */
static void look(cmus_watchdog *watchdog) {
    double now = cmus_seconds(), passed = now - watchdog->before;
    watchdog->before = now;
    if (passed > PAUSE_TICKS * watchdog->tick) /* this process was paused: it can't tell what went on meanwhile */
        passed = watchdog->tick;
    for (int rank = 0; rank < watchdog->communicator->ranks; rank++)
        watchdog->watch[rank].silent += passed;
    cmus_rank_watch *own = &watchdog->watch[watchdog->communicator->rank];
    own->silent = 0;
    own->state.idle += passed;
    unsigned long changes = atomic_load(&watchdog->changes);
    if (changes != watchdog->seen) {
        watchdog->seen = changes;
        own->state.idle = 0;
        own->state.step = atomic_load(&watchdog->step);
        snprintf(own->state.what, sizeof own->state.what, "%s", atomic_load(&watchdog->what));
    }
}

static double longest_stuck(const cmus_watchdog *watchdog) {
    double longest = 0;
    for (int rank = 0; rank < watchdog->communicator->ranks; rank++)
        longest = fmax(longest, cmus_rank_stuck(&watchdog->watch[rank]));
    return longest;
}

/* On rank 0, or on rank 1 while rank 0 says nothing. */
static void report(cmus_watchdog *watchdog) {
    const cmus_communicator *communicator = watchdog->communicator;
    if (watchdog->report_seconds <= 0 || (communicator->rank != 0 && !is_monitor(watchdog)))
        return;
    double stuck = longest_stuck(watchdog);
    if (stuck < watchdog->report_seconds)
        watchdog->next_report = watchdog->report_seconds;
    if (stuck < watchdog->next_report || watchdog->next_report <= 0)
        return;
    if (communicator->rank == 1 && watchdog->watch[0].silent < watchdog->silent_limit)
        return;
    watchdog->next_report = 2 * stuck;
    cmus_line line = {0};
    cmus_watchdog_describe(&line, watchdog->watch, watchdog->hosts, communicator->ranks, watchdog->silent_limit);
    cmus_warn("no progress for %.0f s: %s", stuck, line.text);
}

/* Ends the job if this rank does not get on. The monitors, which know more, go first, where ranks wait for each other
 * and all come here at once. */
static void end_stalled(const cmus_watchdog *watchdog) {
    const cmus_communicator *communicator = watchdog->communicator;
    const cmus_rank_state *own = &watchdog->watch[communicator->rank].state;
    double grace = MONITOR_GRACE * (communicator->rank < MONITORS ? communicator->rank : MONITORS) / MONITORS;
    if (watchdog->stall_seconds <= 0 || own->idle < watchdog->stall_seconds + grace)
        return;
    cmus_line line = {0};
    if (is_monitor(watchdog)) {
        cmus_line_add(&line, "; ");
        cmus_watchdog_describe(&line, watchdog->watch, watchdog->hosts, communicator->ranks, watchdog->silent_limit);
    }
    cmus_fatal("no progress for %.0f s at step %lld (%s), so the job is ended (stall_timeout)%s", own->idle,
               (long long)own->step, own->what, line.text);
}

/* Sleeps until the next tick, or until it has to stop. */
static bool wait_for_tick(cmus_watchdog *watchdog) {
    pthread_mutex_lock(&watchdog->lock);
    double sleep = watchdog->stop ? END_TICK : watchdog->tick;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    long nanoseconds = until.tv_nsec + (long)(fmod(sleep, 1) * 1e9);
    until.tv_sec += (time_t)sleep + nanoseconds / 1000000000;
    until.tv_nsec = nanoseconds % 1000000000;
    bool stop = watchdog->stop;
    int code = 0;
    while (watchdog->stop == stop && code == 0)
        code = pthread_cond_timedwait(&watchdog->woken, &watchdog->lock, &until);
    stop = watchdog->stop;
    pthread_mutex_unlock(&watchdog->lock);
    return stop;
}

static void *run(void *data) {
    cmus_watchdog *watchdog = data;
    bool done = false;
    while (!done) {
        bool last = wait_for_tick(watchdog);
        look(watchdog);
        done = exchange(watchdog, last);
        report(watchdog);
        end_stalled(watchdog);
    }
    return NULL;
}

cmus_watchdog *cmus_watchdog_start(const cmus_communicator *communicator, double report_seconds, double stall_seconds) {
    cmus_watchdog *watchdog = cmus_allocate(1, sizeof *watchdog);
    watchdog->communicator = communicator;
    watchdog->report_seconds = report_seconds;
    watchdog->stall_seconds = stall_seconds;
    watchdog->tick = TICK * (1 + communicator->ranks / RANKS_A_TICK);
    watchdog->silent_limit = SILENT_TICKS * watchdog->tick;
    watchdog->next_report = report_seconds;
    watchdog->hosts = cmus_all_hosts(communicator);
    watchdog->watch = cmus_allocate((size_t)communicator->ranks, sizeof *watchdog->watch);
    for (int rank = 0; rank < communicator->ranks; rank++)
        snprintf(watchdog->watch[rank].state.what, CMUS_WHAT_SIZE, "starting");
    watchdog->incoming = MPI_REQUEST_NULL;
    for (int monitor = 0; monitor < MONITORS; monitor++)
        watchdog->out[monitor].request = MPI_REQUEST_NULL;
    cmus_mpi_check(MPI_Comm_dup(MPI_COMM_WORLD, &watchdog->own), "MPI_Comm_dup");
    pthread_mutex_init(&watchdog->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&watchdog->woken, &monotonic);
    pthread_condattr_destroy(&monotonic);
    watchdog->before = cmus_seconds();
    int error = pthread_create(&watchdog->thread, NULL, run, watchdog);
    if (error)
        cmus_fatal("can't start the thread that watches the ranks: %s", strerror(error));
    return watchdog;
}

void cmus_watchdog_at(cmus_watchdog *watchdog, const char *what, int64_t step) {
    if (!watchdog)
        return;
    atomic_store(&watchdog->what, what);
    atomic_store(&watchdog->step, step);
    atomic_fetch_add(&watchdog->changes, 1);
}

void cmus_watchdog_stop(cmus_watchdog *watchdog) {
    if (!watchdog)
        return;
    cmus_watchdog_at(watchdog, "done, waiting for the others", atomic_load(&watchdog->step));
    pthread_mutex_lock(&watchdog->lock);
    watchdog->stop = true;
    pthread_cond_signal(&watchdog->woken);
    pthread_mutex_unlock(&watchdog->lock);
    pthread_join(watchdog->thread, NULL);
    cmus_mpi_check(MPI_Comm_free(&watchdog->own), "MPI_Comm_free");
    pthread_cond_destroy(&watchdog->woken);
    pthread_mutex_destroy(&watchdog->lock);
    cmus_free(watchdog->hosts);
    cmus_free(watchdog->watch);
    cmus_free(watchdog);
}
