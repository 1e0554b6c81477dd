/* Waves loaded ahead of the network: a thread fills one batch while the network computes on another.
 *
 * What will be needed is said in advance, as groups of cases in the order in which they will be taken (a group: an
 * update's batch, or an evaluation). The thread cuts each group into waves (wave.h) and has this rank's share of the
 * next one ready. What a wave holds depends on its cases, epoch and the number of ranks alone, so that the thread
 * changes no result.
 *
 * HDF5 need not be a build with locks of its own: while a prefetch lives, its thread is the only one in the process
 * that may call HDF5, so no other function of dataset.h that reads, opens or closes may be called. (What is known of a
 * case without its images, cmus_dataset_case() and the like, stays free to use.) Not collective; one thread uses a
 * prefetch.
 */
#ifndef CMUS_PREFETCH_H
#define CMUS_PREFETCH_H

#include "cmus/batch.h"
#include "cmus/communicator.h"

/* A wave with this rank's share of it. Valid until the next portion is taken. */
typedef struct cmus_portion {
    const cmus_wave *wave;
    cmus_share share;
} cmus_portion;

typedef struct cmus_prefetch cmus_prefetch;

/* Starts the thread. All four must outlive the prefetch. Free it by cmus_prefetch_free(). */
cmus_prefetch *cmus_prefetch_create(const cmus_communicator *communicator, const cmus_net *net, cmus_dataset *dataset,
                                    const cmus_config *config);

/* Ends the thread, after the wave that it is reading, whatever is still queued. NULL is allowed. */
void cmus_prefetch_free(cmus_prefetch *prefetch);

/* Queues a group: the cases `indices` [count] with the choices of `epoch` (-1: none). It makes one portion or more on
 * every rank, also if no image is this rank's. Every rank must queue the same groups. */
void cmus_prefetch_add(cmus_prefetch *prefetch, const int *indices, int count, int epoch);

/* The next portion of what was queued; waits until it is loaded, and gives the one before back for loading. FORMAT or
 * CHECKSUM names shard and case, as cmus_batch_load(); only the portion with the damaged image fails, and the next call
 * takes the one after it; the portion's wave is there all the same. Fatal if nothing is queued. */
cmus_status cmus_prefetch_next(cmus_prefetch *prefetch, cmus_portion *portion);

/* Seconds that cmus_prefetch_next() has waited so far. */
double cmus_prefetch_waited(const cmus_prefetch *prefetch);

#endif
