/* safetensors files: 8 bytes of header length, a JSON header, the tensors one after another. Not collective.
 *
 * Reading is strict: header limit 100 MB, at most 65,536 tensors and as many pairs of metadata, every offset, shape and
 * size checked, no overlaps, holes, duplicate names or trailing bytes; data go straight into the caller's buffers.
 * Little-endian machines only, as the format is.
 */
#ifndef CMUS_SAFETENSORS_H
#define CMUS_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "cmus/status.h"

enum { CMUS_STORED_DIMENSIONS = 8, CMUS_STORED_TYPE = 8 };

/* A tensor in a file. */
typedef struct cmus_stored_tensor {
    char *name;
    char type[CMUS_STORED_TYPE]; /* "F32", "I64", ... as in the file */
    int dimensions;
    int64_t shape[CMUS_STORED_DIMENSIONS];
    size_t elements, begin, bytes; /* begin: from the first byte of the data */
} cmus_stored_tensor;

/* A pair of texts in __metadata__. */
typedef struct cmus_text_pair {
    const char *key, *value;
} cmus_text_pair;

typedef struct cmus_safetensors cmus_safetensors;

/* Opens a file and checks its header. NOT_FOUND, IO, LIMIT, FORMAT; messages name file and tensor. Close it with
 * cmus_safetensors_close(). */
cmus_status cmus_safetensors_open(const char *path, cmus_safetensors **file);
void cmus_safetensors_close(cmus_safetensors *file);

/* In the order of the data. */
size_t cmus_safetensors_count(const cmus_safetensors *file);
const cmus_stored_tensor *cmus_safetensors_tensor(const cmus_safetensors *file, size_t index);
/* NULL if there is none of that name. */
const cmus_stored_tensor *cmus_safetensors_find(const cmus_safetensors *file, const char *name);

/* Reads a tensor's bytes into `to`. IO, FORMAT. */
cmus_status cmus_safetensors_read(cmus_safetensors *file, const cmus_stored_tensor *tensor, void *to);

/* The same for `size` of its bytes from byte `begin` on: some rows of a large tensor. A part that is not within the
 * tensor is fatal. IO, FORMAT. */
cmus_status cmus_safetensors_read_part(cmus_safetensors *file, const cmus_stored_tensor *tensor, size_t begin,
                                       size_t size, void *to);

/* Of __metadata__; NULL if there is none of that key. */
const char *cmus_safetensors_metadata(const cmus_safetensors *file, const char *key);
size_t cmus_safetensors_metadata_count(const cmus_safetensors *file);
/* In the order of the file. */
const cmus_text_pair *cmus_safetensors_metadata_pair(const cmus_safetensors *file, size_t index);

/* A tensor to be written; owns nothing. type: "I64", "F32", "F16" or "BF16", the type of `data` and `get` too. */
typedef struct cmus_tensor_source {
    const char *name, *type;
    int dimensions;
    int64_t shape[CMUS_STORED_DIMENSIONS];
    const void *data; /* or NULL: `get` fills `values` with the tensor's `count` elements when they are written */
    void *context;
    void (*get)(void *context, size_t count, void *values);
} cmus_tensor_source;

/* Writes a file (atomic, as file.h): wide types first, so that all are aligned, and by name within each; the array is
 * sorted so in place. __metadata__ holds "format": "pt" and the pairs [pair_count]. IO. */
cmus_status cmus_safetensors_write(const char *path, cmus_tensor_source *tensors, size_t count,
                                   const cmus_text_pair *pairs, size_t pair_count);

#endif
