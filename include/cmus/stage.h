/* Shards copied to a disk of each host before training, so that the shared file system is read once a host and not once
 * an image.
 *
 * One rank a host copies, into a new folder DIRECTORY/cmus-stage-HOST-RANDOM of its own, and compares each shard with
 * its SHA-256 while it does so; the others wait. The folder is held by a locked file (flock) in it, so that two jobs on
 * a host, or several hosts whose DIRECTORY is one file system, do not meet. It is removed at the end, after a failure,
 * and by exit(), cmus_fatal() and the signals that ask for an end (SIGTERM removes it at once; what is open stays
 * readable for those who end in order); what SIGKILL leaves, the next job of the same user on that host removes. Only
 * the shards are copied that have one of the cases, and only those: all else has been read by then.
 */
#ifndef CMUS_STAGE_H
#define CMUS_STAGE_H

#include "cmus/communicator.h"
#include "cmus/dataset.h"

typedef struct cmus_stage cmus_stage;

/* Collective; one stage a process at a time. Copies the shards of `dataset`, which lie in the folder `source`, that
 * have one of these cases [count], and has `dataset` read them from the copies from now on. NOT_FOUND, IO, LIMIT (no
 * room, with numbers), CHECKSUM: the same on every rank, and nothing is left. End it by cmus_stage_end(). */
cmus_status cmus_stage_start(const cmus_communicator *communicator, cmus_dataset *dataset, const char *source,
                             const char *directory, const int *cases, int count, cmus_stage **stage);

/* Collective. Removes the copies; the data set must be closed before. NULL (on every rank) is allowed. */
void cmus_stage_end(const cmus_communicator *communicator, cmus_stage *stage);

#endif
