/* Where a .pth file keeps its pickle and its storages: in a zip archive (pth_zip.c) or one after another
 * (pth_legacy.c). Both fill a cmus_pth_source, which pth.c owns.
 */
#ifndef CMUS_PTH_SOURCE_H
#define CMUS_PTH_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "pickle.h"

typedef struct cmus_pth_storage {
    size_t bytes, element_bytes;
    uint64_t place; /* the number of its entry in the archive, or its first byte in the file */
} cmus_pth_storage;

typedef struct cmus_pth_source {
    const char *path;
    uint64_t file_bytes;
    struct zip *archive; /* NULL: the older form */
    int descriptor;
    bool big_endian; /* the order of bytes of the storages */
    char *name;      /* of the pickle, in messages */
    char *text;      /* [cmus_allocate_raw]: that holds the pickle */
    cmus_pickle *pickle;
    cmus_pth_storage *storages; /* as cmus_pickle_storages() numbers them */
} cmus_pth_source;

/* Fill name, text, pickle, storages and big_endian. IO, LIMIT, FORMAT, CHECKSUM. */
cmus_status cmus_pth_zip_open(cmus_pth_source *source);
cmus_status cmus_pth_legacy_open(cmus_pth_source *source);

/* to [storage->bytes], as stored. IO, FORMAT, CHECKSUM. */
cmus_status cmus_pth_zip_read(cmus_pth_source *source, const cmus_pth_storage *storage, void *to);
cmus_status cmus_pth_legacy_read(cmus_pth_source *source, const cmus_pth_storage *storage, void *to);

/* Closes the archive. */
void cmus_pth_zip_close(cmus_pth_source *source);

#endif
