/* step_bench: how fast updates of the network are, and where their time goes. */
#include <argp.h>
#include <errno.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "cmus/adam.h"
#include "cmus/communicator.h"
#include "cmus/gemm.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/product.h"
#include "cmus/program.h"

enum { OPTION_BATCH = 256, OPTION_TEM, OPTION_STEPS, OPTION_SEED, OPTION_DATA, OPTION_CSV, OPTION_PRODUCTS };
enum { MOMENTS = 3, DEFAULT_CLASSES = 3 };

typedef struct arguments {
    const char *config, *data, *csv;
    const char **overrides;
    size_t override_count, override_capacity;
    long batch, tem, steps, seed, products; /* batch, tem, seed: -1 for what the configuration says */
} arguments;

static const struct argp_option options[] = {
    {"batch", OPTION_BATCH, "CASES", 0, "Cases of an update (default: batch of CONFIG)", 0},
    {"tem", OPTION_TEM, "K", 0, "TEM images of a case; with --data at most so many (default: max_tem of CONFIG)", 0},
    {"steps", OPTION_STEPS, "N", 0, "Updates; the later half of them counts (default 8)", 0},
    {"seed", OPTION_SEED, "S", 0, "Seed of weights, images and random choices (default: seed of CONFIG)", 0},
    {"data", OPTION_DATA, "DIR", 0, "Cases of a packed data set; without it, random images in memory", 0},
    {"csv", OPTION_CSV, "FILE", 0, "Write a row an update into FILE", 0},
    {"products", OPTION_PRODUCTS, "N", 0, "List the N kinds of matrix products that took most time (default 0)", 0},
    {0}};

static error_t parse_count(const char *text, const char *name, long least, struct argp_state *state, long *count) {
    char *end;
    errno = 0;
    *count = strtol(text, &end, 10);
    if (end != text && !*end && !errno && *count >= least && *count <= 1000000)
        return 0;
    argp_error(state, "--%s %s: a whole number from %ld is expected", name, text, least);
    return EINVAL;
}

static error_t parse(int key, char *value, struct argp_state *state) {
    arguments *given = state->input;
    switch (key) {
    case OPTION_BATCH:
        return parse_count(value, "batch", 1, state, &given->batch);
    case OPTION_TEM:
        return parse_count(value, "tem", 1, state, &given->tem);
    case OPTION_STEPS:
        return parse_count(value, "steps", 1, state, &given->steps);
    case OPTION_SEED:
        return parse_count(value, "seed", 0, state, &given->seed);
    case OPTION_PRODUCTS:
        return parse_count(value, "products", 0, state, &given->products);
    case OPTION_DATA:
        given->data = value;
        return 0;
    case OPTION_CSV:
        given->csv = value;
        return 0;
    case ARGP_KEY_ARG:
        if (!given->config) {
            given->config = value;
            return 0;
        }
        given->overrides =
            cmus_grow(given->overrides, &given->override_capacity, given->override_count + 1, sizeof *given->overrides);
        given->overrides[given->override_count++] = value;
        return 0;
    case ARGP_KEY_END:
        if (given->config)
            return 0;
        argp_error(state, "CONFIG is needed");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .args_doc = "CONFIG [KEY=VALUE...]",
    .doc =
        "Times updates of CMUS-Net in one process as the trainer makes them: stochastic depth and dropout are drawn, "
        "weights moved by Adam.\v"
        "Prints seconds by phase (median and shortest of the later half of the updates), FLOPs that had to be done "
        "(matrix products and window attention, counted from their shapes), the speed of the BLAS on the products of "
        "the very same updates alone, peak memory, and the time of every operation. Several ranks: time cmus-train. "
        "Exit code: 0 done, 1 failed, 2 wrong usage."};

typedef struct bench {
    const arguments *given;
    cmus_config config;
    cmus_dataset *dataset;
    cmus_net *net;
    float *moments[MOMENTS];
    bench_cases *cases;
    bench_step *steps; /* [given->steps] */
} bench;

/* Network, weights, moments and cases. */
static cmus_status prepare(bench *b) {
    const arguments *given = b->given;
    cmus_config *config = &b->config;
    CMUS_TRY(cmus_blas_check());
    CMUS_TRY(cmus_config_read(given->config, given->overrides, given->override_count, config));
    CMUS_TRY(cmus_products_precision(config->net.precision));
    config->batch = given->batch > 0 ? (int)given->batch : config->batch;
    config->max_tem = given->tem > 0 ? (int)given->tem : config->max_tem;
    config->seed = given->seed >= 0 ? (uint64_t)given->seed : config->seed;
    config->net.classes = config->class_count ? config->class_count : DEFAULT_CLASSES;
    if (given->data) {
        CMUS_TRY(cmus_dataset_open(given->data, &b->dataset));
        CMUS_TRY(cmus_dataset_needs_all(b->dataset, given->data));
        config->net.classes = cmus_dataset_class_count(b->dataset);
        if (cmus_dataset_image_size(b->dataset) != config->net.image_size)
            return cmus_fail(CMUS_ERROR_MISMATCH, "%s: image_size is %d, but the images of %s have %d pixels",
                             given->config, config->net.image_size, given->data, cmus_dataset_image_size(b->dataset));
    }
    CMUS_TRY(cmus_net_create(&config->net, true, &b->net));
    const cmus_parameters *parameters = cmus_net_parameters(b->net);
    cmus_parameters_initialize(parameters, config->seed, cmus_net_weights(b->net));
    for (int i = 0; i < MOMENTS; i++)
        b->moments[i] = cmus_allocate(parameters->size, sizeof(float));
    b->cases = bench_cases_make(b->net, b->dataset, config);
    b->steps = cmus_allocate((size_t)given->steps, sizeof *b->steps);
    return CMUS_OK;
}

/* Gradients of a step's cases; adds up their losses. */
static cmus_status run_cases(bench *b, bench_step *step, int number) {
    double began = cmus_profile_begin();
    cmus_status status = bench_cases_load(b->cases, number);
    cmus_profile_end(bench_phase_names[BENCH_DATA], began);
    CMUS_TRY(status);
    double scale = b->config.loss_reduction == CMUS_REDUCTION_MEAN ? 1.0 / b->config.batch : 1.0;
    cmus_case_result *results = bench_cases_results(b->cases);
    cmus_net_gradients(b->net, bench_cases_loaded(b->cases), b->config.batch, scale, results);
    for (int i = 0; i < b->config.batch; i++)
        step->loss += results[i].total_loss / b->config.batch;
    step->images = bench_cases_images(b->cases);
    return CMUS_OK;
}

/* One update; the number of a step is the time of Adam and the key of the random choices. */
static cmus_status update(bench *b, bench_step *step, int number) {
    CMUS_TRY(run_cases(b, step, number));
    size_t size = cmus_net_parameters(b->net)->size;
    float *gradient = cmus_net_gradient(b->net);
    double began = cmus_profile_begin(), part = cmus_profile_begin();
    cmus_norm(gradient, size); /* the trainer looks at it before each update */
    cmus_profile_end("gradient norm", part);
    cmus_adam adam = cmus_adam_published();
    adam.lr = b->config.lr;
    adam.weight_decay = b->config.weight_decay;
    cmus_adam_update(&adam, number + 1, size, cmus_net_weights(b->net), gradient, b->moments[0], b->moments[1],
                     b->moments[2]);
    cmus_profile_end(bench_phase_names[BENCH_UPDATE], began);
    return CMUS_OK;
}

/* Seconds by phase so far, and in phase[BENCH_PHASES] the FLOPs: differences give those of a step. */
static void read_totals(double *totals) {
    size_t count;
    cmus_profile_operation *table = cmus_profile_operations(&count);
    memset(totals, 0, (BENCH_PHASES + 1) * sizeof *totals);
    for (size_t i = 0; i < count; i++)
        for (int phase = 0; phase < BENCH_PHASES; phase++)
            if (strcmp(table[i].name, bench_phase_names[phase]) == 0)
                totals[phase] = table[i].seconds;
    totals[BENCH_PHASES] = cmus_profile_needed_flops();
    cmus_free(table);
}

/* An update with its times. */
static cmus_status timed_step(bench *b, int number) {
    bench_step *step = &b->steps[number];
    double before[BENCH_PHASES + 1], after[BENCH_PHASES + 1];
    read_totals(before);
    double began = cmus_profile_begin(), start = cmus_seconds();
    cmus_status status = update(b, step, number);
    step->seconds = cmus_seconds() - start;
    cmus_profile_end("step", began);
    CMUS_TRY(status);
    read_totals(after);
    for (int phase = 0; phase < BENCH_PHASES; phase++)
        step->phase[phase] = after[phase] - before[phase];
    step->flops = after[BENCH_PHASES] - before[BENCH_PHASES];
    return CMUS_OK;
}

static cmus_status run(bench *b) {
    int count = (int)b->given->steps, first = count / 2;
    CMUS_TRY(prepare(b));
    cmus_profile_enable(true);
    cmus_progress progress;
    cmus_progress_begin(&progress, "made", "updates", count);
    for (int step = 0; step < count; step++) {
        if (step == first)
            cmus_profile_reset(); /* what came before was warming up */
        CMUS_TRY(timed_step(b, step));
        cmus_progress_update(&progress, step + 1);
    }
    cmus_profile_enable(false);
    cmus_progress_end(&progress, count);
    double peak_memory = (double)cmus_peak_memory(); /* before the replay needs its own */
    bench_replay replay = bench_replay_products();
    bench_report_print(&(bench_report){.config = &b->config,
                                       .data = b->given->data,
                                       .steps = b->steps,
                                       .step_count = count,
                                       .first = first,
                                       .products = (int)b->given->products,
                                       .peak_memory = peak_memory,
                                       .replay = &replay});
    bench_replay_free(&replay);
    return b->given->csv ? bench_steps_write(b->given->csv, b->steps, count) : CMUS_OK;
}

static void free_bench(bench *b) {
    bench_cases_free(b->cases);
    for (int i = 0; i < MOMENTS; i++)
        cmus_free(b->moments[i]);
    cmus_net_free(b->net);
    cmus_dataset_close(b->dataset);
    cmus_free(b->steps);
    cmus_profile_reset();
}

int main(int argc, char **argv) {
    cmus_program_begin("step_bench");
    cmus_communicator communicator = cmus_communicator_begin(&argc, &argv, "step_bench");
    if (communicator.ranks > 1) {
        if (communicator.rank == 0)
            fprintf(stderr, "step_bench: it is for one process, and mpirun started %d: time several with cmus-train\n",
                    communicator.ranks);
        cmus_communicator_end();
        return 2;
    }
    arguments given = {.batch = -1, .tem = -1, .steps = 8, .seed = -1};
    if (argp_parse(&parser, argc, argv, 0, NULL, &given) != 0)
        return 0;
    int threads = cmus_threads_per_rank();
    if (!getenv("OMP_NUM_THREADS"))
        omp_set_num_threads(threads);
    bench b = {.given = &given};
    cmus_status status = run(&b);
    free_bench(&b);
    cmus_free(given.overrides);
    int code = cmus_program_end(status);
    cmus_communicator_end();
    return code;
}
