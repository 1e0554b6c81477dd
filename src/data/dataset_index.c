#include "cmus/dataset_index.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/log.h"
#include "cmus/memory.h"

static const size_t INDEX_LIMIT = (size_t)256 << 20;

static const char *const kind_names[CMUS_IMAGE_KINDS] = {
    [CMUS_IMAGE_TEM] = "tem", [CMUS_IMAGE_OM] = "om", [CMUS_IMAGE_IM] = "im"};
/* As people name them: the order in "modalities". */
static const cmus_image_kind kind_order[CMUS_IMAGE_KINDS] = {CMUS_IMAGE_OM, CMUS_IMAGE_IM, CMUS_IMAGE_TEM};

const char *cmus_image_array(cmus_image_kind kind) {
    return kind_names[kind];
}

void cmus_dataset_index_free(cmus_dataset_index *index) {
    for (int i = 0; i < index->class_count; i++)
        cmus_free(index->classes[i]);
    for (int i = 0; i < index->shard_count; i++)
        cmus_free(index->shards[i].file);
    cmus_free(index->classes);
    cmus_free(index->shards);
    cmus_free(index->tool_version);
    cmus_free(index->options);
    cmus_free(index->statistics);
    memset(index, 0, sizeof *index);
}

static cmus_status range(const char *path, const char *name, json_int_t value, json_int_t low, json_int_t high) {
    if (value < low || value > high)
        return cmus_fail(CMUS_ERROR_LIMIT, "%s: %s is %lld, but should be from %lld to %lld", path, name,
                         (long long)value, (long long)low, (long long)high);
    return CMUS_OK;
}

static cmus_status read_classes(const char *path, const json_t *list, cmus_dataset_index *index) {
    if (!json_is_array(list))
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: \"classes\" is not an array", path);
    CMUS_TRY(range(path, "the number of classes", (json_int_t)json_array_size(list), 1, CMUS_DATASET_CLASSES));
    index->classes = cmus_allocate(json_array_size(list), sizeof *index->classes);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name || !*name || strlen(name) > CMUS_ID_BYTES)
            return cmus_fail(CMUS_ERROR_FORMAT, "%s: class %zu has no usable name", path, i);
        for (int other = 0; other < index->class_count; other++)
            if (strcmp(index->classes[other], name) == 0)
                return cmus_fail(CMUS_ERROR_FORMAT, "%s: the class %s is listed twice", path, name);
        index->classes[index->class_count++] = cmus_copy_string(name);
    }
    return CMUS_OK;
}

/* list: NULL in data sets of before, which have all. */
static cmus_status read_modalities(const char *path, const json_t *list, cmus_dataset_index *index) {
    for (int kind = 0; kind < CMUS_IMAGE_KINDS; kind++)
        index->has[kind] = !list;
    if (!list)
        return CMUS_OK;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        int kind = 0;
        while (name && kind < CMUS_IMAGE_KINDS && strcmp(name, kind_names[kind]) != 0)
            kind++;
        if (!name || kind == CMUS_IMAGE_KINDS || index->has[kind])
            return cmus_fail(CMUS_ERROR_FORMAT, "%s: \"modalities\": entry %zu is not one of om, im and tem, or twice",
                             path, i);
        index->has[kind] = true;
    }
    if (json_array_size(list) == 0)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: \"modalities\" is not an array of one or more names", path);
    return CMUS_OK;
}

/* An object's text. */
static cmus_status read_object(const char *path, const char *name, const json_t *object, char **result) {
    char *text = json_is_object(object) ? json_dumps(object, JSON_COMPACT) : NULL;
    if (!text)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: \"%s\" is not an object", path, name);
    *result = cmus_copy_string(text);
    free(text);
    return CMUS_OK;
}

/* A shard lies in the data set's own folder: a path from a file must not lead elsewhere. */
static int is_plain_name(const char *name) {
    return *name && *name != '.' && !strchr(name, '/') && strlen(name) < 200;
}

static cmus_status read_shards(const char *path, json_t *list, cmus_dataset_index *index) {
    if (!json_is_array(list))
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: \"shards\" is not an array", path);
    CMUS_TRY(range(path, "the number of shards", (json_int_t)json_array_size(list), 1, CMUS_DATASET_SHARDS));
    index->shards = cmus_allocate(json_array_size(list), sizeof *index->shards);
    json_int_t total = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *file, *sha256;
        json_int_t cases;
        json_error_t error;
        if (json_unpack_ex(json_array_get(list, i), &error, 0, "{s:s, s:I, s:s}", "file", &file, "cases", &cases,
                           "sha256", &sha256) != 0)
            return cmus_fail(CMUS_ERROR_FORMAT, "%s: shard %zu: %s", path, i, error.text);
        if (!is_plain_name(file) || strlen(sha256) != 64 || strspn(sha256, "0123456789abcdef") != 64)
            return cmus_fail(CMUS_ERROR_FORMAT, "%s: shard %zu: the file name or the SHA-256 is not usable", path, i);
        CMUS_TRY(range(path, "the number of cases in a shard", cases, 1, CMUS_SHARD_CASES));
        cmus_shard_entry *entry = &index->shards[index->shard_count++];
        entry->file = cmus_copy_string(file);
        entry->cases = (int)cases;
        memcpy(entry->sha256, sha256, sizeof entry->sha256);
        total += cases;
    }
    if (total != index->cases)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: the shards have %lld cases, but \"counts\" says %d", path,
                         (long long)total, index->cases);
    return CMUS_OK;
}

static cmus_status read_root(const char *path, json_t *root, cmus_dataset_index *index) {
    const char *tool;
    json_int_t version, size, cases, patients, images;
    json_t *classes, *modalities = NULL, *options, *statistics = NULL, *shards;
    json_error_t error;
    if (json_unpack_ex(root, &error, 0, "{s:I, s:s, s:I, s:o, s?o, s:{s:I, s:I, s:I}, s:o, s?o, s:o}", "format_version",
                       &version, "tool_version", &tool, "image_size", &size, "classes", &classes, "modalities",
                       &modalities, "counts", "cases", &cases, "patients", &patients, "images", &images, "options",
                       &options, "statistics", &statistics, "shards", &shards) != 0)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: not a data set: %s", path, error.text);
    if (version != CMUS_DATASET_FORMAT)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: format version %lld, but this program reads %d: pack the cases again",
                         path, (long long)version, CMUS_DATASET_FORMAT);
    CMUS_TRY(range(path, "image_size", size, CMUS_IMAGE_SIZE_MIN, CMUS_IMAGE_SIZE_MAX));
    CMUS_TRY(range(path, "the number of cases", cases, 1, CMUS_DATASET_CASES));
    CMUS_TRY(range(path, "the number of patients", patients, 1, cases));
    CMUS_TRY(range(path, "the number of images", images, 1, (json_int_t)CMUS_SHARD_IMAGES * CMUS_DATASET_SHARDS));
    index->tool_version = cmus_copy_string(tool);
    index->image_size = (int)size;
    index->cases = (int)cases;
    index->patients = (int)patients;
    index->images = images;
    CMUS_TRY(read_object(path, "options", options, &index->options));
    if (statistics)
        CMUS_TRY(read_object(path, "statistics", statistics, &index->statistics));
    CMUS_TRY(read_classes(path, classes, index));
    CMUS_TRY(read_modalities(path, modalities, index));
    return read_shards(path, shards, index);
}

static cmus_status check_manifest(const char *folder) {
    cmus_status status = cmus_manifest_check_file(folder, "dataset.json");
    if (status != CMUS_ERROR_NOT_FOUND)
        return status;
    cmus_warn("%s has no MANIFEST.sha256: dataset.json is used unchecked", folder);
    return CMUS_OK;
}

static cmus_status read_file(const char *path, cmus_dataset_index *index, char sha256[CMUS_SHA256_TEXT]) {
    char *text;
    size_t size;
    CMUS_TRY(cmus_file_read(path, INDEX_LIMIT, &text, &size));
    cmus_sha256(text, size, sha256);
    json_error_t error;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    cmus_free(text);
    if (!root)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s, line %d: not JSON: %s", path, error.line, error.text);
    cmus_status status = read_root(path, root, index);
    json_decref(root);
    return status;
}

cmus_status cmus_dataset_index_read(const char *folder, cmus_dataset_index *index, char sha256[CMUS_SHA256_TEXT]) {
    memset(index, 0, sizeof *index);
    char *path = cmus_path_join(folder, "dataset.json");
    cmus_status status = CMUS_OK;
    if (!cmus_file_exists(path))
        status = cmus_fail(CMUS_ERROR_NOT_FOUND, "%s: not there; a data set is made by cmus-pack SRC --out %s", path,
                           folder);
    if (status == CMUS_OK)
        status = check_manifest(folder);
    if (status == CMUS_OK)
        status = read_file(path, index, sha256);
    if (status != CMUS_OK)
        cmus_dataset_index_free(index);
    cmus_free(path);
    return status;
}

static json_t *to_json(const cmus_dataset_index *index) {
    json_t *classes = json_array(), *modalities = json_array(), *shards = json_array();
    for (int i = 0; i < index->class_count; i++)
        json_array_append_new(classes, json_string(index->classes[i]));
    for (int i = 0; i < CMUS_IMAGE_KINDS; i++)
        if (index->has[kind_order[i]])
            json_array_append_new(modalities, json_string(kind_names[kind_order[i]]));
    for (int i = 0; i < index->shard_count; i++)
        json_array_append_new(shards, json_pack("{s:s, s:i, s:s}", "file", index->shards[i].file, "cases",
                                                index->shards[i].cases, "sha256", index->shards[i].sha256));
    json_t *statistics = index->statistics ? json_loads(index->statistics, 0, NULL) : NULL;
    if (index->statistics && !statistics)
        cmus_fatal("dataset.json can't be made: its statistics are no JSON object");
    return json_pack("{s:i, s:s, s:i, s:o, s:o, s:{s:i, s:i, s:I}, s:o, s:o*, s:o}", "format_version",
                     CMUS_DATASET_FORMAT, "tool_version", index->tool_version, "image_size", index->image_size,
                     "classes", classes, "modalities", modalities, "counts", "cases", index->cases, "patients",
                     index->patients, "images", (json_int_t)index->images, "options",
                     json_loads(index->options, 0, NULL), "statistics", statistics, "shards", shards);
}

/* The shards are not read again: their SHA-256 were taken as they were written. */
static cmus_status write_manifest(const char *folder, const cmus_dataset_index *index, const char *sha256,
                                  const char *const *further, size_t further_count) {
    char *path = cmus_path_join(folder, "MANIFEST.sha256"), text[CMUS_SHA256_TEXT];
    cmus_file_writer *writer;
    cmus_status status = cmus_file_writer_open(path, &writer);
    cmus_free(path);
    CMUS_TRY(status);
    cmus_file_writer_print(writer, "%s  dataset.json\n", sha256);
    for (int i = 0; i < index->shard_count; i++)
        cmus_file_writer_print(writer, "%s  %s\n", index->shards[i].sha256, index->shards[i].file);
    for (size_t i = 0; i < further_count && status == CMUS_OK; i++) {
        char *file = cmus_path_join(folder, further[i]);
        status = cmus_sha256_file(file, text);
        cmus_file_writer_print(writer, "%s  %s\n", text, further[i]);
        cmus_free(file);
    }
    if (status == CMUS_OK)
        return cmus_file_writer_commit(writer);
    cmus_file_writer_discard(writer);
    return status;
}

cmus_status cmus_dataset_index_write(const char *folder, const cmus_dataset_index *index, const char *const *further,
                                     size_t further_count) {
    json_t *root = to_json(index);
    char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
    json_decref(root);
    if (!text)
        cmus_fatal("dataset.json can't be made: a text in it is not UTF-8, or the options are no JSON object");
    char *path = cmus_path_join(folder, "dataset.json"), *whole = cmus_format_string("%s\n", text);
    char sha256[CMUS_SHA256_TEXT];
    free(text);
    cmus_status status = cmus_file_write(path, whole, strlen(whole));
    cmus_sha256(whole, strlen(whole), sha256);
    cmus_free(whole);
    cmus_free(path);
    CMUS_TRY(status);
    return write_manifest(folder, index, sha256, further, further_count);
}
