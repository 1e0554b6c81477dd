#include "cmus/preload.h"

#include "cmus/log.h"

cmus_status cmus_preload_start(const cmus_communicator *communicator, cmus_dataset *dataset, const int *cases,
                               int count, int max_tem, cmus_shared_memory **memory) {
    *memory = NULL;
    cmus_host_ranks host = cmus_host_ranks_of(communicator);
    size_t size = cmus_dataset_preload_bytes(dataset, cases, count, max_tem);
    cmus_shared_memory *room;
    cmus_status status = cmus_shared_memory_create(communicator, size, &room);
    if (status != CMUS_OK)
        return cmus_fail(status, "preload: %s; leave the key out; `stage` needs disk instead of memory",
                         cmus_last_error());
    status =
        cmus_dataset_preload(dataset, cmus_shared_memory_bytes(room), cases, count, max_tem, host.rank, host.ranks);
    status = cmus_agree(communicator, status);
    if (status != CMUS_OK) {
        cmus_shared_memory_free(room);
        return status;
    }
    cmus_shared_memory_settle(room);
    cmus_info("preload: %.1f MiB of images in memory on each host", (double)size / (1 << 20));
    *memory = room;
    return CMUS_OK;
}
