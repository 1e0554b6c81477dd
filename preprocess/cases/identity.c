#include "identity.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "case_list.h"
#include "cmus/csv.h"
#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"

enum { KEY_BYTES_MIN = 16, KEY_BYTES_MAX = 65536, HASH_DIGITS = 16 };
static const size_t MAP_LIMIT = (size_t)1 << 32;

/* One line of the map. */
typedef struct map_line {
    char *kind, *hashed, *name;
} map_line;

struct cmus_identity {
    char *key;
    size_t key_size;
    map_line *lines; /* as they were asked for, with repetitions */
    size_t count, capacity;
};

static void warn_of_readers(const char *key_file) {
    struct stat info;
    if (stat(key_file, &info) == 0 && (info.st_mode & (S_IRGRP | S_IROTH)))
        cmus_warn("%s: other users may read the key; chmod 600 keeps it yours", key_file);
}

cmus_status cmus_identity_open(const char *key_file, cmus_identity **result) {
    *result = NULL;
    char *key;
    size_t size;
    CMUS_TRY(cmus_file_read(key_file, KEY_BYTES_MAX, &key, &size));
    if (size < KEY_BYTES_MIN) {
        cmus_free(key);
        return cmus_fail(CMUS_ERROR_ARGUMENT,
                         "%s: a key of %zu bytes can be guessed; make one of 32 by: head -c 32 /dev/urandom > %s",
                         key_file, size, key_file);
    }
    warn_of_readers(key_file);
    cmus_identity *identity = cmus_allocate(1, sizeof *identity);
    identity->key = key;
    identity->key_size = size;
    *result = identity;
    return CMUS_OK;
}

void cmus_identity_close(cmus_identity *identity) {
    if (!identity)
        return;
    for (size_t i = 0; i < identity->count; i++) {
        cmus_free(identity->lines[i].kind);
        cmus_free(identity->lines[i].hashed);
        cmus_free(identity->lines[i].name);
    }
    cmus_free(identity->lines);
    memset(identity->key, 0, identity->key_size);
    cmus_free(identity->key);
    cmus_free(identity);
}

static void add_line(cmus_identity *identity, const char *kind, const char *hashed, const char *name) {
    identity->lines = cmus_grow(identity->lines, &identity->capacity, identity->count + 1, sizeof *identity->lines);
    identity->lines[identity->count++] =
        (map_line){cmus_copy_string(kind), cmus_copy_string(hashed), cmus_copy_string(name)};
}

/* "p-0123456789abcdef" for kind "patient". */
static char *hash_name(const cmus_identity *identity, const char *kind, const char *name) {
    size_t kind_size = strlen(kind) + 1, name_size = strlen(name);
    char *text = cmus_allocate(kind_size + name_size, 1), hash[CMUS_SHA256_TEXT];
    memcpy(text, kind, kind_size);
    memcpy(text + kind_size, name, name_size);
    cmus_hmac_sha256(identity->key, identity->key_size, text, kind_size + name_size, hash);
    cmus_free(text);
    return cmus_format_string("%c-%.*s", kind[0], HASH_DIGITS, hash);
}

static char *name_by(cmus_identity *identity, const char *kind, const char *name) {
    if (!identity)
        return cmus_copy_string(name);
    char *hashed = hash_name(identity, kind, name);
    add_line(identity, kind, hashed, name);
    return hashed;
}

char *cmus_identity_patient(cmus_identity *identity, const char *patient_id) {
    return name_by(identity, "patient", patient_id);
}

char *cmus_identity_case(cmus_identity *identity, const char *case_id) {
    return name_by(identity, "case", case_id);
}

char *cmus_identity_path(cmus_identity *identity, const char *path) {
    return name_by(identity, "file", path);
}

char *cmus_identity_source(cmus_identity *identity, const char *source, const char *case_id, cmus_image_kind kind,
                           int number) {
    if (!identity)
        return cmus_copy_string(source);
    char *hashed = hash_name(identity, "case", case_id);
    char *name = cmus_format_string("%s/%s_%d", hashed, cmus_image_kind_name(kind), number + 1);
    add_line(identity, "image", name, source);
    cmus_free(hashed);
    return name;
}

static int compare_lines(const void *a, const void *b) {
    const map_line *x = a, *y = b;
    int order = strcmp(x->kind, y->kind);
    if (order == 0)
        order = strcmp(x->hashed, y->hashed);
    return order ? order : strcmp(x->name, y->name);
}

/* The columns of a map; FORMAT if the table is none. */
typedef struct map_columns {
    size_t kind, hashed, name;
} map_columns;

static cmus_status find_columns(const cmus_csv *table, map_columns *columns) {
    CMUS_TRY(cmus_csv_column(table, "kind", &columns->kind));
    CMUS_TRY(cmus_csv_column(table, "hashed", &columns->hashed));
    return cmus_csv_column(table, "true", &columns->name);
}

/* The map that is there; an empty table if there is none or an empty file. */
static cmus_status read_map(const char *path, cmus_csv *table, map_columns *columns) {
    struct stat info;
    *table = (cmus_csv){0};
    if (stat(path, &info) != 0 || (S_ISREG(info.st_mode) && info.st_size == 0))
        return CMUS_OK;
    cmus_status status = cmus_csv_read(path, MAP_LIMIT, table);
    if (status == CMUS_OK) {
        status = find_columns(table, columns);
        if (status != CMUS_OK)
            cmus_csv_free(table);
    }
    return status;
}

cmus_status cmus_identity_check_map(const char *map) {
    cmus_csv table;
    map_columns columns;
    if (read_map(map, &table, &columns) != CMUS_OK)
        return cmus_fail(CMUS_ERROR_ARGUMENT,
                         "%s: is there and is no map of ids, so it stays; name another by --map (%s)", map,
                         cmus_last_error());
    cmus_csv_free(&table);
    return CMUS_OK;
}

/* lines: sorted. */
static cmus_status check_collisions(const map_line *lines, size_t count) {
    for (size_t i = 1; i < count; i++)
        if (strcmp(lines[i - 1].kind, "image") != 0 && strcmp(lines[i - 1].hashed, lines[i].hashed) == 0 &&
            strcmp(lines[i - 1].name, lines[i].name) != 0)
            return cmus_fail(CMUS_ERROR_DATA, "two %s names have the hash %s; use another key", lines[i].kind,
                             lines[i].hashed);
    return CMUS_OK;
}

static cmus_status write_lines(const char *path, const map_line *lines, size_t count) {
    cmus_file_writer *writer;
    CMUS_TRY(cmus_file_writer_open_private(path, &writer));
    cmus_file_writer_print(writer, "kind,hashed,true\n");
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && compare_lines(&lines[i - 1], &lines[i]) == 0)
            continue;
        cmus_file_writer_csv(writer, lines[i].kind);
        cmus_file_writer_add(writer, ",", 1);
        cmus_file_writer_csv(writer, lines[i].hashed);
        cmus_file_writer_add(writer, ",", 1);
        cmus_file_writer_csv(writer, lines[i].name);
        cmus_file_writer_add(writer, "\n", 1);
    }
    return cmus_file_writer_commit(writer);
}

cmus_status cmus_identity_write_map(const cmus_identity *identity, const char *path) {
    cmus_csv old;
    map_columns columns = {0};
    CMUS_TRY(read_map(path, &old, &columns));
    size_t count = old.rows + identity->count;
    map_line *all = cmus_allocate(count, sizeof *all);
    for (size_t i = 0; i < old.rows; i++)
        all[i] =
            (map_line){(char *)cmus_csv_cell(&old, i, columns.kind), (char *)cmus_csv_cell(&old, i, columns.hashed),
                       (char *)cmus_csv_cell(&old, i, columns.name)};
    if (identity->count)
        memcpy(all + old.rows, identity->lines, identity->count * sizeof *all);
    if (count)
        qsort(all, count, sizeof *all, compare_lines);
    cmus_status status = check_collisions(all, count);
    if (status == CMUS_OK)
        status = write_lines(path, all, count);
    cmus_free(all);
    cmus_csv_free(&old);
    return status;
}
