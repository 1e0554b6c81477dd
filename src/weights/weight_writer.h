/* Files of weights as they are written: which tensors, in which type of number. Not collective. */
#ifndef CMUS_WEIGHT_WRITER_H
#define CMUS_WEIGHT_WRITER_H

#include <stdbool.h>

#include "cmus/parameters.h"
#include "cmus/safetensors.h"
#include "cmus/status.h"

typedef struct cmus_weight_form {
    const char *type;     /* "F32", "F16" or "BF16" */
    const bool *included; /* [parameters->count]; NULL: all */
} cmus_weight_form;

/* As cmus_weights_write(), in this form. IO. */
cmus_status cmus_weights_write_form(const char *path, const cmus_parameters *parameters, const float *weights,
                                    cmus_weight_form form, const cmus_text_pair *pairs, size_t pair_count);

/* A float32 tensor to be written under this name, which must outlive it; its values are still to be set. */
cmus_tensor_source cmus_weight_source(const cmus_tensor *tensor, const char *name);

#endif
