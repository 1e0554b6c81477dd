#include "cmus/batch.h"

#include "cmus/augment.h"
#include "cmus/memory.h"
#include "cmus/random.h"

struct cmus_batch {
    cmus_dataset *dataset;
    const cmus_config *config;
    int blocks;
    size_t feature_count; /* of an evaluated case; 0: they are not wanted */
    double *probability;  /* [blocks] of stochastic depth */
    uint8_t *bytes;       /* of one image */
    cmus_share share;

    size_t image_room; /* images that these hold */
    float *pixels;     /* [image_room][3][S][S] */
    float *depth;      /* [image_room][blocks][2] */
    cmus_image *images;
    int *places;

    size_t case_room; /* cases that these hold */
    float *dropout;   /* [case_room][fusion_hidden] */
    cmus_case *cases;
    cmus_case_result *results;
    int *positions;
    float *features; /* [case_room][feature_count] */

    size_t tem_room; /* TEM images of the owned cases */
    float *tem_weight, *tem_distance;
    bool *tem_kept;
};

/* Values of an image. */
static size_t pixels(const cmus_batch *batch) {
    size_t side = (size_t)batch->config->net.image_size;
    return 3 * side * side;
}

cmus_batch *cmus_batch_create(const cmus_net *net, cmus_dataset *dataset, const cmus_config *config) {
    cmus_batch *batch = cmus_allocate(1, sizeof *batch);
    *batch = (cmus_batch){.dataset = dataset, .config = config, .blocks = cmus_net_blocks(net)};
    if (config->save_features)
        batch->feature_count = CMUS_FEATURES * cmus_net_channels(net);
    batch->probability = cmus_allocate((size_t)batch->blocks, sizeof(double));
    for (int block = 0; block < batch->blocks; block++)
        batch->probability[block] = cmus_net_drop_probability(net, block);
    batch->bytes = cmus_allocate_raw(pixels(batch), 1);
    return batch;
}

static void free_images(cmus_batch *batch) {
    cmus_free(batch->pixels);
    cmus_free(batch->depth);
    cmus_free(batch->images);
    cmus_free(batch->places);
}

static void free_cases(cmus_batch *batch) {
    cmus_free(batch->dropout);
    cmus_free(batch->cases);
    cmus_free(batch->results);
    cmus_free(batch->positions);
    cmus_free(batch->features);
}

static void free_tem(cmus_batch *batch) {
    cmus_free(batch->tem_weight);
    cmus_free(batch->tem_distance);
    cmus_free(batch->tem_kept);
}

void cmus_batch_free(cmus_batch *batch) {
    if (!batch)
        return;
    free_images(batch);
    free_cases(batch);
    free_tem(batch);
    cmus_free(batch->probability);
    cmus_free(batch->bytes);
    cmus_free(batch);
}

/* Buffers for so many images that are encoded, cases that are owned, and TEM images of those. */
static void make_room(cmus_batch *batch, size_t images, size_t cases, size_t tem) {
    if (images > batch->image_room) {
        free_images(batch);
        batch->pixels = cmus_allocate_raw(images * pixels(batch), sizeof(float));
        batch->depth = cmus_allocate(images * 2 * (size_t)batch->blocks, sizeof(float));
        batch->images = cmus_allocate(images, sizeof *batch->images);
        batch->places = cmus_allocate(images, sizeof *batch->places);
        batch->image_room = images;
    }
    if (cases > batch->case_room) {
        free_cases(batch);
        batch->dropout = cmus_allocate(cases * (size_t)batch->config->net.fusion_hidden, sizeof(float));
        batch->cases = cmus_allocate(cases, sizeof *batch->cases);
        batch->results = cmus_allocate(cases, sizeof *batch->results);
        batch->positions = cmus_allocate(cases, sizeof *batch->positions);
        batch->features = cmus_allocate(cases * batch->feature_count, sizeof(float));
        batch->case_room = cases;
    }
    if (tem > batch->tem_room) {
        free_tem(batch);
        batch->tem_weight = cmus_allocate(tem, sizeof(float));
        batch->tem_distance = cmus_allocate(tem, sizeof(float));
        batch->tem_kept = cmus_allocate(tem, sizeof(bool));
        batch->tem_room = tem;
    }
}

/* Which images and cases of the wave are this rank's. */
static void list_own(cmus_batch *batch, const cmus_wave *wave, int rank) {
    int all = wave->first[wave->count];
    size_t images = 0, cases = 0, tem = 0;
    for (int i = 0; i < all; i++)
        images += wave->images[i].rank == rank;
    for (int c = 0; c < wave->count; c++)
        if (wave->owner[c] == rank) {
            cases++;
            tem += (size_t)(wave->first[c + 1] - wave->first[c] - 2);
        }
    make_room(batch, images, cases, tem);
    images = cases = 0;
    for (int m = 0; m < CMUS_MODALITIES; m++)
        for (int i = 0; i < all; i++)
            if (wave->images[i].rank == rank && wave->images[i].modality == (cmus_modality)m)
                batch->places[images++] = i;
    for (int c = 0; c < wave->count; c++)
        if (wave->owner[c] == rank)
            batch->positions[cases++] = c;
    batch->share = (cmus_share){.image_count = (int)images,
                                .images = batch->images,
                                .places = batch->places,
                                .case_count = (int)cases,
                                .positions = batch->positions,
                                .cases = batch->cases,
                                .results = batch->results};
}

/* Reads the image and draws its choices. */
static cmus_status load_image(cmus_batch *batch, const cmus_wave *wave, int own) {
    const cmus_config *config = batch->config;
    const cmus_wave_image *image = &wave->images[batch->places[own]];
    int index = wave->indices[image->position];
    CMUS_TRY(
        cmus_dataset_read_image(batch->dataset, index, (cmus_image_kind)image->modality, image->number, batch->bytes));
    cmus_image_key key = {.seed = config->seed,
                          .case_hash = cmus_hash_text(cmus_dataset_case(batch->dataset, index).case_id),
                          .epoch = wave->epoch,
                          .modality = image->modality,
                          .image = image->number};
    float *planes = batch->pixels + (size_t)own * pixels(batch);
    float *depth = batch->depth + (size_t)own * 2 * (size_t)batch->blocks;
    cmus_flips flips = {false, false};
    if (wave->epoch >= 0) {
        flips = cmus_draw_flips(&key);
        flips.horizontal = flips.horizontal && config->flip_horizontal;
        flips.vertical = flips.vertical && config->flip_vertical;
        cmus_draw_depth(&key, batch->probability, batch->blocks, depth);
    }
    cmus_normalize_image(batch->bytes, config->net.image_size, flips, planes);
    batch->images[own] =
        (cmus_image){.modality = image->modality, .pixels = planes, .depth = wave->epoch >= 0 ? depth : NULL};
    return CMUS_OK;
}

/* Owned case number `own`; its TEM results begin at `tem`. */
static void make_case(cmus_batch *batch, const cmus_wave *wave, int own, size_t tem) {
    const cmus_config *config = batch->config;
    int position = batch->positions[own];
    cmus_case_info info = cmus_dataset_case(batch->dataset, wave->indices[position]);
    cmus_case *made = &batch->cases[own];
    *made = (cmus_case){.tem_count = wave->first[position + 1] - wave->first[position] - 2, .label = info.label};
    batch->results[own] = (cmus_case_result){.tem_weight = batch->tem_weight + tem,
                                             .tem_distance = batch->tem_distance + tem,
                                             .tem_kept = batch->tem_kept + tem};
    if (wave->epoch < 0) {
        if (batch->feature_count)
            batch->results[own].features = batch->features + (size_t)own * batch->feature_count;
        return;
    }
    float *dropout = batch->dropout + (size_t)own * (size_t)config->net.fusion_hidden;
    cmus_draw_dropout(config->seed, wave->epoch, cmus_hash_text(info.case_id), config->net.dropout,
                      config->net.fusion_hidden, dropout);
    made->dropout = dropout;
}

/* Where one rank has all images, its cases point to them: sorted by modality, a case's images lie one after another. */
static void point_to_images(cmus_batch *batch, const cmus_wave *wave) {
    for (int i = batch->share.image_count - 1; i >= 0; i--) {
        const cmus_wave_image *image = &wave->images[batch->places[i]];
        batch->cases[image->position].images[image->modality] = batch->images[i].pixels;
        batch->cases[image->position].depth[image->modality] = batch->images[i].depth;
    }
}

cmus_status cmus_batch_load(cmus_batch *batch, const cmus_wave *wave, int rank) {
    list_own(batch, wave, rank);
    for (int i = 0; i < batch->share.image_count; i++)
        CMUS_TRY(load_image(batch, wave, i));
    size_t tem = 0;
    for (int c = 0; c < batch->share.case_count; c++) {
        make_case(batch, wave, c, tem);
        tem += (size_t)batch->cases[c].tem_count;
    }
    if (batch->share.image_count == wave->first[wave->count] && batch->share.case_count == wave->count)
        point_to_images(batch, wave);
    return CMUS_OK;
}

cmus_share cmus_batch_share(const cmus_batch *batch) {
    return batch->share;
}

int cmus_case_images(const cmus_dataset *dataset, const cmus_config *config, int index) {
    int tem_count = cmus_dataset_case(dataset, index).tem_count;
    return 2 + (tem_count < config->max_tem ? tem_count : config->max_tem);
}
