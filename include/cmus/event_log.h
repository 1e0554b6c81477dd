/* Event files that TensorBoard reads: scalars by tag and step, added while training goes on.
 *
 * A file is a sequence of records in the framing of TFRecord: the length as 8 bytes, its masked CRC-32C, the bytes,
 * their masked CRC-32C; all little-endian. The bytes are an Event of TensorBoard's event.proto, of which few fields are
 * used. Each start of a run makes a file of its own, whose name sorts behind those that are there; its first records
 * name the format and the step from which on TensorBoard drops what earlier files hold (SessionLog START): what came
 * after the checkpoint from which the run goes on. Not collective.
 */
#ifndef CMUS_EVENT_LOG_H
#define CMUS_EVENT_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "cmus/status.h"

typedef struct cmus_event_log cmus_event_log;

typedef struct cmus_scalar {
    const char *tag; /* "GROUP/NAME" */
    double value;    /* stored in single precision; NaN and infinity are shown as such */
} cmus_scalar;

/* Makes FOLDER/events.out.tfevents.SECONDS.HOST. `now` in seconds since 1970; SECONDS are those of `now`, or one more
 * than in the newest file that is there. `step`: the first one that will be added. IO. Close it with
 * cmus_event_log_close(). */
cmus_status cmus_event_log_open(const char *folder, const char *host, double now, int64_t step, cmus_event_log **log);

/* Adds the scalars [count] of a step as one record. IO. */
cmus_status cmus_event_log_add(cmus_event_log *log, double now, int64_t step, const cmus_scalar *scalars, size_t count);
/* NULL is allowed. */
void cmus_event_log_close(cmus_event_log *log);

#endif
