#include "cmus/log.h"

#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cmus/program.h"

static struct {
    char program[64];
    int rank, ranks;
    bool quiet, line_open;
    void (*end)(int), (*clean)(void);
} state = {.program = "cmus", .ranks = 1};

double cmus_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void cmus_log_begin(const char *program, int rank, int ranks) {
    snprintf(state.program, sizeof state.program, "%s", program);
    state.rank = rank;
    state.ranks = ranks;
}

void cmus_log_quiet(int quiet) {
    state.quiet = quiet != 0;
}

void cmus_set_fatal_exit(void (*end)(int code)) {
    state.end = end;
}

void cmus_set_fatal_cleanup(void (*clean)(void)) {
    state.clean = clean;
}

static void print_line(const char *kind, bool with_rank, const char *format, va_list arguments) {
    char text[4608];
    int length = 0;
    if (with_rank && state.ranks > 1)
        length = snprintf(text, sizeof text, "%s: rank %d: %s", state.program, state.rank, kind);
    else
        length = snprintf(text, sizeof text, "%s: %s", state.program, kind);
    vsnprintf(text + length, sizeof text - (size_t)length, format, arguments);
    fprintf(stderr, "%s%s\n", state.line_open ? "\n" : "", text); /* one call, so that lines of ranks do not mix */
    state.line_open = false;
}

void cmus_info(const char *format, ...) {
    if (state.rank != 0 || state.quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    print_line("", false, format, arguments);
    va_end(arguments);
}

void cmus_warn(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_line("warning: ", state.rank != 0, format, arguments);
    va_end(arguments);
}

void cmus_error(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_line("", state.rank != 0, format, arguments);
    va_end(arguments);
}

/* Has the kernel kill this process when CMUS_FATAL_SECONDS are over: ending a job means calls that may never return (to
 * a network that is cut, a stopped mpirun, a full pipe), perhaps beside a thread that holds a lock. No thread of this
 * process has to run for it. */
static void arm_last_resort(void) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    struct itimerspec once = {.it_value.tv_sec = CMUS_FATAL_SECONDS};
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &once, NULL) == 0)
        return;
    signal(SIGALRM, SIG_DFL); /* no timers left */
    alarm(CMUS_FATAL_SECONDS);
}

void cmus_fatal_at(const char *file, int line, const char *format, ...) {
    static atomic_flag ending = ATOMIC_FLAG_INIT;
    static _Thread_local bool here;
    bool first = !atomic_flag_test_and_set(&ending), again = here;
    here = true;
    if (first)
        arm_last_resort();
    char host[256] = "unknown host", message[2048];
    gethostname(host, sizeof host - 1);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s: fatal on rank %d of %d (%s, %s:%d): %s\n", state.program, state.rank, state.ranks, host, file,
            line, message);
    if (again) /* the end itself failed */
        _exit(CMUS_EXIT_FATAL);
    while (!first) /* another thread ends the job */
        pause();
    fflush(NULL);
    if (state.clean)
        state.clean();
    if (state.end)
        state.end(CMUS_EXIT_FATAL);
    exit(CMUS_EXIT_FATAL);
}

static void describe_time(double seconds, char *text, size_t size) {
    if (seconds < 60)
        snprintf(text, size, "%.0f s", seconds);
    else if (seconds < 3600)
        snprintf(text, size, "%d min %02d s", (int)seconds / 60, (int)seconds % 60);
    else
        snprintf(text, size, "%d h %02d min", (int)seconds / 3600, (int)seconds / 60 % 60);
}

void cmus_progress_begin(cmus_progress *progress, const char *what, const char *unit, int64_t total) {
    *progress = (cmus_progress){.what = what, .unit = unit, .total = total};
    progress->began = progress->last = cmus_seconds();
}

void cmus_progress_update(cmus_progress *progress, int64_t done) {
    if (state.rank != 0 || state.quiet)
        return;
    bool terminal = isatty(STDERR_FILENO);
    double now = cmus_seconds(), interval = terminal ? 0.2 : 15.0;
    if (now - progress->last < interval || done <= 0)
        return;
    progress->last = now;
    double rate = (double)done / (now - progress->began);
    char left[64];
    describe_time((double)(progress->total - done) / rate, left, sizeof left);
    fprintf(stderr, "%s%s: %s %lld of %lld %s, %.1f a second, %s left%s", terminal ? "\r\033[K" : "", state.program,
            progress->what, (long long)done, (long long)progress->total, progress->unit, rate, left,
            terminal ? "" : "\n");
    state.line_open = terminal;
}

void cmus_progress_end(cmus_progress *progress, int64_t done) {
    if (state.rank != 0 || state.quiet)
        return;
    double took = cmus_seconds() - progress->began;
    char time[64];
    describe_time(took, time, sizeof time);
    if (state.line_open)
        fputs("\r\033[K", stderr);
    state.line_open = false;
    cmus_info("%s %lld %s in %s (%.1f a second)", progress->what, (long long)done, progress->unit, time,
              took > 0 ? (double)done / took : 0.0);
}
