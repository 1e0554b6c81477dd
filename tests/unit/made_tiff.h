/* TIFF files and EXIF data made by hand for tests: any tag, either byte order, BigTIFF. */
#ifndef CMUS_MADE_TIFF_H
#define CMUS_MADE_TIFF_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { MADE_TIFF_VALUES = 1024 }; /* where long values begin; directories lie in front */

typedef struct made_tiff {
    bool little, big;
    size_t size, entry; /* where the next entry goes */
    uint8_t bytes[8192];
} made_tiff;

static inline void made_number(made_tiff *self, size_t place, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++)
        self->bytes[place + (size_t)(self->little ? i : bytes - 1 - i)] = (uint8_t)(value >> 8 * i);
}

/* A directory at `place` (16 for the first) of so many entries, which made_tag() adds. */
static inline void made_directory(made_tiff *self, size_t place, int entries) {
    made_number(self, place, (uint64_t)entries, self->big ? 8 : 2);
    self->entry = place + (self->big ? 8 : 2);
}

static inline made_tiff made_begin(bool little, bool big, int entries) {
    made_tiff self = {.little = little, .big = big, .size = MADE_TIFF_VALUES};
    memcpy(self.bytes, little ? "II" : "MM", 2);
    made_number(&self, 2, big ? 43 : 42, 2);
    if (big)
        made_number(&self, 4, 8, 2);
    made_number(&self, big ? 8 : 4, 16, big ? 8 : 4);
    made_directory(&self, 16, entries);
    return self;
}

/* `count` values of together `bytes` bytes, as they are. */
static inline void made_tag(made_tiff *self, int number, int type, uint64_t count, const void *value, size_t bytes) {
    size_t wide = self->big ? 8 : 4, place = self->entry + 4 + wide;
    made_number(self, self->entry, (uint64_t)number, 2);
    made_number(self, self->entry + 2, (uint64_t)type, 2);
    made_number(self, self->entry + 4, count, (int)wide);
    if (bytes > wide) {
        made_number(self, place, self->size, (int)wide);
        place = self->size;
        self->size += bytes;
    }
    memcpy(self->bytes + place, value, bytes);
    self->entry += 4 + 2 * wide;
}

/* One number of type 3 (2 bytes) or 4 (4 bytes). */
static inline void made_value(made_tiff *self, int number, int type, uint64_t value) {
    size_t place = self->entry + (self->big ? 12 : 8);
    made_tag(self, number, type, 1, "", 0);
    made_number(self, place, value, type == 3 ? 2 : 4);
}

static inline void made_text(made_tiff *self, int number, const char *text) {
    made_tag(self, number, 2, strlen(text) + 1, text, strlen(text) + 1);
}

#endif
