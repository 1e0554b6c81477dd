#include "report/report_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"

#define FINAL_MODEL "fold-all" /* by cmus-train --fold all */

enum { MOST_FOLDS = 1000, CONFIG_LIMIT = 1 << 20, JSON_LIMIT = 16 << 20 };

void report_problem(report_run *run, report_fold *fold, const char *format, ...) {
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        cmus_fatal("out of memory");
    va_end(arguments);
    size_t capacity = run->problem_count;
    run->problems = cmus_grow(run->problems, &capacity, run->problem_count + 1, sizeof(char *));
    const char *place = fold ? fold->folder : run->path; /* which a message of a reader already names */
    run->problems[run->problem_count++] =
        strncmp(text, place, strlen(place)) == 0 ? cmus_copy_string(text) : cmus_format_string("%s: %s", place, text);
    free(text); /* vasprintf took it from malloc */
    if (fold)
        fold->usable = false;
}

static cmus_status json_text(const json_t *object, const char *path, const char *key, char **text) {
    const char *found = json_string_value(json_object_get(object, key));
    if (!found)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: the key '%s' is missing or no text", path, key);
    *text = cmus_copy_string(found);
    return CMUS_OK;
}

/* A required whole number of run.json. */
static cmus_status json_number(const json_t *object, const char *path, const char *key, long least, long most,
                               long *value) {
    const json_t *member = json_object_get(object, key);
    if (!json_is_integer(member))
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: the key '%s' is missing or no whole number", path, key);
    json_int_t number = json_integer_value(member);
    if (number < least || number > most)
        return cmus_fail(CMUS_ERROR_DATA, "%s: '%s' is %lld, not within %ld ... %ld", path, key, (long long)number,
                         least, most);
    *value = (long)number;
    return CMUS_OK;
}

static cmus_status read_members(report_fold *fold, const char *path) {
    const json_t *object = fold->information;
    if (!json_is_object(object))
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: holds no JSON object", path);
    CMUS_TRY(json_number(object, path, "folds", 1, MOST_FOLDS, &fold->folds));
    CMUS_TRY(json_number(object, path, "fold", 0, fold->folds - 1, &fold->fold));
    CMUS_TRY(json_number(object, path, "repeat", 0, MOST_FOLDS, &fold->repeat));
    CMUS_TRY(json_text(object, path, "dataset_hash", &fold->dataset_hash));
    CMUS_TRY(json_text(object, path, "config_hash", &fold->config_hash));
    if (fold->number != fold->fold && fold->number != fold->repeat * fold->folds + fold->fold)
        return cmus_fail(CMUS_ERROR_MISMATCH, "%s: belongs to fold %ld of repeat %ld, so not into this folder", path,
                         fold->fold, fold->repeat);
    if (!json_is_true(json_object_get(object, "fold_complete")))
        return cmus_fail(CMUS_ERROR_DATA,
                         "%s: 'fold_complete' is not true: the training has not ended; "
                         "continue it by cmus-train --resume",
                         path);
    return CMUS_OK;
}

static cmus_status read_information(report_fold *fold) {
    char *path = cmus_path_join(fold->folder, "run.json"), *text = NULL;
    size_t size = 0;
    cmus_status status = cmus_file_read(path, JSON_LIMIT, &text, &size);
    if (status == CMUS_OK) {
        json_error_t error;
        fold->information = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
        status = fold->information ? read_members(fold, path)
                                   : cmus_fail(CMUS_ERROR_FORMAT, "%s, line %d: %s", path, error.line, error.text);
    }
    cmus_free(text);
    cmus_free(path);
    return status;
}

static cmus_status read_config(report_fold *fold) {
    char *path = cmus_path_join(fold->folder, "config.yaml");
    size_t size = 0;
    cmus_status status = cmus_file_read(path, CONFIG_LIMIT, &fold->config, &size);
    if (status == CMUS_OK && memchr(fold->config, 0, size))
        status = cmus_fail(CMUS_ERROR_FORMAT, "%s: holds a zero byte, so it is no text", path);
    cmus_free(path);
    return status;
}

static cmus_status read_tables(report_fold *fold) {
    char *path = cmus_path_join(fold->folder, "predictions.csv");
    cmus_status status = report_predictions_read(path, &fold->predictions);
    cmus_free(path);
    CMUS_TRY(status);
    path = cmus_path_join(fold->folder, "train.csv");
    status = report_training_read(path, &fold->training);
    cmus_free(path);
    CMUS_TRY(status);
    return report_features_check(fold->folder, fold->predictions.cases, &fold->features);
}

static cmus_status read_fold(report_fold *fold, bool *has_manifest) {
    cmus_status status = cmus_manifest_check(fold->folder);
    if (status == CMUS_ERROR_NOT_FOUND)
        *has_manifest = false;
    else
        CMUS_TRY(status);
    CMUS_TRY(read_information(fold));
    CMUS_TRY(read_config(fold));
    return read_tables(fold);
}

/* K of "fold-K", or -1. */
static long fold_number(const char *name) {
    static const char prefix[] = "fold-";
    if (strncmp(name, prefix, sizeof prefix - 1) != 0)
        return -1;
    const char *digits = name + sizeof prefix - 1;
    size_t length = strlen(digits);
    if (!length || length > 6 || strspn(digits, "0123456789") != length || (length > 1 && *digits == '0'))
        return -1;
    return strtol(digits, NULL, 10);
}

static bool run_has(const report_run *run, const char *name) {
    char *path = cmus_path_join(run->path, name);
    bool has = cmus_file_exists(path) || cmus_folder_exists(path);
    cmus_free(path);
    return has;
}

static void note_final_model(const report_run *run) {
    if (run_has(run, FINAL_MODEL))
        cmus_info("%s/" FINAL_MODEL " is left out: it was trained on every case, so there is nothing to evaluate it on",
                  run->path);
}

static cmus_status no_folds(const report_run *run) {
    const char *advice = "give the --out folder of cmus-train";
    if (run_has(run, "predictions.json"))
        advice = "what cmus-predict wrote is evaluated with --external";
    else if (run_has(run, FINAL_MODEL))
        advice = FINAL_MODEL " was trained on every case, so there is nothing to evaluate it on";
    return cmus_fail(CMUS_ERROR_NOT_FOUND, "%s: there is no folder fold-0, fold-1, ... in it; %s", run->path, advice);
}

static cmus_status find_folds(report_run *run) {
    char **names;
    size_t count;
    CMUS_TRY(cmus_folder_list(run->path, &names, &count));
    run->folds = cmus_allocate(count, sizeof(report_fold));
    for (size_t i = 0; i < count; i++) {
        char *folder = cmus_path_join(run->path, names[i]);
        if (fold_number(names[i]) >= 0 && cmus_folder_exists(folder))
            run->folds[run->count++] = (report_fold){.folder = folder, .number = fold_number(names[i])};
        else
            cmus_free(folder);
    }
    cmus_names_free(names, count);
    if (!run->count)
        return no_folds(run);
    note_final_model(run);
    return CMUS_OK;
}

void report_run_name(const char *path, report_run *run) {
    *run = (report_run){.path = cmus_copy_string(path)};
    for (size_t length = strlen(run->path); length > 1 && run->path[length - 1] == '/'; length--)
        run->path[length - 1] = 0;
    const char *slash = strrchr(run->path, '/');
    run->name = cmus_copy_string(slash && slash[1] ? slash + 1 : run->path);
}

cmus_status report_run_read(const char *path, report_run *run) {
    report_run_name(path, run);
    CMUS_TRY(find_folds(run));
    bool has_manifest = true;
    for (size_t i = 0; i < run->count; i++) {
        run->folds[i].usable = true;
        if (read_fold(&run->folds[i], &has_manifest) != CMUS_OK)
            report_problem(run, &run->folds[i], "%s", cmus_last_error());
    }
    if (!has_manifest)
        cmus_warn("%s: a fold has no MANIFEST.sha256, so damage to its files may go unseen", run->path);
    report_prove(run);
    return CMUS_OK;
}

void report_run_free(report_run *run) {
    for (size_t i = 0; i < run->count; i++) {
        report_fold *fold = &run->folds[i];
        report_predictions_free(&fold->predictions);
        report_training_free(&fold->training);
        json_decref(fold->information);
        cmus_free(fold->dataset_hash);
        cmus_free(fold->config_hash);
        cmus_free(fold->config);
        cmus_free(fold->folder);
    }
    for (size_t i = 0; i < run->problem_count; i++)
        cmus_free(run->problems[i]);
    cmus_free(run->problems);
    report_external_free(run->external);
    cmus_free(run->folds);
    cmus_free(run->path);
    cmus_free(run->name);
    *run = (report_run){0};
}

size_t report_usable_folds(const report_run *run) {
    size_t count = 0;
    for (size_t i = 0; i < run->count; i++)
        count += run->folds[i].usable;
    return count;
}

const report_fold *report_first_fold(const report_run *run) {
    for (size_t i = 0; i < run->count; i++)
        if (run->folds[i].usable)
            return &run->folds[i];
    return NULL;
}

char *report_fold_name(const report_run *run, const report_fold *fold) {
    long repeats = 0;
    for (size_t i = 0; i < run->count; i++)
        repeats = run->folds[i].repeat > repeats ? run->folds[i].repeat : repeats;
    return repeats ? cmus_format_string("repeat %ld, fold %ld", fold->repeat, fold->fold)
                   : cmus_format_string("fold %ld", fold->fold);
}
