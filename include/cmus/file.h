/* Files: read within limits, written so that nobody ever sees half of one, and checked by SHA-256.
 *
 * A file is written under a temporary name in the same folder, flushed to the disk (fsync), and renamed; then the
 * folder is flushed. A failure or a kill leaves the old file or none. Every result of the project is written here.
 */
#ifndef CMUS_FILE_H
#define CMUS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmus/status.h"

/* Reads a whole file of at most `limit` bytes. *data is followed by a zero byte that *size does not count; free it with
 * cmus_free(). NOT_FOUND, IO, LIMIT. */
cmus_status cmus_file_read(const char *path, size_t limit, char **data, size_t *size);

/* Writes a whole file in the way described above. IO. */
cmus_status cmus_file_write(const char *path, const void *data, size_t size);

/* A stretch of memory. */
typedef struct cmus_bytes {
    const void *data;
    size_t size;
} cmus_bytes;

/* Writes the parts one after another into a new file, in place and without flushing: for scratch files that hold a
 * checksum of their own, as a kill or a power cut may leave half of one. A failure removes the file. IO. */
cmus_status cmus_file_write_scratch(const char *path, const cmus_bytes *parts, size_t count);

/* Writing a whole file in pieces. Errors are kept until commit, which reports the first one and removes the temporary
 * file. */
typedef struct cmus_file_writer cmus_file_writer;
cmus_status cmus_file_writer_open(const char *path, cmus_file_writer **writer);
/* A file that only this user may read. */
cmus_status cmus_file_writer_open_private(const char *path, cmus_file_writer **writer);
void cmus_file_writer_add(cmus_file_writer *writer, const void *data, size_t size);
void cmus_file_writer_print(cmus_file_writer *writer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A CSV field by RFC 4180: quoted if it holds a comma, a quote, a line break or a blank at an end. No separator. */
void cmus_file_writer_csv(cmus_file_writer *writer, const char *text);
/* Text between tags or in a quoted attribute of HTML: made valid (utf8.h), and & < > " ' escaped. */
void cmus_file_writer_html(cmus_file_writer *writer, const char *text);
/* Both free the writer. */
cmus_status cmus_file_writer_commit(cmus_file_writer *writer);
void cmus_file_writer_discard(cmus_file_writer *writer);

/* Moves a finished file or folder that something else wrote (a plotter) to its name, with both fsyncs. IO. */
cmus_status cmus_file_take_over(const char *temporary, const char *path);

bool cmus_file_exists(const char *path);
bool cmus_folder_exists(const char *path);

/* Makes the folder and its parents; an existing one is fine. IO. */
cmus_status cmus_folder_make(const char *path);

/* Removes a folder and what is in it; one that is not there is fine. IO. */
cmus_status cmus_folder_remove(const char *path);

/* Flushes a folder's entries to the disk. IO. */
cmus_status cmus_folder_sync(const char *path);

/* Sorted names (natural order: 2 before 10) in a folder, without those that begin with a dot. Free the array by
 * cmus_names_free(). IO, NOT_FOUND. */
cmus_status cmus_folder_list(const char *path, char ***names, size_t *count);
void cmus_names_free(char **names, size_t count);

/* Compares texts as people sort file names: runs of digits by value, the rest by bytes. <0, 0, >0. */
int cmus_compare_natural(const char *a, const char *b);

/* "FOLDER/NAME"; free with cmus_free(). */
char *cmus_path_join(const char *folder, const char *name);

/* Whether `path`, which need not be there, lies in the folder or is it: by real paths, as far as they are there. */
bool cmus_path_lies_in(const char *path, const char *folder);

/* SHA-256 as 64 lower-case hexadecimal digits and a zero. */
enum { CMUS_SHA256_TEXT = 65 };
void cmus_sha256(const void *data, size_t size, char text[CMUS_SHA256_TEXT]);
/* The same in half the memory, and the text of it. */
enum { CMUS_SHA256_BYTES = 32 };
void cmus_sha256_bytes(const void *data, size_t size, uint8_t hash[CMUS_SHA256_BYTES]);
void cmus_sha256_spell(const uint8_t hash[CMUS_SHA256_BYTES], char text[CMUS_SHA256_TEXT]);
/* HMAC-SHA256 (RFC 2104) in the same form. */
void cmus_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size, char text[CMUS_SHA256_TEXT]);
cmus_status cmus_sha256_file(const char *path, char text[CMUS_SHA256_TEXT]);
/* Copies a file to `copy`, which must not exist, and gives the SHA-256 of the bytes that were copied: the file is read
 * once. `tell`, if not NULL, gets `data` and the bytes of each part. For copies that do not outlive the process:
 * written in place, not flushed to the disk, readable by this user only; removed after a failure. NOT_FOUND, IO. */
cmus_status cmus_sha256_copy(const char *path, const char *copy, char text[CMUS_SHA256_TEXT],
                             void (*tell)(void *data, size_t bytes), void *data);

/* XXH3 of a stretch of memory: fast, against accidents only. */
uint64_t cmus_hash_bytes(const void *data, size_t size);

/* Writes FOLDER/MANIFEST.sha256 for the named files, in the form of sha256sum. */
cmus_status cmus_manifest_write(const char *folder, const char *const *names, size_t count);

/* Re-reads the files in FOLDER/MANIFEST.sha256. CHECKSUM names the first file that differs or is missing. If there is
 * no manifest: NOT_FOUND, for the caller to decide (files made by hand are accepted with a warning). */
cmus_status cmus_manifest_check(const char *folder);

/* The same for one of the files, which the manifest must list: CHECKSUM if it does not. */
cmus_status cmus_manifest_check_file(const char *folder, const char *name);
/* The same for a file whose SHA-256 is known: it is not read again. */
cmus_status cmus_manifest_check_known(const char *folder, const char *name, const char *sha256);

#endif
