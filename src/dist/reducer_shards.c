/* Sharded arrays to and from rank 0, piece after piece, by the calling thread. */
#include <string.h>

#include "mpi_check.h"
#include "reducer_internal.h"

enum { TAG_SHARD = 24576 }; /* behind those of reducer_transfer.c */

/* The values [range.begin, range.begin + range.count) in `whole` on rank 0 and in the ranks' `own`. */
typedef struct shard_copy {
    bool collect; /* from own to whole: own is only read; else from whole to own: whole is only read */
    cmus_piece range;
    float *own, *whole;
} shard_copy;

/* What lies in both. */
static cmus_piece overlap(cmus_piece a, cmus_piece b) {
    size_t begin = a.begin > b.begin ? a.begin : b.begin;
    size_t end = a.begin + a.count < b.begin + b.count ? a.begin + a.count : b.begin + b.count;
    return (cmus_piece){begin, end > begin ? end - begin : 0};
}

/* `count` values between the owner's `own` and rank 0's `whole`; other ranks have nothing to do. */
static void copy_values(const cmus_reducer *reducer, bool collect, int owner, float *own, float *whole, int count) {
    int rank = reducer->rank;
    if (rank == 0 && owner == 0)
        memcpy(collect ? whole : own, collect ? own : whole, (size_t)count * sizeof(float));
    else if (rank == (collect ? owner : 0))
        cmus_mpi_check(
            MPI_Send(collect ? own : whole, count, MPI_FLOAT, collect ? 0 : owner, TAG_SHARD, reducer->communicator),
            "MPI_Send");
    else if (rank == (collect ? 0 : owner))
        cmus_mpi_check(MPI_Recv(collect ? whole : own, count, MPI_FLOAT, collect ? owner : 0, TAG_SHARD,
                                reducer->communicator, MPI_STATUS_IGNORE),
                       "MPI_Recv");
}

static void copy_pieces(const cmus_reducer *reducer, const shard_copy *copy) {
    size_t passed = 0; /* values of the own pieces before this bucket */
    for (size_t bucket = 0; bucket < reducer->layout.buckets; bucket++) {
        cmus_piece mine = cmus_reducer_piece(&reducer->layout, bucket, reducer->rank);
        for (int owner = 0; owner < reducer->ranks; owner++) {
            cmus_piece wanted = overlap(cmus_reducer_piece(&reducer->layout, bucket, owner), copy->range);
            if (wanted.count == 0)
                continue;
            float *own = owner == reducer->rank ? copy->own + passed + (wanted.begin - mine.begin) : NULL;
            float *whole = reducer->rank == 0 ? copy->whole + (wanted.begin - copy->range.begin) : NULL;
            copy_values(reducer, copy->collect, owner, own, whole, (int)wanted.count);
        }
        passed += mine.count;
    }
}

static bool all_have_all(const cmus_reducer *reducer) {
    return reducer->ranks == 1 || !reducer->shard;
}

void cmus_reducer_collect(cmus_reducer *reducer, const float *own, size_t begin, size_t count, float *out) {
    if (!all_have_all(reducer))
        copy_pieces(reducer, &(shard_copy){true, {begin, count}, (float *)own, out});
    else if (reducer->rank == 0)
        memcpy(out, own + begin, count * sizeof *out);
}

void cmus_reducer_distribute(cmus_reducer *reducer, const float *in, size_t begin, size_t count, float *own) {
    if (!all_have_all(reducer)) {
        copy_pieces(reducer, &(shard_copy){false, {begin, count}, own, (float *)in});
        return;
    }
    if (reducer->rank == 0)
        memcpy(own + begin, in, count * sizeof *own);
    for (size_t bucket = 0; bucket < reducer->layout.buckets && reducer->ranks > 1; bucket++) {
        cmus_piece wanted = overlap(cmus_reducer_bucket(&reducer->layout, bucket), (cmus_piece){begin, count});
        cmus_mpi_check(MPI_Bcast(own + wanted.begin, (int)wanted.count, MPI_FLOAT, 0, reducer->communicator),
                       "MPI_Bcast");
    }
}
