/* The file is made complete under another name and linked to its own, which only one can do. Its owner rewrites it in
 * place: a lock that was taken over has become another file, so that even an owner that comes back in that moment does
 * not write over the new one.
 *
 * Of those that take over a dead lock, one can make PATH.next, the file that will be the new lock. It sees that the
 * lock is still the dead one, and renames PATH.next to PATH: that replaces the lock and ends the election in one step,
 * and there is always a lock. Whoever comes too late, with a dead lock in mind that is there no more, removes its
 * PATH.next again. Whatever the calls say (a network file system may lose an answer), the one whose token is in the
 * file holds the lock. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "fold_lock_internal.h"

static const cmus_fold_lock_times usual_times = {.beat = 10, .patience = 60, .poll = 1};
enum { LIMIT = 8192, TRIES = 100 };

struct cmus_fold_lock {
    char *path;
    cmus_fold_owner self;
    double beat_seconds;
    bool warned; /* the thread's alone */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t woken;
    bool stop; /* under the mutex */
};

/* What stood in a lock file. */
typedef struct content {
    char text[LIMIT];
    size_t size;
    bool readable; /* then `owner` is set */
    cmus_fold_owner owner;
} content;

/* One that wants the lock. */
typedef struct taker {
    const char *path;
    char *next, *temporary;
    cmus_fold_owner self;
    const cmus_fold_lock_times *times;
} taker;

/* "RUN/fold-3" of the path "RUN/fold-3.lock", for messages: its length. */
static int fold_length(const char *path) {
    size_t length = strlen(path), end = strlen(".lock");
    return (int)(length > end && strcmp(path + length - end, ".lock") == 0 ? length - end : length);
}

static struct timespec time_of(double seconds) {
    time_t whole = (time_t)seconds;
    return (struct timespec){.tv_sec = whole, .tv_nsec = (long)((seconds - (double)whole) * 1e9)};
}

static void pause_for(double seconds) {
    struct timespec left = time_of(seconds);
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

/* A network file system may answer from what it remembers of the folder; opening that makes it ask the server. */
static void refresh_folder(const char *path) {
    const char *slash = strrchr(path, '/');
    char *folder = slash ? cmus_format_string("%.*s", (int)(slash - path + 1), path) : cmus_copy_string(".");
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0)
        close(descriptor);
    cmus_free(folder);
}

/* The descriptor of a lock file that was read, or -1 with errno. */
static int try_to_read(const char *path, int flags, content *found) {
    ssize_t got = -1;
    found->size = 0;
    int descriptor = open(path, flags | O_CLOEXEC);
    while (descriptor >= 0 && found->size < LIMIT) {
        got = read(descriptor, found->text + found->size, LIMIT - found->size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        found->size += (size_t)got;
    }
    if (descriptor < 0 || got >= 0)
        return descriptor;
    int error = errno;
    close(descriptor);
    errno = error;
    return -1;
}

/* Opens and reads a lock file, of which no more than LIMIT bytes count. NOT_FOUND, IO. */
static cmus_status open_and_read(const char *path, int flags, int *descriptor, content *found) {
    enum { STALE_TRIES = 5 };
    refresh_folder(path);
    *descriptor = try_to_read(path, flags, found);
    for (int i = 0; i < STALE_TRIES && *descriptor < 0 && errno == ESTALE; i++) /* replaced on its server meanwhile */
        *descriptor = try_to_read(path, flags, found);
    if (*descriptor < 0)
        return cmus_fail(errno == ENOENT ? CMUS_ERROR_NOT_FOUND : CMUS_ERROR_IO, "%s: %s", path, strerror(errno));
    found->readable = cmus_fold_owner_read(found->text, found->size, &found->owner);
    return CMUS_OK;
}

/* NOT_FOUND, IO. */
static cmus_status look(const char *path, content *found) {
    int descriptor;
    CMUS_TRY(open_and_read(path, O_RDONLY, &descriptor, found));
    close(descriptor);
    return CMUS_OK;
}

static bool is_same(const content *a, const content *b) {
    return a->size == b->size && memcmp(a->text, b->text, a->size) == 0;
}

static bool is_of(const content *found, const cmus_fold_owner *owner) {
    return found->readable && strcmp(found->owner.token, owner->token) == 0;
}

/* Free it with cmus_free(). */
static char *describe(const content *found) {
    return found->readable ? cmus_fold_owner_describe(&found->owner) : cmus_copy_string("an owner that can't be read");
}

static bool write_all(int descriptor, const char *text, size_t size) {
    size_t done = 0;
    while (done < size) {
        ssize_t put = pwrite(descriptor, text + done, size - done, (off_t)done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        done += (size_t)put;
    }
    return true;
}

/* Makes a file that was not there; false with errno, and then none is left that was made here. */
static bool write_new(const char *path, const char *text) {
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0)
        return false;
    bool written = write_all(descriptor, text, strlen(text));
    int error = errno;
    if (close(descriptor) != 0 && written) { /* a network file system may write only now */
        error = errno;
        written = false;
    }
    if (!written)
        unlink(path);
    errno = error;
    return written;
}

/* Makes the file `name` of the taker's record, unless it is there. *made: whether it is this taker's now. IO. */
static cmus_status make(const taker *t, const char *name, bool *made) {
    char *text = cmus_fold_owner_write(&t->self);
    bool done = write_new(t->temporary, text);
    if (done) {
        done = link(t->temporary, name) == 0 || errno == EEXIST || write_new(name, text) || errno == EEXIST;
        int error = errno;
        unlink(t->temporary);
        errno = error;
    }
    cmus_free(text);
    if (!done)
        return cmus_fail(CMUS_ERROR_IO, "can't write %s: %s", name, strerror(errno));
    content found;
    cmus_status status = look(name, &found);
    *made = status == CMUS_OK && is_of(&found, &t->self);
    return status == CMUS_ERROR_IO ? status : CMUS_OK;
}

static cmus_status refuse(const taker *t, const content *found) {
    char *owner = describe(found);
    bool known = found->readable;
    cmus_status status =
        cmus_fail(CMUS_ERROR_IO, "%.*s: %s trains it%s%s; wait for it, or cancel it", fold_length(t->path), t->path,
                  owner, known ? " since " : "", known ? found->owner.since : "");
    cmus_free(owner);
    return status;
}

static void announce_wait(const taker *t, const content *seen) {
    char *owner = describe(seen);
    cmus_info("%.*s is locked by %s%s%s: waiting up to %g s to see whether it is still alive", fold_length(t->path),
              t->path, owner, seen->readable ? " since " : "", seen->readable ? seen->owner.since : "",
              t->times->patience);
    cmus_free(owner);
}

/* What is known of the owner of the lock that was seen. */
static cmus_owner_state judge(const taker *t, const content *seen, const char **why) {
    return seen->readable ? cmus_fold_owner_state(&seen->owner, &t->self, why) : CMUS_OWNER_UNKNOWN;
}

/* Waits until the owner of the lock that was seen is known to have ended, and says why; *why is NULL if the lock is
 * gone. IO: the owner is alive. */
static cmus_status await_end(const taker *t, content *seen, const char **why) {
    double began = cmus_seconds();
    for (bool announced = false;; announced = true) {
        cmus_owner_state state = judge(t, seen, why);
        if (state == CMUS_OWNER_ENDED)
            return CMUS_OK;
        if (state == CMUS_OWNER_ALIVE)
            return refuse(t, seen);
        *why = state == CMUS_OWNER_LEAVING ? "it was a former start of this job, though its process has not ended yet"
                                           : "it shows no sign of life";
        if (cmus_seconds() - began >= t->times->patience)
            return CMUS_OK;
        if (!announced)
            announce_wait(t, seen);
        pause_for(t->times->poll);
        content now;
        cmus_status status = look(t->path, &now);
        if (status == CMUS_ERROR_NOT_FOUND) {
            *why = NULL;
            return CMUS_OK;
        }
        CMUS_TRY(status);
        bool still_leaving = state == CMUS_OWNER_LEAVING && is_of(&now, &seen->owner);
        if (!still_leaving && !is_same(&now, seen))
            return refuse(t, &now);
        *seen = now;
    }
}

/* Another takes over the same dead lock: waits until it is done. One that was killed within these few steps has left
 * PATH.next: it is removed when nothing has changed for the whole patience. */
static cmus_status await_other_taker(const taker *t, const content *dead) {
    content first = {0}, now;
    double began = cmus_seconds();
    while (cmus_seconds() - began < t->times->patience) {
        pause_for(t->times->poll);
        cmus_status status = look(t->path, &now);
        if (status != CMUS_OK || !is_same(&now, dead))
            return status == CMUS_ERROR_IO ? status : CMUS_OK;
        status = look(t->next, &now);
        if (status != CMUS_OK)
            return status == CMUS_ERROR_IO ? status : CMUS_OK;
        if (!is_same(&now, &first))
            began = cmus_seconds();
        first = now;
    }
    unlink(t->next);
    return CMUS_OK;
}

/* *held is false if the lock is not the dead one any more, or another taker was at it. IO. */
static cmus_status replace(const taker *t, const content *dead, const char *why, bool *held) {
    *held = false;
    bool made;
    CMUS_TRY(make(t, t->next, &made));
    if (!made)
        return await_other_taker(t, dead);
    content now;
    cmus_status status = look(t->path, &now);
    if (status == CMUS_OK && is_same(&now, dead) && rename(t->next, t->path) != 0 && errno != ENOENT)
        status = cmus_fail(CMUS_ERROR_IO, "can't write %s: %s", t->path, strerror(errno));
    if (status == CMUS_OK)
        status = look(t->path, &now);
    *held = status == CMUS_OK && is_of(&now, &t->self);
    if (*held) {
        char *owner = describe(dead);
        cmus_warn("%.*s: taken over from %s%s%s: %s", fold_length(t->path), t->path, owner,
                  dead->readable ? " since " : "", dead->readable ? dead->owner.since : "", why);
        cmus_free(owner);
    } else if (look(t->next, &now) == CMUS_OK && is_of(&now, &t->self)) {
        unlink(t->next);
    }
    return status == CMUS_ERROR_NOT_FOUND ? CMUS_OK : status;
}

static cmus_status take(const taker *t) {
    for (int i = 0; i < TRIES; i++) {
        bool held;
        CMUS_TRY(make(t, t->path, &held));
        if (held)
            return CMUS_OK;
        content seen;
        cmus_status status = look(t->path, &seen);
        if (status == CMUS_ERROR_NOT_FOUND)
            continue;
        CMUS_TRY(status);
        const char *why;
        CMUS_TRY(await_end(t, &seen, &why));
        if (why)
            CMUS_TRY(replace(t, &seen, why, &held));
        if (held)
            return CMUS_OK;
    }
    return cmus_fail(CMUS_ERROR_IO, "can't take the lock %s: it changes all the time", t->path);
}

/* The loss, for a message, or NULL if the lock is held as far as `status` and `found` of a look can tell. Free it with
 * cmus_free(). */
static char *loss(const cmus_fold_lock *lock, cmus_status status, const content *found) {
    int length = fold_length(lock->path);
    if (status == CMUS_ERROR_NOT_FOUND)
        return cmus_format_string("%s is gone: without its lock, another job may train %.*s", lock->path, length,
                                  lock->path);
    if (status != CMUS_OK || is_of(found, &lock->self))
        return NULL;
    char *owner = describe(found);
    char *text = cmus_format_string("%.*s: another job has taken over, and both would write into its folder: %s%s%s",
                                    length, lock->path, owner, found->readable ? ", since " : "",
                                    found->readable ? found->owner.since : "");
    cmus_free(owner);
    return text;
}

/* A sign of life. */
static void beat(cmus_fold_lock *lock) {
    content found;
    int descriptor;
    cmus_status status = open_and_read(lock->path, O_RDWR, &descriptor, &found);
    char *text = loss(lock, status, &found);
    if (text)
        cmus_fatal("%s", text);
    int error = 0;
    if (status == CMUS_OK) {
        lock->self.beat++;
        text = cmus_fold_owner_write(&lock->self);
        if (!write_all(descriptor, text, strlen(text)))
            error = errno;
        if (close(descriptor) != 0 && !error) /* a network file system sends it now */
            error = errno;
        cmus_free(text);
    }
    if ((status == CMUS_OK && !error) || lock->warned)
        return;
    lock->warned = true;
    cmus_warn("the lock of this fold can't be rewritten (%s): it is tried again, but another job may take this one for "
              "dead",
              error ? strerror(error) : cmus_last_error());
}

/* Sleeps until the next beat is due; false: it has to stop. */
static bool wait_for_beat(cmus_fold_lock *lock) {
    struct timespec until, step = time_of(lock->beat_seconds);
    clock_gettime(CLOCK_MONOTONIC, &until);
    long nanoseconds = until.tv_nsec + step.tv_nsec;
    until.tv_sec += step.tv_sec + nanoseconds / 1000000000;
    until.tv_nsec = nanoseconds % 1000000000;
    int code = 0;
    pthread_mutex_lock(&lock->mutex);
    while (!lock->stop && code == 0)
        code = pthread_cond_timedwait(&lock->woken, &lock->mutex, &until);
    bool stop = lock->stop;
    pthread_mutex_unlock(&lock->mutex);
    return !stop;
}

static void *run(void *data) {
    cmus_fold_lock *lock = data;
    while (wait_for_beat(lock))
        beat(lock);
    return NULL;
}

static cmus_fold_lock *start(const taker *t) {
    cmus_fold_lock *lock = cmus_allocate(1, sizeof *lock);
    lock->path = cmus_copy_string(t->path);
    lock->self = t->self;
    lock->beat_seconds = t->times->beat;
    pthread_mutex_init(&lock->mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&lock->woken, &monotonic);
    pthread_condattr_destroy(&monotonic);
    sigset_t all, before; /* signals are for the threads that can handle them */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int error = pthread_create(&lock->thread, NULL, run, lock);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        cmus_fatal("can't start the thread that keeps the lock of the fold: %s", strerror(error));
    return lock;
}

cmus_status cmus_fold_lock_take_timed(const char *path, const cmus_fold_lock_times *times, cmus_fold_lock **lock) {
    *lock = NULL;
    taker t = {.path = path, .times = times};
    cmus_fold_owner_self(&t.self);
    t.next = cmus_format_string("%s.next", path);
    t.temporary = cmus_format_string("%s.%s.tmp", path, t.self.token);
    cmus_status status = take(&t);
    if (status == CMUS_OK)
        *lock = start(&t);
    cmus_free(t.next);
    cmus_free(t.temporary);
    return status;
}

cmus_status cmus_fold_lock_take(const char *path, cmus_fold_lock **lock) {
    return cmus_fold_lock_take_timed(path, &usual_times, lock);
}

cmus_status cmus_fold_lock_check(const cmus_fold_lock *lock) {
    content found;
    cmus_status status = look(lock->path, &found);
    char *text = loss(lock, status, &found);
    if (!text)
        return CMUS_OK;
    cmus_fail(CMUS_ERROR_IO, "%s", text);
    cmus_free(text);
    return CMUS_ERROR_IO;
}

void cmus_fold_lock_release(cmus_fold_lock *lock) {
    if (!lock)
        return;
    pthread_mutex_lock(&lock->mutex);
    lock->stop = true;
    pthread_cond_signal(&lock->woken);
    pthread_mutex_unlock(&lock->mutex);
    pthread_join(lock->thread, NULL);
    content found;
    if (look(lock->path, &found) == CMUS_OK && is_of(&found, &lock->self) && unlink(lock->path) != 0)
        cmus_warn("%s could not be removed: %s", lock->path, strerror(errno));
    pthread_cond_destroy(&lock->woken);
    pthread_mutex_destroy(&lock->mutex);
    cmus_free(lock->path);
    cmus_free(lock);
}
