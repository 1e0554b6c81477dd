/* Pickles of state dicts, read by a small stack machine over tagged values. Nothing is run: a callable is a name of a
 * short list, and calling one makes a dict, a tuple or the description of a tensor; any other name is refused where it
 * is met. Opcodes of protocol 2, and of 3 to 5 those that only hold texts, bytes and frames. Not collective.
 *
 * Values refer to each other and are never copied or walked through, so that what a pickle shares, or makes contain
 * itself, costs no more than its bytes; one of CMUS_PICKLE_BYTES takes at most about 400 MB.
 */
#ifndef CMUS_PICKLE_H
#define CMUS_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmus/safetensors.h"
#include "cmus/status.h"

/* The longest pickle: about fifty thousand tensors. */
enum { CMUS_PICKLE_BYTES = 16 << 20 };

typedef enum cmus_pickle_kind {
    CMUS_PICKLE_NONE,
    CMUS_PICKLE_BOOL,
    CMUS_PICKLE_INTEGER,
    CMUS_PICKLE_NUMBER, /* a float, whose value nobody needs */
    CMUS_PICKLE_TEXT,
    CMUS_PICKLE_BYTES_OBJECT, /* bytes, or an integer of more than 64 bits */
    CMUS_PICKLE_TUPLE,
    CMUS_PICKLE_LIST,
    CMUS_PICKLE_DICT,
    CMUS_PICKLE_CALLABLE,
    CMUS_PICKLE_STORAGE,
    CMUS_PICKLE_TENSOR,
    CMUS_PICKLE_MARK /* on the stack only */
} cmus_pickle_kind;

typedef struct cmus_pickle_callable cmus_pickle_callable;

/* Numbers in a row, in which tensors lie. */
typedef struct cmus_pickle_storage {
    const char *key; /* [key_length] in the pickle, without a zero */
    size_t key_length;
    const char *type; /* as in safetensors; "" for bytes without a type */
    size_t element_bytes, elements;
    size_t index; /* in cmus_pickle_storages() */
} cmus_pickle_storage;

/* Where the elements of a tensor lie: element [i, j, ...] is number offset + i * stride[0] + j * stride[1] + ... of the
 * storage, and all of them lie within it. */
typedef struct cmus_pickle_tensor {
    const cmus_pickle_storage *storage;
    size_t offset, elements;
    int dimensions;
    int64_t shape[CMUS_STORED_DIMENSIONS], stride[CMUS_STORED_DIMENSIONS];
} cmus_pickle_tensor;

typedef struct cmus_pickle_value cmus_pickle_value;
struct cmus_pickle_value {
    cmus_pickle_kind kind;
    union {
        int64_t integer; /* BOOL, INTEGER */
        struct {         /* TEXT, BYTES_OBJECT: in the pickle, without a zero; nothing is known of the bytes */
            const char *text;
            size_t length;
        };
        struct { /* TUPLE, LIST; DICT: key, value, key, value, ... */
            cmus_pickle_value **items;
            size_t count, capacity;
        };
        const cmus_pickle_callable *callable;
        cmus_pickle_storage *storage;
        cmus_pickle_tensor *tensor;
    };
};

typedef struct cmus_pickle cmus_pickle;

/* Reads the pickle at the beginning of data [size], which must outlive it; `name` begins the messages. *used: its
 * bytes. FORMAT, LIMIT. Free it with cmus_pickle_free(). */
cmus_status cmus_pickle_read(const char *name, const uint8_t *data, size_t size, cmus_pickle **pickle, size_t *used);
void cmus_pickle_free(cmus_pickle *pickle);

/* The object. It may contain itself. */
const cmus_pickle_value *cmus_pickle_top(const cmus_pickle *pickle);

/* Every storage that is spoken of, once, by key. */
size_t cmus_pickle_storage_count(const cmus_pickle *pickle);
const cmus_pickle_storage *cmus_pickle_storages(const cmus_pickle *pickle, size_t index);

/* What a dict holds under a key (of several the last, as in Python); NULL if there is none, or it is no dict. */
const cmus_pickle_value *cmus_pickle_find(const cmus_pickle_value *dict, const char *key);

/* Whether it is that text. */
bool cmus_pickle_is_text(const cmus_pickle_value *value, const char *text);

#endif
