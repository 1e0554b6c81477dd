/* The table of a network's parameter tensors, all of which lie in one flat buffer.
 *
 * Names and layouts are PyTorch's (linear weight [out, in], convolution [out, in, kh, kw]), so that Adam, gradient
 * buckets, checkpoints and export are loops over this table. The same offsets hold for weights, gradients and moments.
 */
#ifndef CMUS_PARAMETERS_H
#define CMUS_PARAMETERS_H

#include <stddef.h>
#include <stdint.h>

enum { CMUS_TENSOR_NAME = 96, CMUS_TENSOR_DIMENSIONS = 4 };

/* How a tensor is filled when no weights are given. */
typedef enum cmus_initial {
    CMUS_INITIAL_ZERO,
    CMUS_INITIAL_ONE,
    CMUS_INITIAL_NORMAL, /* mean 0, standard deviation 0.02: torchvision's trunc_normal_(std=0.02) */
    CMUS_INITIAL_UNIFORM /* +- sqrt(1 / fan_in): torch.nn.Linear.reset_parameters, torch.nn.Conv2d.reset_parameters */
} cmus_initial;

typedef struct cmus_tensor {
    char name[CMUS_TENSOR_NAME];
    int dimensions;
    int shape[CMUS_TENSOR_DIMENSIONS];
    size_t offset, size; /* in floats from the beginning of the flat buffer */
    cmus_initial initial;
    int fan_in; /* for CMUS_INITIAL_UNIFORM */
} cmus_tensor;

typedef struct cmus_parameters {
    cmus_tensor *tensors;
    size_t count, capacity;
    size_t size; /* floats in the flat buffer: the sum of the sizes, without gaps */
} cmus_parameters;

/* What goes on around a pass through the network, told by places in the flat buffer: weights may still be on their way
 * when a forward pass begins, and gradients leave before the backward pass ends. A forward pass walks the buffer from
 * its beginning to its end (through an encoder once more for each call that its images are divided into), a backward
 * pass the other way, once. */
typedef struct cmus_passage {
    void *context;
    void (*need)(void *context, size_t to);    /* the weights [0, to) are read next: return when they are there */
    void (*ready)(void *context, size_t from); /* the gradients from `from` to the end will not change any more */
    /* Not NULL: gradients are not summed over images. It is called when the gradients [begin, begin + count) hold what
     * one image gave, which does not depend on the others, and leaves 0 there. */
    void (*take)(void *context, size_t begin, size_t count);
} cmus_passage;

/* Appends a tensor and returns its offset. Fatal if the name is taken or too long: only the program names tensors. */
size_t cmus_parameters_add(cmus_parameters *parameters, cmus_initial initial, int fan_in, int dimensions,
                           const int *shape, const char *format, ...) __attribute__((format(printf, 6, 7)));

/* The tensor of that name, or NULL. */
const cmus_tensor *cmus_parameters_find(const cmus_parameters *parameters, const char *name);

/* Fills `weights` [size] by each tensor's rule; element i of a tensor depends on (seed, name, i) only. */
void cmus_parameters_initialize(const cmus_parameters *parameters, uint64_t seed, float *weights);

/* The place of a tensor in a flat buffer of gradients; NULL if there is none, as for inference. */
static inline float *cmus_gradient_at(float *gradient, size_t offset) {
    return gradient ? gradient + offset : NULL;
}

void cmus_parameters_free(cmus_parameters *parameters);

#endif
