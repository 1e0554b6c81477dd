/* The images of a fold in memory, once a host: each rank reads its share of them, all ranks of the host use them. */
#ifndef CMUS_PRELOAD_H
#define CMUS_PRELOAD_H

#include "cmus/communicator.h"
#include "cmus/dataset.h"
#include "cmus/shared_memory.h"

/* Collective. Reads the images of these cases [count] with at most max_tem TEM images each (0: all) into memory of
 * every host, from where `dataset` serves them from now on. Free *memory by cmus_shared_memory_free() when the data set
 * is not read any more. LIMIT if a host has no room; FORMAT or CHECKSUM names shard and case: the same on every rank.
 */
cmus_status cmus_preload_start(const cmus_communicator *communicator, cmus_dataset *dataset, const int *cases,
                               int count, int max_tem, cmus_shared_memory **memory);

#endif
