/* A bucket on its way between the ranks: each rank sends its part of a piece to the piece's owner, who adds the parts
 * in the order of the ranks; sums (not sharded) and new weights go from the owner to all. */
#include <string.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "mpi_check.h"
#include "reducer_internal.h"
#include "reducer_sum.h"

enum {
    CHUNK = 1 << 16, /* values summed between two looks at the messages */
    BLOCK = 4096,    /* values whose sum stays in the first-level cache */
    /* Messages between two ranks match by purpose and bucket. MPI allows tags up to 32767, so the number of the bucket
     * wraps around; those of the few buckets on their way differ. */
    TAG_BUCKETS = 8192,
    TAG_PART = 0,
    TAG_SUM = TAG_BUCKETS,
    TAG_WEIGHTS = 2 * TAG_BUCKETS
};
/* Between ranks of one host, a look at the messages that takes longer than this has moved some of their bytes, and the
 * next one will. */
static const double MOVING_SECONDS = 3e-6;

static size_t value_bytes(cmus_wire wire) {
    return wire == CMUS_WIRE_INTEGER64 ? sizeof(int64_t) : sizeof(float);
}

size_t cmus_reducer_wire_bytes(cmus_wire wire) {
    return wire == CMUS_WIRE_BFLOAT16 ? sizeof(uint16_t) : value_bytes(wire);
}

static MPI_Datatype wire_type(cmus_wire wire) {
    return wire == CMUS_WIRE_BFLOAT16 ? MPI_UINT16_T : wire == CMUS_WIRE_INTEGER64 ? MPI_INT64_T : MPI_FLOAT;
}

void cmus_transfer_create(cmus_reducer *reducer, reducer_transfer *transfer) {
    size_t ranks = (size_t)reducer->ranks;
    transfer->requests = cmus_allocate(2 * (ranks - 1), sizeof *transfer->requests);
    transfer->parts = cmus_allocate_raw(ranks * reducer->stride, cmus_reducer_wire_bytes(reducer->wire));
    if (reducer->wire == CMUS_WIRE_BFLOAT16)
        transfer->rounded = cmus_allocate_raw(ranks * reducer->stride, sizeof *transfer->rounded);
}

void cmus_transfer_free(reducer_transfer *transfer) {
    cmus_free(transfer->requests);
    cmus_free(transfer->parts);
    cmus_free(transfer->rounded);
}

static void *value_at(const cmus_reducer *reducer, const reducer_transfer *transfer, size_t index) {
    return (char *)transfer->values + index * value_bytes(transfer->spread ? CMUS_WIRE_FLOAT32 : reducer->wire);
}

/* What came from `rank`, from value `index` of the own piece on (of the peer's, when sums are gathered). */
static void *part_at(const cmus_reducer *reducer, const reducer_transfer *transfer, int rank, size_t index) {
    return transfer->parts + ((size_t)rank * reducer->stride + index) * cmus_reducer_wire_bytes(reducer->wire);
}

static uint16_t *rounded_row(const cmus_reducer *reducer, const reducer_transfer *transfer, int rank) {
    return transfer->rounded + (size_t)rank * reducer->stride;
}

/* Receives of a stage are posted before its sends. */
static void begin_messages(reducer_transfer *transfer) {
    transfer->receives = transfer->receives_left = transfer->sends = transfer->sends_left = 0;
}

static void receive(const cmus_reducer *reducer, reducer_transfer *transfer, void *data, size_t count,
                    MPI_Datatype type, int peer, int tag) {
    if (count == 0)
        return;
    tag += (int)(transfer->bucket % TAG_BUCKETS);
    MPI_Request *request = &transfer->requests[transfer->receives++];
    transfer->receives_left++;
    cmus_mpi_check(MPI_Irecv(data, (int)count, type, peer, tag, reducer->communicator, request), "MPI_Irecv");
}

static void send(const cmus_reducer *reducer, reducer_transfer *transfer, const void *data, size_t count,
                 MPI_Datatype type, int peer, int tag) {
    if (count == 0)
        return;
    int bytes = 0;
    cmus_mpi_check(MPI_Type_size(type, &bytes), "MPI_Type_size");
    transfer->sent_bytes += (double)count * bytes;
    tag += (int)(transfer->bucket % TAG_BUCKETS);
    MPI_Request *request = &transfer->requests[transfer->receives + transfer->sends++];
    transfer->sends_left++;
    cmus_mpi_check(MPI_Isend(data, (int)count, type, peer, tag, reducer->communicator, request), "MPI_Isend");
}

/* The peers in an order in which the ranks do not all begin with the same one. */
static int peer_after(const cmus_reducer *reducer, int distance) {
    return (reducer->rank + distance) % reducer->ranks;
}

static int peer_before(const cmus_reducer *reducer, int distance) {
    return (reducer->rank - distance + reducer->ranks) % reducer->ranks;
}

static void start_sum(const cmus_reducer *reducer, reducer_transfer *transfer) {
    cmus_piece own = cmus_reducer_piece(&reducer->layout, transfer->bucket, reducer->rank);
    MPI_Datatype type = wire_type(reducer->wire);
    for (int i = 1; i < reducer->ranks; i++) {
        int peer = peer_before(reducer, i);
        receive(reducer, transfer, part_at(reducer, transfer, peer, 0), own.count, type, peer, TAG_PART);
    }
    for (int i = 1; i < reducer->ranks; i++) {
        int peer = peer_after(reducer, i);
        cmus_piece piece = cmus_reducer_piece(&reducer->layout, transfer->bucket, peer);
        const void *data = value_at(reducer, transfer, piece.begin);
        if (reducer->wire == CMUS_WIRE_BFLOAT16) {
            uint16_t *rounded = rounded_row(reducer, transfer, peer);
            cmus_round_bfloat16(rounded, data, piece.count);
            data = rounded;
        }
        send(reducer, transfer, data, piece.count, type, peer, TAG_PART);
    }
}

/* The own piece to all, theirs into their places: weights, or sums. */
static void start_gather(const cmus_reducer *reducer, reducer_transfer *transfer) {
    bool rounded = !transfer->spread && reducer->wire == CMUS_WIRE_BFLOAT16;
    MPI_Datatype type = transfer->spread ? MPI_FLOAT : wire_type(reducer->wire);
    int tag = transfer->spread ? TAG_WEIGHTS : TAG_SUM;
    for (int i = 1; i < reducer->ranks; i++) {
        int peer = peer_before(reducer, i);
        cmus_piece piece = cmus_reducer_piece(&reducer->layout, transfer->bucket, peer);
        void *place = rounded ? part_at(reducer, transfer, peer, 0) : value_at(reducer, transfer, piece.begin);
        receive(reducer, transfer, place, piece.count, type, peer, tag);
    }
    cmus_piece own = cmus_reducer_piece(&reducer->layout, transfer->bucket, reducer->rank);
    const void *data =
        rounded ? (const void *)rounded_row(reducer, transfer, reducer->rank) : value_at(reducer, transfer, own.begin);
    for (int i = 1; i < reducer->ranks; i++)
        send(reducer, transfer, data, own.count, type, peer_after(reducer, i), tag);
}

void cmus_transfer_start(cmus_reducer *reducer, reducer_transfer *transfer) {
    transfer->stage = TRANSFER_EXCHANGE;
    transfer->summed = 0;
    transfer->sent_bytes = 0;
    begin_messages(transfer);
    if (transfer->spread)
        start_gather(reducer, transfer);
    else
        start_sum(reducer, transfer);
}

/* Lets MPI move bytes and counts the messages that are through; false if nothing moved. */
static bool look_at_messages(const cmus_reducer *reducer, reducer_transfer *transfer) {
    if (transfer->receives_left + transfer->sends_left == 0)
        return false;
    int done = 0;
    double began = cmus_seconds();
    cmus_mpi_check(MPI_Testsome(transfer->receives + transfer->sends, transfer->requests, &done, reducer->indices,
                                MPI_STATUSES_IGNORE),
                   "MPI_Testsome");
    for (int i = 0; i < done; i++) {
        if (reducer->indices[i] < transfer->receives)
            transfer->receives_left--;
        else
            transfer->sends_left--;
    }
    return done > 0 || (!reducer->remote && cmus_seconds() - began > MOVING_SECONDS);
}

/* Values [begin, begin + count) of the own piece, count <= BLOCK: the parts of ranks 0, 1, 2, ... in this order. */
static void sum_block(const cmus_reducer *reducer, reducer_transfer *transfer, void *own, size_t begin, size_t count) {
    union {
        float floats[BLOCK];
        int64_t integers[BLOCK];
    } sum;
    uint16_t own_rounded[BLOCK];
    const void *own_part = own;
    if (reducer->wire == CMUS_WIRE_BFLOAT16) {
        cmus_round_bfloat16(own_rounded, own, count);
        own_part = own_rounded;
    }
    for (int rank = 0; rank < reducer->ranks; rank++) {
        const void *part = rank == reducer->rank ? own_part : part_at(reducer, transfer, rank, begin);
        cmus_sum_part(reducer->wire, &sum, part, count, rank == 0);
    }
    if (reducer->wire == CMUS_WIRE_BFLOAT16 && !reducer->shard) {
        uint16_t *rounded = rounded_row(reducer, transfer, reducer->rank) + begin;
        cmus_round_bfloat16(rounded, sum.floats, count);
        cmus_widen_bfloat16(sum.floats, rounded, count);
    }
    memcpy(own, &sum, count * value_bytes(reducer->wire));
}

static void sum_chunk(const cmus_reducer *reducer, reducer_transfer *transfer) {
    cmus_piece own = cmus_reducer_piece(&reducer->layout, transfer->bucket, reducer->rank);
    size_t end = own.count - transfer->summed < CHUNK ? own.count : transfer->summed + CHUNK;
    for (; transfer->summed < end; transfer->summed += BLOCK) {
        size_t count = end - transfer->summed < BLOCK ? end - transfer->summed : BLOCK;
        sum_block(reducer, transfer, value_at(reducer, transfer, own.begin + transfer->summed), transfer->summed,
                  count);
    }
    if (end == own.count)
        transfer->stage = TRANSFER_DRAIN;
}

/* The sums of the other ranks' pieces, which came rounded, to their places. */
static void widen_gathered(const cmus_reducer *reducer, reducer_transfer *transfer) {
    for (int rank = 0; rank < reducer->ranks; rank++) {
        cmus_piece piece = cmus_reducer_piece(&reducer->layout, transfer->bucket, rank);
        if (rank != reducer->rank)
            cmus_widen_bfloat16(value_at(reducer, transfer, piece.begin), part_at(reducer, transfer, rank, 0),
                                piece.count);
    }
}

bool cmus_transfer_advance(cmus_reducer *reducer, reducer_transfer *transfer) {
    bool moved = look_at_messages(reducer, transfer);
    bool received = transfer->receives_left == 0, through = received && transfer->sends_left == 0;
    switch (transfer->stage) {
    case TRANSFER_EXCHANGE:
        if (transfer->spread && through)
            transfer->stage = TRANSFER_DONE;
        else if (!transfer->spread && received)
            transfer->stage = TRANSFER_SUM;
        break;
    case TRANSFER_SUM:
        sum_chunk(reducer, transfer);
        return true;
    case TRANSFER_DRAIN: /* the own parts of other pieces must have left before sums are written over them */
        if (!through)
            break;
        if (reducer->shard) {
            transfer->stage = TRANSFER_DONE;
        } else {
            transfer->stage = TRANSFER_GATHER;
            begin_messages(transfer);
            start_gather(reducer, transfer);
        }
        return true;
    case TRANSFER_GATHER:
        if (!through)
            break;
        if (reducer->wire == CMUS_WIRE_BFLOAT16)
            widen_gathered(reducer, transfer);
        transfer->stage = TRANSFER_DONE;
        break;
    case TRANSFER_DONE:
        return false;
    }
    return moved;
}
