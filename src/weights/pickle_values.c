#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmus/memory.h"
#include "pickle_internal.h"

enum { BLOCK = 1024, VALUES_LIMIT = 1 << 20 };

cmus_status cmus_pickle_refuse(const cmus_pickle *pickle, const char *format, ...) {
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return cmus_fail(CMUS_ERROR_FORMAT, "%s: %s", pickle->name, message);
}

cmus_status cmus_pickle_add(cmus_pickle *pickle, cmus_pickle_kind kind, cmus_pickle_value **value) {
    if (pickle->values == VALUES_LIMIT)
        return cmus_fail(CMUS_ERROR_LIMIT, "%s: more than %d values", pickle->name, VALUES_LIMIT);
    if (pickle->values == pickle->block_count * BLOCK) {
        pickle->blocks =
            cmus_grow(pickle->blocks, &pickle->block_capacity, pickle->block_count + 1, sizeof *pickle->blocks);
        pickle->blocks[pickle->block_count++] = cmus_allocate(BLOCK, sizeof **pickle->blocks);
    }
    *value = &pickle->blocks[pickle->values / BLOCK][pickle->values % BLOCK];
    pickle->values++;
    (*value)->kind = kind;
    return CMUS_OK;
}

void cmus_pickle_append(cmus_pickle_value *container, cmus_pickle_value *item) {
    container->items =
        cmus_grow(container->items, &container->capacity, container->count + 1, sizeof(cmus_pickle_value *));
    container->items[container->count++] = item;
}

static void free_value(cmus_pickle_value *value) {
    switch (value->kind) {
    case CMUS_PICKLE_TUPLE:
    case CMUS_PICKLE_LIST:
    case CMUS_PICKLE_DICT:
        cmus_free(value->items);
        break;
    case CMUS_PICKLE_STORAGE:
        cmus_free(value->storage);
        break;
    case CMUS_PICKLE_TENSOR:
        cmus_free(value->tensor);
        break;
    default:
        break;
    }
}

void cmus_pickle_free(cmus_pickle *pickle) {
    if (!pickle)
        return;
    for (size_t i = 0; i < pickle->values; i++)
        free_value(&pickle->blocks[i / BLOCK][i % BLOCK]);
    for (size_t i = 0; i < pickle->block_count; i++)
        cmus_free(pickle->blocks[i]);
    cmus_free(pickle->blocks);
    cmus_free(pickle->storages);
    cmus_free(pickle);
}

const cmus_pickle_value *cmus_pickle_top(const cmus_pickle *pickle) {
    return pickle->top;
}

size_t cmus_pickle_storage_count(const cmus_pickle *pickle) {
    return pickle->storage_count;
}

const cmus_pickle_storage *cmus_pickle_storages(const cmus_pickle *pickle, size_t index) {
    return pickle->storages[index];
}

bool cmus_pickle_is_text(const cmus_pickle_value *value, const char *text) {
    return value->kind == CMUS_PICKLE_TEXT && value->length == strlen(text) &&
           memcmp(value->text, text, value->length) == 0;
}

const cmus_pickle_value *cmus_pickle_find(const cmus_pickle_value *dict, const char *key) {
    if (dict->kind != CMUS_PICKLE_DICT)
        return NULL;
    for (size_t i = dict->count; i >= 2; i -= 2)
        if (cmus_pickle_is_text(dict->items[i - 2], key))
            return dict->items[i - 1];
    return NULL;
}
