/* The timeline of a rank: what each of its threads did when.
 *
 * A span is a stretch of time of one thread with an activity and a name. Seconds by activity are always counted (a span
 * costs two looks at the clock); the spans themselves are kept only after cmus_trace_keep(true), for a file in the
 * Chrome trace format, which Perfetto and chrome://tracing open. Any thread may use it. Not collective.
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

/* From now on spans are kept (or not). What was kept stays. */
void cmus_trace_keep(bool keep);
/* Names the calling thread's row of the timeline; a literal. Without it: "main" for the first thread seen. */
void cmus_trace_thread(const char *name);

/* Begins a span: the time. Spans of a thread may lie in one another. */
double cmus_trace_begin(void);
/* Ends it. `name` is kept, not copied: a literal. */
void cmus_trace_end(cmus_activity activity, const char *name, double began);

/* Seconds of all ended spans of an activity so far, over all threads. */
double cmus_trace_seconds(cmus_activity activity);

/* This rank's kept spans and threads as one block of bytes for cmus_trace_write(); *bytes is the caller's to free with
 * cmus_free(). `zero`: the time (cmus_seconds()) that becomes 0 of the timeline, taken by all ranks behind a barrier,
 * so that their clocks are aligned. */
void cmus_trace_take(double zero, char **bytes, size_t *size);
/* Writes the timeline of all ranks: `all` holds their blocks one after another, sizes [ranks], hosts: `ranks` names one
 * after another, each ended by a zero byte. A process of the timeline is a rank. IO. */
cmus_status cmus_trace_write(const char *path, const char *all, const size_t *sizes, int ranks, const char *hosts);

#endif
