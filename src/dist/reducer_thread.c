/* The communication thread. MPI moves bytes only while it is called, so the thread looks at the messages again and
 * again; it sleeps between two looks that moved nothing, as the cores belong to the computation. */
#include <time.h>

#include "cmus/log.h"
#include "cmus/trace.h"
#include "reducer_internal.h"

/* Microseconds. Between hosts the kernel moves the bytes while the thread sleeps, and a look at a slow link that
 * fetches a few of them costs the computation more than they are worth: a bucket gets about LOOKS looks, so that the
 * sleeps add little to its time. Ranks of one host move bytes only while they look. */
enum { SHORTEST_SLEEP = 20, LONGEST_SLEEP = 200, LONGEST_REMOTE_SLEEP = 1000, LOOKS = 50 };

void cmus_reducer_account(cmus_reducer *reducer) {
    double now = cmus_seconds(), since = now - reducer->accounted;
    reducer->accounted = now;
    if (!reducer->active)
        return;
    reducer->statistics.busy_seconds += since;
    if (reducer->waiting)
        reducer->statistics.exposed_seconds += since;
}

/* With the lock held: the next bucket that can go, in the order that is the same on every rank: weights before
 * gradients, weights from the beginning of the buffer, gradients from its end. */
static bool take(cmus_reducer *reducer, reducer_transfer *transfer) {
    size_t buckets = reducer->layout.buckets;
    if (reducer->spread_values && reducer->spread_started < buckets) {
        transfer->spread = true;
        transfer->values = reducer->spread_values;
        transfer->bucket = reducer->spread_started++;
        return true;
    }
    if (!cmus_reducer_sum_can_go(reducer))
        return false;
    transfer->spread = false;
    transfer->values = reducer->sum_values;
    transfer->bucket = buckets - 1 - reducer->sum_started++;
    return true;
}

/* The transfer `place` places behind the oldest one. */
static reducer_transfer *transfer_at(cmus_reducer *reducer, int place) {
    return &reducer->transfers[(reducer->first + place) % REDUCER_DEPTH];
}

/* With the lock held: the oldest bucket is done. The spans of the timeline lie one after another: that of a bucket
 * begins when the one before it is done. */
static void retire(cmus_reducer *reducer) {
    reducer_transfer *transfer = transfer_at(reducer, 0);
    cmus_trace_end(CMUS_ACTIVITY_COMMUNICATION, transfer->spread ? "spread bucket" : "reduce bucket", transfer->began);
    reducer->statistics.sent_bytes += transfer->sent_bytes;
    if (!transfer->spread)
        reducer->sum_done++;
    else if (++reducer->spread_done == reducer->layout.buckets)
        reducer->spread_values = NULL;
    double now = cmus_seconds();
    if (reducer->retired > 0)
        reducer->bucket_seconds += 0.2 * (now - reducer->retired - reducer->bucket_seconds);
    reducer->retired = now;
    reducer->first = (reducer->first + 1) % REDUCER_DEPTH;
    reducer->count--;
    if (reducer->count > 0)
        transfer_at(reducer, 0)->began = cmus_trace_begin();
}

/* With the lock held: tells the caller what is done. Weights that have come may be read before the own ones have left.
 */
static void report(cmus_reducer *reducer) {
    while (reducer->count > 0 && transfer_at(reducer, 0)->stage == TRANSFER_DONE)
        retire(reducer);
    reducer->spread_arrived = reducer->spread_done;
    for (int i = 0; i < reducer->count; i++) {
        const reducer_transfer *transfer = transfer_at(reducer, i);
        if (!transfer->spread || transfer->receives_left > 0)
            break;
        reducer->spread_arrived++;
    }
    pthread_cond_signal(&reducer->done);
}

static bool advance_all(cmus_reducer *reducer) {
    bool moved = false;
    for (int i = 0; i < reducer->count; i++)
        moved |= cmus_transfer_advance(reducer, transfer_at(reducer, i));
    return moved;
}

/* Microseconds that the thread may sleep at most between two looks. */
static long longest_sleep(const cmus_reducer *reducer) {
    double wanted = 1e6 * reducer->bucket_seconds / LOOKS;
    if (!reducer->remote || wanted < LONGEST_SLEEP)
        return LONGEST_SLEEP;
    return wanted < LONGEST_REMOTE_SLEEP ? (long)wanted : LONGEST_REMOTE_SLEEP;
}

void *cmus_reducer_run(void *data) {
    cmus_reducer *reducer = data;
    long sleep = SHORTEST_SLEEP;
    cmus_trace_thread("communication");
    pthread_mutex_lock(&reducer->lock);
    for (;;) {
        cmus_reducer_account(reducer);
        if (reducer->count < REDUCER_DEPTH && take(reducer, transfer_at(reducer, reducer->count))) {
            reducer->active = true;
            pthread_mutex_unlock(&reducer->lock);
            reducer_transfer *transfer = transfer_at(reducer, reducer->count++);
            transfer->began = cmus_trace_begin();
            cmus_transfer_start(reducer, transfer);
            sleep = SHORTEST_SLEEP;
        } else if (reducer->count > 0) {
            pthread_mutex_unlock(&reducer->lock);
            if (advance_all(reducer)) {
                sleep = SHORTEST_SLEEP;
            } else {
                nanosleep(&(struct timespec){.tv_nsec = 1000 * sleep}, NULL);
                long longest = longest_sleep(reducer);
                sleep = 2 * sleep < longest ? 2 * sleep : longest;
            }
        } else if (reducer->stop) {
            break;
        } else {
            reducer->active = false;
            reducer->retired = 0;
            pthread_cond_wait(&reducer->work, &reducer->lock);
            continue;
        }
        pthread_mutex_lock(&reducer->lock);
        report(reducer);
    }
    pthread_mutex_unlock(&reducer->lock);
    return NULL;
}
