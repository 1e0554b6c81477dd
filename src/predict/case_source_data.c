/* Cases of a packed data set. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "case_source_internal.h"
#include "cmus/dataset.h"
#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/splits.h"
#include "image_recipe.h"

static cmus_status read_case(void *own, int number, int max_tem, uint8_t *const buffers[CMUS_IMAGE_KINDS]) {
    return cmus_dataset_read(own, number, max_tem, buffers[CMUS_IMAGE_OM], buffers[CMUS_IMAGE_IM],
                             buffers[CMUS_IMAGE_TEM]);
}

static char *image_name(void *own, int number, cmus_image_kind kind, int image) {
    const char *file;
    if (cmus_dataset_source(own, number, kind, image, &file) != CMUS_OK)
        return NULL;
    const char *slash = strrchr(file, '/');
    return cmus_copy_string(slash ? slash + 1 : file);
}

static char *identify(const void *own, int number) {
    return cmus_format_string("%s %d", cmus_dataset_hash(own), number);
}

static void close_dataset(void *own) {
    cmus_dataset_close(own);
}

static const cmus_case_backend backend = {read_case, image_name, identify, close_dataset};

/* "OM and IM", or "OM" ...: what the data set lacks of what it must have; NULL: nothing. */
static const char *find_missing(const cmus_dataset *dataset, bool allow_missing) {
    bool om = !allow_missing && !cmus_dataset_has(dataset, CMUS_IMAGE_OM);
    bool im = !allow_missing && !cmus_dataset_has(dataset, CMUS_IMAGE_IM);
    return om && im ? "OM and IM" : om ? "OM" : im ? "IM" : NULL;
}

static cmus_status check_dataset(const char *folder, const cmus_dataset *dataset,
                                 const cmus_case_source_options *options) {
    int size = cmus_dataset_image_size(dataset), wanted = options->image_size;
    if (size != wanted)
        return cmus_fail(CMUS_ERROR_MISMATCH,
                         "%s: its images have %d x %d pixels, but the network takes %d x %d: pack the cases again with "
                         "--size %d",
                         folder, size, size, wanted, wanted, wanted);
    if (!cmus_dataset_has(dataset, CMUS_IMAGE_TEM))
        return cmus_fail(CMUS_ERROR_DATA, "%s: the data set lacks TEM images: %s", folder, cmus_case_needs_tem);
    const char *missing = find_missing(dataset, options->allow_missing);
    if (missing)
        return cmus_fail(CMUS_ERROR_DATA, "%s: the data set lacks %s images: %s", folder, missing, cmus_case_may_lack);
    return CMUS_OK;
}

/* Whether its images were made as those that the network knows; a warning if not, as the results may suffer. */
static cmus_status compare_images(const char *folder, const cmus_case_source_options *options) {
    cmus_image_recipe wanted, own;
    CMUS_TRY(cmus_image_recipe_read(options->images, &wanted));
    if (!options->images || options->quiet)
        return CMUS_OK;
    cmus_dataset_index index;
    char hash[CMUS_SHA256_TEXT];
    CMUS_TRY(cmus_dataset_index_read(folder, &index, hash));
    if (cmus_image_recipe_read(index.options, &own) != CMUS_OK)
        cmus_warn("%s/dataset.json: %s", folder, cmus_last_error());
    else if (!cmus_image_recipe_equal(&own, &wanted)) {
        char *packed = cmus_image_recipe_describe(&own), *trained = cmus_image_recipe_describe(&wanted);
        cmus_warn("%s was packed with %s, but what the network was trained on with %s: the results may be worse",
                  folder, packed, trained);
        cmus_free(packed);
        cmus_free(trained);
    }
    cmus_dataset_index_free(&index);
    return CMUS_OK;
}

/* The number of a fold as people write it; -1 is that of those held out. */
static cmus_status parse_fold(const char *fold, const char *path, int folds, int *number) {
    *number = CMUS_FOLD_HOLDOUT;
    if (strcmp(fold, "holdout") == 0)
        return CMUS_OK;
    char *end;
    errno = 0;
    long value = strtol(fold, &end, 10);
    if (end == fold || *end || errno || value < 0 || value >= folds)
        return cmus_fail(CMUS_ERROR_ARGUMENT, "%s: there is no fold '%s': its folds are 0 to %d, and holdout", path,
                         fold, folds - 1);
    *number = (int)value;
    return CMUS_OK;
}

static void add_case(cmus_case_source *source, const cmus_dataset *dataset, int number) {
    cmus_case_info info = cmus_dataset_case(dataset, number);
    cmus_case_facts facts = {.case_id = info.case_id,
                             .patient_id = info.patient_id,
                             .class_name = cmus_dataset_class_name(dataset, info.label),
                             .tem_count = info.tem_count};
    for (int kind = 0; kind < CMUS_IMAGE_KINDS; kind++)
        facts.has[kind] = cmus_dataset_has(dataset, (cmus_image_kind)kind);
    cmus_case_source_add(source, &facts, number);
}

static cmus_status add_fold(cmus_case_source *source, const cmus_dataset *dataset, const char *fold, const char *path) {
    cmus_splits splits;
    int number;
    CMUS_TRY(cmus_splits_read(path, dataset, &splits, NULL));
    cmus_status status = parse_fold(fold, path, splits.folds, &number);
    for (int i = 0; status == CMUS_OK && i < splits.cases; i++)
        if (splits.fold[i] == number)
            add_case(source, dataset, i);
    cmus_splits_free(&splits);
    if (status == CMUS_OK && source->count == 0)
        status = cmus_fail(CMUS_ERROR_DATA, "%s: no case is held out (cmus-split --holdout)", path);
    return status;
}

static cmus_status add_cases(cmus_case_source *source, const cmus_dataset *dataset, const char *fold) {
    if (fold) {
        char *path = cmus_path_join(source->name, "splits.csv");
        cmus_status status = add_fold(source, dataset, fold, path);
        cmus_free(path);
        return status;
    }
    for (int i = 0; i < cmus_dataset_case_count(dataset); i++)
        add_case(source, dataset, i);
    return CMUS_OK;
}

static void add_classes(cmus_case_source *source, const cmus_dataset *dataset) {
    source->class_count = (size_t)cmus_dataset_class_count(dataset);
    source->classes = cmus_allocate(source->class_count, sizeof *source->classes);
    for (size_t i = 0; i < source->class_count; i++)
        source->classes[i] = cmus_copy_string(cmus_dataset_class_name(dataset, (int)i));
}

cmus_status cmus_case_source_open_data(const char *folder, const char *fold, const cmus_case_source_options *options,
                                       cmus_case_source **result) {
    cmus_dataset *dataset;
    *result = NULL;
    CMUS_TRY(cmus_dataset_open(folder, &dataset));
    cmus_case_source *source = cmus_case_source_begin(&backend, dataset, folder, options);
    source->dataset_hash = cmus_dataset_hash(dataset);
    cmus_status status = check_dataset(folder, dataset, options);
    if (status == CMUS_OK)
        status = compare_images(folder, options);
    if (status == CMUS_OK)
        status = add_cases(source, dataset, fold);
    if (status == CMUS_OK)
        add_classes(source, dataset);
    return cmus_case_source_finish(source, options, status, result);
}
