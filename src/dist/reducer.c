/* How the buffer is cut into buckets and pieces, and the caller's side of the reducer. */
#include "cmus/reducer.h"

#include <string.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/shared_memory.h"
#include "cmus/trace.h"
#include "mpi_check.h"
#include "reducer_internal.h"

static const size_t LARGEST_BUCKET = (size_t)1 << 30; /* bytes: the counts of MPI are int */

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t aligned(size_t values) {
    return (values + REDUCER_ALIGNMENT - 1) / REDUCER_ALIGNMENT * REDUCER_ALIGNMENT;
}

/* Cut from the end: what is left over is the bucket that goes last, which nothing can hide. */
static reducer_layout make_layout(const cmus_reducer_options *options, int ranks) {
    reducer_layout layout = {.size = options->size, .ranks = ranks};
    size_t values = smaller(options->bucket_bytes, LARGEST_BUCKET) / sizeof(float);
    values -= values % REDUCER_ALIGNMENT;
    values = smaller(values, aligned(options->size));
    layout.bucket_values = values > 0 ? values : REDUCER_ALIGNMENT;
    layout.buckets = (aligned(options->size) + layout.bucket_values - 1) / layout.bucket_values;
    return layout;
}

cmus_piece cmus_reducer_bucket(const reducer_layout *layout, size_t bucket) {
    size_t above = (layout->buckets - bucket) * layout->bucket_values, all = aligned(layout->size);
    size_t begin = above < all ? all - above : 0;
    size_t end = smaller(layout->size, all - (above - layout->bucket_values));
    return (cmus_piece){begin, end - begin};
}

cmus_piece cmus_reducer_piece(const reducer_layout *layout, size_t bucket, int rank) {
    cmus_piece all = cmus_reducer_bucket(layout, bucket);
    size_t lines = aligned(all.count) / REDUCER_ALIGNMENT, ranks = (size_t)layout->ranks;
    size_t begin = smaller(all.count, lines * (size_t)rank / ranks * REDUCER_ALIGNMENT);
    size_t end = smaller(all.count, lines * (size_t)(rank + 1) / ranks * REDUCER_ALIGNMENT);
    return (cmus_piece){all.begin + begin, end - begin};
}

static void list_pieces(cmus_reducer *reducer) {
    if (reducer->ranks == 1 || !reducer->shard) {
        reducer->pieces = cmus_allocate(1, sizeof *reducer->pieces);
        reducer->pieces[reducer->piece_count++] = (cmus_piece){0, reducer->layout.size};
        return;
    }
    reducer->pieces = cmus_allocate(reducer->layout.buckets, sizeof *reducer->pieces);
    for (size_t bucket = 0; bucket < reducer->layout.buckets; bucket++) {
        cmus_piece piece = cmus_reducer_piece(&reducer->layout, bucket, reducer->rank);
        if (piece.count > 0)
            reducer->pieces[reducer->piece_count++] = piece;
    }
}

/* A rank sends its parts of all pieces but its own, and the sums or the new weights of its own to all others. */
static double count_bytes(const cmus_reducer *reducer) {
    double own = 0, wire = (double)cmus_reducer_wire_bytes(reducer->wire);
    for (size_t bucket = 0; bucket < reducer->layout.buckets; bucket++)
        own += (double)cmus_reducer_piece(&reducer->layout, bucket, reducer->rank).count;
    double back = reducer->shard ? (double)sizeof(float) : wire;
    return ((double)reducer->layout.size - own) * wire + own * (reducer->ranks - 1) * back;
}

static void start_thread(cmus_reducer *reducer, const cmus_communicator *communicator) {
    size_t lines = reducer->layout.bucket_values / REDUCER_ALIGNMENT, ranks = (size_t)reducer->ranks;
    reducer->stride = (lines + ranks - 1) / ranks * REDUCER_ALIGNMENT;
    reducer->indices = cmus_allocate(2 * (ranks - 1), sizeof *reducer->indices);
    for (int i = 0; i < REDUCER_DEPTH; i++)
        cmus_transfer_create(reducer, &reducer->transfers[i]);
    cmus_mpi_check(MPI_Comm_dup(MPI_COMM_WORLD, &reducer->communicator), "MPI_Comm_dup");
    reducer->remote = cmus_host_ranks_of(communicator).ranks == 1;
    pthread_mutex_init(&reducer->lock, NULL);
    pthread_cond_init(&reducer->work, NULL);
    pthread_cond_init(&reducer->done, NULL);
    int error = pthread_create(&reducer->thread, NULL, cmus_reducer_run, reducer);
    if (error)
        cmus_fatal("can't start the thread that sends gradients: %s", strerror(error));
}

cmus_reducer *cmus_reducer_create(const cmus_communicator *communicator, const cmus_reducer_options *options) {
    cmus_reducer *reducer = cmus_allocate(1, sizeof *reducer);
    reducer->rank = communicator->rank;
    reducer->ranks = communicator->ranks;
    reducer->wire = options->wire;
    reducer->shard = options->shard;
    reducer->layout = make_layout(options, communicator->ranks);
    list_pieces(reducer);
    if (reducer->ranks > 1) {
        reducer->bytes = count_bytes(reducer);
        start_thread(reducer, communicator);
    }
    return reducer;
}

void cmus_reducer_free(cmus_reducer *reducer) {
    if (!reducer)
        return;
    if (reducer->ranks > 1) {
        cmus_reducer_need(reducer, reducer->layout.size);
        pthread_mutex_lock(&reducer->lock);
        if (reducer->sum_values)
            cmus_fatal("the reducer is freed before its sum is finished");
        reducer->stop = true;
        pthread_cond_signal(&reducer->work);
        pthread_mutex_unlock(&reducer->lock);
        pthread_join(reducer->thread, NULL);
        pthread_cond_destroy(&reducer->work);
        pthread_cond_destroy(&reducer->done);
        pthread_mutex_destroy(&reducer->lock);
        cmus_mpi_check(MPI_Comm_free(&reducer->communicator), "MPI_Comm_free");
        for (int i = 0; i < REDUCER_DEPTH; i++)
            cmus_transfer_free(&reducer->transfers[i]);
    }
    cmus_free(reducer->indices);
    cmus_free(reducer->pieces);
    cmus_free(reducer);
}

size_t cmus_reducer_buckets(const cmus_reducer *reducer) {
    return reducer->layout.buckets;
}

double cmus_reducer_bytes(const cmus_reducer *reducer) {
    return reducer->bytes;
}

cmus_reducer_statistics cmus_reducer_state(cmus_reducer *reducer) {
    if (reducer->ranks == 1)
        return (cmus_reducer_statistics){0};
    pthread_mutex_lock(&reducer->lock);
    cmus_reducer_account(reducer);
    cmus_reducer_statistics statistics = reducer->statistics;
    pthread_mutex_unlock(&reducer->lock);
    return statistics;
}

const cmus_piece *cmus_reducer_pieces(const cmus_reducer *reducer, size_t *count) {
    *count = reducer->piece_count;
    return reducer->pieces;
}

void cmus_reducer_begin(cmus_reducer *reducer, void *values) {
    if (reducer->ranks == 1)
        return;
    pthread_mutex_lock(&reducer->lock);
    if (reducer->sum_values)
        cmus_fatal("a sum of gradients begins before the last one is finished");
    reducer->sum_values = values;
    reducer->ready_from = reducer->layout.size;
    reducer->sum_started = reducer->sum_done = 0;
    pthread_mutex_unlock(&reducer->lock);
}

bool cmus_reducer_sum_can_go(const cmus_reducer *reducer) {
    const reducer_layout *layout = &reducer->layout;
    return reducer->sum_values && reducer->sum_started < layout->buckets &&
           reducer->ready_from <= cmus_reducer_bucket(layout, layout->buckets - 1 - reducer->sum_started).begin;
}

void cmus_reducer_ready(cmus_reducer *reducer, size_t from) {
    if (reducer->ranks == 1)
        return;
    pthread_mutex_lock(&reducer->lock);
    if (!reducer->sum_values || from > reducer->ready_from)
        cmus_fatal("gradients from %zu on are said to be ready %s", from,
                   reducer->sum_values ? "after others before them" : "while no sum is under way");
    reducer->ready_from = from;
    if (cmus_reducer_sum_can_go(reducer)) /* the thread is not woken for less than a bucket */
        pthread_cond_signal(&reducer->work);
    pthread_mutex_unlock(&reducer->lock);
}

/* With the lock held: waits until *done has reached `wanted`. */
static void wait_for(cmus_reducer *reducer, const size_t *done, size_t wanted, const char *what) {
    if (*done >= wanted)
        return;
    double began = cmus_trace_begin();
    cmus_reducer_account(reducer);
    reducer->waiting = true;
    while (*done < wanted)
        pthread_cond_wait(&reducer->done, &reducer->lock);
    cmus_reducer_account(reducer);
    reducer->waiting = false;
    cmus_trace_end(CMUS_ACTIVITY_WAITING, what, began);
}

void cmus_reducer_finish(cmus_reducer *reducer) {
    if (reducer->ranks == 1)
        return;
    cmus_reducer_ready(reducer, 0);
    pthread_mutex_lock(&reducer->lock);
    wait_for(reducer, &reducer->sum_done, reducer->layout.buckets, "wait for gradients");
    reducer->sum_values = NULL;
    pthread_mutex_unlock(&reducer->lock);
}

void cmus_reducer_spread(cmus_reducer *reducer, float *values) {
    if (reducer->ranks == 1 || !reducer->shard)
        return;
    cmus_reducer_need(reducer, reducer->layout.size);
    pthread_mutex_lock(&reducer->lock);
    reducer->spread_started = reducer->spread_arrived = reducer->spread_done = 0;
    reducer->spread_values = reducer->layout.buckets > 0 ? values : NULL;
    pthread_cond_signal(&reducer->work);
    pthread_mutex_unlock(&reducer->lock);
}

/* Buckets that overlap the values [0, to). */
static size_t buckets_below(const reducer_layout *layout, size_t to) {
    size_t above = (aligned(layout->size) - to) / layout->bucket_values;
    return to == 0 ? 0 : layout->buckets - above;
}

void cmus_reducer_need(cmus_reducer *reducer, size_t to) {
    if (reducer->ranks == 1 || !reducer->shard)
        return;
    pthread_mutex_lock(&reducer->lock);
    if (reducer->spread_values && to >= reducer->layout.size)
        wait_for(reducer, &reducer->spread_done, reducer->layout.buckets, "wait for weights");
    else if (reducer->spread_values)
        wait_for(reducer, &reducer->spread_arrived, buckets_below(&reducer->layout, to), "wait for weights");
    pthread_mutex_unlock(&reducer->lock);
}
