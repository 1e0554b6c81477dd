#include "cmus/state_dict.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmus/memory.h"
#include "number_types.h"
#include "pth.h"

enum { HEAD = 16 }; /* bytes by which a file is recognised */

/* One of the two readers is not NULL. */
struct cmus_state_dict {
    char *path;
    cmus_safetensors *safetensors;
    cmus_pth *pth;
    const cmus_stored_tensor **by_name; /* of a .pth file */
};

static int compare_names(const void *a, const void *b) {
    const cmus_stored_tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static cmus_status open_pth(cmus_state_dict *dict) {
    CMUS_TRY(cmus_pth_open(dict->path, &dict->pth));
    size_t count = cmus_pth_count(dict->pth);
    dict->by_name = cmus_allocate(count, sizeof *dict->by_name);
    for (size_t i = 0; i < count; i++)
        dict->by_name[i] = cmus_pth_tensor(dict->pth, i);
    if (count)
        qsort(dict->by_name, count, sizeof *dict->by_name, compare_names);
    return CMUS_OK;
}

static cmus_status read_head(const char *path, char head[HEAD], size_t *size) {
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) /* a pipe would be waited for */
        return cmus_fail(CMUS_ERROR_IO, "%s: not a regular file", path);
    FILE *file = fopen(path, "rb");
    if (!file)
        return cmus_fail(errno == ENOENT ? CMUS_ERROR_NOT_FOUND : CMUS_ERROR_IO, "%s: %s", path, strerror(errno));
    *size = fread(head, 1, HEAD, file);
    fclose(file); /* what went wrong in reading, the reader of the kind will meet and tell */
    return CMUS_OK;
}

cmus_status cmus_state_dict_open(const char *path, cmus_state_dict **result) {
    *result = NULL;
    char head[HEAD];
    size_t size = 0;
    CMUS_TRY(read_head(path, head, &size));
    cmus_state_dict *dict = cmus_allocate(1, sizeof *dict);
    dict->path = cmus_copy_string(path);
    cmus_status status =
        cmus_pth_recognise(head, size) ? open_pth(dict) : cmus_safetensors_open(path, &dict->safetensors);
    if (status != CMUS_OK) {
        cmus_state_dict_close(dict);
        dict = NULL;
    }
    *result = dict;
    return status;
}

void cmus_state_dict_close(cmus_state_dict *dict) {
    if (!dict)
        return;
    cmus_safetensors_close(dict->safetensors);
    cmus_pth_close(dict->pth);
    cmus_free(dict->by_name);
    cmus_free(dict->path);
    cmus_free(dict);
}

const char *cmus_state_dict_kind(const cmus_state_dict *dict) {
    return dict->pth ? cmus_pth_kind(dict->pth) : "safetensors";
}

const char *cmus_state_dict_path(const cmus_state_dict *dict) {
    return dict->path;
}

size_t cmus_state_dict_count(const cmus_state_dict *dict) {
    return dict->pth ? cmus_pth_count(dict->pth) : cmus_safetensors_count(dict->safetensors);
}

const cmus_stored_tensor *cmus_state_dict_tensor(const cmus_state_dict *dict, size_t index) {
    return dict->pth ? cmus_pth_tensor(dict->pth, index) : cmus_safetensors_tensor(dict->safetensors, index);
}

const cmus_stored_tensor *cmus_state_dict_find(const cmus_state_dict *dict, const char *name) {
    if (!dict->pth)
        return cmus_safetensors_find(dict->safetensors, name);
    cmus_stored_tensor wanted = {.name = (char *)name};
    const cmus_stored_tensor *key = &wanted;
    size_t count = cmus_pth_count(dict->pth);
    const cmus_stored_tensor **found =
        count ? bsearch(&key, dict->by_name, count, sizeof *dict->by_name, compare_names) : NULL;
    return found ? *found : NULL;
}

const char *cmus_state_dict_metadata(const cmus_state_dict *dict, const char *key) {
    return dict->pth ? NULL : cmus_safetensors_metadata(dict->safetensors, key);
}

size_t cmus_state_dict_metadata_count(const cmus_state_dict *dict) {
    return dict->pth ? 0 : cmus_safetensors_metadata_count(dict->safetensors);
}

void cmus_state_dict_metadata_pair(const cmus_state_dict *dict, size_t index, const char **key, const char **value) {
    const cmus_text_pair *pair = cmus_safetensors_metadata_pair(dict->safetensors, index);
    *key = pair->key;
    *value = pair->value;
}

static cmus_status read_stored(cmus_state_dict *dict, const cmus_stored_tensor *tensor, void *to) {
    return dict->pth ? cmus_pth_read(dict->pth, tensor, to) : cmus_safetensors_read(dict->safetensors, tensor, to);
}

cmus_status cmus_state_dict_read(cmus_state_dict *dict, const cmus_stored_tensor *tensor, float *values) {
    if (strcmp(tensor->type, "F32") == 0)
        return read_stored(dict, tensor, values);
    size_t bytes = cmus_number_bytes(tensor->type);
    if (bytes == 0)
        return cmus_fail(CMUS_ERROR_MISMATCH,
                         "%s: tensor '%.200s' is of type %s, which holds no floating-point numbers", dict->path,
                         tensor->name, tensor->type);
    void *stored = cmus_allocate_raw(tensor->elements, bytes);
    cmus_status status = read_stored(dict, tensor, stored);
    if (status == CMUS_OK)
        cmus_numbers_to_floats(tensor->type, stored, tensor->elements, values);
    cmus_free(stored);
    return status;
}
