#include "fuzz.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/file.h"
#include "cmus/log.h"

/* libFuzzer takes bytes of this section that are not zero after a run as coverage, and clears them before it. */
enum { FEATURES = 4096 };
static uint8_t features[FEATURES] __attribute__((section("__libfuzzer_extra_counters"), used));

void cmus_fuzz_feature(uint64_t kind) {
    features[kind * 0x9E3779B97F4A7C15u >> 52] = 1; /* the upper 12 bits of the product: Fibonacci hashing */
}

/* Words of five letters and more count: numbers, also hexadecimal ones, short names and what is quoted come from the
 * input itself. What stands in single quotes may hold such quotes: all from the first one to the last one is left out.
 */
void cmus_fuzz_reached(const char *message) {
    enum { LONG_WORD = 5 };
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    uint64_t hash = 0xCBF29CE484222325u; /* FNV-1a */
    bool quoted = false;
    const char *first = strchr(message, '\''), *last = strrchr(message, '\'');
    while (*message) {
        if (message == first)
            message = last;
        size_t length = strspn(message, letters);
        bool counts = !quoted && length >= LONG_WORD && strcspn(message, "0123456789") >= length;
        for (size_t i = 0; counts && i < length; i++)
            hash = (hash ^ (uint8_t)message[i]) * 0x100000001B3u;
        quoted ^= *message == '"';
        message += length ? length : 1;
    }
    cmus_fuzz_feature(hash);
}

static void remove_folder(void) {
    cmus_folder_remove(cmus_fuzz_folder());
}

const char *cmus_fuzz_folder(void) {
    static char folder[256];
    if (folder[0])
        return folder;
    const char *above = getenv("TMPDIR");
    if (!above)
        above = cmus_folder_exists("/dev/shm") ? "/dev/shm" : "/tmp";
    snprintf(folder, sizeof folder, "%s/cmus-fuzz-XXXXXX", above);
    if (!mkdtemp(folder))
        cmus_fatal("%s can't be made: %s", folder, strerror(errno));
    atexit(remove_folder);
    return folder;
}

const char *cmus_fuzz_file(const uint8_t *data, size_t size) {
    static char path[300];
    snprintf(path, sizeof path, "%s/" CMUS_FUZZ_FILE, cmus_fuzz_folder());
    FILE *file = fopen(path, "wb");
    bool written = file && (size == 0 || fwrite(data, 1, size, file) == size);
    if (!file || fclose(file) != 0 || !written)
        cmus_fatal("%s can't be written: %s", path, strerror(errno));
    return path;
}
