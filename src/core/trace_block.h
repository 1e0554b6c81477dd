/* The bytes of a rank's timeline between cmus_trace_take() and cmus_trace_write(), in the order of the machine:
 * a header, `threads` threads, `spans` spans (those of the first thread, then those of the second, ...), and `text`
 * bytes of names, each ended by a zero byte. A name is the place of its first byte in the text. */
#ifndef CMUS_TRACE_BLOCK_H
#define CMUS_TRACE_BLOCK_H

#include <stdint.h>

#define TRACE_BLOCK_MAGIC "cmusspan"

typedef struct trace_header {
    char magic[8];
    uint64_t threads, spans, text;
    uint64_t dropped; /* spans that the limit did not let in */
} trace_header;

typedef struct trace_thread {
    uint64_t number, name, spans;
} trace_thread;

typedef struct trace_span {
    double began, seconds; /* since the zero of the timeline; of the span */
    uint32_t name, activity;
} trace_span;

#endif
