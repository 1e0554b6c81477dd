#include "cmus/arena.h"

#include <stdint.h>

#include "cmus/log.h"
#include "cmus/memory.h"

enum { ALIGNMENT = 64 };

cmus_arena cmus_arena_make(size_t size) {
    return (cmus_arena){.base = size ? cmus_allocate_raw(size, 1) : NULL, .size = size};
}

void cmus_arena_free(cmus_arena *arena) {
    cmus_free(arena->base);
    *arena = (cmus_arena){0};
}

void *cmus_arena_take(cmus_arena *arena, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2 - arena->used)
        cmus_fatal("a buffer of %zu x %zu bytes overflows", count, size);
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (arena->base && bytes > arena->size - arena->used)
        cmus_fatal("an arena of %zu bytes is too small for %zu more after %zu", arena->size, bytes, arena->used);
    void *piece = arena->base ? arena->base + arena->used : NULL;
    arena->used += bytes;
    return piece;
}
