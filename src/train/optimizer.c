#include "cmus/optimizer.h"

#include <math.h>
#include <string.h>

#include "cmus/adam.h"
#include "cmus/exact_sum.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/trace.h"

struct cmus_optimizer {
    const cmus_communicator *communicator;
    const cmus_config *config;
    cmus_net *net;
    size_t size;
    cmus_reducer *reducer;
    const cmus_piece *pieces; /* [piece_count]: this rank's, by rising begin */
    size_t piece_count;
    bool sharded;
    float *moments[CMUS_MOMENTS]; /* of the pieces, one after another */
    cmus_passage passage;
    double waited_gradients, waited_weights;       /* seconds */
    void (*tick)(void *context, const char *what); /* NULL: nobody watches */
    void *tick_context;
};

static void tell(const cmus_optimizer *o, const char *what) {
    if (o->tick)
        o->tick(o->tick_context, what);
}

void cmus_optimizer_watch(cmus_optimizer *o, void (*tick)(void *context, const char *what), void *context) {
    o->tick = tick;
    o->tick_context = context;
}

static void need_weights(void *context, size_t to) {
    cmus_optimizer *o = context;
    tell(o, "forward pass");
    double began = cmus_seconds();
    cmus_reducer_need(o->reducer, to);
    o->waited_weights += cmus_seconds() - began;
}

static void gradients_ready(void *context, size_t from) {
    cmus_optimizer *o = context;
    tell(o, "backward pass");
    cmus_reducer_ready(o->reducer, from);
}

cmus_optimizer *cmus_optimizer_create(const cmus_communicator *communicator, cmus_net *net, const cmus_config *config) {
    cmus_optimizer *o = cmus_allocate(1, sizeof *o);
    *o = (cmus_optimizer){.communicator = communicator,
                          .config = config,
                          .net = net,
                          .size = cmus_net_parameters(net)->size,
                          .sharded = config->shard_optimizer && communicator->ranks > 1};
    cmus_reducer_options options = {.size = o->size,
                                    .bucket_bytes = (size_t)config->bucket_mb << 20,
                                    .wire = config->allreduce_precision == CMUS_PRECISION_BF16 ? CMUS_WIRE_BFLOAT16
                                                                                               : CMUS_WIRE_FLOAT32,
                                    .shard = o->sharded};
    if (cmus_net_exact_sums(net))
        options.wire = CMUS_WIRE_INTEGER64;
    o->reducer = cmus_reducer_create(communicator, &options);
    o->pieces = cmus_reducer_pieces(o->reducer, &o->piece_count);
    size_t own = 0;
    for (size_t i = 0; i < o->piece_count; i++)
        own += o->pieces[i].count;
    for (int i = 0; i < CMUS_MOMENTS; i++)
        o->moments[i] = cmus_allocate(own, sizeof(float));
    o->passage = (cmus_passage){.context = o, .need = need_weights, .ready = gradients_ready};
    return o;
}

void cmus_optimizer_free(cmus_optimizer *o) {
    if (!o)
        return;
    cmus_reducer_free(o->reducer);
    for (int i = 0; i < CMUS_MOMENTS; i++)
        cmus_free(o->moments[i]);
    cmus_free(o);
}

const cmus_passage *cmus_optimizer_passage(cmus_optimizer *o) {
    return &o->passage;
}

cmus_reducer *cmus_optimizer_reducer(cmus_optimizer *o) {
    return o->reducer;
}

void cmus_optimizer_waited(const cmus_optimizer *o, double *gradients, double *weights) {
    *gradients = o->waited_gradients;
    *weights = o->waited_weights;
}

void cmus_optimizer_begin(cmus_optimizer *o) {
    int64_t *exact = cmus_net_exact_sums(o->net);
    cmus_reducer_begin(o->reducer, exact ? (void *)exact : (void *)cmus_net_gradient(o->net));
}

double cmus_optimizer_finish(cmus_optimizer *o) {
    double waiting = cmus_seconds();
    cmus_reducer_finish(o->reducer);
    o->waited_gradients += cmus_seconds() - waiting;
    double began = cmus_trace_begin(), sums[2] = {0, cmus_net_exact_overflow(o->net)};
    float *gradient = cmus_net_gradient(o->net);
    int64_t *exact = cmus_net_exact_sums(o->net);
    for (size_t i = 0; i < o->piece_count; i++) {
        cmus_piece piece = o->pieces[i];
        if (exact)
            cmus_exact_take(gradient + piece.begin, exact + piece.begin, piece.count);
        double norm = cmus_norm(gradient + piece.begin, piece.count);
        sums[0] += norm * norm;
    }
    if (!o->sharded && o->communicator->rank > 0)
        sums[0] = 0; /* every rank has counted the whole */
    cmus_trace_end(CMUS_ACTIVITY_COMPUTE, "norm", began);
    cmus_sum_doubles(o->communicator, sums, 2);
    return sums[1] == 0 && isfinite(sums[0]) ? sums[0] : (double)NAN;
}

/* Zeroes [begin, end) of the gradients, and of the exact sums. */
static void forget(const cmus_optimizer *o, size_t begin, size_t end) {
    enum { BLOCK = 1 << 18 };
    float *gradient = cmus_net_gradient(o->net);
    int64_t *exact = cmus_net_exact_sums(o->net);
#pragma omp parallel for schedule(static)
    for (size_t at = begin; at < end; at += BLOCK) {
        size_t count = end - at < BLOCK ? end - at : BLOCK;
        memset(gradient + at, 0, count * sizeof *gradient);
        if (exact)
            memset(exact + at, 0, count * sizeof *exact);
    }
}

void cmus_optimizer_step(cmus_optimizer *o, double lr, int64_t step) {
    double began = cmus_trace_begin();
    cmus_adam adam = cmus_adam_published();
    adam.lr = lr;
    adam.weight_decay = o->config->weight_decay;
    float *weights = cmus_net_weights(o->net), *gradient = cmus_net_gradient(o->net);
    size_t own = 0, end = 0;
    for (size_t i = 0; i < o->piece_count; i++) {
        cmus_piece piece = o->pieces[i];
        cmus_adam_update(&adam, step, piece.count, weights + piece.begin, gradient + piece.begin, o->moments[0] + own,
                         o->moments[1] + own, o->moments[2] + own);
        forget(o, end, piece.begin); /* what other ranks own holds no sums */
        own += piece.count;
        end = piece.begin + piece.count;
    }
    forget(o, end, o->size);
    cmus_trace_end(CMUS_ACTIVITY_COMPUTE, "optimizer", began);
}

void cmus_optimizer_spread(cmus_optimizer *o) {
    cmus_reducer_spread(o->reducer, cmus_net_weights(o->net));
}

void cmus_optimizer_skip(cmus_optimizer *o) {
    forget(o, 0, o->size);
}

void cmus_optimizer_settle(cmus_optimizer *o) {
    need_weights(o, o->size);
}

/* The moments as a whole: rank 0 says what it wants next, and the others follow until it is done. What it reads comes
 * in large blocks, of which it keeps the last one: the tensors of a small network are many and tiny. */
enum { MOMENT_BLOCK = 4 << 20 };

typedef struct moment_reader {
    cmus_optimizer *optimizer;
    int moment; /* of the block; -1: none */
    size_t begin, count;
    float *block; /* [count], of MOMENT_BLOCK at most */
} moment_reader;

typedef struct request {
    enum { REQUEST_GET, REQUEST_SET, REQUEST_END } what;
    int moment;
    size_t begin, count;
} request;

static void follow(const cmus_optimizer *o, request wanted, const float *set, float *got) {
    float *own = o->moments[wanted.moment];
    tell(o, "moments of a checkpoint");
    if (wanted.what == REQUEST_GET)
        cmus_reducer_collect(o->reducer, own, wanted.begin, wanted.count, got);
    else
        cmus_reducer_distribute(o->reducer, set, wanted.begin, wanted.count, own);
}

/* Makes the reader's block the one that holds value `at`. */
static void turn_to(moment_reader *reader, int moment, size_t at) {
    const cmus_optimizer *o = reader->optimizer;
    size_t begin = at / MOMENT_BLOCK * MOMENT_BLOCK, left = o->size - begin;
    if (reader->moment == moment && reader->begin == begin)
        return;
    reader->moment = moment;
    reader->begin = begin;
    reader->count = left < MOMENT_BLOCK ? left : MOMENT_BLOCK;
    request wanted = {REQUEST_GET, moment, begin, reader->count};
    cmus_broadcast(o->communicator, &wanted, sizeof wanted, 0);
    follow(o, wanted, NULL, reader->block);
}

static void get_moments(void *context, int moment, size_t begin, size_t count, float *values) {
    moment_reader *reader = context;
    for (size_t done = 0; done < count;) {
        turn_to(reader, moment, begin + done);
        size_t from = begin + done - reader->begin, here = reader->count - from, part = count - done;
        part = part < here ? part : here;
        memcpy(values + done, reader->block + from, part * sizeof *values);
        done += part;
    }
}

static void set_moments(void *context, int moment, size_t begin, size_t count, const float *values) {
    moment_reader *reader = context;
    const cmus_optimizer *o = reader->optimizer;
    reader->moment = -1;
    request wanted = {REQUEST_SET, moment, begin, count};
    cmus_broadcast(o->communicator, &wanted, sizeof wanted, 0);
    follow(o, wanted, values, NULL);
}

cmus_status cmus_optimizer_moments(cmus_optimizer *o, cmus_moments_use *use, void *data) {
    request wanted = {.what = REQUEST_END};
    if (o->communicator->rank == 0) {
        moment_reader reader = {.optimizer = o, .moment = -1};
        reader.block = cmus_allocate_raw(MOMENT_BLOCK < o->size ? MOMENT_BLOCK : o->size, sizeof *reader.block);
        cmus_moments moments = {.context = &reader, .get = get_moments, .set = set_moments};
        cmus_status status = use(&moments, data);
        cmus_free(reader.block);
        cmus_broadcast(o->communicator, &wanted, sizeof wanted, 0);
        return status;
    }
    for (;;) {
        cmus_broadcast(o->communicator, &wanted, sizeof wanted, 0);
        if (wanted.what == REQUEST_END)
            return CMUS_OK;
        follow(o, wanted, NULL, NULL);
    }
}
