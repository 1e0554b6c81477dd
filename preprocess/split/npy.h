/* Arrays of whole numbers in NumPy's .npy files, and nothing else of that format.
 *
 * Read are versions 1.0, 2.0 and 3.0, one dimension in C order, of int32, int64, uint32 and uint64 in either byte
 * order. Anything else is refused by its name; objects (pickles), which could run code elsewhere, are never looked
 * into. Source of the format: NumPy's numpy/lib/format.py.
 */
#ifndef CMUS_NPY_H
#define CMUS_NPY_H

#include <stddef.h>
#include <stdint.h>

#include "cmus/status.h"

/* Reads a file into values [count], which the caller frees by cmus_free(). NOT_FOUND, IO; FORMAT if it is no such file,
 * is damaged or has another type or shape; LIMIT if it is beyond 256 MiB or a number is beyond int64. The message names
 * the file. */
cmus_status cmus_npy_read(const char *path, int64_t **values, size_t *count);

/* The same from memory; `name` stands for the path in messages. */
cmus_status cmus_npy_parse(const char *bytes, size_t size, const char *name, int64_t **values, size_t *count);

#endif
