#include "verify.h"

#include <stdbool.h>
#include <string.h>

#include "cmus/dataset.h"
#include "cmus/dataset_index.h"
#include "cmus/log.h"
#include "cmus/memory.h"

/* What MANIFEST.sha256 lists. */
typedef struct manifest {
    char *text;   /* the lines, cut at their ends; NULL: there is none */
    char **lines; /* [count], in `text` */
    size_t count;
    int damaged;       /* files that are not as they should be */
    cmus_status first; /* the first of their failures */
} manifest;

static void free_manifest(manifest *listed) {
    cmus_free(listed->text);
    cmus_free(listed->lines);
}

/* Says what is wrong with a file, and goes on. */
static void note(manifest *listed, cmus_status status) {
    if (status == CMUS_OK)
        return;
    cmus_error("%s", cmus_last_error());
    listed->first = listed->damaged++ == 0 ? status : listed->first;
}

static cmus_status read_manifest(const char *folder, manifest *listed) {
    char *path = cmus_path_join(folder, "MANIFEST.sha256");
    size_t size, capacity = 0;
    cmus_status status = cmus_file_read(path, (size_t)1 << 30, &listed->text, &size);
    if (status == CMUS_ERROR_NOT_FOUND)
        status = CMUS_OK; /* opening has warned of it */
    else if (status == CMUS_OK && (size == 0 || listed->text[size - 1] != '\n' || strlen(listed->text) != size))
        status = cmus_fail(CMUS_ERROR_CHECKSUM, "%s: not lines of text", path);
    for (char *line = status == CMUS_OK ? listed->text : NULL; line && *line;) {
        char *end = strchr(line, '\n');
        *end = 0;
        listed->lines = cmus_grow(listed->lines, &capacity, listed->count + 1, sizeof *listed->lines);
        listed->lines[listed->count++] = line;
        line = end + 1;
    }
    cmus_free(path);
    return status;
}

/* The first lines repeat what dataset.json says, so a flipped byte in them is found by comparing the texts. */
static cmus_status check_known_lines(const char *folder, const cmus_dataset_index *index, const char *sha256,
                                     const manifest *listed) {
    for (int i = -1; listed->text && i < index->shard_count; i++) {
        char *line = i < 0 ? cmus_format_string("%s  dataset.json", sha256)
                           : cmus_format_string("%s  %s", index->shards[i].sha256, index->shards[i].file);
        size_t number = (size_t)(i + 1);
        bool same = number < listed->count && strcmp(listed->lines[number], line) == 0;
        cmus_free(line);
        if (!same)
            return cmus_fail(CMUS_ERROR_CHECKSUM, "%s/MANIFEST.sha256: line %zu is not what dataset.json says", folder,
                             number + 1);
    }
    return CMUS_OK;
}

/* A further file, by its line. */
static cmus_status check_further(const char *folder, const char *line) {
    if (strlen(line) < 67 || strspn(line, "0123456789abcdef") != 64 || strncmp(line + 64, "  ", 2) != 0 ||
        strchr(line + 66, '/'))
        return cmus_fail(CMUS_ERROR_CHECKSUM, "%s/MANIFEST.sha256: '%s' is not a line of sha256sum for a file there",
                         folder, line);
    char *path = cmus_path_join(folder, line + 66), sha256[CMUS_SHA256_TEXT];
    cmus_status status = cmus_sha256_file(path, sha256);
    if (status == CMUS_OK && strncmp(sha256, line, 64) != 0)
        status = cmus_fail(CMUS_ERROR_CHECKSUM, "%s: the content differs from its SHA-256 in MANIFEST.sha256", path);
    cmus_free(path);
    return status;
}

/* Files that were not written by cmus-pack or cmus-split: nothing protects them, and they may be meant for elsewhere.
 */
static cmus_status warn_of_strangers(const char *folder, const cmus_dataset_index *index, const manifest *listed) {
    char **names;
    size_t count;
    CMUS_TRY(cmus_folder_list(folder, &names, &count));
    for (size_t i = 0; i < count; i++) {
        bool known = strcmp(names[i], "dataset.json") == 0 || strcmp(names[i], "MANIFEST.sha256") == 0 ||
                     strcmp(names[i], "splits.csv") == 0;
        for (size_t k = 0; !known && k < listed->count; k++)
            known = strcmp(names[i], listed->lines[k] + 66) == 0;
        for (int k = 0; !known && !listed->text && k < index->shard_count; k++)
            known = strcmp(names[i], index->shards[k].file) == 0;
        if (!known)
            cmus_warn("%s/%s: is in the folder, but not in its MANIFEST.sha256", folder, names[i]);
    }
    cmus_names_free(names, count);
    return CMUS_OK;
}

static cmus_status check_shard(const char *folder, const cmus_shard_entry *entry) {
    char *path = cmus_path_join(folder, entry->file), sha256[CMUS_SHA256_TEXT];
    cmus_status status = cmus_sha256_file(path, sha256);
    if (status == CMUS_OK && strcmp(sha256, entry->sha256) != 0)
        status = cmus_fail(CMUS_ERROR_CHECKSUM, "%s: the content differs from its SHA-256 in dataset.json", path);
    cmus_free(path);
    return status;
}

/* All files, also after a damaged one. */
static cmus_status check_files(const char *folder, const cmus_dataset_index *index, manifest *listed) {
    cmus_progress progress = {0};
    cmus_progress_begin(&progress, "verified", "shards", index->shard_count);
    for (int i = 0; i < index->shard_count; i++) {
        note(listed, check_shard(folder, &index->shards[i]));
        cmus_progress_update(&progress, i + 1);
    }
    cmus_progress_end(&progress, index->shard_count);
    for (size_t i = (size_t)index->shard_count + 1; i < listed->count; i++)
        note(listed, check_further(folder, listed->lines[i]));
    if (listed->damaged)
        return cmus_fail(listed->first, "%s: %d files are damaged or missing; restore them or pack the cases again",
                         folder, listed->damaged);
    return CMUS_OK;
}

static cmus_status check_folder(const char *folder, const cmus_dataset_index *index, const char *sha256) {
    manifest listed = {0};
    cmus_status status = read_manifest(folder, &listed);
    if (status == CMUS_OK)
        status = check_known_lines(folder, index, sha256, &listed);
    if (status == CMUS_OK)
        status = check_files(folder, index, &listed);
    if (status == CMUS_OK)
        status = warn_of_strangers(folder, index, &listed);
    free_manifest(&listed);
    return status;
}

static cmus_status read_all_cases(cmus_dataset *dataset) {
    size_t size = (size_t)cmus_dataset_image_size(dataset), bytes = 3 * size * size;
    uint8_t *image = cmus_allocate_raw(bytes, 1);
    cmus_status status = CMUS_OK;
    for (int i = 0; i < cmus_dataset_case_count(dataset) && status == CMUS_OK; i++)
        for (int kind = 0; kind < CMUS_IMAGE_KINDS && status == CMUS_OK; kind++) {
            if (!cmus_dataset_has(dataset, (cmus_image_kind)kind))
                continue;
            int count = kind == CMUS_IMAGE_TEM ? cmus_dataset_case(dataset, i).tem_count : 1;
            for (int k = 0; k < count && status == CMUS_OK; k++)
                status = cmus_dataset_read_image(dataset, i, (cmus_image_kind)kind, k, image);
        }
    cmus_free(image);
    return status;
}

cmus_status cmus_verify_dataset(const char *folder) {
    cmus_dataset_index index;
    char sha256[CMUS_SHA256_TEXT];
    CMUS_TRY(cmus_dataset_index_read(folder, &index, sha256));
    cmus_status status = check_folder(folder, &index, sha256);
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
