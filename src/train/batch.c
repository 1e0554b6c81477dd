#include "cmus/batch.h"

#include "cmus/augment.h"
#include "cmus/memory.h"
#include "cmus/random.h"

/* What one case of a batch owns; its TEM buffers hold max_tem images at most and are made for the largest bag so far.
 */
typedef struct slot {
    float *images[CMUS_MODALITIES], *depth[CMUS_MODALITIES], *dropout;
    float *tem_weight, *tem_distance;
    bool *tem_kept;
    int room; /* TEM images */
} slot;

struct cmus_batch {
    const cmus_net *net;
    cmus_dataset *dataset;
    const cmus_config *config;
    int blocks;
    double *probability; /* [blocks] of stochastic depth */
    uint8_t *om, *im, *tem;
    int tem_room; /* images in `tem` */
    slot *slots;
    size_t slot_count, case_count, result_count;
    cmus_case *cases;
    cmus_case_result *results;
};

static size_t pixels(const cmus_batch *batch) {
    size_t side = (size_t)batch->config->net.image_size;
    return 3 * side * side;
}

cmus_batch *cmus_batch_create(const cmus_net *net, cmus_dataset *dataset, const cmus_config *config) {
    cmus_batch *batch = cmus_allocate(1, sizeof *batch);
    *batch = (cmus_batch){.net = net, .dataset = dataset, .config = config, .blocks = cmus_net_blocks(net)};
    batch->probability = cmus_allocate((size_t)batch->blocks, sizeof(double));
    for (int block = 0; block < batch->blocks; block++)
        batch->probability[block] = cmus_net_drop_probability(net, block);
    batch->om = cmus_allocate(pixels(batch), 1);
    batch->im = cmus_allocate(pixels(batch), 1);
    return batch;
}

static void free_tem(slot *s) {
    cmus_free(s->images[CMUS_TEM]);
    cmus_free(s->depth[CMUS_TEM]);
    cmus_free(s->tem_weight);
    cmus_free(s->tem_distance);
    cmus_free(s->tem_kept);
}

void cmus_batch_free(cmus_batch *batch) {
    if (!batch)
        return;
    for (size_t i = 0; i < batch->slot_count; i++) {
        slot *s = &batch->slots[i];
        free_tem(s);
        for (int modality = CMUS_OM; modality <= CMUS_IM; modality++) {
            cmus_free(s->images[modality]);
            cmus_free(s->depth[modality]);
        }
        cmus_free(s->dropout);
    }
    cmus_free(batch->slots);
    cmus_free(batch->cases);
    cmus_free(batch->results);
    cmus_free(batch->probability);
    cmus_free(batch->om);
    cmus_free(batch->im);
    cmus_free(batch->tem);
    cmus_free(batch);
}

static void make_room(cmus_batch *batch, slot *s, int tem_count) {
    size_t factors = 2 * (size_t)batch->blocks, room = (size_t)tem_count;
    if (!s->dropout) {
        for (int modality = CMUS_OM; modality <= CMUS_IM; modality++) {
            s->images[modality] = cmus_allocate_raw(pixels(batch), sizeof(float));
            s->depth[modality] = cmus_allocate(factors, sizeof(float));
        }
        s->dropout = cmus_allocate((size_t)batch->config->net.fusion_hidden, sizeof(float));
    }
    if (tem_count > s->room) {
        free_tem(s);
        s->images[CMUS_TEM] = cmus_allocate_raw(room * pixels(batch), sizeof(float));
        s->depth[CMUS_TEM] = cmus_allocate(room * factors, sizeof(float));
        s->tem_weight = cmus_allocate(room, sizeof(float));
        s->tem_distance = cmus_allocate(room, sizeof(float));
        s->tem_kept = cmus_allocate(room, sizeof(bool));
        s->room = tem_count;
    }
    if (tem_count > batch->tem_room) {
        cmus_free(batch->tem);
        batch->tem = cmus_allocate_raw(room, pixels(batch));
        batch->tem_room = tem_count;
    }
}

/* Images of one modality from bytes into the slot, with the choices of each. */
static void fill_modality(const cmus_batch *batch, slot *s, cmus_image_key key, const uint8_t *bytes, int count) {
    const cmus_config *config = batch->config;
    for (int image = 0; image < count; image++) {
        key.image = image;
        cmus_flips flips = {false, false};
        if (key.epoch >= 0) {
            flips = cmus_draw_flips(&key);
            flips.horizontal = flips.horizontal && config->flip_horizontal;
            flips.vertical = flips.vertical && config->flip_vertical;
            cmus_draw_depth(&key, batch->probability, batch->blocks,
                            s->depth[key.modality] + (size_t)image * 2 * (size_t)batch->blocks);
        }
        cmus_normalize_image(bytes + (size_t)image * pixels(batch), config->net.image_size, flips,
                             s->images[key.modality] + (size_t)image * pixels(batch));
    }
}

static cmus_status load_case(cmus_batch *batch, int position, int index, int epoch) {
    const cmus_config *config = batch->config;
    cmus_case_info info = cmus_dataset_case(batch->dataset, index);
    int tem_count = info.tem_count < config->max_tem ? info.tem_count : config->max_tem;
    slot *s = &batch->slots[position];
    make_room(batch, s, tem_count);
    CMUS_TRY(cmus_dataset_read(batch->dataset, index, config->max_tem, batch->om, batch->im, batch->tem));
    cmus_image_key key = {.seed = config->seed, .case_hash = cmus_hash_text(info.case_id), .epoch = epoch};
    cmus_case *made = &batch->cases[position];
    *made = (cmus_case){.tem_count = tem_count, .label = info.label};
    const uint8_t *bytes[CMUS_MODALITIES] = {[CMUS_TEM] = batch->tem, [CMUS_OM] = batch->om, [CMUS_IM] = batch->im};
    for (int modality = 0; modality < CMUS_MODALITIES; modality++) {
        key.modality = (cmus_modality)modality;
        fill_modality(batch, s, key, bytes[modality], modality == CMUS_TEM ? tem_count : 1);
        made->images[modality] = s->images[modality];
        made->depth[modality] = epoch >= 0 ? s->depth[modality] : NULL;
    }
    if (epoch >= 0) {
        cmus_draw_dropout(config->seed, epoch, key.case_hash, config->net.dropout, config->net.fusion_hidden,
                          s->dropout);
        made->dropout = s->dropout;
    }
    batch->results[position] =
        (cmus_case_result){.tem_weight = s->tem_weight, .tem_distance = s->tem_distance, .tem_kept = s->tem_kept};
    return CMUS_OK;
}

cmus_status cmus_batch_load(cmus_batch *batch, const int *indices, int count, int epoch) {
    size_t needed = (size_t)count;
    batch->slots = cmus_grow(batch->slots, &batch->slot_count, needed, sizeof *batch->slots);
    batch->cases = cmus_grow(batch->cases, &batch->case_count, needed, sizeof *batch->cases);
    batch->results = cmus_grow(batch->results, &batch->result_count, needed, sizeof *batch->results);
    for (int i = 0; i < count; i++)
        CMUS_TRY(load_case(batch, i, indices[i], epoch));
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
