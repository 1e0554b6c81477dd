/* The ranks of a host among themselves, and memory that they share: one copy of what each of them would hold otherwise.
 * MPI-3 shared windows. */
#ifndef CMUS_SHARED_MEMORY_H
#define CMUS_SHARED_MEMORY_H

#include <stddef.h>

#include "cmus/communicator.h"
#include "cmus/status.h"

/* The ranks of this host. */
typedef struct cmus_host_ranks {
    int rank, ranks; /* this one's number among them, from 0; how many */
} cmus_host_ranks;

/* Collective. */
cmus_host_ranks cmus_host_ranks_of(const cmus_communicator *communicator);

/* Collective. In place: from each host's first rank to all ranks of that host. */
void cmus_host_broadcast(const cmus_communicator *communicator, void *data, size_t size);

typedef struct cmus_shared_memory cmus_shared_memory;

/* Collective. `size` bytes on every host, the same on all its ranks, zeroed. LIMIT, with numbers, if a host's free
 * memory, or the folder where Open MPI keeps shared memory (/dev/shm, or its parameter osc_sm_backing_directory), has
 * less: the same status on every rank. The room is taken at once, so that nothing fails later. Free it with
 * cmus_shared_memory_free(), collective, NULL allowed. */
cmus_status cmus_shared_memory_create(const cmus_communicator *communicator, size_t size, cmus_shared_memory **result);
void cmus_shared_memory_free(cmus_shared_memory *memory);
/* Not collective. The memory's first byte, in this rank's address space. */
void *cmus_shared_memory_bytes(cmus_shared_memory *memory);
/* Collective. What the ranks of a host wrote before is seen by all of them afterwards. */
void cmus_shared_memory_settle(cmus_shared_memory *memory);

#endif
