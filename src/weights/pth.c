#include "pth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmus/memory.h"
#include "cmus/utf8.h"
#include "pth_source.h"
#include "pth_tensor.h"

enum { NAME_LIMIT = 1024, TENSORS_LIMIT = 1 << 16, HEAD = 16, NO_STORAGE = -1 };

/* Tensors may overlap (tied weights, expanded ones), but a small file shall not become a large number of elements. */
static const uint64_t REPEATED_LIMIT = 16, REPEATED_BYTES = (uint64_t)64 << 20;

struct cmus_pth {
    char *path;
    cmus_pth_source source;
    cmus_stored_tensor *tensors;
    cmus_pth_layout *layouts; /* [count] */
    size_t count, capacity, layout_capacity;
    char *loaded; /* the storage that was read last */
    int64_t loaded_index;
    uint64_t read_bytes; /* of storages, whenever one was read */
};

bool cmus_pth_recognise(const void *head, size_t size) {
    static const char zip[] = {'P', 'K', 3, 4}, upper[4] = {0};
    const unsigned char *bytes = head;
    if (size > 8 && bytes[8] == '{' && memcmp(bytes + 4, upper, sizeof upper) == 0)
        return false; /* safetensors: the length of a header and its beginning */
    if (size >= sizeof zip && memcmp(bytes, zip, sizeof zip) == 0)
        return true;
    return size >= 2 && bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5;
}

/* The tensors of the state dict. */

static cmus_status copy_name(const cmus_pth *file, const cmus_pickle_value *key, char **name) {
    if (key->kind != CMUS_PICKLE_TEXT || key->length == 0 || key->length > NAME_LIMIT ||
        memchr(key->text, 0, key->length))
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: a tensor's name is no text of 1 to %d bytes", file->path, NAME_LIMIT);
    *name = cmus_format_string("%.*s", (int)key->length, key->text);
    if (cmus_utf8_is_clean(*name))
        return CMUS_OK;
    char *shown = cmus_utf8_shorten(*name, 200);
    cmus_status status = cmus_fail(CMUS_ERROR_FORMAT, "%s: tensor '%s': its name is no clean UTF-8", file->path, shown);
    cmus_free(shown);
    return status;
}

static cmus_status add_tensor(cmus_pth *file, const cmus_pickle_value *key, const cmus_pickle_tensor *from) {
    if (file->count == TENSORS_LIMIT)
        return cmus_fail(CMUS_ERROR_LIMIT, "%s: more than %d tensors", file->path, TENSORS_LIMIT);
    file->tensors = cmus_grow(file->tensors, &file->capacity, file->count + 1, sizeof *file->tensors);
    file->layouts = cmus_grow(file->layouts, &file->layout_capacity, file->count + 1, sizeof *file->layouts);
    cmus_stored_tensor *tensor = &file->tensors[file->count];
    cmus_pth_layout *layout = &file->layouts[file->count];
    file->count++;
    CMUS_TRY(copy_name(file, key, &tensor->name));
    strcpy(tensor->type, from->storage->type); /* a known type is short */
    tensor->dimensions = from->dimensions;
    memcpy(tensor->shape, from->shape, sizeof tensor->shape);
    tensor->elements = from->elements;
    if (__builtin_mul_overflow(from->elements, from->storage->element_bytes, &tensor->bytes))
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: tensor '%.200s': its shape overflows", file->path, tensor->name);
    *layout = (cmus_pth_layout){.storage = from->storage->index, .offset = from->offset};
    memcpy(layout->stride, from->stride, sizeof layout->stride);
    return CMUS_OK;
}

static int compare_names(const void *a, const void *b) {
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static cmus_status check_names(const cmus_pth *file) {
    const char **names = cmus_allocate(file->count, sizeof *names);
    for (size_t i = 0; i < file->count; i++)
        names[i] = file->tensors[i].name;
    qsort(names, file->count, sizeof *names, compare_names);
    cmus_status status = CMUS_OK;
    for (size_t i = 1; i < file->count && status == CMUS_OK; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            status = cmus_fail(CMUS_ERROR_FORMAT, "%s: tensor '%.200s' is given twice", file->path, names[i]);
    cmus_free(names);
    return status;
}

static uint64_t repeated_limit(const cmus_pth *file) {
    return file->source.file_bytes * REPEATED_LIMIT + REPEATED_BYTES;
}

static cmus_status check_bytes(const cmus_pth *file) {
    uint64_t all = 0;
    for (size_t i = 0; i < file->count; i++)
        if (__builtin_add_overflow(all, file->tensors[i].bytes, &all) || all > repeated_limit(file))
            return cmus_fail(CMUS_ERROR_LIMIT, "%s: tensor '%.200s': its storage is repeated too often", file->path,
                             file->tensors[i].name);
    return CMUS_OK;
}

/* One storage is kept: tensors that alternate between two of them have each read anew. */
static cmus_status check_changes(const cmus_pth *file) {
    uint64_t all = 0;
    for (size_t i = 0; i < file->count; i++) {
        size_t storage = file->layouts[i].storage;
        if (i > 0 && storage == file->layouts[i - 1].storage)
            continue;
        if (__builtin_add_overflow(all, file->source.storages[storage].bytes, &all) || all > repeated_limit(file))
            return cmus_fail(CMUS_ERROR_LIMIT,
                             "%s: tensor '%.200s': the tensors change too often between large storages", file->path,
                             file->tensors[i].name);
    }
    return CMUS_OK;
}

static bool holds_tensors(const cmus_pickle_value *dict) {
    bool any = false;
    for (size_t i = 0; dict && dict->kind == CMUS_PICKLE_DICT && i < dict->count; i += 2)
        any |= dict->items[i + 1]->kind == CMUS_PICKLE_TENSOR;
    return any;
}

static cmus_status find_state_dict(const cmus_pth *file, const cmus_pickle_value **dict) {
    static const char *const keys[] = {"model", "state_dict", "model_state_dict", "net"};
    const cmus_pickle_value *top = cmus_pickle_top(file->source.pickle);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        *dict = cmus_pickle_find(top, keys[i]);
        if (holds_tensors(*dict))
            return CMUS_OK;
    }
    *dict = top;
    if (holds_tensors(top))
        return CMUS_OK;
    return cmus_fail(CMUS_ERROR_FORMAT,
                     "%s: no state dict: neither the object of the file nor what is in it under model, state_dict, "
                     "model_state_dict or net is a dict of tensors",
                     file->path);
}

static cmus_status read_tensors(cmus_pth *file) {
    const cmus_pickle_value *dict;
    CMUS_TRY(find_state_dict(file, &dict));
    for (size_t i = 0; i < dict->count; i += 2)
        if (dict->items[i + 1]->kind == CMUS_PICKLE_TENSOR)
            CMUS_TRY(add_tensor(file, dict->items[i], dict->items[i + 1]->tensor));
    CMUS_TRY(check_names(file));
    CMUS_TRY(check_bytes(file));
    return check_changes(file);
}

/* Opening and closing. */

static cmus_status open_file(cmus_pth *file) {
    cmus_pth_source *source = &file->source;
    source->descriptor = open(file->path, O_RDONLY | O_CLOEXEC);
    if (source->descriptor < 0)
        return cmus_fail(errno == ENOENT ? CMUS_ERROR_NOT_FOUND : CMUS_ERROR_IO, "%s: %s", file->path, strerror(errno));
    struct stat info;
    if (fstat(source->descriptor, &info) != 0 || !S_ISREG(info.st_mode))
        return cmus_fail(CMUS_ERROR_IO, "%s: not a regular file", file->path);
    source->file_bytes = (uint64_t)info.st_size;
    char head[HEAD];
    ssize_t got = pread(source->descriptor, head, HEAD, 0);
    if (got < 0)
        return cmus_fail(CMUS_ERROR_IO, "%s: %s", file->path, strerror(errno));
    if (!cmus_pth_recognise(head, (size_t)got))
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: no file that torch.save() wrote", file->path);
    return *head == 'P' ? cmus_pth_zip_open(source) : cmus_pth_legacy_open(source);
}

/* What only opening needs. */
static void free_pickle(cmus_pth_source *source) {
    cmus_pickle_free(source->pickle);
    cmus_free(source->text);
    cmus_free(source->name);
    source->pickle = NULL;
    source->text = source->name = NULL;
}

cmus_status cmus_pth_open(const char *path, cmus_pth **result) {
    cmus_pth *file = cmus_allocate(1, sizeof *file);
    file->path = cmus_copy_string(path);
    file->source.path = file->path;
    file->source.descriptor = -1;
    file->loaded_index = NO_STORAGE;
    cmus_status status = open_file(file);
    if (status == CMUS_OK)
        status = read_tensors(file);
    free_pickle(&file->source);
    if (status != CMUS_OK) {
        cmus_pth_close(file);
        file = NULL;
    }
    *result = file;
    return status;
}

void cmus_pth_close(cmus_pth *file) {
    if (!file)
        return;
    cmus_pth_zip_close(&file->source);
    if (file->source.descriptor >= 0)
        close(file->source.descriptor);
    for (size_t i = 0; i < file->count; i++)
        cmus_free(file->tensors[i].name);
    cmus_free(file->tensors);
    cmus_free(file->layouts);
    cmus_free(file->source.storages);
    cmus_free(file->loaded);
    cmus_free(file->path);
    cmus_free(file);
}

const char *cmus_pth_kind(const cmus_pth *file) {
    return file->source.archive ? "PyTorch zip archive" : "PyTorch file of before 1.6";
}

size_t cmus_pth_count(const cmus_pth *file) {
    return file->count;
}

const cmus_stored_tensor *cmus_pth_tensor(const cmus_pth *file, size_t index) {
    return &file->tensors[index];
}

/* Reading: a storage at a time, as many tensors may share one. */
static cmus_status load_storage(cmus_pth *file, size_t index) {
    if (file->loaded_index == (int64_t)index)
        return CMUS_OK;
    const cmus_pth_storage *storage = &file->source.storages[index];
    cmus_free(file->loaded);
    file->loaded = NULL;
    file->loaded_index = NO_STORAGE;
    file->read_bytes += storage->bytes; /* in whatever order tensors are asked for */
    if (file->read_bytes > repeated_limit(file))
        return cmus_fail(CMUS_ERROR_LIMIT, "%s: its storages are read anew too often", file->path);
    file->loaded = cmus_allocate_raw(storage->bytes, 1);
    CMUS_TRY(file->source.archive ? cmus_pth_zip_read(&file->source, storage, file->loaded)
                                  : cmus_pth_legacy_read(&file->source, storage, file->loaded));
    if (file->source.big_endian)
        cmus_pth_swap(file->loaded, storage->bytes / storage->element_bytes, storage->element_bytes);
    file->loaded_index = (int64_t)index;
    return CMUS_OK;
}

cmus_status cmus_pth_read(cmus_pth *file, const cmus_stored_tensor *tensor, void *to) {
    const cmus_pth_layout *layout = &file->layouts[tensor - file->tensors];
    CMUS_TRY(load_storage(file, layout->storage));
    cmus_pth_gather(file->loaded, file->source.storages[layout->storage].element_bytes, tensor, layout, to);
    return CMUS_OK;
}
