/* What the files of the reducer share: how the buffer is cut, a bucket on its way, and the state between the caller and
 * the communication thread. Buckets are numbered from the beginning of the buffer. */
#ifndef CMUS_REDUCER_INTERNAL_H
#define CMUS_REDUCER_INTERNAL_H

#include <mpi.h>
#include <pthread.h>

#include "cmus/reducer.h"

enum {
    REDUCER_ALIGNMENT = 16, /* values: buckets and pieces begin at its multiples, a cache line of floats */
    REDUCER_DEPTH = 3       /* buckets on their way at a time: others travel while one is summed */
};

typedef struct reducer_layout {
    size_t size, bucket_values, buckets; /* all buckets have bucket_values values, but for the first one */
    int ranks;
} reducer_layout;

cmus_piece cmus_reducer_bucket(const reducer_layout *layout, size_t bucket);
/* A rank's piece of a bucket; of a small bucket it may be empty. */
cmus_piece cmus_reducer_piece(const reducer_layout *layout, size_t bucket, int rank);

typedef enum transfer_stage {
    TRANSFER_EXCHANGE, /* parts on their way to the owners of the pieces, or weights on their way to all */
    TRANSFER_SUM,      /* the own piece is being added up */
    TRANSFER_DRAIN,    /* the own parts have not all left yet */
    TRANSFER_GATHER,   /* sums on their way to all */
    TRANSFER_DONE
} transfer_stage;

/* A bucket on its way; the communication thread's alone. */
typedef struct reducer_transfer {
    transfer_stage stage;
    bool spread;
    size_t bucket;
    void *values; /* the flat buffer */
    size_t summed;
    double began, sent_bytes;
    MPI_Request *requests; /* [2 (ranks - 1)]: receives, then sends */
    int receives, sends;   /* posted */
    int receives_left, sends_left;
    char *parts;       /* [ranks][stride] as on the wire: what came from each rank */
    uint16_t *rounded; /* [ranks][stride] bfloat16: what goes to each rank; the own row: the sum that goes to all */
} reducer_transfer;

struct cmus_reducer {
    int rank, ranks;
    MPI_Comm communicator;
    cmus_wire wire;
    bool shard;
    bool remote; /* no other rank is on this host */
    reducer_layout layout;
    cmus_piece *pieces; /* [piece_count] */
    size_t piece_count;
    size_t stride; /* values of the largest piece */
    double bytes;
    pthread_t thread;

    /* The communication thread's alone. */
    reducer_transfer transfers[REDUCER_DEPTH]; /* a ring: `count` of them on their way, the oldest is `first` */
    int first, count;
    int *indices;          /* [2 (ranks - 1)] */
    double bucket_seconds; /* from one bucket's end to the next one's, of late */
    double retired;        /* when the last bucket was done; 0 after a pause */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t work;  /* for the thread: there may be something to do */
    pthread_cond_t done;  /* for the caller: buckets are done */
    bool stop;
    void *sum_values; /* NULL: no sum is under way */
    size_t ready_from, sum_started, sum_done;
    float *spread_values; /* NULL: no spread is under way */
    size_t spread_started, spread_arrived, spread_done;
    bool active, waiting; /* the thread has buckets; the caller waits for them */
    double accounted;     /* the time until which the seconds below are counted */
    cmus_reducer_statistics statistics;
};

/* With the lock held: adds the time since the last call to the statistics. Before `active` or `waiting` changes. */
void cmus_reducer_account(cmus_reducer *reducer);

/* With the lock held: the next bucket of a sum is ready. */
bool cmus_reducer_sum_can_go(const cmus_reducer *reducer);

/* The communication thread; `data` is the reducer. */
void *cmus_reducer_run(void *data);

/* Bytes of a value on its way. */
size_t cmus_reducer_wire_bytes(cmus_wire wire);
void cmus_transfer_create(cmus_reducer *reducer, reducer_transfer *transfer);
void cmus_transfer_free(reducer_transfer *transfer);
/* Sets a bucket on its way; `spread`, `bucket` and `values` are given. */
void cmus_transfer_start(cmus_reducer *reducer, reducer_transfer *transfer);
/* Takes it a bit further without waiting; false if nothing moved. */
bool cmus_transfer_advance(cmus_reducer *reducer, reducer_transfer *transfer);

#endif
