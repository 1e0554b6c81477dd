/* Writes one shard file (its layout: dataset.h). The file is built in memory, so that a full disk is never HDF5's
 * problem and the same content gives the same bytes. */
#ifndef CMUS_SHARD_WRITER_H
#define CMUS_SHARD_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "cmus/dataset_index.h"
#include "cmus/file.h"
#include "cmus/status.h"

typedef struct cmus_shard_content {
    int image_size;
    const char *const *classes; /* [class_count] */
    int class_count;
    int cases;
    bool has[CMUS_IMAGE_KINDS];    /* the modalities */
    const int64_t *tem_offset;     /* [cases + 1]; zeros without TEM */
    const int32_t *label;          /* [cases] */
    const char *const *case_id;    /* [cases] */
    const char *const *patient_id; /* [cases] */
    const char *const *source;     /* [images]: "SHA-256  file", of OM, IM, TEM images of case 0, then of case 1, ... */
    int tem_channels;              /* 1 or 3 */
    int compression;               /* deflate's level for images, 1 to 9; 0: none */
    /* Gives image `number` of the shard (in the order of `source`) with the wanted channels: pixels [S][S][channels].
     */
    cmus_status (*image)(void *data, size_t number, int channels, uint8_t *pixels);
    void *data;
} cmus_shard_content;

/* sha256: that of the written file. Several threads may write a shard each: what HDF5 does, it does for one of them at
 * a time. IO, or what image() returns. */
cmus_status cmus_shard_write(const char *path, const cmus_shard_content *content, char sha256[CMUS_SHA256_TEXT]);

#endif
