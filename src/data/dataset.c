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

    /* Of cmus_dataset_preload(): a case's images, one after another: OM, IM, then up to memory_tem TEM images with as
     * many channels as in the shard. */
    const uint8_t *memory; /* the caller's; NULL: none */
    size_t *memory_begin;  /* [cases]; NOT_IN_MEMORY */
    int memory_tem;        /* 0: all */
};

static const size_t NOT_IN_MEMORY = SIZE_MAX;

/* A case's images in shards, memory and buffers. */
static const cmus_image_kind reading_order[CMUS_IMAGE_KINDS] = {CMUS_IMAGE_OM, CMUS_IMAGE_IM, CMUS_IMAGE_TEM};

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
        images += cmus_shard_images(shard);
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

/* most_open: shards whose files stay open. */
static cmus_status open_shards(const char *folder, int most_open, cmus_dataset *dataset) {
    const cmus_dataset_index *index = &dataset->index;
    dataset->shards = cmus_allocate((size_t)index->shard_count, sizeof *dataset->shards);
    for (int i = 0; i < index->shard_count; i++) {
        dataset->shard_count++;
        CMUS_TRY(cmus_shard_load(folder, index, &index->shards[i], i < most_open, &dataset->shards[i]));
    }
    return join_shards(folder, dataset);
}

static cmus_status open_dataset(const char *folder, int most_open, cmus_dataset **result) {
    cmus_dataset *dataset = cmus_allocate(1, sizeof *dataset);
    cmus_status status = cmus_dataset_index_read(folder, &dataset->index, dataset->sha256);
    if (status == CMUS_OK)
        status = open_shards(folder, most_open, dataset);
    if (status != CMUS_OK) {
        cmus_dataset_close(dataset);
        dataset = NULL;
    }
    *result = dataset;
    return status;
}

cmus_status cmus_dataset_open(const char *folder, cmus_dataset **result) {
    return open_dataset(folder, OPEN_SHARDS, result);
}

cmus_status cmus_dataset_try(const char *folder) {
    cmus_dataset *dataset;
    CMUS_TRY(open_dataset(folder, 0, &dataset));
    cmus_dataset_close(dataset);
    return CMUS_OK;
}

void cmus_dataset_close(cmus_dataset *dataset) {
    if (!dataset)
        return;
    for (int i = 0; i < dataset->shard_count; i++)
        cmus_shard_free(&dataset->shards[i]);
    cmus_free(dataset->shards);
    cmus_free(dataset->places);
    cmus_free(dataset->by_id);
    cmus_free(dataset->memory_begin);
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

bool cmus_dataset_has(const cmus_dataset *dataset, cmus_image_kind kind) {
    return dataset->index.has[kind];
}

cmus_status cmus_dataset_needs_all(const cmus_dataset *dataset, const char *folder) {
    const bool *has = dataset->index.has;
    if (has[CMUS_IMAGE_OM] && has[CMUS_IMAGE_IM] && has[CMUS_IMAGE_TEM])
        return CMUS_OK;
    return cmus_fail(CMUS_ERROR_DATA, "%s: the data set lacks%s%s%s images, but all three modalities are needed",
                     folder, has[CMUS_IMAGE_OM] ? "" : " OM", has[CMUS_IMAGE_IM] ? "" : " IM",
                     has[CMUS_IMAGE_TEM] ? "" : " TEM");
}

const char *cmus_dataset_options(const cmus_dataset *dataset) {
    return dataset->index.options;
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

static size_t pixels_of(const cmus_dataset *dataset) {
    return (size_t)dataset->index.image_size * (size_t)dataset->index.image_size;
}

/* Bytes of an image as it lies in the shard. */
static size_t stored_bytes(const cmus_dataset *dataset, const cmus_shard *shard, cmus_image_kind kind) {
    return pixels_of(dataset) * (kind == CMUS_IMAGE_TEM ? (size_t)shard->tem_channels : 3);
}

/* min(tem_count, max_tem); max_tem 0: tem_count. */
static int limited_tem(const cmus_dataset *dataset, int index, int max_tem) {
    int count = cmus_dataset_case(dataset, index).tem_count;
    return max_tem > 0 && count > max_tem ? max_tem : count;
}

/* Images of that kind that a case has: TEM images within the limit, 0 of a modality that the data set lacks. */
static int count_images(const cmus_dataset *dataset, int index, cmus_image_kind kind, int max_tem) {
    if (kind == CMUS_IMAGE_TEM)
        return limited_tem(dataset, index, max_tem);
    return cmus_dataset_has(dataset, kind);
}

/* Their bytes as they lie in the shard. */
static size_t all_bytes(const cmus_dataset *dataset, int index, cmus_image_kind kind, int max_tem) {
    const cmus_shard *shard = &dataset->shards[dataset->places[index].shard];
    return (size_t)count_images(dataset, index, kind, max_tem) * stored_bytes(dataset, shard, kind);
}

/* Gray bytes as RGB bytes; they may be the last third of the same buffer. */
static void spread_gray(const uint8_t *gray, uint8_t *rgb, size_t pixels) {
    for (size_t i = 0; i < pixels; i++)
        rgb[3 * i] = rgb[3 * i + 1] = rgb[3 * i + 2] = gray[i];
}

/* The image as it lies in the shard, out of the file. */
static cmus_status read_stored(const cmus_dataset *dataset, int index, cmus_image_kind kind, int image,
                               uint8_t *bytes) {
    case_place place = dataset->places[index];
    cmus_shard *shard = &dataset->shards[place.shard];
    int64_t number = kind == CMUS_IMAGE_TEM ? shard->tem_offset[place.index] + image : place.index;
    return cmus_shard_image(shard, kind, number, bytes);
}

/* Where the image lies in memory; NULL if it does not. */
static const uint8_t *find_stored(const cmus_dataset *dataset, int index, cmus_image_kind kind, int image) {
    if (!dataset->memory || dataset->memory_begin[index] == NOT_IN_MEMORY ||
        (kind == CMUS_IMAGE_TEM && image >= limited_tem(dataset, index, dataset->memory_tem)))
        return NULL;
    const cmus_shard *shard = &dataset->shards[dataset->places[index].shard];
    const uint8_t *place = dataset->memory + dataset->memory_begin[index];
    if (kind != CMUS_IMAGE_OM)
        place += all_bytes(dataset, index, CMUS_IMAGE_OM, 0);
    if (kind == CMUS_IMAGE_TEM)
        place += all_bytes(dataset, index, CMUS_IMAGE_IM, 0);
    return place + (size_t)image * stored_bytes(dataset, shard, kind);
}

static cmus_status read_image(const cmus_dataset *dataset, int index, cmus_image_kind kind, int image, uint8_t *rgb) {
    const cmus_shard *shard = &dataset->shards[dataset->places[index].shard];
    size_t pixels = pixels_of(dataset), bytes = stored_bytes(dataset, shard, kind);
    const uint8_t *stored = find_stored(dataset, index, kind, image);
    if (!stored) {
        uint8_t *end = rgb + 3 * pixels - bytes;
        CMUS_TRY(read_stored(dataset, index, kind, image, end));
        stored = end;
    } else if (bytes == 3 * pixels) {
        memcpy(rgb, stored, bytes);
    }
    if (bytes == pixels)
        spread_gray(stored, rgb, pixels);
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
    int count = count_images(dataset, index, kind, 0);
    if (image < 0 || image >= count)
        cmus_fatal("%s image %d of %d of the case %s is asked for", cmus_image_array(kind), image, count,
                   case_id_at(dataset, index));
    cmus_hdf5_quiet(); /* a setting of each thread, where HDF5 is built for several */
    return end_reading(dataset, index, read_image(dataset, index, kind, image, rgb));
}

cmus_status cmus_dataset_source(cmus_dataset *dataset, int index, cmus_image_kind kind, int image, const char **file) {
    int count = count_images(dataset, index, kind, 0);
    if (image < 0 || image >= count)
        cmus_fatal("the source of %s image %d of %d of the case %s is asked for", cmus_image_array(kind), image, count,
                   case_id_at(dataset, index));
    case_place place = dataset->places[index];
    const char *line = NULL;
    cmus_hdf5_quiet();
    CMUS_TRY(
        end_reading(dataset, index, cmus_shard_source(&dataset->shards[place.shard], place.index, kind, image, &line)));
    const char *gap = strstr(line, "  "); /* behind the SHA-256 */
    *file = gap ? gap + 2 : line;
    return CMUS_OK;
}

cmus_status cmus_dataset_read(cmus_dataset *dataset, int index, int max_tem, uint8_t *om, uint8_t *im, uint8_t *tem) {
    uint8_t *const buffers[CMUS_IMAGE_KINDS] = {[CMUS_IMAGE_OM] = om, [CMUS_IMAGE_IM] = im, [CMUS_IMAGE_TEM] = tem};
    cmus_status status = CMUS_OK;
    cmus_hdf5_quiet();
    for (int i = 0; i < CMUS_IMAGE_KINDS; i++) {
        cmus_image_kind kind = reading_order[i];
        if (cmus_dataset_has(dataset, kind) != (buffers[kind] != NULL))
            cmus_fatal("a buffer for %s images is%s given, but the data set has %s", cmus_image_array(kind),
                       buffers[kind] ? "" : " not", buffers[kind] ? "none" : "some");
        int count = count_images(dataset, index, kind, max_tem);
        for (int image = 0; image < count && status == CMUS_OK; image++)
            status = read_image(dataset, index, kind, image, buffers[kind] + (size_t)image * 3 * pixels_of(dataset));
    }
    return end_reading(dataset, index, status);
}

static size_t case_bytes(const cmus_dataset *dataset, int index, int max_tem) {
    size_t bytes = 0;
    for (int kind = 0; kind < CMUS_IMAGE_KINDS; kind++)
        bytes += all_bytes(dataset, index, (cmus_image_kind)kind, max_tem);
    return bytes;
}

size_t cmus_dataset_preload_bytes(const cmus_dataset *dataset, const int *cases, int count, int max_tem) {
    size_t sum = 0;
    for (int i = 0; i < count; i++)
        sum += case_bytes(dataset, cases[i], max_tem);
    return sum;
}

/* The images of one case to `to`. */
static cmus_status preload_case(const cmus_dataset *dataset, int index, int max_tem, uint8_t *to) {
    const cmus_shard *shard = &dataset->shards[dataset->places[index].shard];
    for (int i = 0; i < CMUS_IMAGE_KINDS; i++) {
        cmus_image_kind kind = reading_order[i];
        int count = count_images(dataset, index, kind, max_tem);
        for (int image = 0; image < count; image++, to += stored_bytes(dataset, shard, kind))
            CMUS_TRY(read_stored(dataset, index, kind, image, to));
    }
    return CMUS_OK;
}

cmus_status cmus_dataset_preload(cmus_dataset *dataset, void *memory, const int *cases, int count, int max_tem,
                                 int first, int step) {
    size_t *begin = cmus_allocate((size_t)dataset->index.cases, sizeof *begin), place = 0;
    for (int i = 0; i < dataset->index.cases; i++)
        begin[i] = NOT_IN_MEMORY;
    cmus_status status = CMUS_OK;
    cmus_progress progress;
    cmus_progress_begin(&progress, "preloaded", "cases", count);
    cmus_hdf5_quiet();
    for (int i = 0; i < count && status == CMUS_OK; place += case_bytes(dataset, cases[i], max_tem), i++) {
        begin[cases[i]] = place;
        if (i % step != first)
            continue;
        status = end_reading(dataset, cases[i], preload_case(dataset, cases[i], max_tem, (uint8_t *)memory + place));
        cmus_progress_update(&progress, i);
    }
    if (status != CMUS_OK) {
        cmus_free(begin);
        return status;
    }
    cmus_progress_end(&progress, count);
    cmus_free(dataset->memory_begin);
    dataset->memory_begin = begin;
    dataset->memory = memory;
    dataset->memory_tem = max_tem;
    return CMUS_OK;
}

int cmus_dataset_shard_count(const cmus_dataset *dataset) {
    return dataset->shard_count;
}

const cmus_shard_entry *cmus_dataset_shard(const cmus_dataset *dataset, int shard) {
    return &dataset->index.shards[shard];
}

int cmus_dataset_shard_of(const cmus_dataset *dataset, int index) {
    return dataset->places[index].shard;
}

cmus_status cmus_dataset_move_shard(cmus_dataset *dataset, int shard, const char *folder) {
    return cmus_shard_move(&dataset->shards[shard], cmus_path_join(folder, dataset->index.shards[shard].file));
}
