/* The folder is this process's as long as it holds the lock of FOLDER/.lock: the kernel gives the lock back however the
 * process ends. Whoever removes a folder holds its lock, and removes the lock file after all others. Between the steps
 * of making a folder another process may therefore remove it; then it is made anew. */
#include "stage_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmus/communicator.h"
#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"

#define LOCK_NAME ".lock" /* no shard has a name with a dot in front */
enum { RANDOM_LETTERS = 6, TRIES = 100 };

/* The folder of this process. Signal handlers read it, so it is complete while `made` is set. */
static struct {
    atomic_bool made;
    int descriptor, lock;
    char *path, **names;
    size_t count;
} own;

static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGXCPU, SIGUSR1, SIGUSR2};
enum { SIGNALS = sizeof signals / sizeof signals[0] };
static struct sigaction before[SIGNALS];

/* Calls only what a signal handler may call. Files that are not there are fine. */
static void remove_own(void) {
    if (!atomic_exchange(&own.made, false))
        return;
    for (size_t i = 0; i < own.count; i++)
        unlinkat(own.descriptor, own.names[i], 0);
    unlinkat(own.descriptor, LOCK_NAME, 0);
    close(own.lock); /* some network file systems keep a file while it is open */
    close(own.descriptor);
    rmdir(own.path);
}

/* Goes on, or ends, as it would have without this module. */
static void handle_signal(int number) {
    int error = errno;
    remove_own();
    for (int i = 0; i < SIGNALS; i++)
        if (signals[i] == number && before[i].sa_handler != SIG_DFL) {
            before[i].sa_handler(number);
        } else if (signals[i] == number) {
            sigaction(number, &before[i], NULL);
            raise(number);
        }
    errno = error;
}

/* Signals that would end the process; what others handle or ignore is theirs. But for SIGTERM: mpirun sends it a second
 * before SIGKILL, which may be too early for whoever takes it down to end in order. */
static bool is_mine(int number, const struct sigaction *other) {
    return other->sa_handler == SIG_DFL || (number == SIGTERM && other->sa_handler != SIG_IGN);
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = handle_signal, .sa_flags = SA_RESTART};
    sigfillset(&action.sa_mask);
    for (int i = 0; i < SIGNALS; i++)
        if (sigaction(signals[i], NULL, &before[i]) == 0 && is_mine(signals[i], &before[i]))
            sigaction(signals[i], &action, NULL);
}

static void release_signals(void) {
    struct sigaction now;
    for (int i = 0; i < SIGNALS; i++)
        if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler == handle_signal)
            sigaction(signals[i], &before[i], NULL);
}

static bool is_same_file(int descriptor, int folder, const char *name) {
    struct stat open_one, there;
    return fstat(descriptor, &open_one) == 0 && fstatat(folder, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           open_one.st_dev == there.st_dev && open_one.st_ino == there.st_ino;
}

/* Opens and locks what mkdtemp made; false: somebody removes it. */
static bool hold(const char *path) {
    own.descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (own.descriptor < 0)
        return false;
    own.lock = openat(own.descriptor, LOCK_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool locked = own.lock >= 0 && flock(own.lock, LOCK_EX | LOCK_NB) == 0;
    if (own.lock >= 0 && !locked && errno != EWOULDBLOCK) {
        cmus_warn("%s: the file system has no locks (%s): if this job is killed, the folder stays", path,
                  strerror(errno));
        locked = true; /* nobody else can take it either */
    }
    if (locked && is_same_file(own.lock, own.descriptor, LOCK_NAME))
        return true;
    if (own.lock >= 0)
        close(own.lock);
    close(own.descriptor);
    return false;
}

static char *prefix(void) {
    return cmus_format_string("cmus-stage-%s-", cmus_host_name());
}

static cmus_status make_folder(const char *directory) {
    char *begin = prefix(), *name = cmus_format_string("%sXXXXXX", begin);
    cmus_status status = CMUS_OK;
    bool held = false;
    own.path = NULL;
    for (int i = 0; i < TRIES && !held && status == CMUS_OK; i++) {
        cmus_free(own.path);
        own.path = cmus_path_join(directory, name);
        if (mkdtemp(own.path))
            held = hold(own.path);
        else
            status = cmus_fail(CMUS_ERROR_IO, "can't make a folder in %s: %s", directory, strerror(errno));
    }
    if (status == CMUS_OK && !held)
        status = cmus_fail(CMUS_ERROR_IO, "can't keep a folder in %s: something removes it", directory);
    cmus_free(begin);
    cmus_free(name);
    return status;
}

static void free_names(void) {
    for (size_t i = 0; i < own.count; i++)
        cmus_free(own.names[i]);
    cmus_free(own.names);
    cmus_free(own.path);
}

cmus_status cmus_stage_folder_make(const char *directory, const char *const *names, size_t count) {
    static bool registered;
    if (!registered)
        atexit(remove_own);
    registered = true;
    own.count = count;
    own.names = cmus_allocate(count, sizeof *own.names);
    for (size_t i = 0; i < count; i++)
        own.names[i] = cmus_copy_string(names[i]);
    cmus_status status = make_folder(directory);
    if (status != CMUS_OK) {
        free_names();
        return status;
    }
    own.made = true;
    cmus_set_fatal_cleanup(remove_own);
    catch_signals();
    return CMUS_OK;
}

const char *cmus_stage_folder_path(void) {
    return own.path;
}

void cmus_stage_folder_remove(void) {
    release_signals();
    cmus_set_fatal_cleanup(NULL);
    remove_own();
    if (access(own.path, F_OK) == 0)
        cmus_warn("%s could not be removed: %s", own.path, strerror(errno));
    free_names();
}

/* The files of a folder, the lock file at the end. */
static void remove_files(int folder) {
    int again = dup(folder);
    DIR *list = again < 0 ? NULL : fdopendir(again);
    struct dirent *entry;
    while (list && (entry = readdir(list)))
        if (strcmp(entry->d_name, LOCK_NAME) != 0)
            unlinkat(folder, entry->d_name, 0); /* fails for "." and ".." */
    if (list)
        closedir(list);
    else if (again >= 0)
        close(again);
    unlinkat(folder, LOCK_NAME, 0);
}

/* Removes the folder if it is this user's and nobody holds it; one without a lock file only if it is empty. */
static void clean_one(int directory, const char *path, const char *name) {
    int folder = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat info;
    if (folder < 0)
        return;
    int lock = -1;
    bool removed = false;
    if (fstat(folder, &info) == 0 && info.st_uid == geteuid()) {
        lock = openat(folder, LOCK_NAME, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
        bool ended = lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0;
        if (ended)
            remove_files(folder);
        removed = (ended || lock < 0) && unlinkat(directory, name, AT_REMOVEDIR) == 0;
    }
    if (lock >= 0)
        close(lock);
    close(folder);
    if (removed)
        cmus_info("removed %s/%s, which a killed job had left", path, name);
}

void cmus_stage_folder_clean(const char *directory) {
    char *begin = prefix(), **names;
    size_t length = strlen(begin), count;
    int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0 && cmus_folder_list(directory, &names, &count) == CMUS_OK) {
        for (size_t i = 0; i < count; i++)
            if (strncmp(names[i], begin, length) == 0 && strlen(names[i]) == length + RANDOM_LETTERS)
                clean_one(descriptor, directory, names[i]);
        cmus_names_free(names, count);
    }
    if (descriptor >= 0)
        close(descriptor);
    cmus_free(begin);
}
