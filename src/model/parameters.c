#include "cmus/parameters.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/random.h"

size_t cmus_parameters_add(cmus_parameters *parameters, cmus_initial initial, int fan_in, int dimensions,
                           const int *shape, const char *format, ...) {
    cmus_tensor tensor = {.dimensions = dimensions, .initial = initial, .fan_in = fan_in, .size = 1};
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(tensor.name, sizeof tensor.name, format, arguments);
    va_end(arguments);
    if (length < 0 || length >= CMUS_TENSOR_NAME || cmus_parameters_find(parameters, tensor.name))
        cmus_fatal("the tensor name '%s' is too long or taken", tensor.name);
    for (int d = 0; d < dimensions; d++) {
        tensor.shape[d] = shape[d];
        tensor.size *= (size_t)shape[d];
    }
    tensor.offset = parameters->size;
    parameters->size += tensor.size;
    parameters->tensors =
        cmus_grow(parameters->tensors, &parameters->capacity, parameters->count + 1, sizeof *parameters->tensors);
    parameters->tensors[parameters->count++] = tensor;
    return tensor.offset;
}

const cmus_tensor *cmus_parameters_find(const cmus_parameters *parameters, const char *name) {
    for (size_t i = 0; i < parameters->count; i++)
        if (strcmp(parameters->tensors[i].name, name) == 0)
            return &parameters->tensors[i];
    return NULL;
}

static void initialize_tensor(const cmus_tensor *tensor, uint64_t seed, float *values) {
    uint64_t id = cmus_hash_text(tensor->name), key = cmus_random_key(seed, "initial weights", &id, 1);
    double bound = tensor->fan_in > 0 ? sqrt(1.0 / tensor->fan_in) : 0;
    for (size_t i = 0; i < tensor->size; i++)
        switch (tensor->initial) {
        case CMUS_INITIAL_ZERO:
            values[i] = 0;
            break;
        case CMUS_INITIAL_ONE:
            values[i] = 1;
            break;
        case CMUS_INITIAL_UNIFORM:
            values[i] = (float)(bound * (2 * cmus_uniform_at(key, i) - 1));
            break;
        case CMUS_INITIAL_NORMAL: {
            cmus_random random = {.key = key, .next = 2 * i}; /* two uniform numbers make a normal one */
            values[i] = (float)(0.02 * cmus_random_normal(&random));
            break;
        }
        }
}

void cmus_parameters_initialize(const cmus_parameters *parameters, uint64_t seed, float *weights) {
#pragma omp parallel for schedule(dynamic)
    for (size_t i = 0; i < parameters->count; i++)
        initialize_tensor(&parameters->tensors[i], seed, weights + parameters->tensors[i].offset);
}

void cmus_parameters_free(cmus_parameters *parameters) {
    cmus_free(parameters->tensors);
    *parameters = (cmus_parameters){0};
}
