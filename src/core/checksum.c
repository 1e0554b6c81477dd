/* SHA-256 by OpenSSL's libcrypto, and manifests in the form of sha256sum (declared in file.h). */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"

static const size_t MANIFEST_LIMIT = (size_t)64 << 20;

void cmus_sha256_spell(const uint8_t hash[CMUS_SHA256_BYTES], char text[CMUS_SHA256_TEXT]) {
    for (int i = 0; i < CMUS_SHA256_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
}

uint64_t cmus_hash_bytes(const void *data, size_t size) {
    return XXH3_64bits(data, size);
}

static EVP_MD_CTX *begin_digest(void) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
        cmus_fatal("libcrypto can't compute SHA-256");
    return context;
}

static void end_digest(EVP_MD_CTX *context, char text[CMUS_SHA256_TEXT]) {
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (EVP_DigestFinal_ex(context, hash, &length) != 1 || length != 32)
        cmus_fatal("libcrypto can't compute SHA-256");
    EVP_MD_CTX_free(context);
    cmus_sha256_spell(hash, text);
}

void cmus_sha256(const void *data, size_t size, char text[CMUS_SHA256_TEXT]) {
    EVP_MD_CTX *context = begin_digest();
    EVP_DigestUpdate(context, data, size);
    end_digest(context, text);
}

void cmus_sha256_bytes(const void *data, size_t size, uint8_t hash[CMUS_SHA256_BYTES]) {
    unsigned length = 0;
    if (EVP_Digest(data, size, hash, &length, EVP_sha256(), NULL) != 1 || length != CMUS_SHA256_BYTES)
        cmus_fatal("libcrypto can't compute SHA-256");
}

void cmus_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size, char text[CMUS_SHA256_TEXT]) {
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (!HMAC(EVP_sha256(), key, (int)key_size, data, size, hash, &length) || length != 32)
        cmus_fatal("libcrypto can't compute HMAC-SHA256");
    cmus_sha256_spell(hash, text);
}

/* Where the bytes of a file go as they are read; to -1: nowhere. */
typedef struct sink {
    int to;
    void (*tell)(void *data, size_t bytes);
    void *data;
} byte_sink;

/* errno of a failure, or 0. */
static int write_all(int descriptor, const char *bytes, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t put = write(descriptor, bytes + done, size - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? errno : EIO;
        done += (size_t)put;
    }
    return 0;
}

/* Reads the file to its end; what can't be read or written is an errno in one of the two. */
static void digest_file(int descriptor, const byte_sink *sink, char text[CMUS_SHA256_TEXT], int *unread,
                        int *unwritten) {
    enum { PART = 1 << 20 };
    EVP_MD_CTX *context = begin_digest();
    char *part = cmus_allocate_raw(PART, 1);
    ssize_t got;
    *unread = *unwritten = 0;
    while (!*unwritten && (got = read(descriptor, part, PART)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            *unread = errno;
            break;
        }
        EVP_DigestUpdate(context, part, (size_t)got);
        if (sink->to >= 0)
            *unwritten = write_all(sink->to, part, (size_t)got);
        if (sink->tell)
            sink->tell(sink->data, (size_t)got);
    }
    cmus_free(part);
    end_digest(context, text);
}

static cmus_status open_to_read(const char *path, int *descriptor) {
    *descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (*descriptor < 0)
        return cmus_fail(errno == ENOENT ? CMUS_ERROR_NOT_FOUND : CMUS_ERROR_IO, "%s: %s", path, strerror(errno));
    return CMUS_OK;
}

cmus_status cmus_sha256_file(const char *path, char text[CMUS_SHA256_TEXT]) {
    int descriptor, unread, unwritten;
    CMUS_TRY(open_to_read(path, &descriptor));
    digest_file(descriptor, &(byte_sink){.to = -1}, text, &unread, &unwritten);
    close(descriptor);
    return unread ? cmus_fail(CMUS_ERROR_IO, "%s: %s", path, strerror(unread)) : CMUS_OK;
}

cmus_status cmus_sha256_copy(const char *path, const char *copy, char text[CMUS_SHA256_TEXT],
                             void (*tell)(void *data, size_t bytes), void *data) {
    int from, unread, unwritten;
    CMUS_TRY(open_to_read(path, &from));
    byte_sink sink = {open(copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), tell, data};
    if (sink.to < 0) {
        unwritten = errno;
        close(from);
        return cmus_fail(CMUS_ERROR_IO, "can't write %s: %s", copy, strerror(unwritten));
    }
    digest_file(from, &sink, text, &unread, &unwritten);
    close(from);
    if (close(sink.to) != 0 && !unwritten)
        unwritten = errno;
    if (!unread && !unwritten)
        return CMUS_OK;
    unlink(copy);
    return unread ? cmus_fail(CMUS_ERROR_IO, "%s: %s", path, strerror(unread))
                  : cmus_fail(CMUS_ERROR_IO, "can't write %s: %s", copy, strerror(unwritten));
}

cmus_status cmus_manifest_write(const char *folder, const char *const *names, size_t count) {
    char *path = cmus_path_join(folder, "MANIFEST.sha256");
    cmus_file_writer *writer = NULL;
    cmus_status status = cmus_file_writer_open(path, &writer);
    for (size_t i = 0; i < count && status == CMUS_OK; i++) {
        char *file = cmus_path_join(folder, names[i]), text[CMUS_SHA256_TEXT];
        status = cmus_sha256_file(file, text);
        cmus_free(file);
        if (status == CMUS_OK)
            cmus_file_writer_print(writer, "%s  %s\n", text, names[i]);
    }
    if (status == CMUS_OK)
        status = cmus_file_writer_commit(writer);
    else
        cmus_file_writer_discard(writer);
    cmus_free(path);
    return status;
}

/* known: the SHA-256 of the file, or NULL: it is read. */
static cmus_status check_line(const char *folder, const char *manifest, char *line, const char *known) {
    size_t length = strlen(line);
    if (length < 67 || strspn(line, "0123456789abcdef") != 64 || line[64] != ' ' || strstr(line + 66, ".."))
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: '%s' is not a line of sha256sum", manifest, line);
    char *file = cmus_path_join(folder, line + 66), text[CMUS_SHA256_TEXT];
    cmus_status status = CMUS_OK;
    if (known)
        memcpy(text, known, CMUS_SHA256_TEXT);
    else
        status = cmus_sha256_file(file, text);
    if (status == CMUS_ERROR_NOT_FOUND)
        status = cmus_fail(CMUS_ERROR_CHECKSUM, "%s: missing, but listed in %s", file, manifest);
    else if (status == CMUS_OK && memcmp(text, line, 64) != 0)
        status = cmus_fail(CMUS_ERROR_CHECKSUM,
                           "%s: the content differs from its checksum in %s; restore the file or make it again", file,
                           manifest);
    cmus_free(file);
    return status;
}

/* Checks the lines of the manifest: all of them, or only that of the file `only`, which must be there, by its `known`
 * hash or, NULL, by reading it. */
static cmus_status check_lines(const char *folder, const char *only, const char *known) {
    char *path = cmus_path_join(folder, "MANIFEST.sha256"), *text = NULL;
    size_t size;
    cmus_status status = cmus_file_read(path, MANIFEST_LIMIT, &text, &size);
    if (status == CMUS_OK && (size == 0 || text[size - 1] != '\n'))
        status = cmus_fail(CMUS_ERROR_FORMAT, "%s: empty or without a line end at its end", path);
    char *rest = NULL;
    bool found = false;
    for (char *line = status == CMUS_OK ? strtok_r(text, "\n", &rest) : NULL; line && status == CMUS_OK;
         line = strtok_r(NULL, "\n", &rest)) {
        if (only && (strlen(line) < 67 || strcmp(line + 66, only) != 0))
            continue;
        status = check_line(folder, path, line, known);
        found = true;
    }
    if (status == CMUS_OK && only && !found)
        status = cmus_fail(CMUS_ERROR_CHECKSUM, "%s: has no line for %s", path, only);
    cmus_free(text);
    cmus_free(path);
    return status;
}

cmus_status cmus_manifest_check(const char *folder) {
    return check_lines(folder, NULL, NULL);
}

cmus_status cmus_manifest_check_file(const char *folder, const char *name) {
    return check_lines(folder, name, NULL);
}

cmus_status cmus_manifest_check_known(const char *folder, const char *name, const char *sha256) {
    return check_lines(folder, name, sha256);
}
