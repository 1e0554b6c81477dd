#include "cmus/output_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"

/* How long ranks of a killed run are waited for: 10 seconds. */
enum { PAUSES = 200, PAUSE_NANOSECONDS = 50000000 };

static const char LOCK[] = "lock";

static cmus_status check_free(const char *path) {
    struct stat info;
    if (lstat(path, &info) != 0)
        return CMUS_OK;
    if (!cmus_folder_exists(path))
        return cmus_fail(CMUS_ERROR_ARGUMENT, "%s: exists and is no folder; choose another name", path);
    char **names;
    size_t count;
    CMUS_TRY(cmus_folder_list(path, &names, &count));
    cmus_names_free(names, count);
    if (count > 0)
        return cmus_fail(CMUS_ERROR_ARGUMENT,
                         "%s: the folder exists and is not empty; remove it or choose another name", path);
    return CMUS_OK;
}

static cmus_status being_made(const cmus_output_folder *folder) {
    return cmus_fail(CMUS_ERROR_ARGUMENT, "%s: another process is making it now", folder->path);
}

/* Whether the descriptor is still that of the file of this name: who had the lock may have removed it with the folder.
 */
static bool is_same_file(int descriptor, const char *path) {
    struct stat own, named;
    return fstat(descriptor, &own) == 0 && stat(path, &named) == 0 && own.st_dev == named.st_dev &&
           own.st_ino == named.st_ino;
}

/* The lock is a file, since not all network file systems lock folders; it ends with the process. */
static cmus_status take_lock(cmus_output_folder *folder) {
    char *path = cmus_path_join(folder->partial, LOCK);
    cmus_status status = CMUS_OK;
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0)
        status = cmus_fail(CMUS_ERROR_IO, "can't write %s: %s", path, strerror(errno));
    else if ((flock(lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) || !is_same_file(lock, path)) {
        close(lock);
        status = being_made(folder);
    } else
        folder->lock = lock;
    cmus_free(path);
    return status;
}

static int open_rank_lock(const char *scratch) {
    char *path = cmus_path_join(scratch, "ranks");
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    cmus_free(path);
    return lock;
}

void cmus_output_folder_join(const char *scratch) {
    int lock = open_rank_lock(scratch);
    if (lock >= 0)
        flock(lock, LOCK_SH | LOCK_NB); /* open to the end of the process */
}

/* Rank 0 of a run is gone, but other ranks may live a moment longer and write. */
static cmus_status wait_for_ranks(const cmus_output_folder *folder) {
    const struct timespec pause = {.tv_nsec = PAUSE_NANOSECONDS};
    int lock = open_rank_lock(folder->scratch), failed = 0;
    if (lock < 0)
        return cmus_fail(CMUS_ERROR_IO, "can't write in %s: %s", folder->scratch, strerror(errno));
    for (int i = 0; i < PAUSES; i++) {
        failed = flock(lock, LOCK_EX | LOCK_NB);
        if (failed == 0 || errno != EWOULDBLOCK)
            break;
        nanosleep(&pause, NULL);
    }
    bool busy = failed != 0 && errno == EWOULDBLOCK;
    close(lock);
    return busy ? being_made(folder) : CMUS_OK;
}

static bool is_named(const char *name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static cmus_status remove_others(const cmus_output_folder *folder, const char *const *kept, size_t kept_count) {
    char **names;
    size_t count;
    CMUS_TRY(cmus_folder_list(folder->partial, &names, &count));
    cmus_status status = CMUS_OK;
    for (size_t i = 0; i < count && status == CMUS_OK; i++) {
        char *path = cmus_path_join(folder->partial, names[i]);
        if (!is_named(names[i], kept, kept_count) && strcmp(names[i], LOCK) != 0)
            status = cmus_folder_remove(path);
        cmus_free(path);
    }
    cmus_names_free(names, count);
    return status;
}

/* The name without slashes at its end; where it leads if it is a link or ends in a dot, as nothing can be renamed to
 * those. */
static char *final_name(const char *path) {
    char *name = cmus_copy_string(path), real[PATH_MAX];
    struct stat info;
    size_t length = strlen(name);
    while (length > 1 && name[length - 1] == '/')
        name[--length] = 0;
    bool link = lstat(name, &info) == 0 && S_ISLNK(info.st_mode);
    if ((link || (length && name[length - 1] == '.')) && realpath(name, real)) {
        cmus_free(name);
        name = cmus_copy_string(real);
    }
    return name;
}

cmus_status cmus_output_folder_begin(const char *path, cmus_output_folder *folder) {
    *folder = (cmus_output_folder){.path = final_name(path), .lock = -1};
    if (!*folder->path || strcmp(folder->path, "/") == 0)
        return cmus_fail(CMUS_ERROR_ARGUMENT, "'%s' can't be the folder of results; name another", path);
    folder->partial = cmus_format_string("%s.partial", folder->path);
    folder->scratch = cmus_path_join(folder->partial, "scratch");
    CMUS_TRY(check_free(folder->path));
    CMUS_TRY(cmus_folder_make(folder->partial));
    CMUS_TRY(take_lock(folder));
    CMUS_TRY(check_free(folder->path)); /* another process may have finished between the two */
    CMUS_TRY(cmus_folder_make(folder->scratch));
    return wait_for_ranks(folder);
}

cmus_status cmus_output_folder_clear(cmus_output_folder *folder) {
    const char *const kept[] = {"scratch"};
    return remove_others(folder, kept, 1);
}

cmus_status cmus_output_folder_commit(cmus_output_folder *folder, const char *const *names, size_t count) {
    CMUS_TRY(remove_others(folder, names, count));
    CMUS_TRY(cmus_folder_sync(folder->partial));
    if (cmus_file_take_over(folder->partial, folder->path) != CMUS_OK) {
        cmus_output_folder_keep(folder);
        return cmus_fail(CMUS_ERROR_IO, "%s; all is complete, but in %s: move it yourself", cmus_last_error(),
                         folder->partial);
    }
    char *lock = cmus_path_join(folder->path, LOCK); /* it goes last: no other process may begin before */
    unlink(lock);
    cmus_free(lock);
    return CMUS_OK;
}

cmus_status cmus_output_folder_check_outside(const cmus_output_folder *folder, const char *path) {
    const char *slash = strrchr(path, '/');
    char *parent = !slash          ? cmus_copy_string(".")
                   : slash == path ? cmus_copy_string("/")
                                   : cmus_format_string("%.*s", (int)(slash - path), path);
    bool there = cmus_folder_exists(parent);
    cmus_free(parent);
    if (cmus_path_lies_in(path, folder->path) || cmus_path_lies_in(path, folder->partial))
        return cmus_fail(CMUS_ERROR_ARGUMENT, "%s: must not lie in %s; name another place", path, folder->path);
    if (!there)
        return cmus_fail(CMUS_ERROR_NOT_FOUND, "%s: its folder is not there; make it first", path);
    return CMUS_OK;
}

void cmus_output_folder_keep(cmus_output_folder *folder) {
    if (folder->lock >= 0)
        close(folder->lock);
    folder->lock = -1;
}

void cmus_output_folder_end(cmus_output_folder *folder) {
    if (folder->lock >= 0) {
        char *kept = cmus_copy_string(cmus_last_error());
        if (cmus_folder_remove(folder->partial) != CMUS_OK)
            cmus_warn("%s", cmus_last_error());
        cmus_fail(CMUS_OK, "%s", kept);
        cmus_free(kept);
        close(folder->lock);
    }
    cmus_free(folder->path);
    cmus_free(folder->partial);
    cmus_free(folder->scratch);
    memset(folder, 0, sizeof *folder);
}
