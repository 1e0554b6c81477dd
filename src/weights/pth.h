/* PyTorch's files of weights (.pth, .pt), read without running anything: a zip archive, or the older form without one.
 * Of their pickles only what a state dict of tensors needs is understood; any callable but the few of it is refused by
 * its name. Every size is checked before memory is taken. Not collective.
 *
 * The state dict is the file's object itself, or lies in it under "model", "state_dict", "model_state_dict" or "net":
 * the first of these that is a dict with a tensor. Numbers, texts, lists, dicts and None beside the tensors are
 * skipped. Sources: torch/serialization.py (layouts), torch/_utils.py (tensors), pickletools.py (opcodes).
 */
#ifndef CMUS_PTH_H
#define CMUS_PTH_H

#include <stdbool.h>
#include <stddef.h>

#include "cmus/safetensors.h"
#include "cmus/status.h"

typedef struct cmus_pth cmus_pth;

/* Whether a file with these first bytes (16 are enough) is to be opened here: a zip archive or a pickle. */
bool cmus_pth_recognise(const void *head, size_t size);

/* Opens a file and checks all but the values of its tensors. NOT_FOUND, IO, LIMIT, FORMAT, CHECKSUM (of the pickle);
 * messages name the file and the tensor, callable or entry. Close it with cmus_pth_close(). */
cmus_status cmus_pth_open(const char *path, cmus_pth **file);
void cmus_pth_close(cmus_pth *file);

/* "PyTorch zip archive" or "PyTorch file of before 1.6" */
const char *cmus_pth_kind(const cmus_pth *file);

/* In the order of the state dict. Types have the names of safetensors; `begin` means nothing here, `bytes` is what
 * cmus_pth_read() gives. Names are clean UTF-8 and differ. */
size_t cmus_pth_count(const cmus_pth *file);
const cmus_stored_tensor *cmus_pth_tensor(const cmus_pth *file, size_t index);

/* to [tensor->bytes]: the elements in their stored type and this machine's byte order, in the order of their indices
 * (last one fastest), whatever their strides and place in the storage. The storage stays in memory until another one is
 * asked for. IO, FORMAT, CHECKSUM (of the entry in the archive); LIMIT if storages were read for more than 16 times the
 * file and 64 MiB since it was opened: ask in the order of the file, and for each tensor once. */
cmus_status cmus_pth_read(cmus_pth *file, const cmus_stored_tensor *tensor, void *to);

#endif
