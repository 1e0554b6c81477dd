#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cmus/memory.h"

cmus_status cmus_spool_open(const char *path, int image_size, cmus_spool *spool) {
    *spool = (cmus_spool){.path = cmus_copy_string(path), .slot = 3 * (size_t)image_size * (size_t)image_size};
    spool->descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (spool->descriptor < 0)
        return cmus_fail(CMUS_ERROR_IO, "can't write %s: %s", path, strerror(errno));
    return CMUS_OK;
}

void cmus_spool_close(cmus_spool *spool) {
    if (!spool->path)
        return;
    if (spool->descriptor >= 0) {
        close(spool->descriptor);
        unlink(spool->path);
    }
    cmus_free(spool->path);
    memset(spool, 0, sizeof *spool);
}

cmus_status cmus_spool_put(const cmus_spool *spool, size_t image, const uint8_t *bytes, size_t size) {
    off_t place = (off_t)(image * spool->slot);
    while (size > 0) {
        ssize_t put = pwrite(spool->descriptor, bytes, size, place);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return cmus_fail(CMUS_ERROR_IO,
                             "can't write %s: %s; the data set needs about twice its size while it is made",
                             spool->path, strerror(put < 0 ? errno : EIO));
        bytes += put;
        place += put;
        size -= (size_t)put;
    }
    return CMUS_OK;
}

cmus_status cmus_spool_get(const cmus_spool *spool, size_t image, uint8_t *bytes, size_t size) {
    off_t place = (off_t)(image * spool->slot);
    while (size > 0) {
        ssize_t got = pread(spool->descriptor, bytes, size, place);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return cmus_fail(CMUS_ERROR_IO, "can't read %s: %s", spool->path, strerror(got < 0 ? errno : EIO));
        bytes += got;
        place += got;
        size -= (size_t)got;
    }
    return CMUS_OK;
}
