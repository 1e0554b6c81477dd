/* Memory that is always there: an allocation that fails ends the program through the one fatal path (log.h).
 *
 * Sizes that come from files are checked against limits by their readers before they get here.
 */
#ifndef CMUS_MEMORY_H
#define CMUS_MEMORY_H

#include <stddef.h>

/* count * size zeroed bytes, 64-byte aligned; never NULL, also for 0 bytes. Overflow and exhaustion are fatal. Free
 * with cmus_free(). */
void *cmus_allocate(size_t count, size_t size);

/* Like cmus_allocate() without the zeroes, for large buffers that are written before they are read. */
void *cmus_allocate_raw(size_t count, size_t size);

/* An array of *capacity elements grown to hold at least `needed`, geometrically; the old elements are kept and the new
 * ones zero. `pointer` may be NULL. */
void *cmus_grow(void *pointer, size_t *capacity, size_t needed, size_t size);

/* A copy of the text; fatal on exhaustion. */
char *cmus_copy_string(const char *text);

/* A new string made by printf rules; fatal on exhaustion. */
char *cmus_format_string(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Frees what the functions above returned; NULL is allowed. */
void cmus_free(void *pointer);

/* Largest resident size of this process so far in bytes (VmHWM); 0 where the system does not tell. */
size_t cmus_peak_memory(void);

#endif
