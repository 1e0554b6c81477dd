/* Messages to the user on stderr, and the one fatal path.
 *
 * Every line begins with the program's name. Only rank 0 prints information and progress; warnings and errors of other
 * ranks carry their rank. Progress is one rewritten line on a terminal, and a plain line now and then in a log file.
 */
#ifndef CMUS_LOG_H
#define CMUS_LOG_H

#include <stdint.h>

/* Not collective. Sets the name in front of each line and the rank of this process (0 and 1 without MPI). */
void cmus_log_begin(const char *program, int rank, int ranks);

/* Leaves out information and progress (warnings and errors stay). */
void cmus_log_quiet(int quiet);

void cmus_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cmus_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cmus_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Called in place of exit() by cmus_fatal(); `dist` sets it to end all ranks. Must not return. */
void cmus_set_fatal_exit(void (*end)(int code));
/* Called by cmus_fatal() of this process before the end, to remove what must not be left behind; NULL: nothing. On
 * whatever thread failed, so it may call only what a signal handler may. */
void cmus_set_fatal_cleanup(void (*clean)(void));

/* The one fatal path: prints rank, host, file and line with the message and ends ALL ranks with exit code 3. Any thread
 * may call it; if several do, each prints and the first ends the job. Whatever happens on the way, this process is gone
 * after CMUS_FATAL_SECONDS: killed, if it could not end by itself. */
enum { CMUS_FATAL_SECONDS = 5 };
_Noreturn void cmus_fatal_at(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
#define cmus_fatal(...) cmus_fatal_at(__FILE__, __LINE__, __VA_ARGS__)

/* Progress of `done` out of `total` units, with rate and time left. Owned by the caller; zero-initialise `last`. */
typedef struct cmus_progress {
    const char *what; /* "packed", "trained epoch 3" */
    const char *unit; /* "images" */
    int64_t total;
    double began, last; /* seconds, set by the functions */
} cmus_progress;

void cmus_progress_begin(cmus_progress *progress, const char *what, const char *unit, int64_t total);
void cmus_progress_update(cmus_progress *progress, int64_t done);
/* Ends the line and says how long it took. */
void cmus_progress_end(cmus_progress *progress, int64_t done);

/* Seconds of a monotonic clock. */
double cmus_seconds(void);

#endif
