/* A block of memory given out piece by piece and taken back all at once. An arena without memory only measures. */
#ifndef CMUS_ARENA_H
#define CMUS_ARENA_H

#include <stddef.h>

typedef struct cmus_arena {
    char *base; /* NULL: measuring */
    size_t size, used;
} cmus_arena;

/* An arena of `size` bytes; 0 for one that measures. Fatal if memory is exhausted. */
cmus_arena cmus_arena_make(size_t size);
void cmus_arena_free(cmus_arena *arena);

/* count * size bytes, 64-byte aligned, not zeroed; NULL while measuring. More than there is, is fatal: the caller has
 * measured before. */
void *cmus_arena_take(cmus_arena *arena, size_t count, size_t size);

/* Takes everything back. */
static inline void cmus_arena_reset(cmus_arena *arena) {
    arena->used = 0;
}

#endif
