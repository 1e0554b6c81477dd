#include "cmus/stage.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "cmus/config.h"
#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/shared_memory.h"
#include "stage_folder.h"

enum { FOLDER_TEXT = CMUS_PATH_TEXT + 512 }; /* a path and cmus-stage-HOST-RANDOM */

struct cmus_stage {
    bool owner; /* this rank made the folder */
};

/* What is to be copied, and how far that is. */
typedef struct copying {
    const cmus_dataset *dataset;
    const char *source, *directory;
    int *shards; /* [count] */
    int count;
    uint64_t bytes, done;
    cmus_progress progress;
} copying;

/* The shards that have one of the cases, in their order. */
static void pick_shards(copying *work, const int *cases, int count) {
    int shards = cmus_dataset_shard_count(work->dataset);
    bool *wanted = cmus_allocate((size_t)shards, sizeof *wanted);
    for (int i = 0; i < count; i++)
        wanted[cmus_dataset_shard_of(work->dataset, cases[i])] = true;
    work->shards = cmus_allocate((size_t)shards, sizeof *work->shards);
    for (int s = 0; s < shards; s++)
        if (wanted[s])
            work->shards[work->count++] = s;
    cmus_free(wanted);
}

static cmus_status measure(copying *work) {
    for (int i = 0; i < work->count; i++) {
        char *path = cmus_path_join(work->source, cmus_dataset_shard(work->dataset, work->shards[i])->file);
        struct stat info;
        cmus_status status = CMUS_OK;
        if (stat(path, &info) != 0)
            status = cmus_fail(errno == ENOENT ? CMUS_ERROR_NOT_FOUND : CMUS_ERROR_IO, "%s: %s", path, strerror(errno));
        else
            work->bytes += (uint64_t)info.st_size;
        cmus_free(path);
        CMUS_TRY(status);
    }
    return CMUS_OK;
}

static cmus_status check_room(const copying *work) {
    struct statvfs info;
    if (statvfs(work->directory, &info) != 0)
        return cmus_fail(CMUS_ERROR_IO, "%s: %s", work->directory, strerror(errno));
    uint64_t room = (uint64_t)info.f_bavail * info.f_frsize;
    if (room < work->bytes)
        return cmus_fail(CMUS_ERROR_LIMIT, "%s has %.1f MiB free, but the shards take %.1f MiB", work->directory,
                         (double)room / (1 << 20), (double)work->bytes / (1 << 20));
    return CMUS_OK;
}

static void tell(void *data, size_t bytes) {
    copying *work = data;
    work->done += bytes;
    cmus_progress_update(&work->progress, (int64_t)(work->done >> 20));
}

static cmus_status copy_shard(copying *work, const cmus_shard_entry *entry) {
    char *from = cmus_path_join(work->source, entry->file);
    char *to = cmus_path_join(cmus_stage_folder_path(), entry->file), sha256[CMUS_SHA256_TEXT];
    cmus_status status = cmus_sha256_copy(from, to, sha256, tell, work);
    if (status == CMUS_OK && strcmp(sha256, entry->sha256) != 0)
        status = cmus_fail(CMUS_ERROR_CHECKSUM, "%s: its SHA-256 is not that of dataset.json; restore it or pack again",
                           from);
    cmus_free(from);
    cmus_free(to);
    return status;
}

static cmus_status copy_shards(copying *work) {
    const char **names = cmus_allocate((size_t)work->count, sizeof *names);
    for (int i = 0; i < work->count; i++)
        names[i] = cmus_dataset_shard(work->dataset, work->shards[i])->file;
    cmus_status status = cmus_stage_folder_make(work->directory, names, (size_t)work->count);
    cmus_free(names);
    CMUS_TRY(status);
    cmus_progress_begin(&work->progress, "staged", "MiB", (int64_t)(work->bytes >> 20));
    for (int i = 0; i < work->count && status == CMUS_OK; i++)
        status = copy_shard(work, cmus_dataset_shard(work->dataset, work->shards[i]));
    if (status != CMUS_OK)
        cmus_stage_folder_remove();
    else
        cmus_info("staged %d shard%s, %.1f MiB, in %s on each host in %.1f s", work->count, work->count == 1 ? "" : "s",
                  (double)work->bytes / (1 << 20), work->directory, cmus_seconds() - work->progress.began);
    return status;
}

/* By the host's first rank. */
static cmus_status copy_once(copying *work) {
    if (!cmus_folder_exists(work->directory))
        return cmus_fail(CMUS_ERROR_NOT_FOUND, "%s: there is no such folder", work->directory);
    cmus_stage_folder_clean(work->directory);
    CMUS_TRY(measure(work));
    CMUS_TRY(check_room(work));
    return copy_shards(work);
}

static cmus_status say_where(cmus_status status) {
    return status == CMUS_OK ? CMUS_OK : cmus_fail(status, "stage, host %s: %s", cmus_host_name(), cmus_last_error());
}

/* The folder must be there for the other ranks of the host too: containers may have disks of their own. */
static cmus_status look_from_here(const char *folder) {
    if (!cmus_folder_exists(folder))
        return cmus_fail(CMUS_ERROR_NOT_FOUND, "%s was made by another rank of this host, but is not here", folder);
    return CMUS_OK;
}

cmus_status cmus_stage_start(const cmus_communicator *communicator, cmus_dataset *dataset, const char *source,
                             const char *directory, const int *cases, int count, cmus_stage **result) {
    copying work = {.dataset = dataset, .source = source, .directory = directory};
    bool owner = cmus_host_ranks_of(communicator).rank == 0;
    char folder[FOLDER_TEXT] = "";
    *result = NULL;
    pick_shards(&work, cases, count);
    cmus_status status = owner ? say_where(copy_once(&work)) : CMUS_OK;
    bool made = owner && status == CMUS_OK;
    status = cmus_agree(communicator, status);
    if (status == CMUS_OK) {
        if (owner)
            snprintf(folder, sizeof folder, "%s", cmus_stage_folder_path());
        cmus_host_broadcast(communicator, folder, sizeof folder);
        status = look_from_here(folder);
        for (int i = 0; i < work.count && status == CMUS_OK; i++)
            status = cmus_dataset_move_shard(dataset, work.shards[i], folder);
        status = cmus_agree(communicator, say_where(status));
    }
    cmus_free(work.shards);
    if (status == CMUS_OK) {
        *result = cmus_allocate(1, sizeof **result);
        (*result)->owner = owner;
    } else if (made) {
        cmus_stage_folder_remove();
    }
    return status;
}

void cmus_stage_end(const cmus_communicator *communicator, cmus_stage *stage) {
    if (!stage)
        return;
    cmus_barrier(communicator);
    if (stage->owner)
        cmus_stage_folder_remove();
    cmus_free(stage);
}
