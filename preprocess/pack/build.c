#include "build.h"

#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/dataset_index.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/program.h"
#include "cmus/stop.h"
#include "shard_writer.h"
#include "statistics.h"

/* Shards that a rank has in memory at once, each by one thread: two, so that one is made while the other goes to the
 * disk; some more where deflate takes the time. */
enum { AT_ONCE = 2, COMPRESSED_AT_ONCE = 4 };

typedef struct builder {
    const cmus_communicator *communicator;
    const char *folder;
    const cmus_case_list *list;
    const cmus_prepared_image *prepared;
    const cmus_block_store *store;
    const cmus_build_options *options;
    size_t *image_of; /* the list's image for each of the shard that is written */
} builder;

/* Cases `first` to `first + count - 1` of the list, their images, whether all of their TEM images are gray, and the
 * longest text of a case and of an image. */
typedef struct shard_plan {
    size_t first, count, single_images, tem_images;
    bool gray;
    size_t case_text, image_text;
} shard_plan;

/* Images of a case besides its bag. */
static size_t single_images(const cmus_case_list *list) {
    return (size_t)list->has[CMUS_IMAGE_OM] + (size_t)list->has[CMUS_IMAGE_IM];
}

static int bag_size(const cmus_case_list *list, const cmus_source_case *one) {
    return list->has[CMUS_IMAGE_TEM] ? one->tem_count : 0;
}

static bool has_gray_bag(const builder *self, const cmus_source_case *one) {
    for (int i = 0; i < bag_size(self->list, one); i++)
        if (!self->prepared[one->first_tem + (size_t)i].gray)
            return false;
    return true;
}

static size_t plan_bytes(const builder *self, const shard_plan *plan) {
    size_t pixels = (size_t)self->options->image_size * (size_t)self->options->image_size;
    return pixels * (3 * plan->single_images + (plan->gray ? 1 : 3) * plan->tem_images);
}

static size_t longer(size_t length, size_t other) {
    return length > other ? length : other;
}

static size_t source_length(const builder *self, size_t image) {
    return CMUS_SHA256_TEXT - 1 + 2 + strlen(self->list->images[image].source); /* add_image() */
}

/* The plan and one case more. */
static shard_plan plan_case(const builder *self, const shard_plan *plan) {
    const cmus_case_list *list = self->list;
    const cmus_source_case *next = &list->cases[plan->first + plan->count];
    int bag = bag_size(list, next);
    shard_plan larger = *plan;
    larger.count++;
    larger.single_images += single_images(list);
    larger.tem_images += (size_t)bag;
    larger.gray = plan->gray && has_gray_bag(self, next);
    larger.case_text = longer(longer(plan->case_text, strlen(next->case_id)), strlen(next->patient_id));
    if (list->has[CMUS_IMAGE_OM])
        larger.image_text = longer(larger.image_text, source_length(self, (size_t)next->om));
    if (list->has[CMUS_IMAGE_IM])
        larger.image_text = longer(larger.image_text, source_length(self, (size_t)next->im));
    for (int i = 0; i < bag; i++)
        larger.image_text = longer(larger.image_text, source_length(self, next->first_tem + (size_t)i));
    return larger;
}

/* The limits of the format; texts are padded to the longest of them, in one chunk of less than HDF5's 4 GiB. */
static bool is_possible(const shard_plan *plan) {
    const size_t chunk = (size_t)2 << 30;
    size_t images = plan->single_images + plan->tem_images;
    return plan->count <= CMUS_SHARD_CASES && images <= CMUS_SHARD_IMAGES && plan->count * plan->case_text <= chunk &&
           images * plan->image_text <= chunk;
}

/* The next shard takes cases as long as it stays within the size. LIMIT: one case is too much. */
static cmus_status plan_shard(const builder *self, size_t first, shard_plan *plan) {
    size_t limit = (size_t)self->options->shard_mb << 20;
    *plan = (shard_plan){.first = first, .gray = true};
    while (first + plan->count < self->list->case_count) {
        shard_plan larger = plan_case(self, plan);
        bool possible = is_possible(&larger);
        if (plan->count > 0 && (!possible || plan_bytes(self, &larger) > limit))
            break;
        if (!possible)
            return cmus_fail(CMUS_ERROR_LIMIT, "case %s: its %zu images are too many for a shard",
                             self->list->cases[first].case_id, larger.single_images + larger.tem_images);
        *plan = larger;
    }
    return CMUS_OK;
}

/* Image `number` of the shard out of the blocks, gray repeated where RGB is wanted. */
static cmus_status give_image(void *data, size_t number, int channels, uint8_t *pixels) {
    const builder *self = data;
    CMUS_TRY(cmus_stop_check());
    size_t image = self->image_of[number];
    size_t count = (size_t)self->options->image_size * (size_t)self->options->image_size;
    const cmus_prepared_image *prepared = &self->prepared[image];
    if (!prepared->gray || channels == 1)
        return cmus_block_pixels(self->store, image, prepared, pixels);
    const uint8_t *gray = pixels + 2 * count;
    CMUS_TRY(cmus_block_pixels(self->store, image, prepared, pixels + 2 * count));
    for (size_t i = 0; i < count; i++)
        pixels[3 * i] = pixels[3 * i + 1] = pixels[3 * i + 2] = gray[i];
    return CMUS_OK;
}

/* What the shard needs besides pixels; free_tables() frees it. */
typedef struct shard_tables {
    size_t images;
    int64_t *tem_offset;
    int32_t *label;
    const char **case_id, **patient_id;
    char **source;
} shard_tables;

static void add_image(builder *self, shard_tables *tables, size_t image) {
    char sha256[CMUS_SHA256_TEXT];
    cmus_sha256_spell(self->prepared[image].sha256, sha256);
    self->image_of[tables->images] = image;
    tables->source[tables->images++] = cmus_format_string("%s  %s", sha256, self->list->images[image].source);
}

static void make_tables(builder *self, const shard_plan *plan, shard_tables *tables) {
    const cmus_case_list *list = self->list;
    size_t images = plan->single_images + plan->tem_images;
    *tables = (shard_tables){.tem_offset = cmus_allocate(plan->count + 1, sizeof *tables->tem_offset),
                             .label = cmus_allocate(plan->count, sizeof *tables->label),
                             .case_id = cmus_allocate(plan->count, sizeof *tables->case_id),
                             .patient_id = cmus_allocate(plan->count, sizeof *tables->patient_id),
                             .source = cmus_allocate(images, sizeof *tables->source)};
    self->image_of = cmus_allocate(images, sizeof *self->image_of);
    for (size_t i = 0; i < plan->count; i++) {
        const cmus_source_case *one = &list->cases[plan->first + i];
        int bag = bag_size(list, one);
        tables->tem_offset[i + 1] = tables->tem_offset[i] + bag;
        tables->label[i] = one->label;
        tables->case_id[i] = one->case_id;
        tables->patient_id[i] = one->patient_id;
        if (list->has[CMUS_IMAGE_OM])
            add_image(self, tables, (size_t)one->om);
        if (list->has[CMUS_IMAGE_IM])
            add_image(self, tables, (size_t)one->im);
        for (int tem = 0; tem < bag; tem++)
            add_image(self, tables, one->first_tem + (size_t)tem);
    }
}

static void free_tables(builder *self, shard_tables *tables) {
    for (size_t i = 0; i < tables->images; i++)
        cmus_free(tables->source[i]);
    cmus_free(tables->source);
    cmus_free(tables->tem_offset);
    cmus_free(tables->label);
    cmus_free(tables->case_id);
    cmus_free(tables->patient_id);
    cmus_free(self->image_of);
    self->image_of = NULL;
}

/* What the bytes of a shard depend on: the program, the options, the cases and the pixels. */
static uint64_t shard_key(const builder *self, const shard_plan *plan, const shard_tables *tables) {
    const cmus_case_list *list = self->list;
    const char *version = cmus_version(), *revision = cmus_git_revision();
    const int64_t numbers[] = {self->options->image_size, self->options->compression, plan->gray,
                               (int64_t)plan->count,      list->has[CMUS_IMAGE_OM],   list->has[CMUS_IMAGE_IM],
                               list->has[CMUS_IMAGE_TEM]};
    const uint64_t program[] = {cmus_hash_bytes(version, strlen(version)), cmus_hash_bytes(revision, strlen(revision))};
    uint64_t key[2] = {cmus_hash_bytes(numbers, sizeof numbers), cmus_hash_bytes(program, sizeof program)};
    key[0] = cmus_hash_bytes(key, sizeof key);
    for (size_t i = 0; i < list->class_count; i++, key[0] = cmus_hash_bytes(key, sizeof key))
        key[1] = cmus_hash_bytes(list->classes[i], strlen(list->classes[i]));
    for (size_t i = 0; i < plan->count; i++) {
        const uint64_t one[] = {key[0], cmus_hash_bytes(tables->case_id[i], strlen(tables->case_id[i])),
                                cmus_hash_bytes(tables->patient_id[i], strlen(tables->patient_id[i])),
                                (uint64_t)tables->label[i], (uint64_t)tables->tem_offset[i + 1]};
        key[0] = cmus_hash_bytes(one, sizeof one);
    }
    for (size_t i = 0; i < tables->images; i++, key[0] = cmus_hash_bytes(key, sizeof key)) {
        const cmus_prepared_image *image = &self->prepared[self->image_of[i]];
        const uint64_t one[] = {cmus_hash_bytes(tables->source[i], strlen(tables->source[i])), image->pixels};
        key[1] = cmus_hash_bytes(one, sizeof one);
    }
    return key[0];
}

enum { RECORD_BYTES = 16 + 1 + CMUS_SHA256_TEXT };

/* Beside the blocks: "KEY SHA-256\n". */
static char *record_path(const builder *self, const cmus_shard_entry *entry) {
    return cmus_format_string("%s/%s.done", self->store->folder, entry->file);
}

/* Whether the shard is there as it should be; then its SHA-256 is in the entry. */
static bool is_finished(const builder *self, const char *path, uint64_t key, cmus_shard_entry *entry) {
    char *record = record_path(self, entry), *text, *wanted, sha256[CMUS_SHA256_TEXT];
    size_t size;
    bool finished = cmus_file_read(record, RECORD_BYTES, &text, &size) == CMUS_OK;
    cmus_free(record);
    if (!finished)
        return false;
    finished = cmus_sha256_file(path, sha256) == CMUS_OK;
    if (finished) {
        wanted = cmus_format_string("%016llx %s\n", (unsigned long long)key, sha256);
        finished = strcmp(wanted, text) == 0;
        cmus_free(wanted);
        memcpy(entry->sha256, sha256, sizeof sha256);
    }
    cmus_free(text);
    return finished;
}

static cmus_status record_finished(const builder *self, uint64_t key, const cmus_shard_entry *entry) {
    char *record = record_path(self, entry);
    char *text = cmus_format_string("%016llx %s\n", (unsigned long long)key, entry->sha256);
    cmus_status status = cmus_file_write_scratch(record, &(cmus_bytes){text, strlen(text)}, 1);
    cmus_free(text);
    cmus_free(record);
    return status;
}

static cmus_status write_shard(builder *self, const shard_plan *plan, cmus_shard_entry *entry) {
    shard_tables tables;
    make_tables(self, plan, &tables);
    cmus_shard_content content = {.image_size = self->options->image_size,
                                  .classes = (const char *const *)self->list->classes,
                                  .class_count = (int)self->list->class_count,
                                  .cases = (int)plan->count,
                                  .tem_offset = tables.tem_offset,
                                  .label = tables.label,
                                  .case_id = tables.case_id,
                                  .patient_id = tables.patient_id,
                                  .source = (const char *const *)tables.source,
                                  .tem_channels = plan->gray ? 1 : 3,
                                  .compression = self->options->compression,
                                  .image = give_image,
                                  .data = self};
    memcpy(content.has, self->list->has, sizeof content.has);
    char *path = cmus_path_join(self->folder, entry->file);
    uint64_t key = shard_key(self, plan, &tables);
    cmus_status status = CMUS_OK;
    if (!is_finished(self, path, key, entry)) {
        status = cmus_shard_write(path, &content, entry->sha256);
        if (status == CMUS_OK)
            status = record_finished(self, key, entry);
    }
    cmus_free(path);
    free_tables(self, &tables);
    return status;
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int count_patients(const cmus_case_list *list) {
    const char **ids = cmus_allocate(list->case_count, sizeof *ids);
    int patients = 0;
    for (size_t i = 0; i < list->case_count; i++)
        ids[i] = list->cases[i].patient_id;
    qsort(ids, list->case_count, sizeof *ids, compare_texts);
    for (size_t i = 0; i < list->case_count; i++)
        patients += i == 0 || strcmp(ids[i], ids[i - 1]) != 0;
    cmus_free(ids);
    return patients;
}

/* All shards: their plans, and entries without SHA-256, the same on every rank. Free the plans with cmus_free(), also
 * after LIMIT. */
static cmus_status plan_shards(const builder *self, cmus_dataset_index *index, shard_plan **plans) {
    size_t plan_capacity = 0, capacity = 0;
    if (self->list->case_count > CMUS_DATASET_CASES)
        return cmus_fail(CMUS_ERROR_LIMIT, "%zu cases are more than the limit of %d of a data set",
                         self->list->case_count, CMUS_DATASET_CASES);
    for (size_t done = 0; done < self->list->case_count;) {
        size_t number = (size_t)index->shard_count;
        if (number == CMUS_DATASET_SHARDS)
            return cmus_fail(CMUS_ERROR_LIMIT, "a data set has %d shards at most; larger ones are needed (--shard-mb)",
                             CMUS_DATASET_SHARDS);
        *plans = cmus_grow(*plans, &plan_capacity, number + 1, sizeof **plans);
        CMUS_TRY(plan_shard(self, done, &(*plans)[number]));
        int cases = (int)(*plans)[number].count;
        index->shards = cmus_grow(index->shards, &capacity, number + 1, sizeof *index->shards);
        index->shards[number] =
            (cmus_shard_entry){.file = cmus_format_string("shard-%05zu.h5", number), .cases = cases};
        index->shard_count++;
        done += (size_t)cases;
    }
    return CMUS_OK;
}

/* What the threads that write shards share. */
typedef struct shard_work {
    cmus_progress progress;
    int64_t done; /* cases */
    cmus_status first;
    char *message;
} shard_work;

/* The message of a failure belongs to the thread that failed. */
static void note_shard(shard_work *work, bool shown, cmus_status status, size_t cases) {
    if (status != CMUS_OK && work->first == CMUS_OK) {
        work->first = status;
        work->message = cmus_copy_string(cmus_last_error());
    }
    work->done += (int64_t)cases;
    if (shown)
        cmus_progress_update(&work->progress, work->done);
}

/* The shards of this rank, each by one thread. */
static cmus_status write_own_shards(const builder *self, const shard_plan *plans, cmus_dataset_index *index) {
    int rank = self->communicator->rank, ranks = self->communicator->ranks;
    int own = (index->shard_count - rank + ranks - 1) / ranks;
    int most = self->options->compression > 0 ? COMPRESSED_AT_ONCE : AT_ONCE;
    int threads = omp_get_max_threads() < most ? omp_get_max_threads() : most;
    shard_work work = {0};
    int64_t cases = 0;
    for (int i = rank; i < index->shard_count; i += ranks)
        cases += index->shards[i].cases;
    if (rank == 0)
        cmus_progress_begin(&work.progress, "packed", ranks > 1 ? "cases of rank 0" : "cases", cases);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int i = 0; i < own; i++) {
        cmus_shard_entry *entry = &index->shards[rank + i * ranks];
        builder with = *self; /* and images of its own */
        bool stopped;
#pragma omp critical
        stopped = work.first != CMUS_OK;
        if (stopped)
            continue;
        cmus_status status = write_shard(&with, &plans[rank + i * ranks], entry);
#pragma omp critical
        note_shard(&work, rank == 0, status, (size_t)entry->cases);
    }
    if (work.first != CMUS_OK) {
        cmus_fail(work.first, "%s", work.message);
        cmus_free(work.message);
    } else if (rank == 0)
        cmus_progress_end(&work.progress, work.done);
    return work.first;
}

/* Rank 0 writes the index; the others tell it their shards' SHA-256 before. */
static cmus_status write_index(const builder *self, cmus_dataset_index *index) {
    const cmus_communicator *communicator = self->communicator;
    for (int i = 0; i < index->shard_count; i++)
        cmus_broadcast(communicator, index->shards[i].sha256, CMUS_SHA256_TEXT, i % communicator->ranks);
    if (communicator->rank != 0)
        return CMUS_OK;
    return cmus_dataset_index_write(self->folder, index, self->options->further, self->options->further_count);
}

cmus_status cmus_build_dataset(const cmus_communicator *communicator, const char *folder, const cmus_case_list *list,
                               const cmus_prepared_image *prepared, const cmus_block_store *store,
                               const cmus_build_options *options, int *shards) {
    builder self = {.communicator = communicator,
                    .folder = folder,
                    .list = list,
                    .prepared = prepared,
                    .store = store,
                    .options = options};
    cmus_dataset_index index = {.tool_version = cmus_copy_string(cmus_version()),
                                .image_size = options->image_size,
                                .class_count = (int)list->class_count,
                                .classes = cmus_allocate(list->class_count, sizeof *index.classes),
                                .cases = (int)list->case_count,
                                .patients = count_patients(list),
                                .images = (int64_t)cmus_case_list_count_images(list),
                                .options = cmus_copy_string(options->options),
                                .statistics = cmus_describe_images(list, prepared)};
    memcpy(index.has, list->has, sizeof index.has);
    for (size_t i = 0; i < list->class_count; i++)
        index.classes[i] = cmus_copy_string(list->classes[i]);
    shard_plan *plans = NULL;
    cmus_status status = plan_shards(&self, &index, &plans);
    if (status == CMUS_OK)
        status = cmus_agree(communicator, write_own_shards(&self, plans, &index));
    cmus_free(plans);
    if (status == CMUS_OK)
        status = cmus_agree(communicator, write_index(&self, &index));
    *shards = index.shard_count;
    cmus_dataset_index_free(&index);
    return status;
}
