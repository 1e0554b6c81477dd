/* PyTorch's files. The first byte of an input says what the rest is: 0x80 and 'P', with which such files begin, and it
 * is one, as it is; any other: the data.pkl of an archive whose checksums hold, of little-endian storages (even) or
 * big-endian ones (odd). */
#include <string.h>
#include <zip.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/utf8.h"
#include "fuzz.h"
#include "pth.h"

/* The storages of the archive: data/0 and so on. */
static const size_t storage_bytes[] = {48, 8, 16, 1, 0};
enum { STORAGES = sizeof storage_bytes / sizeof storage_bytes[0], MOST_BYTES = 64 };

static void check_promises(cmus_pth *file, size_t size) {
    size_t all = 0;
    for (size_t i = 0; i < cmus_pth_count(file); i++) {
        const cmus_stored_tensor *tensor = cmus_pth_tensor(file, i);
        size_t elements = 1;
        for (int k = 0; k < tensor->dimensions; k++)
            elements *= (size_t)tensor->shape[k];
        if (tensor->elements != elements || (elements && tensor->bytes % elements != 0))
            cmus_fatal("tensor %zu was accepted with wrong sizes", i);
        if (!*tensor->name || !cmus_utf8_is_clean(tensor->name) || strlen(tensor->type) >= CMUS_STORED_TYPE)
            cmus_fatal("the name or type of tensor %zu was accepted", i);
        all += tensor->bytes;
        void *values = cmus_allocate_raw(tensor->bytes, 1);
        if (cmus_pth_read(file, tensor, values) != CMUS_OK)
            cmus_fuzz_reached(cmus_last_error());
        cmus_free(values);
    }
    if (all > 16 * size + ((size_t)64 << 20))
        cmus_fatal("%zu bytes of tensors in a file of %zu", all, size);
}

static void read_file(const char *path, size_t size) {
    cmus_pth *file;
    if (cmus_pth_open(path, &file) == CMUS_OK) {
        check_promises(file, size);
        cmus_fuzz_feature(cmus_pth_count(file) % 16);
    } else {
        cmus_fuzz_reached(cmus_last_error());
    }
    cmus_pth_close(file);
}

/* Puts a stored entry behind what is there; libzip copies nothing. */
static void add(zip_t *archive, const char *name, const void *data, size_t size) {
    zip_source_t *source = zip_source_buffer(archive, data, size, 0);
    zip_int64_t index = zip_file_add(archive, name, source, 0);
    if (index < 0 || zip_set_file_compression(archive, (zip_uint64_t)index, ZIP_CM_STORE, 0) != 0)
        cmus_fatal("libzip: %s", zip_strerror(archive));
}

/* Writes an archive of this pickle into the file. */
static void write_archive(const char *path, const uint8_t *pickle, size_t size, bool big_endian) {
    static uint8_t numbers[MOST_BYTES];
    for (size_t i = 0; i < sizeof numbers; i++)
        numbers[i] = (uint8_t)i;
    zip_t *archive = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    if (!archive)
        cmus_fatal("%s can't be written", path);
    add(archive, "a/data.pkl", pickle, size);
    add(archive, "a/byteorder", big_endian ? "big" : "little", big_endian ? 3 : 6);
    for (size_t i = 0; i < STORAGES; i++) {
        char name[] = "a/data/0";
        name[sizeof name - 2] = (char)('0' + i);
        add(archive, name, numbers, storage_bytes[i]);
    }
    if (zip_close(archive) != 0)
        cmus_fatal("%s: %s", path, zip_strerror(archive));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    if (*data == 'P' || *data == 0x80) {
        read_file(cmus_fuzz_file(data, size), size);
        return 0;
    }
    const char *path = cmus_fuzz_file(NULL, 0);
    write_archive(path, data + 1, size - 1, *data & 1);
    read_file(path, size + 2048);
    return 0;
}
