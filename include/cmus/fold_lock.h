/* The lock of a fold: one job at a time trains into RUN/fold-N. Not collective; by one process, rank 0.
 *
 * The lock is a file that names its owner (host, process, job) and changes every ten seconds, by a thread. It needs
 * nothing of the file system but link() or O_EXCL, so it holds across the hosts of a cluster; the kernel's locks often
 * do not. What a killed job has left is taken over: at once where its owner is known to have ended, which is so if
 * its process on this host is gone, if this host has been started anew, or if it was a former start of this same Slurm
 * job; else after a minute in which the file has not changed.
 *
 * A job that was taken for dead (its host was cut off, its process was stopped) and comes back finds its lost lock
 * within ten seconds and ends through cmus_fatal(), on whatever it is working. Until then two jobs may be at work on
 * one fold; cmus_fold_lock_check() before each write makes that short.
 */
#ifndef CMUS_FOLD_LOCK_H
#define CMUS_FOLD_LOCK_H

#include "cmus/status.h"

typedef struct cmus_fold_lock cmus_fold_lock;

/* Takes the lock in the file `path`, "RUN/fold-N.lock", whose folder must exist; beside it, files of its name and
 * something more come and go. May wait for a minute, and says so. IO: another job holds it (the message names host,
 * process, job and time), or the file can't be made. Free it with cmus_fold_lock_release(). */
cmus_status cmus_fold_lock_take(const char *path, cmus_fold_lock **lock);

/* Whether it is still this process's: reads one small file. IO: lost, the message says to whom. What can't be read for
 * another reason counts as held. */
cmus_status cmus_fold_lock_check(const cmus_fold_lock *lock);

/* Gives it back: removes the file, if it is still this process's, and frees the lock. NULL is allowed. */
void cmus_fold_lock_release(cmus_fold_lock *lock);

#endif
