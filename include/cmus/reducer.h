/* Sums of gradients over the ranks while the backward pass still computes, and the sharing of the optimizer's state.
 *
 * The flat buffer (parameters.h) is cut into buckets from its end to its beginning, the order in which the backward
 * pass finishes gradients. A communication thread sums each bucket over the ranks as soon as all of it is ready: every
 * rank sends its part of each piece to the piece's owner, which adds them in the order of the ranks (the same bits in
 * every run, whatever arrives first). Sharded (ZeRO stage 1, Rajbhandari et al. 2020): the sum stays with the owner,
 * who updates its pieces; cmus_reducer_spread() then sends the new weights to all, from the beginning of the buffer,
 * while the next forward pass computes. Not sharded: the owners send the sums to all at once.
 *
 * MPI must allow several threads (MPI_THREAD_MULTIPLE): the reducer has a communicator of its own. Between begin and
 * finish, and between spread and its end, the buffer belongs to the reducer but for what these functions say.
 */
#ifndef CMUS_REDUCER_H
#define CMUS_REDUCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmus/communicator.h"

/* What travels of a gradient. Sums are always in float32 (or in 64-bit integers). */
typedef enum cmus_wire {
    CMUS_WIRE_FLOAT32,
    CMUS_WIRE_BFLOAT16, /* half the bytes: each rank's part is rounded, the sum is not (unsharded: once more on its way
                           to all, the owner's copy too, so that all ranks hold the same) */
    CMUS_WIRE_INTEGER64 /* exact sums in fixed point: the values are int64_t; see exact_sum.h */
} cmus_wire;

typedef struct cmus_reducer_options {
    size_t size;         /* values of the flat buffer; may be 0 */
    size_t bucket_bytes; /* of the gradients of a bucket, as float32; rounded down to whole lines of 16 values, at least
                            one, at most 1 GiB */
    cmus_wire wire;
    bool shard;
} cmus_reducer_options;

/* Values [begin, begin + count) of the flat buffer. */
typedef struct cmus_piece {
    size_t begin, count;
} cmus_piece;

/* What travelled and how long it took, since the reducer was made. */
typedef struct cmus_reducer_statistics {
    double sent_bytes;      /* by this rank */
    double busy_seconds;    /* of the communication thread with buckets that were ready */
    double exposed_seconds; /* of those, while the caller waited in cmus_reducer_finish() or cmus_reducer_need() */
} cmus_reducer_statistics;

typedef struct cmus_reducer cmus_reducer;

/* Collective. Starts the communication thread (none for one rank: then begin, ready, finish, spread and need do
 * nothing, and no value is rounded). On the way are up to three buckets; beside the buffer they need up to 3 x
 * bucket_bytes, as much for bfloat16 and twice as much for integers. Free it with cmus_reducer_free(), collective. */
cmus_reducer *cmus_reducer_create(const cmus_communicator *communicator, const cmus_reducer_options *options);
/* Collective. Waits for a spread that is under way; a sum must be finished. NULL is allowed. */
void cmus_reducer_free(cmus_reducer *reducer);

size_t cmus_reducer_buckets(const cmus_reducer *reducer);
/* Bytes that this rank sends for one sum (and for one spread, if sharded). */
double cmus_reducer_bytes(const cmus_reducer *reducer);
/* Not collective. All zero for one rank. */
cmus_reducer_statistics cmus_reducer_state(cmus_reducer *reducer);

/* The pieces whose sums this rank gets, by rising `begin`, owned by the reducer; they do not overlap. Sharded: with
 * those of the other ranks they make up the whole buffer. Not sharded, or one rank: one piece, the whole buffer. */
const cmus_piece *cmus_reducer_pieces(const cmus_reducer *reducer, size_t *count);

/* Collective. Begins a sum in place over `values` [size]: float, or int64_t with CMUS_WIRE_INTEGER64. A spread that is
 * still on its way is waited for by the communication thread, not here. */
void cmus_reducer_begin(cmus_reducer *reducer, void *values);
/* Not collective. The values from `from` to the end of the buffer will not be changed by the caller any more; `from`
 * never rises (fatal). Costs a lock; never waits for communication. */
void cmus_reducer_ready(cmus_reducer *reducer, size_t from);
/* Collective. Everything is ready; waits until the sums are there: in this rank's pieces. What lies outside of them is
 * undefined (not sharded: nothing lies outside). */
void cmus_reducer_finish(cmus_reducer *reducer);

/* Collective. Sharded only (else, and for one rank, it does nothing): sends this rank's pieces of `values` (float) to
 * all and receives theirs, from the beginning of the buffer on. Returns at once (a spread before it is waited for). The
 * caller may read values below `to` after cmus_reducer_need(reducer, to), and may write values only after
 * cmus_reducer_need(reducer, size) or after the finish of a sum that began later: until then they are being sent. */
void cmus_reducer_spread(cmus_reducer *reducer, float *values);
/* Not collective. Waits until the values [0, to) of the spread are here, and with to >= size also until this rank's
 * have left; returns at once if none is on its way. */
void cmus_reducer_need(cmus_reducer *reducer, size_t to);

/* Collective. The values [begin, begin + count) of a sharded array, of which every rank holds its pieces one after
 * another in `own` (as floats): to rank 0's `out` [count]; NULL on other ranks. For checkpoints. */
void cmus_reducer_collect(cmus_reducer *reducer, const float *own, size_t begin, size_t count, float *out);
/* Collective. The way back: `in` [count] on rank 0 (NULL on others) into every rank's `own`. */
void cmus_reducer_distribute(cmus_reducer *reducer, const float *in, size_t begin, size_t count, float *own);

#endif
