/* The elements of a tensor out of the storage in which they lie. Little-endian machines only. */
#ifndef CMUS_PTH_TENSOR_H
#define CMUS_PTH_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#include "cmus/safetensors.h"

/* Where the elements of a tensor are: as in cmus_pickle_tensor. */
typedef struct cmus_pth_layout {
    size_t storage, offset;
    int64_t stride[CMUS_STORED_DIMENSIONS];
} cmus_pth_layout;

/* Turns the bytes of each element round. */
void cmus_pth_swap(void *elements, size_t count, size_t element_bytes);

/* to [tensor->elements]: the elements in the order of their indices, last one fastest. All lie within the storage. */
void cmus_pth_gather(const void *storage, size_t element_bytes, const cmus_stored_tensor *tensor,
                     const cmus_pth_layout *layout, void *to);

#endif
