#include "cmus/row_log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cmus/file.h"
#include "cmus/memory.h"

static const size_t FILE_LIMIT = (size_t)1 << 32;

struct cmus_row_log {
    char *path;
    int descriptor;
    off_t size;
};

static cmus_status io_error(const cmus_row_log *log) {
    return cmus_fail(CMUS_ERROR_IO, "can't write %s: %s", log->path, strerror(errno));
}

/* Cuts the file back to its header and `rows` rows. */
static cmus_status cut_back(const char *path, const char *header, int64_t rows) {
    char *text;
    size_t size, length = strlen(header);
    CMUS_TRY(cmus_file_read(path, FILE_LIMIT, &text, &size));
    cmus_status status = CMUS_OK;
    if (size <= length || memcmp(text, header, length) != 0 || text[length] != '\n')
        status = cmus_fail(CMUS_ERROR_FORMAT, "%s: its header is not '%s'", path, header);
    char *end = status == CMUS_OK ? text + length + 1 : text;
    for (int64_t row = 0; row < rows && status == CMUS_OK; row++) {
        char *line_end = strchr(end, '\n');
        if (line_end)
            end = line_end + 1;
        else
            status = cmus_fail(CMUS_ERROR_FORMAT, "%s: %lld rows, but the checkpoint comes after %lld", path,
                               (long long)row, (long long)rows);
    }
    if (status == CMUS_OK)
        status = cmus_file_write(path, text, (size_t)(end - text));
    cmus_free(text);
    return status;
}

static cmus_status start_anew(const char *path, const char *header) {
    char *line = cmus_format_string("%s\n", header);
    cmus_status status = cmus_file_write(path, line, strlen(line));
    cmus_free(line);
    return status;
}

cmus_status cmus_row_log_open(const char *path, const char *header, int64_t rows, cmus_row_log **result) {
    *result = NULL;
    CMUS_TRY(rows > 0 ? cut_back(path, header, rows) : start_anew(path, header));
    cmus_row_log *log = cmus_allocate(1, sizeof *log);
    log->path = cmus_copy_string(path);
    log->descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    log->size = log->descriptor >= 0 ? lseek(log->descriptor, 0, SEEK_END) : -1;
    if (log->size < 0) {
        cmus_status status = io_error(log);
        cmus_row_log_close(log);
        return status;
    }
    *result = log;
    return CMUS_OK;
}

cmus_status cmus_row_log_add(cmus_row_log *log, const char *row) {
    char *line = cmus_format_string("%s\n", row);
    size_t length = strlen(line);
    errno = ENOSPC; /* what a short write without an error means */
    ssize_t put = write(log->descriptor, line, length);
    cmus_free(line);
    if (put == (ssize_t)length) {
        log->size += put;
        return CMUS_OK;
    }
    cmus_status status = io_error(log);
    if (ftruncate(log->descriptor, log->size) != 0)
        return cmus_fail_in(status, "and the broken row can't be removed");
    return status;
}

cmus_status cmus_row_log_sync(cmus_row_log *log) {
    return fsync(log->descriptor) == 0 ? CMUS_OK : io_error(log);
}

void cmus_row_log_close(cmus_row_log *log) {
    if (!log)
        return;
    if (log->descriptor >= 0)
        close(log->descriptor);
    cmus_free(log->path);
    cmus_free(log);
}
