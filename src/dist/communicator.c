/* Sums, broadcasts and texts between ranks. Counts are cut so that they fit MPI's int. */
#include "cmus/communicator.h"

#include <limits.h>
#include <mpi.h>
#include <string.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/trace.h"
#include "mpi_check.h"

enum { MESSAGE_SIZE = 4096, EXCHANGE_TAG = 1 };
static const size_t BROADCAST_PART = (size_t)1 << 28; /* bytes */

/* What the ranks do here together is quickly done: the time is that until the last one comes. */
static void end_wait(double began) {
    cmus_trace_end(CMUS_ACTIVITY_WAITING, "wait for ranks", began);
}

void cmus_sum_doubles(const cmus_communicator *communicator, double *values, size_t count) {
    if (communicator->ranks == 1)
        return;
    if (count > INT_MAX)
        cmus_fatal("a sum of %zu doubles is larger than MPI counts", count);
    double began = cmus_trace_begin();
    cmus_mpi_check(MPI_Allreduce(MPI_IN_PLACE, values, (int)count, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD),
                   "MPI_Allreduce");
    end_wait(began);
}

void cmus_maximum_double(const cmus_communicator *communicator, double *value) {
    if (communicator->ranks == 1)
        return;
    double began = cmus_trace_begin();
    cmus_mpi_check(MPI_Allreduce(MPI_IN_PLACE, value, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD), "MPI_Allreduce");
    end_wait(began);
}

void cmus_broadcast(const cmus_communicator *communicator, void *data, size_t size, int root) {
    if (communicator->ranks == 1)
        return;
    double began = cmus_trace_begin();
    for (size_t done = 0; done < size; done += BROADCAST_PART) {
        size_t part = size - done < BROADCAST_PART ? size - done : BROADCAST_PART;
        cmus_mpi_check(MPI_Bcast((char *)data + done, (int)part, MPI_BYTE, root, MPI_COMM_WORLD), "MPI_Bcast");
    }
    end_wait(began);
}

char *cmus_broadcast_text(const cmus_communicator *communicator, const char *text) {
    bool root = communicator->rank == 0;
    size_t size = root ? strlen(text) + 1 : 0;
    cmus_broadcast(communicator, &size, sizeof size, 0);
    char *own = cmus_allocate(size, 1);
    if (root)
        memcpy(own, text, size);
    cmus_broadcast(communicator, own, size, 0);
    return own;
}

/* Rank 0's part of cmus_gather_bytes: sizes of all ranks are known; returns the displacements for MPI_Gatherv. */
static int *displacements(const int *sizes, int ranks, size_t *total) {
    int *begins = cmus_allocate((size_t)ranks, sizeof(int));
    *total = 0;
    for (int rank = 0; rank < ranks; rank++) {
        if (*total > INT_MAX)
            cmus_fatal("what the ranks gather is larger than 2 GiB");
        begins[rank] = (int)*total;
        *total += (size_t)sizes[rank];
    }
    return begins;
}

void cmus_gather_bytes(const cmus_communicator *communicator, const void *data, size_t size, char **all,
                       size_t *sizes) {
    if (size > INT_MAX)
        cmus_fatal("what the ranks gather is larger than 2 GiB");
    if (communicator->ranks == 1) {
        *all = cmus_allocate_raw(size, 1);
        if (size)
            memcpy(*all, data, size);
        sizes[0] = size;
        return;
    }
    bool root = communicator->rank == 0;
    int own = (int)size, *counts = NULL, *begins = NULL;
    size_t total = 0;
    *all = NULL;
    if (root)
        counts = cmus_allocate((size_t)communicator->ranks, sizeof(int));
    cmus_mpi_check(MPI_Gather(&own, 1, MPI_INT, counts, 1, MPI_INT, 0, MPI_COMM_WORLD), "MPI_Gather");
    if (root) {
        begins = displacements(counts, communicator->ranks, &total);
        *all = cmus_allocate_raw(total, 1);
        for (int rank = 0; rank < communicator->ranks; rank++)
            sizes[rank] = (size_t)counts[rank];
    }
    cmus_mpi_check(MPI_Gatherv(data, own, MPI_BYTE, *all, counts, begins, MPI_BYTE, 0, MPI_COMM_WORLD), "MPI_Gatherv");
    cmus_free(counts);
    cmus_free(begins);
}

cmus_status cmus_agree(const cmus_communicator *communicator, cmus_status status) {
    if (communicator->ranks == 1)
        return status;
    int first = status == CMUS_OK ? communicator->ranks : communicator->rank;
    double began = cmus_trace_begin();
    cmus_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD), "MPI_Allreduce");
    end_wait(began);
    if (first == communicator->ranks)
        return CMUS_OK;
    struct {
        int status;
        char message[MESSAGE_SIZE];
    } report = {.status = (int)status};
    if (first == communicator->rank)
        strncpy(report.message, cmus_last_error(), MESSAGE_SIZE - 1);
    cmus_broadcast(communicator, &report, sizeof report, first);
    return cmus_fail((cmus_status)report.status, "%s", report.message);
}

/* A message in parts that MPI can count, as requests from *count on. */
static void post(const cmus_message *message, bool send, MPI_Request *requests, size_t *count) {
    for (size_t done = 0; done < message->size; done += BROADCAST_PART) {
        size_t part = message->size - done < BROADCAST_PART ? message->size - done : BROADCAST_PART;
        char *data = (char *)message->data + done;
        MPI_Request *request = &requests[(*count)++];
        if (send)
            cmus_mpi_check(MPI_Isend(data, (int)part, MPI_BYTE, message->peer, EXCHANGE_TAG, MPI_COMM_WORLD, request),
                           "MPI_Isend");
        else
            cmus_mpi_check(MPI_Irecv(data, (int)part, MPI_BYTE, message->peer, EXCHANGE_TAG, MPI_COMM_WORLD, request),
                           "MPI_Irecv");
    }
}

static size_t parts(const cmus_message *messages, size_t count) {
    size_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (messages[i].size + BROADCAST_PART - 1) / BROADCAST_PART;
    return sum;
}

void cmus_exchange(const cmus_communicator *communicator, const cmus_message *sends, size_t send_count,
                   const cmus_message *receives, size_t receive_count) {
    size_t all = parts(sends, send_count) + parts(receives, receive_count), count = 0;
    if (communicator->ranks == 1 || all == 0)
        return;
    if (all > INT_MAX)
        cmus_fatal("an exchange of %zu messages is larger than MPI counts", all);
    MPI_Request *requests = cmus_allocate(all, sizeof(MPI_Request));
    for (size_t i = 0; i < receive_count; i++)
        post(&receives[i], false, requests, &count);
    for (size_t i = 0; i < send_count; i++)
        post(&sends[i], true, requests, &count);
    cmus_mpi_check(MPI_Waitall((int)count, requests, MPI_STATUSES_IGNORE), "MPI_Waitall");
    cmus_free(requests);
}

void cmus_barrier(const cmus_communicator *communicator) {
    if (communicator->ranks == 1)
        return;
    double began = cmus_trace_begin();
    cmus_mpi_check(MPI_Barrier(MPI_COMM_WORLD), "MPI_Barrier");
    end_wait(began);
}
