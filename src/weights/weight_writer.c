#include "weight_writer.h"

#include <string.h>

#include "cmus/memory.h"
#include "cmus/weights.h"
#include "number_types.h"

enum { WINDOW = 7, TOKENS = WINDOW * WINDOW, INDEX_SIZE = TOKENS * TOKENS };

static const char TABLE_ENDING[] = "attn.relative_position_bias_table";
static const char INDEX_ENDING[] = "attn.relative_position_index";

/* A tensor whose numbers are converted when they are written. */
typedef struct conversion {
    const char *type;
    const float *values;
} conversion;

/* Row of the bias table for each pair of tokens (i, j) of a window. */
static int64_t *position_index(void) {
    int64_t *index = cmus_allocate(INDEX_SIZE, sizeof *index);
    for (int i = 0; i < TOKENS; i++)
        for (int j = 0; j < TOKENS; j++)
            index[i * TOKENS + j] =
                (i / WINDOW - j / WINDOW + WINDOW - 1) * (2 * WINDOW - 1) + i % WINDOW - j % WINDOW + WINDOW - 1;
    return index;
}

/* The name of the index beside a bias table; NULL if the tensor is none. Free it with cmus_free(). */
static char *index_name(const char *name) {
    size_t length = strlen(name), tail = strlen(TABLE_ENDING);
    if (length < tail || strcmp(name + length - tail, TABLE_ENDING) != 0)
        return NULL;
    return cmus_format_string("%.*s%s", (int)(length - tail), name, INDEX_ENDING);
}

cmus_tensor_source cmus_weight_source(const cmus_tensor *tensor, const char *name) {
    cmus_tensor_source source = {.name = name, .type = "F32", .dimensions = tensor->dimensions};
    for (int i = 0; i < tensor->dimensions; i++)
        source.shape[i] = tensor->shape[i];
    return source;
}

static void convert(void *context, size_t count, void *values) {
    const conversion *wanted = context;
    cmus_numbers_from_floats(wanted->type, wanted->values, count, values);
}

static cmus_tensor_source converted(const cmus_tensor *tensor, conversion *wanted) {
    cmus_tensor_source source = cmus_weight_source(tensor, tensor->name);
    if (strcmp(wanted->type, "F32") == 0) {
        source.data = wanted->values;
        return source;
    }
    source.type = wanted->type;
    source.context = wanted;
    source.get = convert;
    return source;
}

cmus_status cmus_weights_write_form(const char *path, const cmus_parameters *parameters, const float *weights,
                                    cmus_weight_form form, const cmus_text_pair *pairs, size_t pair_count) {
    cmus_tensor_source *sources = cmus_allocate(2 * parameters->count, sizeof *sources);
    conversion *conversions = cmus_allocate(parameters->count, sizeof *conversions);
    char **names = cmus_allocate(parameters->count, sizeof *names);
    int64_t *index = position_index();
    size_t count = 0;
    for (size_t i = 0; i < parameters->count; i++) {
        const cmus_tensor *tensor = &parameters->tensors[i];
        if (form.included && !form.included[i])
            continue;
        conversions[i] = (conversion){form.type, weights + tensor->offset};
        sources[count++] = converted(tensor, &conversions[i]);
        names[i] = index_name(tensor->name);
        if (names[i])
            sources[count++] = (cmus_tensor_source){
                .name = names[i], .type = "I64", .dimensions = 1, .shape = {INDEX_SIZE}, .data = index};
    }
    cmus_status status = cmus_safetensors_write(path, sources, count, pairs, pair_count);
    for (size_t i = 0; i < parameters->count; i++)
        cmus_free(names[i]);
    cmus_free(names);
    cmus_free(conversions);
    cmus_free(index);
    cmus_free(sources);
    return status;
}

cmus_status cmus_weights_write(const char *path, const cmus_parameters *parameters, const float *weights,
                               const cmus_text_pair *pairs, size_t pair_count) {
    return cmus_weights_write_form(path, parameters, weights, (cmus_weight_form){.type = "F32"}, pairs, pair_count);
}
