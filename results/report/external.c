#include "report/external.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "report/report_run.h"

static const size_t json_limit = (size_t)1 << 30; /* it also has every case with the opinion of every network */
static const char format_name[] = "cmus-predict 1";

/* The text of this key, a number's too; NULL if it is neither. Free with cmus_free(). */
static char *take_text(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    if (json_is_integer(value))
        return cmus_format_string("%lld", (long long)json_integer_value(value));
    return json_is_string(value) ? cmus_copy_string(json_string_value(value)) : NULL;
}

static void add_note(report_external *external, char *note) {
    size_t capacity = external->note_count;
    external->notes = cmus_grow(external->notes, &capacity, external->note_count + 1, sizeof(char *));
    external->notes[external->note_count++] = note;
}

static cmus_status read_models(const char *path, const json_t *list, report_external *external) {
    if (!json_array_size(list))
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: the list 'models' is missing or empty", path);
    external->models = cmus_allocate(json_array_size(list), sizeof(report_model));
    size_t i;
    const json_t *one;
    json_array_foreach(list, i, one) {
        external->models[i] =
            (report_model){take_text(one, "path"),         take_text(one, "sha256"), take_text(one, "config_hash"),
                           take_text(one, "dataset_hash"), take_text(one, "fold"),   take_text(one, "splits_hash")};
        external->model_count++;
        if (!external->models[i].path || !external->models[i].sha256)
            return cmus_fail(CMUS_ERROR_FORMAT, "%s: model %zu has no 'path' or no 'sha256'", path, i);
    }
    return CMUS_OK;
}

static void read_source(const json_t *source, report_external *external, char **dataset_hash) {
    const json_t *paths = json_object_get(source, "paths"), *one;
    external->source_kind = take_text(source, "kind");
    external->source_fold = take_text(source, "fold");
    external->source_splits = take_text(source, "splits_hash");
    *dataset_hash = take_text(source, "dataset_hash");
    external->source_paths = cmus_allocate(json_array_size(paths), sizeof(char *));
    size_t i;
    json_array_foreach(paths, i, one) if (json_is_string(one)) external->source_paths[external->source_path_count++] =
        cmus_copy_string(json_string_value(one));
}

static cmus_status check_classes(const char *path, const json_t *list, const report_predictions *predictions) {
    bool same = json_array_size(list) == predictions->classes;
    for (size_t i = 0; same && i < predictions->classes; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        same = name && strcmp(name, predictions->class_names[i]) == 0;
    }
    return same ? CMUS_OK
                : cmus_fail(CMUS_ERROR_MISMATCH, "%s: 'classes' are not those of predictions.csv beside it", path);
}

static cmus_status read_members(const char *path, report_run *run) {
    report_fold *fold = &run->folds[0];
    const json_t *object = fold->information;
    const char *format = json_string_value(json_object_get(object, "format"));
    if (!format || strcmp(format, format_name) != 0)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: the format is '%s', but this cmus-report reads '%s' of cmus-predict",
                         path, format ? format : "not told", format_name);
    CMUS_TRY(read_models(path, json_object_get(object, "models"), run->external));
    read_source(json_object_get(object, "source"), run->external, &fold->dataset_hash);
    return check_classes(path, json_object_get(object, "classes"), &fold->predictions);
}

static cmus_status read_json(report_run *run) {
    report_fold *fold = &run->folds[0];
    char *path = cmus_path_join(run->path, "predictions.json"), *text = NULL;
    size_t size = 0;
    cmus_status status = cmus_file_read(path, json_limit, &text, &size);
    if (status == CMUS_OK) {
        json_error_t error;
        fold->information = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
        json_object_del(fold->information, "cases"); /* predictions.csv has them */
        status = fold->information ? read_members(path, run)
                                   : cmus_fail(CMUS_ERROR_FORMAT, "%s, line %d: %s", path, error.line, error.text);
    }
    cmus_free(text);
    cmus_free(path);
    return status;
}

/* Whether this network may have been trained on the cases: they are of its data set, and not of the fold that it was
 * kept from. */
static bool may_know_cases(const report_external *external, const char *dataset_hash, const report_model *model) {
    const char *fold = external->source_fold;
    if (!dataset_hash || !model->dataset_hash || strcmp(dataset_hash, model->dataset_hash) != 0)
        return false;
    const char *own = model->splits_hash, *splits = external->source_splits;
    if (own && splits && strcmp(own, splits) != 0) /* the folds were made anew since */
        return true;
    return !fold || (strcmp(fold, "holdout") != 0 && (!model->fold || strcmp(fold, model->fold) != 0));
}

static void note_known_cases(report_external *external, const char *dataset_hash) {
    size_t knowing = 0;
    for (size_t i = 0; i < external->model_count; i++)
        knowing += may_know_cases(external, dataset_hash, &external->models[i]);
    if (knowing)
        add_note(external,
                 cmus_format_string("These cases may be those that the networks were trained on: %zu of %zu %s trained "
                                    "on the data set that they are from, and %s. Then this is no external test.",
                                    knowing, external->model_count, knowing == 1 ? "was" : "were",
                                    external->source_fold ? "not kept from this fold" : "no fold was named"));
}

static void note_left_out(report_external *external) {
    const report_coverage *coverage = &external->coverage;
    if (coverage->unlabelled)
        add_note(external, cmus_format_string("%zu of %zu cases have no label and are left out.", coverage->unlabelled,
                                              coverage->cases));
    if (coverage->incomplete_count)
        add_note(external, cmus_format_string(
                               "%zu of %zu cases lack images of a modality, so that not every head says something "
                               "about them; they are left out of all numbers of all heads, and listed with the cases.",
                               coverage->incomplete_count, coverage->cases));
}

static cmus_status read_folder(report_run *run) {
    report_fold *fold = &run->folds[0];
    cmus_status status = cmus_manifest_check(run->path);
    if (status == CMUS_ERROR_NOT_FOUND)
        cmus_warn("%s: there is no MANIFEST.sha256, so damage to its files may go unseen", run->path);
    else
        CMUS_TRY(status);
    char *path = cmus_path_join(run->path, "predictions.csv");
    status = report_predictions_read_external(path, &fold->predictions, &run->external->coverage);
    cmus_free(path);
    CMUS_TRY(status);
    CMUS_TRY(read_json(run));
    note_known_cases(run->external, fold->dataset_hash);
    note_left_out(run->external);
    return CMUS_OK;
}

cmus_status report_external_read(const char *path, report_run *run) {
    report_run_name(path, run);
    run->external = cmus_allocate(1, sizeof *run->external);
    run->folds = cmus_allocate(1, sizeof *run->folds);
    run->folds[0] = (report_fold){
        .folder = cmus_copy_string(run->path), .config = cmus_copy_string(""), .folds = 1, .usable = true};
    run->count = run->expected = 1;
    CMUS_TRY(read_folder(run));
    for (size_t i = 0; i < run->external->note_count; i++)
        cmus_warn("%s: %s", run->path, run->external->notes[i]);
    return CMUS_OK;
}

void report_external_free(report_external *external) {
    if (!external)
        return;
    for (size_t i = 0; i < external->model_count; i++) {
        report_model *model = &external->models[i];
        cmus_free(model->path);
        cmus_free(model->sha256);
        cmus_free(model->config_hash);
        cmus_free(model->dataset_hash);
        cmus_free(model->fold);
        cmus_free(model->splits_hash);
    }
    cmus_free(external->models);
    cmus_free(external->source_kind);
    cmus_names_free(external->source_paths, external->source_path_count);
    cmus_free(external->source_splits);
    cmus_free(external->source_fold);
    report_coverage_free(&external->coverage);
    cmus_names_free(external->notes, external->note_count);
    cmus_free(external);
}

char *report_networks_text(const report_external *external) {
    return external->model_count == 1 ? cmus_copy_string("one network")
                                      : cmus_format_string("an ensemble of %zu networks", external->model_count);
}
