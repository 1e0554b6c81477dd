/* The form of before PyTorch 1.6 (or with _use_new_zipfile_serialization=False): five pickles (a magic number, the
 * version of the protocol, what the machine was like, the object, the list of the storages' keys), then each storage of
 * that list: the number of its elements as int64, and the elements. All numbers are little-endian on any machine. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cmus/memory.h"
#include "pth_source.h"

enum { PROTOCOL_VERSION = 1001, COUNT_BYTES = 8 };

static cmus_status bad_file(const cmus_pth_source *source, const char *what) {
    return cmus_fail(CMUS_ERROR_FORMAT, "%s: %s", source->path, what);
}

static cmus_status read_at(const cmus_pth_source *source, uint64_t offset, void *to, size_t size) {
    char *at = to;
    while (size > 0) {
        ssize_t got = pread(source->descriptor, at, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return cmus_fail(CMUS_ERROR_IO, "%s: %s", source->path, strerror(errno));
        if (got == 0)
            return bad_file(source, "the file became shorter while it was read");
        at += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return CMUS_OK;
}

static cmus_status next_pickle(const cmus_pth_source *source, size_t size, size_t *at, cmus_pickle **pickle) {
    size_t used;
    cmus_status status = cmus_pickle_read(source->name, (const uint8_t *)source->text + *at, size - *at, pickle, &used);
    *at += used;
    return status;
}

/* The first three pickles. What the third tells of the machine has never been of use. */
static cmus_status check_head(const cmus_pth_source *source, size_t size, size_t *at) {
    static const uint8_t magic[] = {0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19};
    cmus_pickle *pickle;
    CMUS_TRY(next_pickle(source, size, at, &pickle));
    const cmus_pickle_value *top = cmus_pickle_top(pickle);
    bool right = top->kind == CMUS_PICKLE_BYTES_OBJECT && top->length == sizeof magic &&
                 memcmp(top->text, magic, sizeof magic) == 0;
    cmus_pickle_free(pickle);
    if (!right)
        return bad_file(source, "a pickle that torch.save() did not write");
    CMUS_TRY(next_pickle(source, size, at, &pickle));
    top = cmus_pickle_top(pickle);
    right = top->kind == CMUS_PICKLE_INTEGER && top->integer == PROTOCOL_VERSION;
    cmus_pickle_free(pickle);
    if (!right)
        return bad_file(source, "not of the version of PyTorch's protocol that is known, 1001");
    CMUS_TRY(next_pickle(source, size, at, &pickle));
    cmus_pickle_free(pickle);
    return CMUS_OK;
}

/* The storage of that key, as cmus_pickle_storages() numbers them; their count if there is none. They are sorted. */
static size_t find_storage(const cmus_pickle *pickle, const cmus_pickle_value *key) {
    size_t count = cmus_pickle_storage_count(pickle), low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const cmus_pickle_storage *storage = cmus_pickle_storages(pickle, middle);
        size_t shorter = storage->key_length < key->length ? storage->key_length : key->length;
        int order = memcmp(storage->key, key->text, shorter);
        if (order == 0)
            order = (storage->key_length > key->length) - (storage->key_length < key->length);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return count;
}

/* One storage, whose number of elements is at byte *at. */
static cmus_status place_storage(cmus_pth_source *source, size_t index, uint64_t *at) {
    const cmus_pickle_storage *wanted = cmus_pickle_storages(source->pickle, index);
    cmus_pth_storage *storage = &source->storages[index];
    if (storage->place)
        return bad_file(source, "its list of storages names one twice");
    uint8_t bytes[COUNT_BYTES];
    uint64_t elements = 0;
    if (source->file_bytes - *at < COUNT_BYTES)
        return bad_file(source, "the file is cut short");
    CMUS_TRY(read_at(source, *at, bytes, COUNT_BYTES));
    for (int i = COUNT_BYTES; i-- > 0;)
        elements = elements << 8 | bytes[i];
    if (elements != wanted->elements)
        return bad_file(source, "a storage has another size than its tensors say");
    *at += COUNT_BYTES;
    *storage = (cmus_pth_storage){
        .bytes = wanted->elements * wanted->element_bytes, .element_bytes = wanted->element_bytes, .place = *at};
    if (storage->bytes > source->file_bytes - *at)
        return bad_file(source, "the file is cut short");
    *at += storage->bytes;
    return CMUS_OK;
}

static cmus_status place_storages(cmus_pth_source *source, const cmus_pickle_value *keys, uint64_t at) {
    size_t count = cmus_pickle_storage_count(source->pickle);
    source->storages = cmus_allocate(count, sizeof *source->storages);
    if (keys->kind != CMUS_PICKLE_LIST || keys->count != count)
        return bad_file(source, "its list of storages is not that of its tensors");
    for (size_t i = 0; i < count; i++) {
        size_t index = keys->items[i]->kind == CMUS_PICKLE_TEXT ? find_storage(source->pickle, keys->items[i]) : count;
        if (index == count)
            return bad_file(source, "its list of storages is not that of its tensors");
        CMUS_TRY(place_storage(source, index, &at));
    }
    if (at != source->file_bytes)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: %llu bytes follow the last storage", source->path,
                         (unsigned long long)(source->file_bytes - at));
    return CMUS_OK;
}

cmus_status cmus_pth_legacy_open(cmus_pth_source *source) {
    size_t size = source->file_bytes < CMUS_PICKLE_BYTES ? (size_t)source->file_bytes : CMUS_PICKLE_BYTES, at = 0;
    source->name = cmus_copy_string(source->path);
    source->text = cmus_allocate_raw(size, 1);
    CMUS_TRY(read_at(source, 0, source->text, size));
    CMUS_TRY(check_head(source, size, &at));
    CMUS_TRY(next_pickle(source, size, &at, &source->pickle));
    cmus_pickle *keys;
    CMUS_TRY(next_pickle(source, size, &at, &keys));
    cmus_status status = place_storages(source, cmus_pickle_top(keys), at);
    cmus_pickle_free(keys);
    return status;
}

cmus_status cmus_pth_legacy_read(cmus_pth_source *source, const cmus_pth_storage *storage, void *to) {
    return read_at(source, storage->place, to, storage->bytes);
}
