#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/safetensors.h"

enum { ALIGNMENT = 8 };

static size_t element_bytes(const cmus_tensor_source *tensor) {
    if (strcmp(tensor->type, "I64") == 0)
        return 8;
    if (strcmp(tensor->type, "F32") == 0)
        return 4;
    if (strcmp(tensor->type, "F16") == 0 || strcmp(tensor->type, "BF16") == 0)
        return 2;
    cmus_fatal("tensors of type %s are not written", tensor->type);
}

static size_t tensor_bytes(const cmus_tensor_source *tensor) {
    size_t bytes = element_bytes(tensor);
    for (int i = 0; i < tensor->dimensions; i++)
        bytes *= (size_t)tensor->shape[i];
    return bytes;
}

/* Wide elements first, so that every tensor is aligned to its element; then by name. */
static int compare_sources(const void *a, const void *b) {
    const cmus_tensor_source *x = a, *y = b;
    size_t wide_x = element_bytes(x), wide_y = element_bytes(y);
    if (wide_x != wide_y)
        return wide_x > wide_y ? -1 : 1;
    return strcmp(x->name, y->name);
}

static json_t *describe(const cmus_tensor_source *tensor, size_t begin) {
    json_t *shape = json_array();
    for (int i = 0; i < tensor->dimensions; i++)
        json_array_append_new(shape, json_integer(tensor->shape[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", tensor->type, "shape", shape, "data_offsets", (json_int_t)begin,
                     (json_int_t)(begin + tensor_bytes(tensor)));
}

/* The header, padded with blanks to a multiple of 8 bytes; free with cmus_free(). */
static char *header_text(const cmus_tensor_source *tensors, size_t count, const cmus_text_pair *pairs,
                         size_t pair_count) {
    json_t *header = json_object(), *metadata = json_pack("{s:s}", "format", "pt");
    for (size_t i = 0; i < pair_count; i++)
        if (json_object_set_new(metadata, pairs[i].key, json_string(pairs[i].value)) != 0)
            cmus_fatal("metadata '%s' of a safetensors file is no UTF-8", pairs[i].key);
    json_object_set_new(header, "__metadata__", metadata);
    size_t begin = 0;
    for (size_t i = 0; i < count; i++) {
        json_object_set_new(header, tensors[i].name, describe(&tensors[i], begin));
        begin += tensor_bytes(&tensors[i]);
    }
    char *text = json_dumps(header, JSON_COMPACT);
    if (!text || json_object_size(header) != count + 1)
        cmus_fatal("the header of a safetensors file can't be made: a name is given twice or is no UTF-8");
    json_decref(header);
    size_t length = strlen(text), padding = (ALIGNMENT - length % ALIGNMENT) % ALIGNMENT;
    char *padded = cmus_format_string("%s%*s", text, (int)padding, "");
    free(text);
    return padded;
}

static void write_tensor(cmus_file_writer *writer, const cmus_tensor_source *tensor) {
    size_t bytes = tensor_bytes(tensor);
    if (tensor->data) {
        cmus_file_writer_add(writer, tensor->data, bytes);
        return;
    }
    void *values = cmus_allocate_raw(bytes, 1);
    tensor->get(tensor->context, bytes / element_bytes(tensor), values);
    cmus_file_writer_add(writer, values, bytes);
    cmus_free(values);
}

cmus_status cmus_safetensors_write(const char *path, cmus_tensor_source *tensors, size_t count,
                                   const cmus_text_pair *pairs, size_t pair_count) {
    if (count)
        qsort(tensors, count, sizeof *tensors, compare_sources);
    cmus_file_writer *writer;
    CMUS_TRY(cmus_file_writer_open(path, &writer));
    char *header = header_text(tensors, count, pairs, pair_count);
    uint64_t length = strlen(header);
    unsigned char prefix[8];
    for (int i = 0; i < 8; i++)
        prefix[i] = (unsigned char)(length >> (8 * i));
    cmus_file_writer_add(writer, prefix, sizeof prefix);
    cmus_file_writer_add(writer, header, (size_t)length);
    cmus_free(header);
    for (size_t i = 0; i < count; i++)
        write_tensor(writer, &tensors[i]);
    return cmus_file_writer_commit(writer);
}
