#include "cmus/weights.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/safetensors.h"
#include "tensor_shape.h"
#include "weight_writer.h"

static const char INDEX_ENDING[] = "attn.relative_position_index";
static const char *const moment_prefixes[CMUS_MOMENTS] = {"first.", "second.", "second_max."};

static bool ends_with(const char *text, const char *ending) {
    size_t length = strlen(text), tail = strlen(ending);
    return length >= tail && strcmp(text + length - tail, ending) == 0;
}

/* MISMATCH unless type and shape are those of the network's tensor. */
static cmus_status check_tensor(const char *path, const cmus_stored_tensor *stored, const cmus_tensor *tensor) {
    if (!cmus_same_shape(stored, tensor))
        return cmus_fail_shape(path, stored, tensor, "");
    if (strcmp(stored->type, "F32") != 0)
        return cmus_fail(CMUS_ERROR_MISMATCH, "%s: tensor '%s' is of type %s; F32 is expected", path, stored->name,
                         stored->type);
    return CMUS_OK;
}

/* Every tensor of the file must have been asked for: `expected` of them, beside the index buffers. */
static cmus_status check_nothing_else(const char *path, const cmus_safetensors *file, const cmus_parameters *parameters,
                                      size_t expected) {
    size_t others = 0;
    for (size_t i = 0; i < cmus_safetensors_count(file); i++)
        others += !ends_with(cmus_safetensors_tensor(file, i)->name, INDEX_ENDING);
    if (others == expected)
        return CMUS_OK;
    for (size_t i = 0; i < cmus_safetensors_count(file); i++) {
        const char *name = cmus_safetensors_tensor(file, i)->name;
        if (!ends_with(name, INDEX_ENDING) && !cmus_parameters_find(parameters, name))
            return cmus_fail(CMUS_ERROR_MISMATCH,
                             "%s: tensor '%.200s' is not in the configured network (accepted: files that cmus-train "
                             "wrote, for a network of the same sizes)",
                             path, name);
    }
    return cmus_fail(CMUS_ERROR_MISMATCH, "%s: holds %zu tensors, but %zu are expected", path, others, expected);
}

/* The tensors under `prefix` into `values`; NULL: only checked. */
static cmus_status read_tensors(const char *path, cmus_safetensors *file, const cmus_parameters *parameters,
                                const char *prefix, float *values) {
    for (size_t i = 0; i < parameters->count; i++) {
        const cmus_tensor *tensor = &parameters->tensors[i];
        char name[CMUS_TENSOR_NAME + 16];
        snprintf(name, sizeof name, "%s%s", prefix, tensor->name);
        const cmus_stored_tensor *stored = cmus_safetensors_find(file, name);
        if (!stored)
            return cmus_fail(CMUS_ERROR_MISMATCH,
                             "%s: tensor '%s' of the configured network is missing (accepted: files that cmus-train "
                             "wrote, with the whole network)",
                             path, name);
        CMUS_TRY(check_tensor(path, stored, tensor));
        if (values)
            CMUS_TRY(cmus_safetensors_read(file, stored, values + tensor->offset));
    }
    return CMUS_OK;
}

cmus_status cmus_weights_read(const char *path, const cmus_parameters *parameters, float *weights) {
    cmus_safetensors *file;
    CMUS_TRY(cmus_safetensors_open(path, &file));
    cmus_status status = read_tensors(path, file, parameters, "", weights);
    if (status == CMUS_OK)
        status = check_nothing_else(path, file, parameters, parameters->count);
    cmus_safetensors_close(file);
    return status;
}

/* A tensor of a moment, got when it is written. */
typedef struct moment_tensor {
    const cmus_moments *moments;
    int moment;
    size_t begin;
} moment_tensor;

static void get_tensor(void *context, size_t count, void *values) {
    const moment_tensor *tensor = context;
    tensor->moments->get(tensor->moments->context, tensor->moment, tensor->begin, count, values);
}

cmus_status cmus_moments_write(const char *path, const cmus_parameters *parameters, const cmus_moments *moments) {
    size_t count = CMUS_MOMENTS * parameters->count;
    cmus_tensor_source *sources = cmus_allocate(count, sizeof *sources);
    moment_tensor *tensors = cmus_allocate(count, sizeof *tensors);
    char **names = cmus_allocate(count, sizeof *names);
    for (size_t i = 0; i < count; i++) {
        size_t moment = i / parameters->count;
        const cmus_tensor *tensor = &parameters->tensors[i % parameters->count];
        names[i] = cmus_format_string("%s%s", moment_prefixes[moment], tensor->name);
        tensors[i] = (moment_tensor){moments, (int)moment, tensor->offset};
        sources[i] = cmus_weight_source(tensor, names[i]);
        sources[i].context = &tensors[i];
        sources[i].get = get_tensor;
    }
    cmus_status status = cmus_safetensors_write(path, sources, count, NULL, 0);
    for (size_t i = 0; i < count; i++)
        cmus_free(names[i]);
    cmus_free(names);
    cmus_free(tensors);
    cmus_free(sources);
    return status;
}

static cmus_status read_moment(const char *path, cmus_safetensors *file, const cmus_parameters *parameters, int moment,
                               const cmus_moments *moments) {
    CMUS_TRY(read_tensors(path, file, parameters, moment_prefixes[moment], NULL)); /* checks them */
    for (size_t i = 0; i < parameters->count; i++) {
        const cmus_tensor *tensor = &parameters->tensors[i];
        char name[CMUS_TENSOR_NAME + 16];
        snprintf(name, sizeof name, "%s%s", moment_prefixes[moment], tensor->name);
        float *values = cmus_allocate_raw(tensor->size, sizeof *values);
        cmus_status status = cmus_safetensors_read(file, cmus_safetensors_find(file, name), values);
        if (status == CMUS_OK)
            moments->set(moments->context, moment, tensor->offset, tensor->size, values);
        cmus_free(values);
        CMUS_TRY(status);
    }
    return CMUS_OK;
}

cmus_status cmus_moments_read(const char *path, const cmus_parameters *parameters, const cmus_moments *moments) {
    cmus_safetensors *file;
    CMUS_TRY(cmus_safetensors_open(path, &file));
    cmus_status status = CMUS_OK;
    if (cmus_safetensors_count(file) != CMUS_MOMENTS * parameters->count)
        status = cmus_fail(CMUS_ERROR_MISMATCH, "%s: holds %zu tensors, but %zu are expected", path,
                           cmus_safetensors_count(file), CMUS_MOMENTS * parameters->count);
    for (int i = 0; i < CMUS_MOMENTS && status == CMUS_OK; i++)
        status = read_moment(path, file, parameters, i, moments);
    cmus_safetensors_close(file);
    return status;
}
