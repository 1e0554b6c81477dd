#include "cmus/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/utf8.h"

/* FLUSH_STEP: so many bytes after the last ones, the disk is told to begin with what was written. */
enum { BUFFER_SIZE = 1 << 16, FLUSH_STEP = 8 << 20 };

struct cmus_file_writer {
    char *path, *temporary;
    int descriptor;
    int error; /* errno of the first failure */
    off_t written, flushing;
    size_t used;
    char buffer[BUFFER_SIZE];
};

cmus_status cmus_file_read(const char *path, size_t limit, char **data, size_t *size) {
    *data = NULL;
    *size = 0;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return cmus_fail(errno == ENOENT ? CMUS_ERROR_NOT_FOUND : CMUS_ERROR_IO, "%s: %s", path, strerror(errno));
    struct stat info;
    if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(descriptor);
        return cmus_fail(CMUS_ERROR_IO, "%s: not a regular file", path);
    }
    if ((uint64_t)info.st_size > limit) {
        close(descriptor);
        return cmus_fail(CMUS_ERROR_LIMIT, "%s: %lld bytes are more than the limit of %zu", path,
                         (long long)info.st_size, limit);
    }
    size_t expected = (size_t)info.st_size, done = 0;
    char *content = cmus_allocate_raw(expected + 1, 1);
    while (done < expected) {
        ssize_t got = read(descriptor, content + done, expected - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            int error = got < 0 ? errno : EIO; /* shorter than it said: it changed while it was read */
            close(descriptor);
            cmus_free(content);
            return cmus_fail(CMUS_ERROR_IO, "%s: %s", path, strerror(error));
        }
        done += (size_t)got;
    }
    close(descriptor);
    content[expected] = 0;
    *data = content;
    *size = expected;
    return CMUS_OK;
}

/* The disk works while more is made, and the fsync at the end has little left to wait for. Advice only. */
static void begin_flushing(cmus_file_writer *writer) {
    if (writer->written - writer->flushing < FLUSH_STEP)
        return;
    (void)sync_file_range(writer->descriptor, writer->flushing, writer->written - writer->flushing,
                          SYNC_FILE_RANGE_WRITE);
    writer->flushing = writer->written;
}

static void write_bytes(cmus_file_writer *writer, const char *bytes, size_t size) {
    while (!writer->error && size > 0) {
        ssize_t put = write(writer->descriptor, bytes, size < FLUSH_STEP ? size : FLUSH_STEP);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            writer->error = put < 0 ? errno : EIO;
            return;
        }
        bytes += put;
        size -= (size_t)put;
        writer->written += put;
        begin_flushing(writer);
    }
}

static void flush_buffer(cmus_file_writer *writer) {
    write_bytes(writer, writer->buffer, writer->used);
    writer->used = 0;
}

static cmus_status open_writer(const char *path, mode_t mode, cmus_file_writer **result) {
    *result = NULL;
    cmus_file_writer *writer = cmus_allocate(1, sizeof *writer);
    writer->path = cmus_copy_string(path);
    writer->temporary = cmus_format_string("%s.%ld.tmp", path, (long)getpid());
    unlink(writer->temporary); /* left by a killed process that had this id */
    writer->descriptor = open(writer->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (writer->descriptor < 0) {
        cmus_status status = cmus_fail(CMUS_ERROR_IO, "can't write %s: %s", path, strerror(errno));
        cmus_free(writer->path);
        cmus_free(writer->temporary);
        cmus_free(writer);
        return status;
    }
    *result = writer;
    return CMUS_OK;
}

cmus_status cmus_file_writer_open(const char *path, cmus_file_writer **result) {
    return open_writer(path, 0666, result);
}

cmus_status cmus_file_writer_open_private(const char *path, cmus_file_writer **result) {
    return open_writer(path, 0600, result);
}

void cmus_file_writer_add(cmus_file_writer *writer, const void *data, size_t size) {
    const char *from = data;
    if (size >= BUFFER_SIZE) {
        flush_buffer(writer);
        write_bytes(writer, from, size);
        return;
    }
    while (size > 0) {
        size_t room = BUFFER_SIZE - writer->used, part = size < room ? size : room;
        memcpy(writer->buffer + writer->used, from, part);
        writer->used += part;
        from += part;
        size -= part;
        if (writer->used == BUFFER_SIZE)
            flush_buffer(writer);
    }
}

void cmus_file_writer_print(cmus_file_writer *writer, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof text) {
        char *large = cmus_allocate_raw((size_t)length + 1, 1);
        va_start(arguments, format);
        vsnprintf(large, (size_t)length + 1, format, arguments);
        va_end(arguments);
        cmus_file_writer_add(writer, large, (size_t)length);
        cmus_free(large);
        return;
    }
    cmus_file_writer_add(writer, text, (size_t)length);
}

void cmus_file_writer_csv(cmus_file_writer *writer, const char *text) {
    size_t length = strlen(text);
    bool quote = strpbrk(text, ",\"\r\n") || (length && (text[0] == ' ' || text[length - 1] == ' '));
    if (!quote) {
        cmus_file_writer_add(writer, text, length);
        return;
    }
    cmus_file_writer_add(writer, "\"", 1);
    for (const char *c = text; *c; c++)
        cmus_file_writer_add(writer, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1);
    cmus_file_writer_add(writer, "\"", 1);
}

static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash)
        return cmus_copy_string(".");
    if (slash == path)
        return cmus_copy_string("/");
    return cmus_format_string("%.*s", (int)(slash - path), path);
}

static void free_writer(cmus_file_writer *writer) {
    cmus_free(writer->path);
    cmus_free(writer->temporary);
    cmus_free(writer);
}

static cmus_status rename_and_sync(const char *temporary, const char *path) {
    if (rename(temporary, path) != 0)
        return cmus_fail(CMUS_ERROR_IO, "can't write %s: %s", path, strerror(errno));
    char *folder = folder_of(path);
    cmus_status status = cmus_folder_sync(folder);
    cmus_free(folder);
    return status;
}

void cmus_file_writer_html(cmus_file_writer *writer, const char *text) {
    char *valid = cmus_utf8_valid(text);
    for (const char *at = valid; *at;) {
        size_t plain = strcspn(at, "&<>\"'");
        cmus_file_writer_add(writer, at, plain);
        at += plain;
        if (*at)
            cmus_file_writer_print(writer, "&#%d;", *at++);
    }
    cmus_free(valid);
}

cmus_status cmus_file_writer_commit(cmus_file_writer *writer) {
    flush_buffer(writer);
    if (!writer->error && fsync(writer->descriptor) != 0)
        writer->error = errno;
    if (close(writer->descriptor) != 0 && !writer->error)
        writer->error = errno;
    cmus_status status = CMUS_OK;
    if (writer->error) {
        status = cmus_fail(CMUS_ERROR_IO, "can't write %s: %s", writer->path, strerror(writer->error));
        unlink(writer->temporary);
    } else {
        status = rename_and_sync(writer->temporary, writer->path);
        if (status != CMUS_OK)
            unlink(writer->temporary);
    }
    free_writer(writer);
    return status;
}

void cmus_file_writer_discard(cmus_file_writer *writer) {
    if (!writer)
        return;
    close(writer->descriptor);
    unlink(writer->temporary);
    free_writer(writer);
}

cmus_status cmus_file_write(const char *path, const void *data, size_t size) {
    cmus_file_writer *writer;
    CMUS_TRY(cmus_file_writer_open(path, &writer));
    cmus_file_writer_add(writer, data, size);
    return cmus_file_writer_commit(writer);
}

cmus_status cmus_file_write_scratch(const char *path, const cmus_bytes *parts, size_t count) {
    unlink(path); /* not cut: some file systems would flush what replaces it, and whoever reads it keeps the old one */
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0)
        return cmus_fail(CMUS_ERROR_IO, "can't write %s: %s", path, strerror(errno));
    int error = 0;
    for (size_t i = 0; i < count && !error; i++)
        for (size_t done = 0; done < parts[i].size && !error;) {
            ssize_t put = write(descriptor, (const char *)parts[i].data + done, parts[i].size - done);
            if (put > 0)
                done += (size_t)put;
            else if (put == 0 || errno != EINTR)
                error = put < 0 ? errno : EIO;
        }
    if (close(descriptor) != 0 && !error)
        error = errno;
    if (!error)
        return CMUS_OK;
    unlink(path);
    return cmus_fail(CMUS_ERROR_IO, "can't write %s: %s", path, strerror(error));
}

cmus_status cmus_file_take_over(const char *temporary, const char *path) {
    int descriptor = open(temporary, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 || fsync(descriptor) != 0) {
        int error = errno;
        if (descriptor >= 0)
            close(descriptor);
        return cmus_fail(CMUS_ERROR_IO, "can't write %s: %s", path, strerror(error));
    }
    close(descriptor);
    return rename_and_sync(temporary, path);
}
