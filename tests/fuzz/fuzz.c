#include "fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cmus/log.h"

/* libFuzzer takes bytes of this section that are not zero after a run as coverage, and clears them before it. */
enum { FEATURES = 4096 };
static uint8_t features[FEATURES] __attribute__((section("__libfuzzer_extra_counters"), used));

void cmus_fuzz_feature(uint64_t kind) {
    features[kind * 0x9E3779B97F4A7C15u >> 52] = 1; /* the upper 12 bits of the product: Fibonacci hashing */
}

/* Words of five letters and more count: numbers and short names in messages come from the input itself. */
void cmus_fuzz_reached(const char *message) {
    enum { LONG_WORD = 5 };
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    uint64_t hash = 0xCBF29CE484222325u; /* FNV-1a */
    while (*message) {
        size_t length = strspn(message, letters);
        for (size_t i = 0; length >= LONG_WORD && i < length; i++)
            hash = (hash ^ (uint8_t)message[i]) * 0x100000001B3u;
        message += length ? length : 1;
    }
    cmus_fuzz_feature(hash);
}

void cmus_fuzz_file(const uint8_t *data, size_t size, char name[CMUS_FUZZ_NAME]) {
    static int file = -1;
    if (file >= 0)
        close(file);
    file = memfd_create("fuzz", MFD_CLOEXEC);
    if (file < 0 || write(file, data, size) != (ssize_t)size)
        cmus_fatal("no file in memory of %zu bytes", size);
    snprintf(name, CMUS_FUZZ_NAME, "%d", file);
}
