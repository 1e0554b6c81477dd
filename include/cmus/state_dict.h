/* Named tensors in a file, whatever its kind: safetensors, or PyTorch's .pth (a zip archive, or the older form without
 * one). Nothing in a file is run: of pickles only what a state dict of tensors needs is understood. Not collective.
 */
#ifndef CMUS_STATE_DICT_H
#define CMUS_STATE_DICT_H

#include <stddef.h>

#include "cmus/safetensors.h"
#include "cmus/status.h"

typedef struct cmus_state_dict cmus_state_dict;

/* Opens a file and checks all but the values. What kind it is, is seen by its first bytes. NOT_FOUND, IO, LIMIT,
 * FORMAT; messages name the file, and the tensor or the callable. Close it with cmus_state_dict_close(). */
cmus_status cmus_state_dict_open(const char *path, cmus_state_dict **dict);
void cmus_state_dict_close(cmus_state_dict *dict);

/* "safetensors", "PyTorch zip archive", "PyTorch file of before 1.6" */
const char *cmus_state_dict_kind(const cmus_state_dict *dict);
const char *cmus_state_dict_path(const cmus_state_dict *dict);

/* In the order of the file, as one array. Types have the names of safetensors ("F32", "BF16", "I64"); `begin` means
 * nothing here. */
size_t cmus_state_dict_count(const cmus_state_dict *dict);
const cmus_stored_tensor *cmus_state_dict_tensor(const cmus_state_dict *dict, size_t index);
/* NULL if there is none of that name. */
const cmus_stored_tensor *cmus_state_dict_find(const cmus_state_dict *dict, const char *name);

/* Of a safetensors file's __metadata__; NULL if there is none of that key, and of other kinds always. */
const char *cmus_state_dict_metadata(const cmus_state_dict *dict, const char *key);
/* The pairs of it, in the order of the file. */
size_t cmus_state_dict_metadata_count(const cmus_state_dict *dict);
void cmus_state_dict_metadata_pair(const cmus_state_dict *dict, size_t index, const char **key, const char **value);

/* values [elements]: a tensor as float32, in the order of its indices (last one fastest), whatever its strides in the
 * file. Of type F64, F32, F16 or BF16; MISMATCH names any other. IO, FORMAT, CHECKSUM (an entry of the archive). */
cmus_status cmus_state_dict_read(cmus_state_dict *dict, const cmus_stored_tensor *tensor, float *values);

#endif
