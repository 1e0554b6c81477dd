/* Source files of images, read once and whole. Messages do not name them: names may not be shown (identity.h). */
#ifndef CMUS_SOURCE_FILE_H
#define CMUS_SOURCE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "cmus/status.h"

/* What tells whether a file is still the one that was read. All zeros: it can't be looked at. The time of the last
 * change of its entry (ctime) is that of a copy that was given the size and time of the original. */
typedef struct cmus_file_state {
    int64_t size, seconds, nanoseconds, entry_seconds, entry_nanoseconds;
} cmus_file_state;

cmus_file_state cmus_file_state_of(const char *path);

/* The content of a file, in memory that the next file takes over. */
typedef struct cmus_source_buffer {
    uint8_t *bytes;
    size_t size, capacity;
} cmus_source_buffer;

/* Reads the file. NOT_FOUND, IO, LIMIT (2 GiB); DATA if it changed while it was read. */
cmus_status cmus_source_read(const char *path, cmus_source_buffer *buffer);
void cmus_source_buffer_free(cmus_source_buffer *buffer);

#endif
