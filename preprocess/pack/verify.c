#include "verify.h"

#include <string.h>

#include "cmus/dataset.h"
#include "cmus/dataset_index.h"
#include "cmus/log.h"
#include "cmus/memory.h"

/* The manifest repeats what dataset.json says, so a flipped byte in it is found by comparing the texts. */
static cmus_status check_manifest_text(const char *folder, const cmus_dataset_index *index, const char *sha256) {
    char *path = cmus_path_join(folder, "MANIFEST.sha256"), *text;
    size_t size, place = 0;
    cmus_status status = cmus_file_read(path, (size_t)1 << 30, &text, &size);
    if (status == CMUS_ERROR_NOT_FOUND) {
        cmus_free(path);
        return CMUS_OK; /* opening has warned of it */
    }
    for (int i = -1; i < index->shard_count && status == CMUS_OK; i++) {
        char *line = i < 0 ? cmus_format_string("%s  dataset.json\n", sha256)
                           : cmus_format_string("%s  %s\n", index->shards[i].sha256, index->shards[i].file);
        size_t length = strlen(line);
        if (size - place < length || memcmp(text + place, line, length) != 0)
            status = cmus_fail(CMUS_ERROR_CHECKSUM, "%s: line %d is not what dataset.json says", path, i + 2);
        place += length;
        cmus_free(line);
    }
    if (status == CMUS_OK && place != size)
        status = cmus_fail(CMUS_ERROR_CHECKSUM, "%s: has more lines than dataset.json has shards", path);
    cmus_free(text);
    cmus_free(path);
    return status;
}

static cmus_status check_shard(const char *folder, const cmus_shard_entry *entry) {
    char *path = cmus_path_join(folder, entry->file), sha256[CMUS_SHA256_TEXT];
    cmus_status status = cmus_sha256_file(path, sha256);
    if (status == CMUS_OK && strcmp(sha256, entry->sha256) != 0)
        status = cmus_fail(CMUS_ERROR_CHECKSUM, "%s: the content differs from its SHA-256 in dataset.json", path);
    cmus_free(path);
    return status;
}

/* All shards, also after a damaged one. */
static cmus_status check_shards(const char *folder, const cmus_dataset_index *index) {
    cmus_status first = CMUS_OK;
    int damaged = 0;
    cmus_progress progress = {0};
    cmus_progress_begin(&progress, "verified", "shards", index->shard_count);
    for (int i = 0; i < index->shard_count; i++) {
        cmus_status status = check_shard(folder, &index->shards[i]);
        if (status != CMUS_OK) {
            cmus_error("%s", cmus_last_error());
            first = first == CMUS_OK ? status : first;
            damaged++;
        }
        cmus_progress_update(&progress, i + 1);
    }
    cmus_progress_end(&progress, index->shard_count);
    if (damaged)
        return cmus_fail(first, "%s: %d of %d shards are damaged or missing; restore them or pack the cases again",
                         folder, damaged, index->shard_count);
    return CMUS_OK;
}

static cmus_status read_all_cases(cmus_dataset *dataset) {
    size_t size = (size_t)cmus_dataset_image_size(dataset), bytes = 3 * size * size;
    uint8_t *om = cmus_allocate_raw(bytes, 1), *im = cmus_allocate_raw(bytes, 1);
    cmus_status status = CMUS_OK;
    for (int i = 0; i < cmus_dataset_case_count(dataset) && status == CMUS_OK; i++) {
        uint8_t *tem = cmus_allocate_raw((size_t)cmus_dataset_case(dataset, i).tem_count, bytes);
        status = cmus_dataset_read(dataset, i, 0, om, im, tem);
        cmus_free(tem);
    }
    cmus_free(om);
    cmus_free(im);
    return status;
}

cmus_status cmus_verify_dataset(const char *folder) {
    cmus_dataset_index index;
    char sha256[CMUS_SHA256_TEXT];
    CMUS_TRY(cmus_dataset_index_read(folder, &index, sha256));
    cmus_status status = check_manifest_text(folder, &index, sha256);
    if (status == CMUS_OK)
        status = check_shards(folder, &index);
    cmus_dataset_index_free(&index);
    CMUS_TRY(status);
    cmus_dataset *dataset;
    CMUS_TRY(cmus_dataset_open(folder, &dataset));
    status = read_all_cases(dataset);
    if (status == CMUS_OK)
        cmus_info("%s: %d cases, every checksum holds", folder, cmus_dataset_case_count(dataset));
    cmus_dataset_close(dataset);
    return status;
}
