#include "cmus/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cmus/log.h"

/* What alignment adds behind an allocation is out of bounds for AddressSanitizer, too. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(start, bytes) ((void)0)
#endif

enum { ALIGNMENT = 64 };
static const size_t HUGE_PAGE = (size_t)2 << 20;

static size_t checked_bytes(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - 2 * HUGE_PAGE)
        cmus_fatal("an allocation of %zu x %zu bytes overflows", count, size);
    return bytes;
}

void *cmus_allocate_raw(size_t count, size_t size) {
    size_t bytes = checked_bytes(count, size);
    size_t alignment = bytes >= 4 * HUGE_PAGE ? HUGE_PAGE : ALIGNMENT;
    size_t rounded = (bytes + alignment) / alignment * alignment;
    void *pointer = aligned_alloc(alignment, rounded);
    if (!pointer)
        cmus_fatal("out of memory: %zu bytes are not to be had; use more ranks, smaller images or a smaller memory_gib",
                   bytes);
    ASAN_POISON_MEMORY_REGION((char *)pointer + bytes, rounded - bytes);
    if (alignment == HUGE_PAGE)
        madvise(pointer, rounded, MADV_HUGEPAGE); /* advice only: fewer page faults and TLB misses in large buffers */
    return pointer;
}

void *cmus_allocate(size_t count, size_t size) {
    void *pointer = cmus_allocate_raw(count, size);
    memset(pointer, 0, count * size);
    return pointer;
}

void *cmus_grow(void *pointer, size_t *capacity, size_t needed, size_t size) {
    if (needed <= *capacity && pointer)
        return pointer;
    size_t larger = *capacity + *capacity / 2;
    if (larger < needed)
        larger = needed;
    if (larger < 8)
        larger = 8;
    char *grown = cmus_allocate(larger, size);
    if (pointer)
        memcpy(grown, pointer, *capacity * size);
    cmus_free(pointer);
    *capacity = larger;
    return grown;
}

/* Not aligned: a program may keep a million texts. */
static char *allocate_text(size_t size) {
    char *text = malloc(size);
    if (!text)
        cmus_fatal("out of memory: %zu bytes for a text are not to be had", size);
    return text;
}

char *cmus_copy_string(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = allocate_text(size);
    memcpy(copy, text, size);
    return copy;
}

char *cmus_format_string(const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        cmus_fatal("can't format a text by '%s'", format);
    char *text = allocate_text((size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

void cmus_free(void *pointer) {
    free(pointer);
}

size_t cmus_peak_memory(void) {
    FILE *file = fopen("/proc/self/status", "r");
    if (!file)
        return 0;
    char line[256];
    unsigned long long kilobytes = 0;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %llu kB", &kilobytes) == 1)
            break;
    fclose(file);
    return (size_t)kilobytes * 1024;
}
