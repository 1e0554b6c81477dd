#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/safetensors.h"
#include "cmus/utf8.h"

static const uint64_t HEADER_LIMIT = 100000000; /* as in the reference implementation */
enum { PREFIX = 8, DEPTH_LIMIT = 3, TENSORS_LIMIT = 1 << 16, METADATA_LIMIT = 1 << 16 };

struct cmus_safetensors {
    char *path;
    int descriptor;
    uint64_t data_begin, data_bytes;
    cmus_stored_tensor *tensors; /* sorted by begin */
    size_t count, capacity;
    const cmus_stored_tensor **by_name;
    cmus_text_pair *metadata;
    size_t metadata_count, metadata_capacity;
};

static cmus_status read_at(cmus_safetensors *file, uint64_t offset, void *to, size_t size) {
    char *at = to;
    while (size > 0) {
        ssize_t got = pread(file->descriptor, at, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return cmus_fail(CMUS_ERROR_IO, "%s: %s", file->path, strerror(errno));
        if (got == 0)
            return cmus_fail(CMUS_ERROR_FORMAT, "%s: the file became shorter while it was read", file->path);
        at += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return CMUS_OK;
}

static size_t type_bytes(const char *type) {
    static const struct {
        const char *name;
        size_t bytes;
    } types[] = {{"F64", 8},  {"I64", 8}, {"U64", 8}, {"F32", 4}, {"I32", 4}, {"U32", 4}, {"F16", 2},
                 {"BF16", 2}, {"I16", 2}, {"U16", 2}, {"I8", 1},  {"U8", 1},  {"BOOL", 1}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].name, type) == 0)
            return types[i].bytes;
    return 0;
}

static cmus_status bad_tensor(const cmus_safetensors *file, const char *name, const char *what) {
    return cmus_fail(CMUS_ERROR_FORMAT, "%s: tensor '%.200s': %s", file->path, name, what);
}

static cmus_status read_shape(const cmus_safetensors *file, const json_t *shape, cmus_stored_tensor *tensor) {
    if (!json_is_array(shape) || json_array_size(shape) > CMUS_STORED_DIMENSIONS)
        return bad_tensor(file, tensor->name, "its shape is no list of at most 8 sizes");
    tensor->dimensions = (int)json_array_size(shape);
    size_t product = 1; /* of the sizes that are not 0, so that their order does not matter */
    bool empty = false;
    for (int i = 0; i < tensor->dimensions; i++) {
        const json_t *size = json_array_get(shape, (size_t)i);
        if (!json_is_integer(size) || json_integer_value(size) < 0)
            return bad_tensor(file, tensor->name, "its shape holds something that is no size");
        tensor->shape[i] = json_integer_value(size);
        empty |= tensor->shape[i] == 0;
        if (tensor->shape[i] > 0 && __builtin_mul_overflow(product, (size_t)tensor->shape[i], &product))
            return bad_tensor(file, tensor->name, "its shape overflows");
    }
    tensor->elements = empty ? 0 : product;
    return CMUS_OK;
}

static cmus_status read_offsets(const cmus_safetensors *file, const json_t *offsets, cmus_stored_tensor *tensor) {
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
        return bad_tensor(file, tensor->name, "data_offsets is no pair of numbers");
    json_int_t from = json_integer_value(begin), to = json_integer_value(end);
    if (from < 0 || to < from || (uint64_t)to > file->data_bytes)
        return bad_tensor(file, tensor->name, "data_offsets lie outside the file");
    tensor->begin = (size_t)from;
    tensor->bytes = (size_t)(to - from);
    size_t expected;
    if (__builtin_mul_overflow(tensor->elements, type_bytes(tensor->type), &expected) || expected != tensor->bytes)
        return bad_tensor(file, tensor->name, "data_offsets do not agree with type and shape");
    return CMUS_OK;
}

static cmus_status read_tensor(cmus_safetensors *file, const char *name, const json_t *entry) {
    file->tensors = cmus_grow(file->tensors, &file->capacity, file->count + 1, sizeof *file->tensors);
    cmus_stored_tensor *tensor = &file->tensors[file->count++];
    tensor->name = cmus_copy_string(name);
    if (!cmus_utf8_is_clean(name))
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: the name of a tensor holds control characters", file->path);
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    if (!type || type_bytes(type) == 0)
        return bad_tensor(file, name, "its dtype is missing or unknown");
    strcpy(tensor->type, type); /* a known type is short */
    CMUS_TRY(read_shape(file, json_object_get(entry, "shape"), tensor));
    return read_offsets(file, json_object_get(entry, "data_offsets"), tensor);
}

static int compare_begins(const void *a, const void *b) {
    const cmus_stored_tensor *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->bytes != y->bytes ? (x->bytes < y->bytes ? -1 : 1) : strcmp(x->name, y->name);
}

static int compare_names(const void *a, const void *b) {
    const cmus_stored_tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* The tensors must cover the data from its first to its last byte, each byte once. */
static cmus_status check_cover(cmus_safetensors *file) {
    if (file->count)
        qsort(file->tensors, file->count, sizeof *file->tensors, compare_begins);
    uint64_t at = 0;
    for (size_t i = 0; i < file->count; i++) {
        if (file->tensors[i].begin != at)
            return bad_tensor(file, file->tensors[i].name,
                              file->tensors[i].begin < at ? "its data overlap another tensor's"
                                                          : "a hole is before its data");
        at += file->tensors[i].bytes;
    }
    if (at != file->data_bytes)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: %llu bytes follow the last tensor", file->path,
                         (unsigned long long)(file->data_bytes - at));
    file->by_name = cmus_allocate(file->count, sizeof *file->by_name);
    for (size_t i = 0; i < file->count; i++)
        file->by_name[i] = &file->tensors[i];
    if (file->count)
        qsort(file->by_name, file->count, sizeof *file->by_name, compare_names);
    return CMUS_OK;
}

/* Texts only, by the rules of the format. Values may have several lines. */
static cmus_status read_metadata(cmus_safetensors *file, const json_t *pairs) {
    if (!json_is_object(pairs))
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: __metadata__ is no JSON object", file->path);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)pairs, key, value) {
        if (!cmus_utf8_is_clean(key))
            return cmus_fail(CMUS_ERROR_FORMAT, "%s: a key of __metadata__ holds control characters", file->path);
        if (!json_is_string(value))
            return cmus_fail(CMUS_ERROR_FORMAT, "%s: __metadata__: '%.200s' is no text", file->path, key);
        file->metadata =
            cmus_grow(file->metadata, &file->metadata_capacity, file->metadata_count + 1, sizeof *file->metadata);
        file->metadata[file->metadata_count++] =
            (cmus_text_pair){cmus_copy_string(key), cmus_copy_string(json_string_value(value))};
    }
    return CMUS_OK;
}

/* What a header holds, counted in its text: the objects in its own, the lists, and the commas in either. */
typedef struct header_counts {
    size_t objects, lists, in_objects, in_lists;
} header_counts;

/* The first character behind the text in quotation marks that begins at `at`. */
static const char *behind_string(const char *at, const char *end) {
    for (at++; at < end && *at != '"'; at++)
        at += *at == '\\';
    return at < end ? at + 1 : end;
}

/* That brackets match and commas are where they belong, the parser checks. */
static bool count_header(const char *at, const char *end, header_counts *counts) {
    char open[DEPTH_LIMIT] = {0};
    size_t depth = 0;
    while (at < end) {
        if (*at == '"') {
            at = behind_string(at, end);
            continue;
        }
        if (*at == '{' || *at == '[') {
            if (depth == DEPTH_LIMIT)
                return false;
            counts->objects += *at == '{' && depth > 0;
            counts->lists += *at == '[';
            open[depth++] = *at;
        } else if ((*at == '}' || *at == ']') && depth > 0) {
            depth--;
        } else if (*at == ',' && depth > 0) {
            counts->in_lists += open[depth - 1] == '[';
            counts->in_objects += open[depth - 1] == '{';
        }
        at++;
    }
    return true;
}

/* A parsed value takes many times the bytes of its text, so that a header is parsed only if it holds no more
 * values than a right one with as many tensors: a tensor is an object of three members, of which two are lists, with at
 * most 7 commas (of 8 sizes) and 1 in them. The slack lets small headers that are wrong through, to be told what is. */
static cmus_status check_counts(const cmus_safetensors *file, const char *text, size_t size) {
    enum { LISTS = 2, IN_LISTS = CMUS_STORED_DIMENSIONS, IN_OBJECTS = 3, SLACK = 64 };
    header_counts counts = {0};
    if (!count_header(text, text + size, &counts))
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: the header is no JSON object of tensors: beyond a depth of %d",
                         file->path, DEPTH_LIMIT);
    if (counts.objects > TENSORS_LIMIT + 1) /* and the metadata */
        return cmus_fail(CMUS_ERROR_LIMIT, "%s: the header holds more than %d tensors", file->path, TENSORS_LIMIT);
    if (counts.lists > LISTS * counts.objects + SLACK || counts.in_lists > IN_LISTS * counts.objects + SLACK ||
        counts.in_objects > IN_OBJECTS * counts.objects + METADATA_LIMIT)
        return cmus_fail(CMUS_ERROR_LIMIT, "%s: the header holds more values than its %zu tensors and metadata need",
                         file->path, counts.objects);
    return CMUS_OK;
}

static cmus_status read_header(cmus_safetensors *file, const char *text, size_t size) {
    if (*text != '{')
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: the header is no JSON object: it does not begin with a brace",
                         file->path);
    CMUS_TRY(check_counts(file, text, size));
    json_error_t error; /* jansson refuses names given twice, at any depth, and zeros in texts */
    json_t *header = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (!header || !json_is_object(header)) {
        json_decref(header);
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: the header is no JSON object: %s", file->path,
                         header ? "another type" : error.text);
    }
    cmus_status status = CMUS_OK;
    const char *name;
    json_t *entry;
    json_object_foreach(header, name, entry) {
        if (status == CMUS_OK)
            status = strcmp(name, "__metadata__") == 0 ? read_metadata(file, entry) : read_tensor(file, name, entry);
    }
    json_decref(header);
    return status == CMUS_OK ? check_cover(file) : status;
}

static cmus_status open_file(cmus_safetensors *file) {
    file->descriptor = open(file->path, O_RDONLY | O_CLOEXEC);
    if (file->descriptor < 0)
        return cmus_fail(errno == ENOENT ? CMUS_ERROR_NOT_FOUND : CMUS_ERROR_IO, "%s: %s", file->path, strerror(errno));
    struct stat info;
    if (fstat(file->descriptor, &info) != 0 || !S_ISREG(info.st_mode))
        return cmus_fail(CMUS_ERROR_IO, "%s: not a regular file", file->path);
    uint64_t size = (uint64_t)info.st_size, length = 0;
    if (size < PREFIX + 2)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: %llu bytes are no safetensors file", file->path,
                         (unsigned long long)size);
    unsigned char prefix[PREFIX];
    CMUS_TRY(read_at(file, 0, prefix, PREFIX));
    for (int i = PREFIX - 1; i >= 0; i--)
        length = length << 8 | prefix[i];
    if (length < 2 || length > size - PREFIX)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: no safetensors file, or cut short", file->path);
    if (length > HEADER_LIMIT)
        return cmus_fail(CMUS_ERROR_LIMIT, "%s: a header of %llu bytes is beyond the limit of %llu", file->path,
                         (unsigned long long)length, (unsigned long long)HEADER_LIMIT);
    file->data_begin = PREFIX + length;
    file->data_bytes = size - file->data_begin;
    char *text = cmus_allocate_raw((size_t)length, 1);
    cmus_status status = read_at(file, PREFIX, text, (size_t)length);
    if (status == CMUS_OK)
        status = read_header(file, text, (size_t)length);
    cmus_free(text);
    return status;
}

cmus_status cmus_safetensors_open(const char *path, cmus_safetensors **result) {
    cmus_safetensors *file = cmus_allocate(1, sizeof *file);
    file->path = cmus_copy_string(path);
    cmus_status status = open_file(file);
    if (status != CMUS_OK) {
        cmus_safetensors_close(file);
        file = NULL;
    }
    *result = file;
    return status;
}

void cmus_safetensors_close(cmus_safetensors *file) {
    if (!file)
        return;
    if (file->descriptor >= 0)
        close(file->descriptor);
    for (size_t i = 0; i < file->count; i++)
        cmus_free(file->tensors[i].name);
    for (size_t i = 0; i < file->metadata_count; i++) {
        cmus_free((char *)file->metadata[i].key);
        cmus_free((char *)file->metadata[i].value);
    }
    cmus_free(file->metadata);
    cmus_free(file->tensors);
    cmus_free(file->by_name);
    cmus_free(file->path);
    cmus_free(file);
}

size_t cmus_safetensors_count(const cmus_safetensors *file) {
    return file->count;
}

const cmus_stored_tensor *cmus_safetensors_tensor(const cmus_safetensors *file, size_t index) {
    return &file->tensors[index];
}

const cmus_stored_tensor *cmus_safetensors_find(const cmus_safetensors *file, const char *name) {
    cmus_stored_tensor wanted = {.name = (char *)name};
    const cmus_stored_tensor *key = &wanted;
    if (file->count == 0)
        return NULL;
    const cmus_stored_tensor **found = bsearch(&key, file->by_name, file->count, sizeof *file->by_name, compare_names);
    return found ? *found : NULL;
}

size_t cmus_safetensors_metadata_count(const cmus_safetensors *file) {
    return file->metadata_count;
}

const cmus_text_pair *cmus_safetensors_metadata_pair(const cmus_safetensors *file, size_t index) {
    return &file->metadata[index];
}

const char *cmus_safetensors_metadata(const cmus_safetensors *file, const char *key) {
    for (size_t i = 0; i < file->metadata_count; i++)
        if (strcmp(file->metadata[i].key, key) == 0)
            return file->metadata[i].value;
    return NULL;
}

cmus_status cmus_safetensors_read(cmus_safetensors *file, const cmus_stored_tensor *tensor, void *to) {
    return read_at(file, file->data_begin + tensor->begin, to, tensor->bytes);
}

cmus_status cmus_safetensors_read_part(cmus_safetensors *file, const cmus_stored_tensor *tensor, size_t begin,
                                       size_t size, void *to) {
    if (begin > tensor->bytes || size > tensor->bytes - begin)
        cmus_fatal("%s: %zu bytes from byte %zu on are not within the tensor '%s' of %zu", file->path, size, begin,
                   tensor->name, tensor->bytes);
    return read_at(file, file->data_begin + tensor->begin + begin, to, size);
}
