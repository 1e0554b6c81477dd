/* The timeline of a rank: what each of its threads did when.
 *
 * A span is a stretch of time of one thread with an activity and a name. Seconds by activity are always counted (a span
 * costs two looks at the clock and an atomic addition); the spans themselves are kept only after cmus_trace_keep(true),
 * for a file in the Chrome trace format, which Perfetto and chrome://tracing open. Any thread may use it. Not
 * collective.
 *
 * Memory: 32 bytes a kept span, at most CMUS_TRACE_SPANS of them on a rank (128 MiB). Later ones are counted as
 * dropped, and the file says how many.
 */
#ifndef CMUS_TRACE_H
#define CMUS_TRACE_H

#include <stdbool.h>
#include <stddef.h>

#include "cmus/status.h"

typedef enum cmus_activity {
    CMUS_ACTIVITY_COMPUTE,       /* the network, the optimizer */
    CMUS_ACTIVITY_COMMUNICATION, /* between ranks, on the communication thread or on the caller's */
    CMUS_ACTIVITY_LOADING,       /* reading and preparing images, on the prefetch thread */
    CMUS_ACTIVITY_WAITING,       /* the computing thread for data, gradients, weights or other ranks */
    CMUS_ACTIVITIES
} cmus_activity;
/* "compute", "communication", "loading", "waiting" */
extern const char *const cmus_activity_names[CMUS_ACTIVITIES];

/* Spans that a rank keeps at most, over all threads, unless cmus_trace_limit() says otherwise. */
enum { CMUS_TRACE_SPANS = 1 << 22 };

/* From now on spans are kept (or not). What was kept stays. */
void cmus_trace_keep(bool keep);
/* Keeps at most `spans` in all, those that are kept already included. A span is 24 bytes of what cmus_trace_take()
 * gives: with many ranks the limit must be lower, so that all their blocks can be gathered (communicator.h: 2 GiB). */
void cmus_trace_limit(size_t spans);
/* Names the calling thread's row of the timeline; a literal. Without it: "main" for the thread that began the process,
 * "thread" for others. A thread that names itself before its first kept span goes on in the row of an ended thread of
 * that name, so that a thread that is made anew for each epoch has one row. */
void cmus_trace_thread(const char *name);

/* Begins a span: the time. Spans of a thread may lie in one another (16 deep). */
double cmus_trace_begin(void);
/* Ends it, on the thread that began it. `name` is kept, not copied: a literal. */
void cmus_trace_end(cmus_activity activity, const char *name, double began);

/* Seconds of all ended spans of an activity so far, over all threads; a span counts without the spans inside it, so
 * that no second of a thread counts twice. */
double cmus_trace_seconds(cmus_activity activity);

/* This rank's kept spans and threads as one block of bytes for cmus_trace_write(); *bytes is the caller's to free with
 * cmus_free(). `zero`: the time (cmus_seconds()) that becomes 0 of the timeline, taken by all ranks behind a barrier,
 * so that their clocks are aligned. Other threads may go on; what they end meanwhile may be in it or not. */
void cmus_trace_take(double zero, char **bytes, size_t *size);
/* Writes the timeline of all ranks: `all` holds their blocks one after another, sizes [ranks], hosts: `ranks` names one
 * after another, each ended by a zero byte. A process of the timeline is a rank. Spans of a thread are in the order of
 * their beginnings; the timeline begins at `zero`, or with the first span if that is earlier. IO; FORMAT if a block
 * isn't one. */
cmus_status cmus_trace_write(const char *path, const char *all, const size_t *sizes, int ranks, const char *hosts);

/* Where the time of an epoch went, in seconds: doubles only, so that it can be summed over the ranks as an array
 * (CMUS_EPOCH_TIMES of them). Sums and means give the same shares. */
typedef struct cmus_epoch_times {
    double wall;                                             /* of the epoch */
    double activity[CMUS_ACTIVITIES];                        /* cmus_trace_seconds() after it minus before */
    double waiting_data, waiting_gradients, waiting_weights; /* parts of activity[CMUS_ACTIVITY_WAITING] */
    double reducer_busy, reducer_exposed;                    /* cmus_reducer_statistics after it minus before */
} cmus_epoch_times;
enum { CMUS_EPOCH_TIMES = sizeof(cmus_epoch_times) / sizeof(double) };

/* A line such as "compute 91.2 %, waiting 5.1 % (data 0.2, gradients 4.1, weights 0.8), communication 12.3 %, of which
 * 88 % hidden, loading 3.0 %": percent of the wall time. Computing and waiting are one thread's and make up at most
 * 100 %; communication and loading run beside them. Hidden: the reducer's busy seconds without its exposed ones, over
 * all communication. Free it with cmus_free(). */
char *cmus_epoch_times_text(const cmus_epoch_times *times);

#endif
