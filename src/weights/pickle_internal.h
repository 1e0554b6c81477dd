/* Shared by pickle.c (the opcodes), pickle_values.c (the values) and pickle_torch.c (what PyTorch's pickles call). */
#ifndef CMUS_PICKLE_INTERNAL_H
#define CMUS_PICKLE_INTERNAL_H

#include "pickle.h"

struct cmus_pickle {
    const char *name;
    cmus_pickle_value **blocks; /* of values, which stay where they are */
    size_t block_count, block_capacity, values, copied;
    cmus_pickle_storage **storages; /* as met; in the end by key, each once */
    size_t storage_count, storage_capacity;
    const cmus_pickle_value *top;
};

/* A new value, owned by the pickle. LIMIT: there are too many. */
cmus_status cmus_pickle_add(cmus_pickle *pickle, cmus_pickle_kind kind, cmus_pickle_value **value);

/* Appends `item` to a TUPLE, LIST or DICT. */
void cmus_pickle_append(cmus_pickle_value *container, cmus_pickle_value *item);

/* FORMAT, with the pickle's name before the message. */
cmus_status cmus_pickle_refuse(const cmus_pickle *pickle, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The callable MODULE.NAME. FORMAT: it is none of those that state dicts need. */
cmus_status cmus_pickle_callable_find(const cmus_pickle *pickle, const char *module, size_t module_length,
                                      const char *name, size_t name_length, const cmus_pickle_callable **callable);

/* What calling it with these arguments gives. FORMAT, LIMIT. */
cmus_status cmus_pickle_call(cmus_pickle *pickle, const cmus_pickle_value *callable, const cmus_pickle_value *arguments,
                             cmus_pickle_value **result);

/* The storage that a persistent id names. FORMAT, LIMIT. */
cmus_status cmus_pickle_persistent(cmus_pickle *pickle, const cmus_pickle_value *id, cmus_pickle_value **result);

/* Sorts the storages by key, each once. FORMAT: what is said of one differs. */
cmus_status cmus_pickle_unite_storages(cmus_pickle *pickle);

#endif
