/* safetensors files, as they are: the length of the header, the header, the data. The first byte of an input chooses
 * whether the length is right whatever the input says: else nearly all changes of the header end at its length. */
#include <string.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/safetensors.h"
#include "cmus/utf8.h"
#include "fuzz.h"

enum { PREFIX = 8 };

/* What cmus_safetensors_open() promises of tensors: each byte of the data belongs to one. */
static void check_promises(cmus_safetensors *file, size_t data_bytes) {
    size_t at = 0;
    for (size_t i = 0; i < cmus_safetensors_count(file); i++) {
        const cmus_stored_tensor *tensor = cmus_safetensors_tensor(file, i);
        size_t elements = 1;
        for (int k = 0; k < tensor->dimensions; k++)
            elements *= (size_t)tensor->shape[k];
        if (tensor->begin != at || tensor->elements != elements || (elements && tensor->bytes % elements != 0))
            cmus_fatal("tensor %zu was accepted with wrong sizes", i);
        if (cmus_safetensors_find(file, tensor->name) != tensor || !cmus_utf8_is_clean(tensor->name))
            cmus_fatal("the name of tensor %zu was accepted", i);
        at += tensor->bytes;
        void *values = cmus_allocate_raw(tensor->bytes, 1);
        if (cmus_safetensors_read(file, tensor, values) != CMUS_OK)
            cmus_fatal("tensor %zu can't be read: %s", i, cmus_last_error());
        cmus_free(values);
    }
    if (at > data_bytes)
        cmus_fatal("%zu bytes were read from %zu", at, data_bytes);
}

static void read_file(const char *path, size_t size) {
    cmus_safetensors *file;
    if (cmus_safetensors_open(path, &file) == CMUS_OK) {
        check_promises(file, size);
        cmus_fuzz_feature((cmus_safetensors_count(file) % 8) * 8 + cmus_safetensors_metadata_count(file) % 8);
        for (size_t i = 0; i < cmus_safetensors_metadata_count(file); i++)
            if (!cmus_safetensors_metadata(file, cmus_safetensors_metadata_pair(file, i)->key))
                cmus_fatal("metadata %zu is not found", i);
    } else {
        cmus_fuzz_reached(cmus_last_error());
    }
    cmus_safetensors_close(file);
}

/* Odd: the rest is a whole file. Even: the rest is a header, behind which come so many bytes of data. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    if (*data & 1) {
        read_file(cmus_fuzz_file(data + 1, size - 1), size - 1);
        return 0;
    }
    uint64_t length = size - 1;
    size_t data_bytes = *data / 2, all = PREFIX + (size_t)length + data_bytes;
    uint8_t *file = cmus_allocate(all, 1);
    memcpy(file, &length, PREFIX);
    memcpy(file + PREFIX, data + 1, (size_t)length);
    const char *path = cmus_fuzz_file(file, all);
    cmus_free(file);
    read_file(path, all);
    return 0;
}
