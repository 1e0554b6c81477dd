/* Shapes of stored tensors against the network's, and what is said when they differ. */
#ifndef CMUS_TENSOR_SHAPE_H
#define CMUS_TENSOR_SHAPE_H

#include <stdbool.h>

#include "cmus/parameters.h"
#include "cmus/safetensors.h"

bool cmus_same_shape(const cmus_stored_tensor *stored, const cmus_tensor *tensor);

/* Whether they are the same but for the size of this dimension. */
bool cmus_other_size(const cmus_stored_tensor *stored, const cmus_tensor *tensor, int dimension);

/* MISMATCH: names file, tensor and both shapes; `hint` is appended. */
cmus_status cmus_fail_shape(const char *path, const cmus_stored_tensor *stored, const cmus_tensor *tensor,
                            const char *hint);

#endif
