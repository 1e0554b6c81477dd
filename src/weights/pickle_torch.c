/* What PyTorch's pickles of state dicts call: storages, tensors, parameters, and OrderedDict (torch/_utils.py,
 * torch/serialization.py). */
#include <stdlib.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/utf8.h"
#include "pickle_internal.h"

enum { COPIED_LIMIT = 1 << 20, KEY_LIMIT = 64 };

typedef cmus_status call_function(cmus_pickle *pickle, const cmus_pickle_value *arguments, cmus_pickle_value **result);

struct cmus_pickle_callable {
    const char *name;
    call_function *call;
    const char *type; /* of the elements; NULL: no storage */
    size_t element_bytes;
};

static cmus_status ordered_dict(cmus_pickle *pickle, const cmus_pickle_value *arguments, cmus_pickle_value **result);
static cmus_status rebuild_tensor(cmus_pickle *pickle, const cmus_pickle_value *arguments, cmus_pickle_value **result);
static cmus_status rebuild_parameter(cmus_pickle *pickle, const cmus_pickle_value *arguments,
                                     cmus_pickle_value **result);
static cmus_status make_size(cmus_pickle *pickle, const cmus_pickle_value *arguments, cmus_pickle_value **result);

/* Storages are named by persistent ids and not called. */
static const cmus_pickle_callable callables[] = {
    {"collections.OrderedDict", ordered_dict, NULL, 0},
    {"torch._utils._rebuild_tensor_v2", rebuild_tensor, NULL, 0},
    {"torch._utils._rebuild_parameter", rebuild_parameter, NULL, 0},
    {"torch.Size", make_size, NULL, 0},
    {"torch.DoubleStorage", NULL, "F64", 8},
    {"torch.FloatStorage", NULL, "F32", 4},
    {"torch.HalfStorage", NULL, "F16", 2},
    {"torch.BFloat16Storage", NULL, "BF16", 2},
    {"torch.LongStorage", NULL, "I64", 8},
    {"torch.IntStorage", NULL, "I32", 4},
    {"torch.ShortStorage", NULL, "I16", 2},
    {"torch.CharStorage", NULL, "I8", 1},
    {"torch.ByteStorage", NULL, "U8", 1},
    {"torch.BoolStorage", NULL, "BOOL", 1},
    {"torch.storage._UntypedStorage", NULL, "", 1}, /* before PyTorch 1.13 */
    {"torch.storage.UntypedStorage", NULL, "", 1},
};

cmus_status cmus_pickle_callable_find(const cmus_pickle *pickle, const char *module, size_t module_length,
                                      const char *name, size_t name_length, const cmus_pickle_callable **callable) {
    enum { SHOWN = 100 };
    for (size_t i = 0; i < sizeof callables / sizeof callables[0]; i++) {
        const char *known = callables[i].name;
        if (strlen(known) == module_length + 1 + name_length && memcmp(known, module, module_length) == 0 &&
            known[module_length] == '.' && memcmp(known + module_length + 1, name, name_length) == 0) {
            *callable = &callables[i];
            return CMUS_OK;
        }
    }
    char *full = cmus_format_string("%.*s.%.*s", (int)(module_length < SHOWN ? module_length : SHOWN), module,
                                    (int)(name_length < SHOWN ? name_length : SHOWN), name);
    char *shown = cmus_utf8_valid(full);
    cmus_status status = cmus_pickle_refuse(pickle,
                                            "calls '%s', which no file of weights needs; in PyTorch, "
                                            "torch.save(model.state_dict(), FILE) writes the weights alone",
                                            shown);
    cmus_free(full);
    cmus_free(shown);
    return status;
}

cmus_status cmus_pickle_call(cmus_pickle *pickle, const cmus_pickle_value *callable, const cmus_pickle_value *arguments,
                             cmus_pickle_value **result) {
    if (!callable->callable->call)
        return cmus_pickle_refuse(pickle, "calls '%s', which no file of weights needs", callable->callable->name);
    return callable->callable->call(pickle, arguments, result);
}

/* Empty; of Python 2 with a list of pairs. */
static cmus_status ordered_dict(cmus_pickle *pickle, const cmus_pickle_value *arguments, cmus_pickle_value **result) {
    CMUS_TRY(cmus_pickle_add(pickle, CMUS_PICKLE_DICT, result));
    if (arguments->count == 0)
        return CMUS_OK;
    const cmus_pickle_value *pairs = arguments->items[0];
    if (arguments->count > 1 || pairs->kind != CMUS_PICKLE_LIST)
        return cmus_pickle_refuse(pickle, "an OrderedDict of something that is no list of pairs");
    pickle->copied += pairs->count; /* one list may be asked for again and again */
    if (pickle->copied > COPIED_LIMIT)
        return cmus_fail(CMUS_ERROR_LIMIT, "%s: dicts are made of more than %d pairs", pickle->name, COPIED_LIMIT);
    for (size_t i = 0; i < pairs->count; i++) {
        const cmus_pickle_value *pair = pairs->items[i];
        if ((pair->kind != CMUS_PICKLE_LIST && pair->kind != CMUS_PICKLE_TUPLE) || pair->count != 2)
            return cmus_pickle_refuse(pickle, "an OrderedDict of something that is no list of pairs");
        cmus_pickle_append(*result, pair->items[0]);
        cmus_pickle_append(*result, pair->items[1]);
    }
    return CMUS_OK;
}

static cmus_status make_size(cmus_pickle *pickle, const cmus_pickle_value *arguments, cmus_pickle_value **result) {
    if (arguments->count != 1 || arguments->items[0]->kind != CMUS_PICKLE_TUPLE)
        return cmus_pickle_refuse(pickle, "a torch.Size of something that is no tuple");
    *result = arguments->items[0];
    return CMUS_OK;
}

/* (tensor, requires_grad, backward_hooks): the tensor. */
static cmus_status rebuild_parameter(cmus_pickle *pickle, const cmus_pickle_value *arguments,
                                     cmus_pickle_value **result) {
    if (arguments->count != 3 || arguments->items[0]->kind != CMUS_PICKLE_TENSOR)
        return cmus_pickle_refuse(pickle, "a parameter of something that is no tensor");
    *result = arguments->items[0];
    return CMUS_OK;
}

/* The sizes or strides of a tensor. */
static cmus_status read_sizes(cmus_pickle *pickle, const cmus_pickle_value *tuple, int64_t *sizes, int *count) {
    *count = 0;
    if (tuple->kind != CMUS_PICKLE_TUPLE || tuple->count > CMUS_STORED_DIMENSIONS)
        return cmus_pickle_refuse(pickle, "sizes or strides of a tensor are no tuple of at most %d",
                                  CMUS_STORED_DIMENSIONS);
    *count = (int)tuple->count;
    for (size_t i = 0; i < tuple->count; i++) {
        if (tuple->items[i]->kind != CMUS_PICKLE_INTEGER || tuple->items[i]->integer < 0)
            return cmus_pickle_refuse(pickle, "sizes or strides of a tensor hold something that is no size");
        sizes[i] = tuple->items[i]->integer;
    }
    return CMUS_OK;
}

/* Counts the elements and checks that all lie within the storage. */
static cmus_status check_extent(const cmus_pickle *pickle, cmus_pickle_tensor *tensor) {
    size_t product = 1, last = tensor->offset;
    bool empty = false, beyond = false;
    for (int i = 0; i < tensor->dimensions; i++) {
        size_t size = (size_t)tensor->shape[i], step;
        empty |= size == 0;
        if (size == 0)
            continue;
        if (__builtin_mul_overflow(product, size, &product))
            return cmus_pickle_refuse(pickle, "the shape of a tensor overflows");
        beyond |= __builtin_mul_overflow(size - 1, (size_t)tensor->stride[i], &step) ||
                  __builtin_add_overflow(last, step, &last);
    }
    tensor->elements = empty ? 0 : product;
    if (!empty && (beyond || last >= tensor->storage->elements))
        return cmus_pickle_refuse(pickle, "a tensor lies outside its storage of %zu elements",
                                  tensor->storage->elements);
    return CMUS_OK;
}

/* (storage, offset, sizes, strides, requires_grad, backward_hooks[, metadata]) */
static cmus_status rebuild_tensor(cmus_pickle *pickle, const cmus_pickle_value *arguments, cmus_pickle_value **result) {
    if (arguments->count < 6 || arguments->count > 7 || arguments->items[0]->kind != CMUS_PICKLE_STORAGE ||
        arguments->items[1]->kind != CMUS_PICKLE_INTEGER || arguments->items[1]->integer < 0)
        return cmus_pickle_refuse(pickle, "a tensor without storage or offset");
    if (!*arguments->items[0]->storage->type)
        return cmus_pickle_refuse(pickle, "a tensor in a storage without a type");
    cmus_pickle_tensor tensor = {.storage = arguments->items[0]->storage,
                                 .offset = (size_t)arguments->items[1]->integer};
    int strides;
    CMUS_TRY(read_sizes(pickle, arguments->items[2], tensor.shape, &tensor.dimensions));
    CMUS_TRY(read_sizes(pickle, arguments->items[3], tensor.stride, &strides));
    if (strides != tensor.dimensions)
        return cmus_pickle_refuse(pickle, "a tensor of %d sizes and %d strides", tensor.dimensions, strides);
    CMUS_TRY(check_extent(pickle, &tensor));
    CMUS_TRY(cmus_pickle_add(pickle, CMUS_PICKLE_TENSOR, result));
    (*result)->tensor = cmus_allocate(1, sizeof tensor);
    *(*result)->tensor = tensor;
    return CMUS_OK;
}

/* ("storage", type, key, location, elements), in files of before PyTorch 1.6 with a view (offset and length in another
 * storage, which PyTorch does not write since 0.4) or None behind. */
cmus_status cmus_pickle_persistent(cmus_pickle *pickle, const cmus_pickle_value *id, cmus_pickle_value **result) {
    if (id->kind != CMUS_PICKLE_TUPLE || id->count < 1 || !cmus_pickle_is_text(id->items[0], "storage"))
        return cmus_pickle_refuse(pickle, "holds something that is no storage of a tensor, such as a whole module");
    if (id->count < 5 || id->count > 6 || id->items[1]->kind != CMUS_PICKLE_CALLABLE || !id->items[1]->callable->type ||
        id->items[2]->kind != CMUS_PICKLE_TEXT || id->items[2]->length > KEY_LIMIT ||
        id->items[4]->kind != CMUS_PICKLE_INTEGER || id->items[4]->integer < 0)
        return cmus_pickle_refuse(pickle, "a storage without type, key or size");
    if (id->count == 6 && id->items[5]->kind != CMUS_PICKLE_NONE)
        return cmus_pickle_refuse(pickle, "a view of a storage, as PyTorch wrote before 0.4");
    const cmus_pickle_callable *type = id->items[1]->callable;
    cmus_pickle_storage storage = {.key = id->items[2]->text,
                                   .key_length = id->items[2]->length,
                                   .type = type->type,
                                   .element_bytes = type->element_bytes,
                                   .elements = (size_t)id->items[4]->integer};
    size_t bytes;
    if (__builtin_mul_overflow(storage.elements, storage.element_bytes, &bytes))
        return cmus_pickle_refuse(pickle, "the size of a storage overflows");
    CMUS_TRY(cmus_pickle_add(pickle, CMUS_PICKLE_STORAGE, result));
    (*result)->storage = cmus_allocate(1, sizeof storage);
    *(*result)->storage = storage;
    pickle->storages =
        cmus_grow(pickle->storages, &pickle->storage_capacity, pickle->storage_count + 1, sizeof *pickle->storages);
    pickle->storages[pickle->storage_count++] = (*result)->storage;
    return CMUS_OK;
}

static int compare_keys(const void *a, const void *b) {
    const cmus_pickle_storage *x = *(cmus_pickle_storage *const *)a, *y = *(cmus_pickle_storage *const *)b;
    size_t shorter = x->key_length < y->key_length ? x->key_length : y->key_length;
    int order = memcmp(x->key, y->key, shorter);
    return order ? order : (x->key_length > y->key_length) - (x->key_length < y->key_length);
}

cmus_status cmus_pickle_unite_storages(cmus_pickle *pickle) {
    cmus_pickle_storage **storages = pickle->storages;
    size_t count = 0;
    if (pickle->storage_count)
        qsort(storages, pickle->storage_count, sizeof *storages, compare_keys);
    for (size_t i = 0; i < pickle->storage_count; i++) {
        bool again = count > 0 && compare_keys(&storages[count - 1], &storages[i]) == 0;
        if (again && (strcmp(storages[i]->type, storages[count - 1]->type) != 0 ||
                      storages[i]->elements != storages[count - 1]->elements))
            return cmus_pickle_refuse(pickle, "a storage is given two types or sizes");
        if (!again)
            storages[count++] = storages[i];
        storages[i]->index = count - 1;
    }
    pickle->storage_count = count;
    return CMUS_OK;
}
