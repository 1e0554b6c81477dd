/* A scratch file of resized images, one slot each: every source image is decoded once, all checks come before the first
 * shard, and memory does not grow with the number of images. */
#ifndef CMUS_SPOOL_H
#define CMUS_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "cmus/status.h"

typedef struct cmus_spool {
    char *path;
    int descriptor;
    size_t slot; /* bytes: an RGB image; a gray one takes the first third */
} cmus_spool;

/* Makes the file. Close it by cmus_spool_close(), which removes it. IO. */
cmus_status cmus_spool_open(const char *path, int image_size, cmus_spool *spool);
void cmus_spool_close(cmus_spool *spool);

/* May be called by several threads for different images. IO. */
cmus_status cmus_spool_put(const cmus_spool *spool, size_t image, const uint8_t *bytes, size_t size);
cmus_status cmus_spool_get(const cmus_spool *spool, size_t image, uint8_t *bytes, size_t size);

#endif
