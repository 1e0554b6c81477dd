/* The zip archive that torch.save() writes since PyTorch 1.6: TOP/data.pkl, TOP/data/KEY for each storage, since 2.0
 * TOP/byteorder, and entries that need not be read (version, .data/serialization_id, .format_version). All are stored
 * without compression, so that no entry is longer than the file. */
#include <string.h>
#include <zip.h>

#include "cmus/memory.h"
#include "cmus/utf8.h"
#include "pth_source.h"

static cmus_status bad_archive(const cmus_pth_source *source, const char *what) {
    return cmus_fail(CMUS_ERROR_FORMAT, "%s: %s", source->path, what);
}

/* FORMAT, CHECKSUM or IO by libzip's error. `name` is clean. */
static cmus_status bad_entry(const cmus_pth_source *source, const char *name, const char *what, int code) {
    cmus_status status = code == ZIP_ER_CRC    ? CMUS_ERROR_CHECKSUM
                         : code == ZIP_ER_READ ? CMUS_ERROR_IO
                                               : CMUS_ERROR_FORMAT;
    return cmus_fail(status, "%s: entry '%.200s' of the archive: %s", source->path, name, what);
}

/* The size of an entry that is stored as it is. */
static cmus_status entry_bytes(const cmus_pth_source *source, const char *name, uint64_t index, uint64_t *bytes) {
    zip_stat_t info;
    const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if (zip_stat_index(source->archive, index, 0, &info) != 0 || (info.valid & needed) != needed)
        return bad_entry(source, name, "its size is missing", 0);
    if (info.comp_method != ZIP_CM_STORE || info.encryption_method != ZIP_EM_NONE || info.comp_size != info.size)
        return bad_entry(source, name, "it is compressed or encrypted, which torch.save() does not do", 0);
    if (info.size > source->file_bytes)
        return bad_entry(source, name, "it is longer than the file", 0);
    *bytes = info.size;
    return CMUS_OK;
}

/* Reads an entry of so many bytes. Its end must be seen, too: there its checksum is compared. */
static cmus_status read_entry(const cmus_pth_source *source, const char *name, uint64_t index, uint64_t bytes,
                              char *to) {
    zip_file_t *entry = zip_fopen_index(source->archive, index, 0);
    if (!entry)
        return bad_entry(source, name, zip_strerror(source->archive),
                         zip_error_code_zip(zip_get_error(source->archive)));
    uint64_t at = 0;
    zip_int64_t got = 0;
    char behind;
    do {
        got = at < bytes ? zip_fread(entry, to + at, bytes - at) : zip_fread(entry, &behind, 1);
        at += got > 0 ? (uint64_t)got : 0;
    } while (got > 0 && at <= bytes);
    cmus_status status = CMUS_OK;
    if (got < 0)
        status = bad_entry(source, name, zip_file_strerror(entry), zip_error_code_zip(zip_file_get_error(entry)));
    else if (at != bytes)
        status = bad_entry(source, name, "it is shorter or longer than the archive says", 0);
    zip_fclose(entry);
    return status;
}

static bool is_entry(const char *name, const char *top, size_t top_length, const char *rest) {
    return strncmp(name, top, top_length) == 0 && strcmp(name + top_length, rest) == 0;
}

/* Finds TOP, which the one entry TOP/data.pkl gives: `top` [*length] is its beginning with the slash. */
static cmus_status find_top(const cmus_pth_source *source, const char **top, size_t *length) {
    zip_int64_t count = zip_get_num_entries(source->archive, 0);
    *top = NULL;
    for (zip_int64_t i = 0; i < count; i++) {
        const char *name = zip_get_name(source->archive, (zip_uint64_t)i, 0);
        if (!name || !cmus_utf8_is_clean(name) || zip_name_locate(source->archive, name, 0) != i)
            return bad_archive(source, "an entry of the archive has no clean name, or that of another one");
        const char *slash = strchr(name, '/');
        if (!slash || strcmp(slash, "/data.pkl") != 0)
            continue;
        if (*top)
            return bad_archive(source, "the archive holds more than one data.pkl");
        *top = name;
        *length = (size_t)(slash - name) + 1;
    }
    if (!*top)
        return bad_archive(source, "the archive holds no data.pkl: torch.save() did not write it");
    return CMUS_OK;
}

static cmus_status refuse_script(const cmus_pth_source *source, const char *top, size_t length) {
    zip_int64_t count = zip_get_num_entries(source->archive, 0);
    for (zip_int64_t i = 0; i < count; i++) {
        const char *name = zip_get_name(source->archive, (zip_uint64_t)i, 0);
        if (is_entry(name, top, length, "constants.pkl") ||
            (strncmp(name, top, length) == 0 && strncmp(name + length, "code/", 5) == 0))
            return bad_archive(source, "a TorchScript program, not a file of weights; in PyTorch, "
                                       "torch.save(torch.jit.load(FILE).state_dict(), OTHER) writes its weights");
    }
    return CMUS_OK;
}

static cmus_status read_byte_order(cmus_pth_source *source, const char *top, size_t length) {
    char *name = cmus_format_string("%.*sbyteorder", (int)length, top), order[6];
    zip_int64_t index = zip_name_locate(source->archive, name, 0);
    uint64_t bytes = 0;
    cmus_status status = CMUS_OK;
    if (index >= 0) {
        status = entry_bytes(source, name, (uint64_t)index, &bytes);
        if (status == CMUS_OK && bytes <= sizeof order)
            status = read_entry(source, name, (uint64_t)index, bytes, order);
        source->big_endian = status == CMUS_OK && bytes == 3 && memcmp(order, "big", 3) == 0;
        if (status == CMUS_OK && !source->big_endian && (bytes != 6 || memcmp(order, "little", 6) != 0))
            status = bad_entry(source, name, "neither 'little' nor 'big'", 0);
    }
    cmus_free(name);
    return status;
}

static cmus_status read_pickle(cmus_pth_source *source, const char *top, size_t length) {
    char *name = cmus_format_string("%.*sdata.pkl", (int)length, top);
    source->name = cmus_format_string("%s: %s", source->path, name);
    uint64_t index = (uint64_t)zip_name_locate(source->archive, name, 0), bytes = 0;
    cmus_status status = entry_bytes(source, name, index, &bytes);
    if (status == CMUS_OK && bytes > CMUS_PICKLE_BYTES)
        status = cmus_fail(CMUS_ERROR_LIMIT, "%s: %llu bytes are beyond the limit of %d", source->name,
                           (unsigned long long)bytes, CMUS_PICKLE_BYTES);
    if (status == CMUS_OK) {
        source->text = cmus_allocate_raw((size_t)bytes, 1);
        status = read_entry(source, name, index, bytes, source->text);
    }
    cmus_free(name);
    CMUS_TRY(status);
    size_t used;
    CMUS_TRY(cmus_pickle_read(source->name, (const uint8_t *)source->text, (size_t)bytes, &source->pickle, &used));
    if (used != bytes)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: %llu bytes follow the pickle", source->name,
                         (unsigned long long)bytes - used);
    return CMUS_OK;
}

/* Finds the entry of a storage, and checks its size. */
static cmus_status place_storage(const cmus_pth_source *source, const char *top, size_t length,
                                 const cmus_pickle_storage *wanted, cmus_pth_storage *storage) {
    char *name = cmus_format_string("%.*sdata/%.*s", (int)length, top, (int)wanted->key_length, wanted->key);
    zip_int64_t index = cmus_utf8_is_clean(name) ? zip_name_locate(source->archive, name, 0) : -1;
    uint64_t bytes = 0;
    cmus_status status;
    if (index < 0)
        status =
            cmus_fail(CMUS_ERROR_FORMAT, "%s: a storage that its data.pkl names is not in the archive", source->path);
    else
        status = entry_bytes(source, name, (uint64_t)index, &bytes);
    if (status == CMUS_OK && bytes != wanted->elements * wanted->element_bytes)
        status = bad_entry(source, name, "its size is not that of its numbers", 0);
    *storage =
        (cmus_pth_storage){.bytes = (size_t)bytes, .element_bytes = wanted->element_bytes, .place = (uint64_t)index};
    cmus_free(name);
    return status;
}

/* Entries of an honest archive do not overlap; those that do would make a small file long to read. */
static cmus_status place_storages(cmus_pth_source *source, const char *top, size_t length) {
    size_t count = cmus_pickle_storage_count(source->pickle);
    source->storages = cmus_allocate(count, sizeof *source->storages);
    uint64_t all = 0;
    for (size_t i = 0; i < count; i++) {
        CMUS_TRY(place_storage(source, top, length, cmus_pickle_storages(source->pickle, i), &source->storages[i]));
        all += source->storages[i].bytes;
        if (all > source->file_bytes)
            return bad_archive(source, "the entries of the archive overlap");
    }
    return CMUS_OK;
}

cmus_status cmus_pth_zip_open(cmus_pth_source *source) {
    int code = 0;
    source->archive = zip_open(source->path, ZIP_RDONLY, &code);
    if (!source->archive)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: a zip archive that is damaged or cut short", source->path);
    const char *top;
    size_t length = 0;
    CMUS_TRY(find_top(source, &top, &length));
    CMUS_TRY(refuse_script(source, top, length));
    CMUS_TRY(read_byte_order(source, top, length));
    CMUS_TRY(read_pickle(source, top, length));
    return place_storages(source, top, length);
}

cmus_status cmus_pth_zip_read(cmus_pth_source *source, const cmus_pth_storage *storage, void *to) {
    return read_entry(source, zip_get_name(source->archive, storage->place, 0), storage->place, storage->bytes, to);
}

void cmus_pth_zip_close(cmus_pth_source *source) {
    if (source->archive)
        zip_discard(source->archive);
}
