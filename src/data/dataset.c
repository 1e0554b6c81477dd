#include "cmus/dataset.h"

#include <stdlib.h>
#include <string.h>

#include "cmus/dataset_index.h"
#include "cmus/hdf5_error.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "shard.h"

/* Files that stay open between reads: enough for most data sets, below the usual limit of 1024 descriptors. */
enum { OPEN_SHARDS = 256 };

typedef struct case_place {
    int shard, index; /* which case of which shard */
} case_place;

struct cmus_dataset {
    cmus_dataset_index index;
    char sha256[CMUS_SHA256_TEXT];
    int shard_count;
    cmus_shard *shards;
    case_place *places; /* [cases] */
    int *by_id;         /* [cases]: the cases in the order of their ids */
};

static const char *case_id_at(const cmus_dataset *dataset, int index) {
    case_place place = dataset->places[index];
    return cmus_shard_case_id(&dataset->shards[place.shard], place.index);
}

static int compare_ids(const void *a, const void *b, void *data) {
    return strcmp(case_id_at(data, *(const int *)a), case_id_at(data, *(const int *)b));
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int count_patients(const cmus_dataset *dataset) {
    int cases = dataset->index.cases, patients = 0;
    const char **ids = cmus_allocate((size_t)cases, sizeof *ids);
    for (int i = 0; i < cases; i++)
        ids[i] = cmus_dataset_case(dataset, i).patient_id;
    qsort(ids, (size_t)cases, sizeof *ids, compare_texts);
    for (int i = 0; i < cases; i++)
        patients += i == 0 || strcmp(ids[i], ids[i - 1]) != 0;
    cmus_free(ids);
    return patients;
}

/* The table of cases, and what can be checked only over all shards. */
static cmus_status join_shards(const char *folder, cmus_dataset *dataset) {
    const cmus_dataset_index *index = &dataset->index;
    dataset->places = cmus_allocate((size_t)index->cases, sizeof *dataset->places);
    dataset->by_id = cmus_allocate((size_t)index->cases, sizeof *dataset->by_id);
    int cases = 0;
    int64_t images = 0;
    for (int s = 0; s < dataset->shard_count; s++) {
        const cmus_shard *shard = &dataset->shards[s];
        for (int i = 0; i < shard->cases; i++)
            dataset->places[cases++] = (case_place){s, i};
        images += 2 * (int64_t)shard->cases + shard->tem_offset[shard->cases];
    }
    for (int i = 0; i < cases; i++)
        dataset->by_id[i] = i;
    qsort_r(dataset->by_id, (size_t)cases, sizeof *dataset->by_id, compare_ids, dataset);
    for (int i = 1; i < cases; i++)
        if (strcmp(case_id_at(dataset, dataset->by_id[i - 1]), case_id_at(dataset, dataset->by_id[i])) == 0)
            return cmus_fail(CMUS_ERROR_FORMAT, "%s: the case %s is there twice", folder,
                             case_id_at(dataset, dataset->by_id[i]));
    if (images != index->images || count_patients(dataset) != index->patients)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s/dataset.json: its counts are not those of the shards", folder);
    return CMUS_OK;
}

static cmus_status open_shards(const char *folder, cmus_dataset *dataset) {
    const cmus_dataset_index *index = &dataset->index;
    dataset->shards = cmus_allocate((size_t)index->shard_count, sizeof *dataset->shards);
    for (int i = 0; i < index->shard_count; i++) {
        dataset->shard_count++;
        CMUS_TRY(cmus_shard_load(folder, index, &index->shards[i], i < OPEN_SHARDS, &dataset->shards[i]));
    }
    return join_shards(folder, dataset);
}

cmus_status cmus_dataset_open(const char *folder, cmus_dataset **result) {
    cmus_dataset *dataset = cmus_allocate(1, sizeof *dataset);
    cmus_status status = cmus_dataset_index_read(folder, &dataset->index, dataset->sha256);
    if (status == CMUS_OK)
        status = open_shards(folder, dataset);
    if (status != CMUS_OK) {
        cmus_dataset_close(dataset);
        dataset = NULL;
    }
    *result = dataset;
    return status;
}

void cmus_dataset_close(cmus_dataset *dataset) {
    if (!dataset)
        return;
    for (int i = 0; i < dataset->shard_count; i++)
        cmus_shard_free(&dataset->shards[i]);
    cmus_free(dataset->shards);
    cmus_free(dataset->places);
    cmus_free(dataset->by_id);
    cmus_dataset_index_free(&dataset->index);
    cmus_free(dataset);
}

int cmus_dataset_image_size(const cmus_dataset *dataset) {
    return dataset->index.image_size;
}

int cmus_dataset_class_count(const cmus_dataset *dataset) {
    return dataset->index.class_count;
}

const char *cmus_dataset_class_name(const cmus_dataset *dataset, int label) {
    return dataset->index.classes[label];
}

int cmus_dataset_case_count(const cmus_dataset *dataset) {
    return dataset->index.cases;
}

const char *cmus_dataset_hash(const cmus_dataset *dataset) {
    return dataset->sha256;
}

cmus_case_info cmus_dataset_case(const cmus_dataset *dataset, int index) {
    case_place place = dataset->places[index];
    const cmus_shard *shard = &dataset->shards[place.shard];
    return (cmus_case_info){.case_id = cmus_shard_case_id(shard, place.index),
                            .patient_id = cmus_shard_patient_id(shard, place.index),
                            .label = shard->label[place.index],
                            .tem_count = (int)(shard->tem_offset[place.index + 1] - shard->tem_offset[place.index])};
}

int cmus_dataset_find(const cmus_dataset *dataset, const char *case_id) {
    int low = 0, high = dataset->index.cases - 1;
    while (low <= high) {
        int middle = low + (high - low) / 2;
        int order = strcmp(case_id, case_id_at(dataset, dataset->by_id[middle]));
        if (order == 0)
            return dataset->by_id[middle];
        if (order < 0)
            high = middle - 1;
        else
            low = middle + 1;
    }
    return -1;
}

/* Gray bytes at the end of the buffer become RGB bytes in all of it. */
static void spread_gray(uint8_t *image, size_t pixels) {
    const uint8_t *gray = image + 2 * pixels;
    for (size_t i = 0; i < pixels; i++)
        image[3 * i] = image[3 * i + 1] = image[3 * i + 2] = gray[i];
}

/* One image of a case of the shard. */
static cmus_status read_image(cmus_shard *shard, int index, cmus_image_kind kind, int image, uint8_t *rgb) {
    if (kind != CMUS_IMAGE_TEM)
        return cmus_shard_image(shard, kind, index, rgb);
    int64_t number = shard->tem_offset[index] + image;
    if (shard->tem_channels == 3)
        return cmus_shard_image(shard, kind, number, rgb);
    size_t pixels = (size_t)shard->image_size * (size_t)shard->image_size;
    CMUS_TRY(cmus_shard_image(shard, kind, number, rgb + 2 * pixels));
    spread_gray(rgb, pixels);
    return CMUS_OK;
}

/* Closes what is not kept open, and names the case in the message. */
static cmus_status end_reading(const cmus_dataset *dataset, int index, cmus_status status) {
    cmus_shard_rest(&dataset->shards[dataset->places[index].shard]);
    if (status != CMUS_OK)
        return cmus_fail(status, "%s (case %s); check the data set by cmus-pack --verify", cmus_last_error(),
                         case_id_at(dataset, index));
    return CMUS_OK;
}

cmus_status cmus_dataset_read_image(cmus_dataset *dataset, int index, cmus_image_kind kind, int image, uint8_t *rgb) {
    case_place place = dataset->places[index];
    int count = kind == CMUS_IMAGE_TEM ? cmus_dataset_case(dataset, index).tem_count : 1;
    if (image < 0 || image >= count)
        cmus_fatal("image %d of %d of the case %s is asked for", image, count, case_id_at(dataset, index));
    cmus_hdf5_quiet(); /* a setting of each thread, where HDF5 is built for several */
    return end_reading(dataset, index, read_image(&dataset->shards[place.shard], place.index, kind, image, rgb));
}

cmus_status cmus_dataset_read(cmus_dataset *dataset, int index, int max_tem, uint8_t *om, uint8_t *im, uint8_t *tem) {
    case_place place = dataset->places[index];
    cmus_shard *shard = &dataset->shards[place.shard];
    size_t bytes = 3 * (size_t)shard->image_size * (size_t)shard->image_size;
    int count = cmus_dataset_case(dataset, index).tem_count;
    if (max_tem > 0 && count > max_tem)
        count = max_tem;
    cmus_hdf5_quiet();
    cmus_status status = read_image(shard, place.index, CMUS_IMAGE_OM, 0, om);
    if (status == CMUS_OK)
        status = read_image(shard, place.index, CMUS_IMAGE_IM, 0, im);
    for (int image = 0; image < count && status == CMUS_OK; image++)
        status = read_image(shard, place.index, CMUS_IMAGE_TEM, image, tem + (size_t)image * bytes);
    return end_reading(dataset, index, status);
}
