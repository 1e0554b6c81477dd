/* What fuzz targets are made of. A target is a file fuzz_NAME.c that defines LLVMFuzzerTestOneInput(). libFuzzer calls
 * it with millions of inputs (run.sh, clang); replay.c calls it with those that are kept in corpus/NAME (every build).
 *
 * The libraries that decode images and read HDF5 are the system's own, without counters of coverage in them, so
 * libFuzzer sees only the branches of this project. How far a library got is told to it by cmus_fuzz_reached() and
 * cmus_fuzz_feature().
 */
#ifndef CMUS_FUZZ_H
#define CMUS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Runs what is tested on `size` bytes of which nothing is known. Must not crash, leak, hang, or take memory that is out
 * of proportion; what the bytes are refused for is no concern. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An input that comes here with a new message is kept and built upon. Only its long words count. */
void cmus_fuzz_reached(const char *message);

/* The same for a number that sorts what was read into some hundred kinds. */
void cmus_fuzz_feature(uint64_t kind);

/* For readers that want a path: CMUS_FUZZ_FILE in a folder of this process, which is in memory where the system has
 * such
 * (/dev/shm; the environment's TMPDIR has priority) and is removed at the end. */
#define CMUS_FUZZ_FILE "input"
const char *cmus_fuzz_folder(void);

/* Puts these bytes into that file and returns its path. */
const char *cmus_fuzz_file(const uint8_t *data, size_t size);

#endif
