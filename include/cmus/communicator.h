/* Ranks: start and end of MPI, sums, broadcasts and texts between them. The only public face of MPI in this project.
 *
 * "Collective" functions must be called by all ranks in the same order; failures of MPI itself end the job (fatal
 * path).
 */
#ifndef CMUS_COMMUNICATOR_H
#define CMUS_COMMUNICATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmus/status.h"

typedef struct cmus_communicator {
    int rank, ranks;
} cmus_communicator;

/* Collective. Starts MPI (thread level MULTIPLE: see reducer.h and watchdog.h), sets the rank in log.h and makes
 * cmus_fatal() end all ranks. */
cmus_communicator cmus_communicator_begin(int *argc, char ***argv, const char *program);
/* Collective. */
void cmus_communicator_end(void);

/* Collective. In place: the sums over the ranks. Gradients are summed by reducer.h. */
void cmus_sum_doubles(const cmus_communicator *communicator, double *values, size_t count);
/* Collective. From `root` to all. */
void cmus_broadcast(const cmus_communicator *communicator, void *data, size_t size, int root);
/* Collective. The text of rank 0 on every rank; `text` of the others is not looked at. Free with cmus_free(). */
char *cmus_broadcast_text(const cmus_communicator *communicator, const char *text);
/* Collective. Every rank gives `size` bytes; rank 0 gets all of them one after another in *all (free with cmus_free())
 * and their sizes in sizes [ranks]; other ranks get NULL. */
void cmus_gather_bytes(const cmus_communicator *communicator, const void *data, size_t size, char **all, size_t *sizes);
/* Collective. The same status on every rank: OK if all are OK; else the first failing rank's status and message. */
cmus_status cmus_agree(const cmus_communicator *communicator, cmus_status status);
/* A stretch of memory from or to another rank. */
typedef struct cmus_message {
    int peer;
    void *data;
    size_t size;
} cmus_message;

/* Sends and receives; a message to the own rank is not allowed. Every message sent is received by its peer, which names
 * the same size; messages between two ranks match in the order in which both name them. Every rank that has a message
 * must call. */
void cmus_exchange(const cmus_communicator *communicator, const cmus_message *sends, size_t send_count,
                   const cmus_message *receives, size_t receive_count);

/* Collective. */
void cmus_barrier(const cmus_communicator *communicator);

/* Collective. In place: the largest of all ranks' values. */
void cmus_maximum_double(const cmus_communicator *communicator, double *value);
/* Collective. Threads for this rank so that the ranks of one machine fill its processors once: all that it is bound to,
 * or its share of those that several unbound ranks may use. At least 1. */
int cmus_threads_per_rank(void);

/* Not collective. Host name of this process. */
const char *cmus_host_name(void);
/* Not collective. For run.json: "Open MPI v4.1.4, ..." on one line. */
const char *cmus_mpi_version(void);

#endif
