/* exchange_bench: what the exchange between ranks costs an update. Updates as cmus-train makes them, and in turn with
 * them the same images through the same kernels on every rank by itself:
 *   mpirun -np N exchange_bench UPDATES DATA CONFIG [KEY=VALUE...] [--csv FILE] [--link TEXT] [--in-step]
 * --in-step: barriers in the updates without communication, where those with it wait for maps and for gradients. On
 * hosts that share cores, ranks get out of step by how the cores are shared; this is then in both times.
 */
#include "exchange_bench.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/adam.h"
#include "cmus/exact_sum.h"
#include "cmus/gemm.h"
#include "cmus/launch.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/metrics.h"
#include "cmus/product.h"
#include "cmus/program.h"
#include "cmus/sampler.h"
#include "cmus/trace.h"
#include "cmus/wave_run.h"

enum { MOST_UPDATES = 10000, LARGEST_BAG = 2 };

typedef struct arguments {
    int updates;
    const char *data, *config, *csv, *link;
    const char **overrides;
    size_t override_count;
    bool in_step;
} arguments;

static const int *cases_of(const exchange_bench *b, int update) {
    return b->order + update * b->config.batch;
}

static double scale_of(const exchange_bench *b) {
    return b->config.loss_reduction == CMUS_REDUCTION_MEAN ? 1.0 / b->config.batch : 1.0;
}

/* Not collective. */
static cmus_status open_all(exchange_bench *b, const arguments *given) {
    CMUS_TRY(cmus_blas_check());
    CMUS_TRY(cmus_config_read(given->config, given->overrides, given->override_count, &b->config));
    CMUS_TRY(cmus_products_precision(b->config.net.precision));
    if (b->config.max_tem > LARGEST_BAG)
        return cmus_fail(CMUS_ERROR_CONFIG,
                         "max_tem is %d; both ways do the same work only if every image has a gradient, which SMIL "
                         "promises for bags of 1 or 2: give max_tem=%d",
                         b->config.max_tem, LARGEST_BAG);
    CMUS_TRY(cmus_dataset_open(given->data, &b->dataset));
    CMUS_TRY(cmus_dataset_needs_all(b->dataset, given->data));
    b->config.net.classes = cmus_dataset_class_count(b->dataset);
    b->config.net.image_size = cmus_dataset_image_size(b->dataset);
    b->config.net.exact_sums = b->config.allreduce_order == CMUS_ORDER_FIXED;
    b->config.net.optimizer_shares = b->config.shard_optimizer ? b->communicator->ranks : 1;
    return cmus_net_create(&b->config.net, true, &b->net);
}

static void choose_cases(exchange_bench *b) {
    int cases = cmus_dataset_case_count(b->dataset), *shuffled = cmus_allocate((size_t)cases, sizeof(int));
    for (int i = 0; i < cases; i++)
        shuffled[i] = i;
    cmus_epoch_order(b->config.seed, 0, shuffled, cases);
    b->order = cmus_allocate((size_t)b->updates * (size_t)b->config.batch, sizeof(int));
    for (int i = 0; i < b->updates * b->config.batch; i++)
        b->order[i] = shuffled[i % cases];
    cmus_free(shuffled);
}

static double largest_of(const double *values, int count) {
    double largest = 0;
    for (int i = 0; i < count; i++)
        largest = fmax(largest, values[i]);
    return largest;
}

/* Adds what the waves of an update say to the plan. */
static void add_waves(exchange_bench *b, cmus_wave *const *waves, int count) {
    int ranks = b->communicator->ranks;
    double *load = cmus_allocate((size_t)ranks, sizeof *load), *maps = cmus_allocate((size_t)ranks, sizeof *maps);
    double bytes = (double)cmus_net_map_size(b->net) * sizeof(float), all = 0;
    for (int w = 0; w < count; w++) {
        const cmus_wave *wave = waves[w];
        cmus_wave_loads(wave, b->net, b->dataset, &b->config, load);
        for (int i = 0; i < wave->first[wave->count]; i++) {
            int encoder = wave->images[i].rank, owner = wave->owner[wave->images[i].position];
            maps[encoder] += encoder == owner ? 0 : bytes;
            maps[owner] += encoder == owner ? 0 : bytes;
        }
    }
    for (int rank = 0; rank < ranks; rank++)
        all += load[rank];
    b->plan.waves += (double)count / b->updates;
    b->plan.load += largest_of(load, ranks) / (all / ranks) / b->updates;
    b->plan.map_bytes += largest_of(maps, ranks) / b->updates;
    cmus_free(load);
    cmus_free(maps);
}

static void look_at_plans(exchange_bench *b) {
    for (int update = 0; b->communicator->rank == 0 && update < b->updates; update++) {
        cmus_wave **waves;
        int count = cmus_wave_plan(b->net, b->dataset, &b->config, b->communicator->ranks, cases_of(b, update),
                                   b->config.batch, update, &waves);
        add_waves(b, waves, count);
        for (int w = 0; w < count; w++)
            cmus_wave_free(waves[w]);
        cmus_free(waves);
    }
}

/* Collective. Every update is queued twice, for both ways; each draws the choices of an epoch of its own. */
static void prepare(exchange_bench *b) {
    cmus_parameters_initialize(cmus_net_parameters(b->net), b->config.seed, cmus_net_weights(b->net));
    choose_cases(b);
    look_at_plans(b);
    b->optimizer = cmus_optimizer_create(b->communicator, b->net, &b->config);
    b->pieces = cmus_reducer_pieces(cmus_optimizer_reducer(b->optimizer), &b->piece_count);
    size_t values = (size_t)b->updates * EXCHANGE_VALUES;
    b->largest = cmus_allocate(values, sizeof *b->largest);
    b->sum = cmus_allocate(values, sizeof *b->sum);
    b->prefetch = cmus_prefetch_create(b->communicator, b->net, b->dataset, &b->config);
    for (int update = 0; update < b->updates; update++)
        for (int way = 0; way < 2; way++)
            cmus_prefetch_add(b->prefetch, cases_of(b, update), b->config.batch, update);
}

/* Collective. The waves of an update as in cmus_trainer_update(), up to the sum of the gradients. */
static cmus_status run_waves(exchange_bench *b, double *values, double *norm) {
    cmus_portion portion;
    cmus_metrics metrics = {0};
    do {
        CMUS_TRY(cmus_agree(b->communicator, cmus_prefetch_next(b->prefetch, &portion)));
        if (portion.wave->last)
            cmus_optimizer_begin(b->optimizer);
        double waited = cmus_trace_seconds(CMUS_ACTIVITY_WAITING), gradients, weights_before, weights;
        cmus_optimizer_waited(b->optimizer, &gradients, &weights_before);
        cmus_wave_pass pass = {.backward = true,
                               .scale = scale_of(b),
                               .passage = cmus_optimizer_passage(b->optimizer),
                               .final = portion.wave->last};
        cmus_wave_run(b->communicator, b->net, &portion, &pass);
        cmus_optimizer_waited(b->optimizer, &gradients, &weights);
        waited = cmus_trace_seconds(CMUS_ACTIVITY_WAITING) - waited - (weights - weights_before);
        values[EXCHANGE_WAITED_MAPS] += fmax(0, waited);
        values[EXCHANGE_IMAGES] += portion.share.image_count;
        for (int i = 0; i < portion.share.case_count; i++)
            cmus_metrics_add(&metrics, &portion.share.results[i], portion.share.cases[i].label, b->config.net.classes);
    } while (!portion.wave->last);
    *norm = cmus_optimizer_finish(b->optimizer);
    cmus_sum_doubles(b->communicator, (double *)&metrics, CMUS_METRICS_FIELDS);
    return CMUS_OK;
}

/* Collective. The update with communication. The weights of the update before travel during its forward pass, as in
 * training: they are sent at its beginning, as between two of these updates there is time that does not count. */
static cmus_status with_exchange(exchange_bench *b, int update, double *values) {
    cmus_reducer *reducer = cmus_optimizer_reducer(b->optimizer);
    cmus_optimizer_settle(b->optimizer);
    cmus_reducer_statistics before = cmus_reducer_state(reducer), after;
    double gradients, weights, gradients_before, weights_before, norm;
    cmus_optimizer_waited(b->optimizer, &gradients_before, &weights_before);
    values[EXCHANGE_WAITED_IMAGES] = -cmus_prefetch_waited(b->prefetch);
    cmus_barrier(b->communicator);
    double began = cmus_seconds();
    cmus_optimizer_spread(b->optimizer);
    CMUS_TRY(run_waves(b, values, &norm));
    if (!isfinite(norm))
        return cmus_fail(CMUS_ERROR_DATA, "update %d: the gradient is not finite; give a smaller lr", update + 1);
    after = cmus_reducer_state(reducer);
    cmus_optimizer_step(b->optimizer, cmus_config_learning_rate(&b->config, 0), update + 1);
    CMUS_TRY(cmus_agree(b->communicator, CMUS_OK));
    values[EXCHANGE_WITH] = cmus_seconds() - began;
    cmus_optimizer_waited(b->optimizer, &gradients, &weights);
    values[EXCHANGE_WAITED_IMAGES] += cmus_prefetch_waited(b->prefetch);
    values[EXCHANGE_WAITED_GRADIENTS] = gradients - gradients_before;
    values[EXCHANGE_WAITED_WEIGHTS] = weights - weights_before;
    values[EXCHANGE_BUSY] = after.busy_seconds - before.busy_seconds;
    values[EXCHANGE_EXPOSED] = after.exposed_seconds - before.exposed_seconds;
    values[EXCHANGE_SENT] = after.sent_bytes - before.sent_bytes;
    return CMUS_OK;
}

/* The maps of the owned cases, [images][map]: the rank's own in place of those that others encode. from [images]: which
 * of the own maps each is, or -1. */
static float *gather_own(const exchange_bench *b, const cmus_portion *portion, const float *own_maps, int **from) {
    const cmus_share *share = &portion->share;
    const cmus_wave *wave = portion->wave;
    size_t map = cmus_net_map_size(b->net), all = (size_t)wave->first[wave->count], at = 0;
    int *place = cmus_allocate(all, sizeof *place);
    for (size_t i = 0; i < all; i++)
        place[i] = -1;
    for (int i = 0; i < share->image_count; i++)
        place[share->places[i]] = i;
    *from = cmus_allocate(all, sizeof **from);
    float *maps = cmus_allocate_raw(all * map, sizeof *maps);
    for (int c = 0; c < share->case_count; c++)
        for (int i = wave->first[share->positions[c]]; i < wave->first[share->positions[c] + 1]; i++, at++) {
            int own = place[i] >= 0 ? place[i] : i % share->image_count; /* an owner encodes at least one */
            memcpy(maps + at * map, own_maps + (size_t)own * map, map * sizeof *maps);
            (*from)[at] = place[i];
        }
    cmus_free(place);
    return maps;
}

/* What lies behind the encoders for the owned cases; own_maps [image_count][map] become gradients of maps. Of images
 * whose case another rank owns, the map itself is taken for one: the work does not depend on the values. */
static void fuse_alone(exchange_bench *b, const cmus_portion *portion, float *own_maps) {
    const cmus_share *share = &portion->share;
    int *from, owned = 0;
    float *maps = gather_own(b, portion, own_maps, &from);
    for (int c = 0; c < share->case_count; c++)
        owned += portion->wave->first[share->positions[c] + 1] - portion->wave->first[share->positions[c]];
    size_t map = cmus_net_map_size(b->net);
    float *d_maps = cmus_allocate_raw((size_t)owned * map, sizeof *d_maps);
    bool *used = cmus_allocate((size_t)owned, sizeof *used);
    cmus_net_fuse(b->net, share->cases, share->case_count, maps, scale_of(b), d_maps, used, share->results);
    for (int i = 0; i < owned; i++)
        if (from[i] >= 0)
            memcpy(own_maps + (size_t)from[i] * map, d_maps + (size_t)i * map, map * sizeof *d_maps);
    cmus_free(from);
    cmus_free(maps);
    cmus_free(d_maps);
    cmus_free(used);
}

static void wave_alone(exchange_bench *b, const cmus_portion *portion, double *values) {
    const cmus_share *share = &portion->share;
    size_t images = (size_t)share->image_count;
    float *maps = cmus_allocate_raw(images * cmus_net_map_size(b->net), sizeof *maps);
    bool *all = cmus_allocate(images, sizeof *all);
    memset(all, true, images * sizeof *all);
    double began = cmus_seconds();
    cmus_encoding *encoding =
        cmus_net_encode(b->net, share->images, share->image_count, portion->wave->keep, NULL, maps);
    values[EXCHANGE_FORWARD] += cmus_seconds() - began;
    if (b->in_step)
        cmus_barrier(b->communicator);
    double encoded = cmus_seconds();
    fuse_alone(b, portion, maps);
    double fused = cmus_seconds();
    cmus_net_encode_backward(b->net, encoding, maps, all, NULL);
    values[EXCHANGE_IMAGES] += share->image_count;
    values[EXCHANGE_CASES] += fused - encoded;
    values[EXCHANGE_BACKWARD] += cmus_seconds() - fused;
    cmus_net_encoding_free(encoding);
    cmus_free(maps);
    cmus_free(all);
}

/* What cmus_optimizer_finish() computes beside the sums, then the step, with a learning rate of 0: the weights stay. */
static void step_alone(exchange_bench *b, int update) {
    float *gradient = cmus_net_gradient(b->net);
    int64_t *exact = cmus_net_exact_sums(b->net);
    cmus_net_exact_overflow(b->net);
    for (size_t i = 0; i < b->piece_count; i++) {
        cmus_piece piece = b->pieces[i];
        if (exact)
            cmus_exact_take(gradient + piece.begin, exact + piece.begin, piece.count);
        cmus_norm(gradient + piece.begin, piece.count);
    }
    cmus_optimizer_step(b->optimizer, 0, update + 1);
}

/* Collective, as all ranks begin together. The update without communication: the same images, each rank by itself. */
static cmus_status without_exchange(exchange_bench *b, int update, double *values) {
    cmus_portion portion;
    cmus_status status;
    cmus_optimizer_settle(b->optimizer);
    cmus_barrier(b->communicator);
    double began = cmus_seconds();
    do {
        status = cmus_prefetch_next(b->prefetch, &portion);
        if (b->in_step)
            status = cmus_agree(b->communicator, status);
        if (status == CMUS_OK)
            wave_alone(b, &portion, values);
    } while (status == CMUS_OK && !portion.wave->last);
    if (b->in_step)
        cmus_barrier(b->communicator);
    double computed = cmus_seconds();
    step_alone(b, update);
    values[EXCHANGE_OPTIMIZER] = cmus_seconds() - computed;
    values[EXCHANGE_WITHOUT] = cmus_seconds() - began;
    return cmus_agree(b->communicator, status);
}

/* Collective. The values of all ranks' updates: largest and sum to rank 0. */
static void collect(exchange_bench *b, int update, const double *values) {
    size_t *sizes = cmus_allocate((size_t)b->communicator->ranks, sizeof *sizes);
    double *largest = b->largest + update * EXCHANGE_VALUES, *sum = b->sum + update * EXCHANGE_VALUES;
    char *all;
    cmus_gather_bytes(b->communicator, values, EXCHANGE_VALUES * sizeof *values, &all, sizes);
    for (int i = 0; all && i < b->communicator->ranks * EXCHANGE_VALUES; i++) {
        double value = ((double *)all)[i];
        largest[i % EXCHANGE_VALUES] = fmax(largest[i % EXCHANGE_VALUES], value);
        sum[i % EXCHANGE_VALUES] += value;
    }
    cmus_free(all);
    cmus_free(sizes);
}

/* Collective. An update each way in turn; which comes first changes. */
static cmus_status race(exchange_bench *b) {
    for (int update = 0; update < b->updates; update++) {
        double values[EXCHANGE_VALUES] = {0};
        if (update % 2 == 1)
            CMUS_TRY(without_exchange(b, update, values));
        CMUS_TRY(with_exchange(b, update, values));
        if (update % 2 == 0)
            CMUS_TRY(without_exchange(b, update, values));
        collect(b, update, values);
    }
    return CMUS_OK;
}

/* Collective. What the links and the reducer give if nothing is computed: the shortest of a few. */
static void measure_alone(exchange_bench *b) {
    enum { REPEATS = 3 };
    cmus_reducer *reducer = cmus_optimizer_reducer(b->optimizer);
    int64_t *exact = cmus_net_exact_sums(b->net);
    b->sum_alone = b->spread_alone = INFINITY;
    for (int i = 0; i < REPEATS; i++) {
        cmus_optimizer_settle(b->optimizer);
        cmus_barrier(b->communicator);
        double began = cmus_seconds();
        cmus_reducer_begin(reducer, exact ? (void *)exact : (void *)cmus_net_gradient(b->net));
        cmus_reducer_finish(reducer);
        double sum = cmus_seconds() - began;
        cmus_maximum_double(b->communicator, &sum);
        began = cmus_seconds();
        cmus_optimizer_spread(b->optimizer);
        cmus_optimizer_settle(b->optimizer);
        double spread = cmus_seconds() - began;
        cmus_maximum_double(b->communicator, &spread);
        b->sum_alone = fmin(b->sum_alone, sum);
        b->spread_alone = fmin(b->spread_alone, spread);
    }
}

static cmus_status run(exchange_bench *b, const arguments *given) {
    CMUS_TRY(cmus_agree(b->communicator, open_all(b, given)));
    CMUS_TRY(cmus_launch_check(b->communicator, b->threads));
    prepare(b);
    CMUS_TRY(race(b));
    measure_alone(b);
    b->peak = (double)cmus_peak_memory();
    cmus_maximum_double(b->communicator, &b->peak);
    return exchange_report(b, given->csv, given->link);
}

static void release(exchange_bench *b) {
    cmus_prefetch_free(b->prefetch);
    cmus_optimizer_free(b->optimizer);
    cmus_free(b->order);
    cmus_free(b->largest);
    cmus_free(b->sum);
    cmus_net_free(b->net);
    cmus_dataset_close(b->dataset);
}

/* False if it is not understood. */
static bool parse(int argc, char **argv, arguments *given) {
    int positional = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--in-step") == 0) {
            given->in_step = true;
        } else if (strncmp(argv[i], "--", 2) == 0) {
            const char **value = strcmp(argv[i], "--csv") == 0    ? &given->csv
                                 : strcmp(argv[i], "--link") == 0 ? &given->link
                                                                  : NULL;
            if (!value || i + 1 == argc)
                return false;
            *value = argv[++i];
        } else if (positional == 0) {
            given->updates = atoi(argv[i]);
            positional++;
        } else if (positional <= 2) {
            *(positional++ == 1 ? &given->data : &given->config) = argv[i];
        } else {
            given->overrides[given->override_count++] = argv[i];
        }
    }
    return positional > 2 && given->updates > EXCHANGE_WARM_UP && given->updates <= MOST_UPDATES &&
           !strpbrk(given->link, ",\n");
}

int main(int argc, char **argv) {
    cmus_program_begin("exchange_bench");
    cmus_communicator communicator = cmus_communicator_begin(&argc, &argv, "exchange_bench");
    arguments given = {.link = "none", .overrides = cmus_allocate((size_t)argc, sizeof(char *))};
    int code = 2;
    if (parse(argc, argv, &given)) {
        int threads = cmus_threads_per_rank();
        if (!getenv("OMP_NUM_THREADS"))
            omp_set_num_threads(threads);
        exchange_bench b = {.communicator = &communicator,
                            .updates = given.updates,
                            .in_step = given.in_step,
                            .threads = omp_get_max_threads()};
        cmus_status status = run(&b, &given);
        release(&b);
        code = communicator.rank == 0 ? cmus_program_end(status) : 0;
        cmus_broadcast(&communicator, &code, sizeof code, 0);
    } else if (communicator.rank == 0) {
        fprintf(stderr,
                "usage: mpirun -np N exchange_bench UPDATES DATA CONFIG [KEY=VALUE...] [--csv FILE] [--link TEXT]\n"
                "[--in-step], with %d to %d updates, and a TEXT without commas\n",
                EXCHANGE_WARM_UP + 1, MOST_UPDATES);
    }
    cmus_free(given.overrides);
    cmus_communicator_end();
    return code;
}
