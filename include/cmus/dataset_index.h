/* dataset.json: what a packed data set holds. It owns the classes and their order, and names every shard with its
 * SHA-256.
 *
 * { "format_version": 1, "tool_version": "0.1.0", "image_size": 224, "classes": ["GS", "nonGS"],
 *   "modalities": ["om", "im", "tem"], "counts": { "cases": 48, "patients": 28, "images": 264 },
 *   "options": { ... }, "statistics": { ... },
 *   "shards": [ { "file": "shard-00000.h5", "cases": 48, "sha256": "..." } ] }
 *
 * "options" says how the images were made, "statistics" what the files were like; nothing but people reads them
 * (src/data/README.md). Data sets of before have no "modalities", which means all three, and no "statistics". The same
 * content gives the same bytes.
 */
#ifndef CMUS_DATASET_INDEX_H
#define CMUS_DATASET_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmus/file.h"
#include "cmus/status.h"

/* Limits of format version 1, checked by writer and reader. */
enum {
    CMUS_DATASET_FORMAT = 1,
    CMUS_DATASET_CLASSES = 32,
    CMUS_DATASET_CASES = 100000000,
    CMUS_DATASET_SHARDS = 1000000,
    CMUS_SHARD_CASES = 10000000,
    CMUS_SHARD_IMAGES = 10000000,
    CMUS_IMAGE_SIZE_MIN = 8,
    CMUS_IMAGE_SIZE_MAX = 4096,
    CMUS_ID_BYTES = 1024,    /* longest class name, patient id, case id */
    CMUS_SOURCE_BYTES = 8192 /* longest line of /source */
};

/* The images of a case: one OM, one IM, a bag of TEM. The numbers are those of cmus_modality (cmusnet.h). */
typedef enum cmus_image_kind { CMUS_IMAGE_TEM, CMUS_IMAGE_OM, CMUS_IMAGE_IM } cmus_image_kind;
enum { CMUS_IMAGE_KINDS = 3 };

/* "om", "im" or "tem": its name in "modalities" and of its array in a shard. */
const char *cmus_image_array(cmus_image_kind kind);

typedef struct cmus_shard_entry {
    char *file; /* a plain name in the folder of dataset.json */
    int cases;
    char sha256[CMUS_SHA256_TEXT];
} cmus_shard_entry;

typedef struct cmus_dataset_index {
    char *tool_version;
    int image_size;
    int class_count;
    char **classes;             /* [class_count], in the order of the labels */
    bool has[CMUS_IMAGE_KINDS]; /* the modalities, of every case; one or more */
    int cases, patients;
    int64_t images;
    char *options;    /* a JSON object as text */
    char *statistics; /* the same; NULL: none */
    int shard_count;
    cmus_shard_entry *shards; /* [shard_count] */
} cmus_dataset_index;

/* Reads FOLDER/dataset.json. The file is checked against FOLDER/MANIFEST.sha256; if there is no manifest, a warning
 * says so. sha256: that of the file. Free the index by cmus_dataset_index_free(). NOT_FOUND, FORMAT, CHECKSUM, LIMIT.
 */
cmus_status cmus_dataset_index_read(const char *folder, cmus_dataset_index *index, char sha256[CMUS_SHA256_TEXT]);

/* Writes FOLDER/dataset.json, and FOLDER/MANIFEST.sha256 for it, the shards, with the SHA-256 of their entries, and the
 * further files [further_count], which must be there. IO. */
cmus_status cmus_dataset_index_write(const char *folder, const cmus_dataset_index *index, const char *const *further,
                                     size_t further_count);

/* Frees what the index points to, not the index. */
void cmus_dataset_index_free(cmus_dataset_index *index);

#endif
