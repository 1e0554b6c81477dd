#include "cmus/batch.h"

#include "cmus/augment.h"
#include "cmus/memory.h"
#include "cmus/random.h"
#include "cmus/sampler.h"

/* All images of a batch lie one after another, case after case: TEM, OM, IM. */
struct cmus_batch {
    cmus_dataset *dataset;
    const cmus_config *config;
    int blocks;
    double *probability; /* [blocks] of stochastic depth */
    uint8_t *bytes;      /* of one case: [byte_room] images */
    size_t byte_room;

    size_t image_room; /* images that the next five hold */
    float *pixels;     /* [image_room][3][S][S] */
    float *depth;      /* [image_room][blocks][2] */
    float *tem_weight, *tem_distance;
    bool *tem_kept;

    size_t case_room;
    float *dropout; /* [case_room][fusion_hidden] */
    cmus_case *cases;
    cmus_case_result *results;
};

/* Values of an image. */
static size_t pixels(const cmus_batch *batch) {
    size_t side = (size_t)batch->config->net.image_size;
    return 3 * side * side;
}

cmus_batch *cmus_batch_create(const cmus_net *net, cmus_dataset *dataset, const cmus_config *config) {
    cmus_batch *batch = cmus_allocate(1, sizeof *batch);
    *batch = (cmus_batch){.dataset = dataset, .config = config, .blocks = cmus_net_blocks(net)};
    batch->probability = cmus_allocate((size_t)batch->blocks, sizeof(double));
    for (int block = 0; block < batch->blocks; block++)
        batch->probability[block] = cmus_net_drop_probability(net, block);
    return batch;
}

static void free_images(cmus_batch *batch) {
    cmus_free(batch->pixels);
    cmus_free(batch->depth);
    cmus_free(batch->tem_weight);
    cmus_free(batch->tem_distance);
    cmus_free(batch->tem_kept);
}

static void free_cases(cmus_batch *batch) {
    cmus_free(batch->dropout);
    cmus_free(batch->cases);
    cmus_free(batch->results);
}

void cmus_batch_free(cmus_batch *batch) {
    if (!batch)
        return;
    free_images(batch);
    free_cases(batch);
    cmus_free(batch->probability);
    cmus_free(batch->bytes);
    cmus_free(batch);
}

/* Buffers for so many cases with so many images in all, and `largest` images of one case. */
static void make_room(cmus_batch *batch, size_t cases, size_t images, size_t largest) {
    if (largest > batch->byte_room) {
        cmus_free(batch->bytes);
        batch->bytes = cmus_allocate_raw(largest, pixels(batch));
        batch->byte_room = largest;
    }
    if (images > batch->image_room) {
        free_images(batch);
        batch->pixels = cmus_allocate_raw(images * pixels(batch), sizeof(float));
        batch->depth = cmus_allocate(images * 2 * (size_t)batch->blocks, sizeof(float));
        batch->tem_weight = cmus_allocate(images, sizeof(float));
        batch->tem_distance = cmus_allocate(images, sizeof(float));
        batch->tem_kept = cmus_allocate(images, sizeof(bool));
        batch->image_room = images;
    }
    if (cases > batch->case_room) {
        free_cases(batch);
        batch->dropout = cmus_allocate(cases * (size_t)batch->config->net.fusion_hidden, sizeof(float));
        batch->cases = cmus_allocate(cases, sizeof *batch->cases);
        batch->results = cmus_allocate(cases, sizeof *batch->results);
        batch->case_room = cases;
    }
}

/* Images of one modality from bytes to the batch's images from number `first`, with the choices of each. */
static void fill_modality(cmus_batch *batch, cmus_image_key key, const uint8_t *bytes, size_t first, int count) {
    const cmus_config *config = batch->config;
    for (int image = 0; image < count; image++) {
        size_t place = first + (size_t)image;
        key.image = image;
        cmus_flips flips = {false, false};
        if (key.epoch >= 0) {
            flips = cmus_draw_flips(&key);
            flips.horizontal = flips.horizontal && config->flip_horizontal;
            flips.vertical = flips.vertical && config->flip_vertical;
            cmus_draw_depth(&key, batch->probability, batch->blocks, batch->depth + place * 2 * (size_t)batch->blocks);
        }
        cmus_normalize_image(bytes + (size_t)image * pixels(batch), config->net.image_size, flips,
                             batch->pixels + place * pixels(batch));
    }
}

/* The case at `position` of the batch; its images begin at number `first`. */
static cmus_status load_case(cmus_batch *batch, int position, size_t first, int index, int epoch) {
    const cmus_config *config = batch->config;
    cmus_case_info info = cmus_dataset_case(batch->dataset, index);
    int tem_count = cmus_case_images(batch->dataset, config, index) - 2;
    const int counts[CMUS_MODALITIES] = {[CMUS_TEM] = tem_count, [CMUS_OM] = 1, [CMUS_IM] = 1};
    uint8_t *om = batch->bytes + (size_t)tem_count * pixels(batch), *im = om + pixels(batch), *tem = batch->bytes;
    CMUS_TRY(cmus_dataset_read(batch->dataset, index, config->max_tem, om, im, tem));
    cmus_image_key key = {.seed = config->seed, .case_hash = cmus_hash_text(info.case_id), .epoch = epoch};
    cmus_case *made = &batch->cases[position];
    *made = (cmus_case){.tem_count = tem_count, .label = info.label};
    batch->results[position] = (cmus_case_result){.tem_weight = batch->tem_weight + first,
                                                  .tem_distance = batch->tem_distance + first,
                                                  .tem_kept = batch->tem_kept + first};
    const uint8_t *bytes[CMUS_MODALITIES] = {[CMUS_TEM] = tem, [CMUS_OM] = om, [CMUS_IM] = im};
    for (int modality = 0; modality < CMUS_MODALITIES; modality++) {
        key.modality = (cmus_modality)modality;
        fill_modality(batch, key, bytes[modality], first, counts[modality]);
        made->images[modality] = batch->pixels + first * pixels(batch);
        made->depth[modality] = epoch >= 0 ? batch->depth + first * 2 * (size_t)batch->blocks : NULL;
        first += (size_t)counts[modality];
    }
    if (epoch >= 0) {
        float *dropout = batch->dropout + (size_t)position * (size_t)config->net.fusion_hidden;
        cmus_draw_dropout(config->seed, epoch, key.case_hash, config->net.dropout, config->net.fusion_hidden, dropout);
        made->dropout = dropout;
    }
    return CMUS_OK;
}

cmus_status cmus_batch_load(cmus_batch *batch, const int *indices, int count, int epoch) {
    size_t images = 0, largest = 0;
    for (int i = 0; i < count; i++) {
        size_t of_case = (size_t)cmus_case_images(batch->dataset, batch->config, indices[i]);
        images += of_case;
        largest = of_case > largest ? of_case : largest;
    }
    make_room(batch, (size_t)count, images, largest);
    size_t first = 0;
    for (int i = 0; i < count; i++) {
        CMUS_TRY(load_case(batch, i, first, indices[i], epoch));
        first += (size_t)cmus_case_images(batch->dataset, batch->config, indices[i]);
    }
    return CMUS_OK;
}

const cmus_case *cmus_batch_cases(const cmus_batch *batch) {
    return batch->cases;
}

cmus_case_result *cmus_batch_results(cmus_batch *batch) {
    return batch->results;
}

int cmus_case_images(const cmus_dataset *dataset, const cmus_config *config, int index) {
    int tem_count = cmus_dataset_case(dataset, index).tem_count;
    return 2 + (tem_count < config->max_tem ? tem_count : config->max_tem);
}

void cmus_batch_share(const cmus_dataset *dataset, const cmus_config *config, const int *indices, int count, int ranks,
                      int *rank_of) {
    int *images = cmus_allocate((size_t)count, sizeof(int));
    for (int i = 0; i < count; i++)
        images[i] = cmus_case_images(dataset, config, indices[i]);
    cmus_share_cases(images, count, ranks, rank_of);
    cmus_free(images);
}
