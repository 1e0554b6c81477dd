/* Shared windows of MPI-3: the host's first rank owns the memory, all read and write it as their own.
 *
 * Open MPI maps a file for it (in /dev/shm, or where its parameter osc_sm_backing_directory says), without taking the
 * room: the first touch of a page that has none ends the process with SIGBUS. So the room is looked at before, and then
 * taken page by page in a way that can fail. A host with one rank gets plain memory from Open MPI.
 */
#include "cmus/shared_memory.h"

#include <errno.h>
#include <limits.h>
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "mpi_check.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; older headers do not know it */
#endif

enum { PATH_TEXT = 4096 };

struct cmus_shared_memory {
    MPI_Comm host;
    MPI_Win window;
    cmus_host_ranks ranks;
    unsigned char *bytes;
    size_t size;
};

/* The ranks of this host, in the order of their numbers in the job. */
static cmus_host_ranks split_hosts(const cmus_communicator *communicator, MPI_Comm *host) {
    cmus_host_ranks ranks;
    cmus_mpi_check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, communicator->rank, MPI_INFO_NULL, host),
                   "MPI_Comm_split_type");
    MPI_Comm_set_errhandler(*host, MPI_ERRORS_RETURN);
    cmus_mpi_check(MPI_Comm_rank(*host, &ranks.rank), "MPI_Comm_rank");
    cmus_mpi_check(MPI_Comm_size(*host, &ranks.ranks), "MPI_Comm_size");
    return ranks;
}

cmus_host_ranks cmus_host_ranks_of(const cmus_communicator *communicator) {
    MPI_Comm host;
    cmus_host_ranks ranks = split_hosts(communicator, &host);
    MPI_Comm_free(&host);
    return ranks;
}

void cmus_host_broadcast(const cmus_communicator *communicator, void *data, size_t size) {
    MPI_Comm host;
    split_hosts(communicator, &host);
    if (size > INT_MAX)
        cmus_fatal("a broadcast of %zu bytes is larger than MPI counts", size);
    cmus_mpi_check(MPI_Bcast(data, (int)size, MPI_BYTE, 0, host), "MPI_Bcast");
    MPI_Comm_free(&host);
}

/* Open MPI's parameter, read by MPI's interface for tools; false with another MPI. */
static bool read_parameter(const char *name, char text[PATH_TEXT]) {
    int provided, index, count = 0;
    MPI_T_cvar_handle handle;
    text[0] = 0;
    if (MPI_T_init_thread(MPI_THREAD_MULTIPLE, &provided) != MPI_SUCCESS)
        return false;
    if (MPI_T_cvar_get_index(name, &index) == MPI_SUCCESS &&
        MPI_T_cvar_handle_alloc(index, NULL, &handle, &count) == MPI_SUCCESS) {
        if (count > PATH_TEXT || MPI_T_cvar_read(handle, text) != MPI_SUCCESS)
            text[0] = 0;
        MPI_T_cvar_handle_free(&handle);
    }
    MPI_T_finalize();
    return text[0] != 0;
}

/* Free bytes of the file system where the window's file will lie; its folder in `where`. */
static bool free_in_folder(char where[PATH_TEXT], uint64_t *room) {
    struct statvfs info;
    if (!read_parameter("osc_sm_backing_directory", where))
        snprintf(where, PATH_TEXT, "/dev/shm");
    if (statvfs(where, &info) != 0)
        return false;
    *room = (uint64_t)info.f_bavail * info.f_frsize;
    return true;
}

/* Bytes that new pages may take without swapping, as the kernel estimates it. */
static bool free_memory(uint64_t *room) {
    FILE *file = fopen("/proc/meminfo", "r");
    char line[256];
    unsigned long long kibibytes = 0;
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file))
        found = sscanf(line, "MemAvailable: %llu kB", &kibibytes) == 1;
    if (file)
        fclose(file);
    *room = (uint64_t)kibibytes << 10;
    return found;
}

static cmus_status no_room(size_t size, const char *where, uint64_t room) {
    return cmus_fail(CMUS_ERROR_LIMIT,
                     "host %s: %.1f MiB of memory for all its ranks are wanted, but %s has %.1f MiB free",
                     cmus_host_name(), (double)size / (1 << 20), where, (double)room / (1 << 20));
}

/* By the host's first rank. */
static cmus_status check_room(size_t size, int ranks) {
    char where[PATH_TEXT];
    uint64_t room;
    if (size > PTRDIFF_MAX) /* MPI counts bytes by a signed number */
        return no_room(size, "a window of MPI", PTRDIFF_MAX);
    if (free_memory(&room) && size > room)
        return no_room(size, "the host's memory", room);
    if (ranks > 1 && free_in_folder(where, &room) && size > room)
        return no_room(size, where, room);
    return CMUS_OK;
}

/* Takes the pages of this rank's share, so that none of them can be missing later; zeroes them. */
static cmus_status take_pages(const cmus_shared_memory *memory) {
    if (memory->ranks.ranks == 1) {
        memset(memory->bytes, 0, memory->size);
        return CMUS_OK;
    }
    size_t page = (size_t)sysconf(_SC_PAGESIZE), ranks = (size_t)memory->ranks.ranks;
    size_t share = (memory->size / ranks / page + 1) * page, begin = share * (size_t)memory->ranks.rank;
    if (begin >= memory->size)
        return CMUS_OK;
    size_t size = memory->size - begin < share ? memory->size - begin : share;
    unsigned char *first = memory->bytes + begin;
    size_t before = (uintptr_t)first % page; /* the window's bytes need not begin with a page */
    if (madvise(first - before, size + before, MADV_POPULATE_WRITE) == 0)
        return CMUS_OK; /* a new file: all zero */
    if (errno == EINVAL) {
        memset(first, 0, size); /* a kernel without it */
        return CMUS_OK;
    }
    uint64_t room = 0;
    char where[PATH_TEXT];
    free_in_folder(where, &room);
    return no_room(memory->size, where, room);
}

static void allocate(cmus_shared_memory *memory) {
    MPI_Aint size = memory->ranks.rank == 0 ? (MPI_Aint)memory->size : 0;
    int unit;
    void *bytes;
    cmus_mpi_check(MPI_Win_allocate_shared(size, 1, MPI_INFO_NULL, memory->host, &bytes, &memory->window),
                   "MPI_Win_allocate_shared");
    MPI_Win_set_errhandler(memory->window, MPI_ERRORS_RETURN);
    cmus_mpi_check(MPI_Win_shared_query(memory->window, 0, &size, &unit, &bytes), "MPI_Win_shared_query");
    memory->bytes = bytes;
    cmus_mpi_check(MPI_Win_lock_all(MPI_MODE_NOCHECK, memory->window), "MPI_Win_lock_all");
}

cmus_status cmus_shared_memory_create(const cmus_communicator *communicator, size_t size, cmus_shared_memory **result) {
    cmus_shared_memory *memory = cmus_allocate(1, sizeof *memory);
    *memory = (cmus_shared_memory){.window = MPI_WIN_NULL, .size = size > 0 ? size : 1};
    memory->ranks = split_hosts(communicator, &memory->host);
    *result = NULL;
    cmus_status status = memory->ranks.rank == 0 ? check_room(memory->size, memory->ranks.ranks) : CMUS_OK;
    status = cmus_agree(communicator, status);
    if (status == CMUS_OK) {
        allocate(memory);
        status = cmus_agree(communicator, take_pages(memory));
    }
    if (status != CMUS_OK) {
        cmus_shared_memory_free(memory);
        return status;
    }
    cmus_shared_memory_settle(memory);
    *result = memory;
    return CMUS_OK;
}

void cmus_shared_memory_free(cmus_shared_memory *memory) {
    if (!memory)
        return;
    if (memory->window != MPI_WIN_NULL) {
        cmus_mpi_check(MPI_Win_unlock_all(memory->window), "MPI_Win_unlock_all");
        cmus_mpi_check(MPI_Win_free(&memory->window), "MPI_Win_free");
    }
    MPI_Comm_free(&memory->host);
    cmus_free(memory);
}

void *cmus_shared_memory_bytes(cmus_shared_memory *memory) {
    return memory->bytes;
}

void cmus_shared_memory_settle(cmus_shared_memory *memory) {
    cmus_mpi_check(MPI_Win_sync(memory->window), "MPI_Win_sync");
    cmus_mpi_check(MPI_Barrier(memory->host), "MPI_Barrier");
    cmus_mpi_check(MPI_Win_sync(memory->window), "MPI_Win_sync");
}
