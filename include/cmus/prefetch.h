/* Cases loaded ahead of the network: a thread fills one batch while the network computes on another.
 *
 * What will be needed is said in advance, as groups of cases in the order in which they will be taken (a group: an
 * update's batch, or an evaluation). Each group is cut into portions; the thread has the next portion ready. What a
 * portion holds depends on its cases and epoch alone, so that the thread changes no result.
 *
 * HDF5 need not be a build with locks of its own: while a prefetch lives, its thread is the only one in the process
 * that may call HDF5, so no other function of dataset.h that reads, opens or closes may be called. (What is known of a
 * case without its images, cmus_dataset_case() and the like, stays free to use.) Not collective; one thread uses a
 * prefetch.
 */
#ifndef CMUS_PREFETCH_H
#define CMUS_PREFETCH_H

#include <stdbool.h>

#include "cmus/batch.h"
#include "cmus/communicator.h"

/* A portion's limits. The network splits it further as its memory asks. */
enum { CMUS_CASES_AT_ONCE = 16, CMUS_PIXEL_BYTES_AT_ONCE = 64 << 20 /* a single case may have more */ };

/* Cases that are loaded at once. Valid until the next portion is taken. */
typedef struct cmus_portion {
    int count;          /* of cases; 0 if the group has none for this rank */
    bool last;          /* of its group */
    const int *indices; /* [count], of the data set */
    const cmus_case *cases;
    cmus_case_result *results; /* [count], with their TEM arrays set */
} cmus_portion;

typedef struct cmus_prefetch cmus_prefetch;

/* Starts the thread. All four must outlive the prefetch. Free it by cmus_prefetch_free(). */
cmus_prefetch *cmus_prefetch_create(const cmus_communicator *communicator, const cmus_net *net, cmus_dataset *dataset,
                                    const cmus_config *config);

/* Ends the thread, after the case that it is reading, whatever is still queued. NULL is allowed. */
void cmus_prefetch_free(cmus_prefetch *prefetch);

/* Queues a group: those of the cases `indices` [count] that cmus_batch_share() gives to this rank, with the choices of
 * `epoch` (-1: none, as cmus_batch_load()). It makes one portion or more, also if no case is this rank's. Every rank
 * must queue the same groups. */
void cmus_prefetch_add(cmus_prefetch *prefetch, const int *indices, int count, int epoch);

/* The next portion of what was queued; waits until it is loaded, and gives the one before back for loading. FORMAT or
 * CHECKSUM names shard and case, as cmus_batch_load(); only the portion with the damaged case fails, and the next call
 * takes the one after it. Fatal if nothing is queued. */
cmus_status cmus_prefetch_next(cmus_prefetch *prefetch, cmus_portion *portion);

/* Seconds that cmus_prefetch_next() has waited so far. */
double cmus_prefetch_waited(const cmus_prefetch *prefetch);

#endif
