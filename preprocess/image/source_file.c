#include "source_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmus/memory.h"

static const int64_t FILE_LIMIT = (int64_t)2 << 30;

static cmus_file_state state_of(const struct stat *info) {
    return (cmus_file_state){(int64_t)info->st_size, (int64_t)info->st_mtim.tv_sec, (int64_t)info->st_mtim.tv_nsec,
                             (int64_t)info->st_ctim.tv_sec, (int64_t)info->st_ctim.tv_nsec};
}

cmus_file_state cmus_file_state_of(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 ? state_of(&info) : (cmus_file_state){0};
}

/* Up to the end of the file, at most `size` bytes. Returns how many, or -1. */
static ssize_t read_whole(int descriptor, uint8_t *bytes, size_t size) {
    size_t done = 0;
    while (done < size) {
        ssize_t got = read(descriptor, bytes + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

static cmus_status read_open(int descriptor, cmus_source_buffer *buffer) {
    struct stat before, after;
    if (fstat(descriptor, &before) != 0)
        return cmus_fail(CMUS_ERROR_IO, "can't be read: %s", strerror(errno));
    if (!S_ISREG(before.st_mode))
        return cmus_fail(CMUS_ERROR_IO, "is no file");
    if (before.st_size > FILE_LIMIT)
        return cmus_fail(CMUS_ERROR_LIMIT, "is larger than 2 GiB");
    size_t size = (size_t)before.st_size;
    if (size + 1 > buffer->capacity) {
        cmus_free(buffer->bytes);
        buffer->capacity = size + size / 4 + 1;
        buffer->bytes = cmus_allocate_raw(buffer->capacity, 1);
    }
    ssize_t got = read_whole(descriptor, buffer->bytes, size + 1); /* one more, to see that nothing follows */
    if (got < 0 || fstat(descriptor, &after) != 0)
        return cmus_fail(CMUS_ERROR_IO, "can't be read: %s", strerror(errno));
    if ((size_t)got != size || before.st_size != after.st_size || before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
        before.st_mtim.tv_nsec != after.st_mtim.tv_nsec)
        return cmus_fail(CMUS_ERROR_DATA, "the file changed while it was read; try again when it is complete");
    buffer->size = size;
    return CMUS_OK;
}

cmus_status cmus_source_read(const char *path, cmus_source_buffer *buffer) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not be waited for */
    if (descriptor < 0)
        return cmus_fail(errno == ENOENT ? CMUS_ERROR_NOT_FOUND : CMUS_ERROR_IO, "can't be read: %s", strerror(errno));
    cmus_status status = read_open(descriptor, buffer);
    close(descriptor);
    return status;
}

void cmus_source_buffer_free(cmus_source_buffer *buffer) {
    cmus_free(buffer->bytes);
    *buffer = (cmus_source_buffer){0};
}
