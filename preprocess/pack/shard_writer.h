/* Writes one shard file (its layout: dataset.h). The file is built in memory, so that a full disk is never HDF5's
 * problem and the same content gives the same bytes. */
#ifndef CMUS_SHARD_WRITER_H
#define CMUS_SHARD_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "cmus/file.h"
#include "cmus/status.h"

typedef struct cmus_shard_content {
    int image_size;
    const char *const *classes; /* [class_count] */
    int class_count;
    int cases;
    const int64_t *tem_offset;     /* [cases + 1] */
    const int32_t *label;          /* [cases] */
    const char *const *case_id;    /* [cases] */
    const char *const *patient_id; /* [cases] */
    const char *const *source;     /* [2 cases + TEM images]: "SHA-256  file", in the order of the images */
    int tem_channels;              /* 1 or 3 */
    /* Gives image `number` of the shard (in the order of `source`) with the wanted channels: pixels [S][S][channels].
     */
    cmus_status (*image)(void *data, size_t number, int channels, uint8_t *pixels);
    void *data;
} cmus_shard_content;

/* sha256: that of the written file. IO, or what image() returns. */
cmus_status cmus_shard_write(const char *path, const cmus_shard_content *content, char sha256[CMUS_SHA256_TEXT]);

#endif
