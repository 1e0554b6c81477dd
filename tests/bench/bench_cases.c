#include "bench.h"

#include "cmus/augment.h"
#include "cmus/memory.h"
#include "cmus/random.h"
#include "cmus/sampler.h"

/* A case in memory. */
typedef struct memory_case {
    uint64_t id; /* its number in the batch */
    float *images[CMUS_MODALITIES], *depth[CMUS_MODALITIES], *dropout;
} memory_case;

struct bench_cases {
    const cmus_net *net;
    const cmus_config *config;
    cmus_dataset *dataset;
    cmus_batch *batch;   /* of the data set */
    int *order, *picked; /* of the data set's cases; [config->batch]: those of a step */
    int images;          /* of a step */
    double *probability; /* [blocks] of stochastic depth */
    memory_case *memory; /* [config->batch], without a data set */
    cmus_case *cases;    /* the same as the network takes them */
    cmus_case_result *results;
};

static int images_of(const bench_cases *cases, int modality) {
    return modality == CMUS_TEM ? cases->config->max_tem : 1;
}

/* Images as torch.randn draws them, keyed by the case. */
static void make_memory_case(const bench_cases *cases, memory_case *made, int number) {
    const cmus_net_config *net = &cases->config->net;
    size_t pixels = 3 * (size_t)net->image_size * (size_t)net->image_size, blocks = (size_t)cmus_net_blocks(cases->net);
    made->id = (uint64_t)number;
    for (int m = 0; m < CMUS_MODALITIES; m++) {
        size_t count = (size_t)images_of(cases, m);
        uint64_t ids[] = {made->id, (uint64_t)m};
        cmus_random random = cmus_random_begin(cases->config->seed, "bench image", ids, 2);
        made->images[m] = cmus_allocate_raw(count * pixels, sizeof(float));
        for (size_t i = 0; i < count * pixels; i++)
            made->images[m][i] = (float)cmus_random_normal(&random);
        made->depth[m] = cmus_allocate(count * 2 * blocks, sizeof(float));
    }
    made->dropout = cmus_allocate((size_t)net->fusion_hidden, sizeof(float));
}

static void make_memory(bench_cases *cases) {
    size_t count = (size_t)cases->config->batch;
    cases->images = cases->config->batch * (cases->config->max_tem + 2);
    cases->memory = cmus_allocate(count, sizeof *cases->memory);
    cases->cases = cmus_allocate(count, sizeof *cases->cases);
    cases->results = cmus_allocate(count, sizeof *cases->results);
    for (size_t i = 0; i < count; i++) {
        make_memory_case(cases, &cases->memory[i], (int)i);
        const memory_case *from = &cases->memory[i];
        cmus_case *made = &cases->cases[i];
        uint64_t key = cmus_random_key(cases->config->seed, "bench label", &from->id, 1);
        made->tem_count = cases->config->max_tem;
        made->label = (int)(cmus_uniform_at(key, 0) * cases->config->net.classes);
        for (int m = 0; m < CMUS_MODALITIES; m++) {
            made->images[m] = from->images[m];
            made->depth[m] = from->depth[m];
        }
        made->dropout = from->dropout;
    }
}

bench_cases *bench_cases_make(const cmus_net *net, cmus_dataset *dataset, const cmus_config *config) {
    bench_cases *cases = cmus_allocate(1, sizeof *cases);
    *cases = (bench_cases){.net = net, .config = config, .dataset = dataset};
    cases->picked = cmus_allocate((size_t)config->batch, sizeof *cases->picked);
    cases->probability = cmus_allocate((size_t)cmus_net_blocks(net), sizeof *cases->probability);
    for (int block = 0; block < cmus_net_blocks(net); block++)
        cases->probability[block] = cmus_net_drop_probability(net, block);
    if (!dataset) {
        make_memory(cases);
        return cases;
    }
    int count = cmus_dataset_case_count(dataset);
    cases->order = cmus_allocate((size_t)count, sizeof *cases->order);
    for (int i = 0; i < count; i++)
        cases->order[i] = i;
    cmus_epoch_order(config->seed, 0, cases->order, count);
    cases->batch = cmus_batch_create(net, dataset, config);
    return cases;
}

void bench_cases_free(bench_cases *cases) {
    if (!cases)
        return;
    for (int i = 0; cases->memory && i < cases->config->batch; i++) {
        for (int m = 0; m < CMUS_MODALITIES; m++) {
            cmus_free(cases->memory[i].images[m]);
            cmus_free(cases->memory[i].depth[m]);
        }
        cmus_free(cases->memory[i].dropout);
    }
    if (cases->memory) { /* with a data set they belong to its batch */
        cmus_free(cases->cases);
        cmus_free(cases->results);
    }
    cmus_free(cases->memory);
    cmus_batch_free(cases->batch);
    cmus_free(cases->order);
    cmus_free(cases->picked);
    cmus_free(cases->probability);
    cmus_free(cases);
}

/* The random choices of a case in memory, as the trainer draws them in epoch `step`. */
static void draw(const bench_cases *cases, const memory_case *of, int step) {
    const cmus_config *config = cases->config;
    int blocks = cmus_net_blocks(cases->net);
    cmus_image_key key = {.seed = config->seed, .case_hash = of->id, .epoch = step};
    for (int m = 0; m < CMUS_MODALITIES; m++)
        for (key.modality = (cmus_modality)m, key.image = 0; key.image < images_of(cases, m); key.image++)
            cmus_draw_depth(&key, cases->probability, blocks, of->depth[m] + 2 * (size_t)blocks * (size_t)key.image);
    cmus_draw_dropout(config->seed, step, of->id, config->net.dropout, config->net.fusion_hidden, of->dropout);
}

static cmus_status load_from_dataset(bench_cases *cases, int step) {
    const cmus_config *config = cases->config;
    for (int i = 0; i < config->batch; i++) {
        int64_t place = (int64_t)step * config->batch + i;
        cases->picked[i] = cases->order[place % cmus_dataset_case_count(cases->dataset)];
    }
    cmus_wave *wave = cmus_wave_whole(cases->net, cases->dataset, config, cases->picked, config->batch, step);
    cases->images = wave->first[wave->count];
    cmus_status status = cmus_batch_load(cases->batch, wave, 0);
    cmus_wave_free(wave);
    return status;
}

cmus_status bench_cases_load(bench_cases *cases, int step) {
    if (cases->dataset)
        return load_from_dataset(cases, step);
    for (int i = 0; i < cases->config->batch; i++)
        draw(cases, &cases->memory[i], step);
    return CMUS_OK;
}

const cmus_case *bench_cases_loaded(const bench_cases *cases) {
    return cases->dataset ? cmus_batch_share(cases->batch).cases : cases->cases;
}

cmus_case_result *bench_cases_results(bench_cases *cases) {
    return cases->dataset ? cmus_batch_share(cases->batch).results : cases->results;
}

int bench_cases_images(const bench_cases *cases) {
    return cases->images;
}
