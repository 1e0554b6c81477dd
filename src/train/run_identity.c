#include "cmus/run_identity.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/log.h"
#include "cmus/memory.h"

static const size_t FILE_LIMIT = (size_t)16 << 20;

cmus_status cmus_json_read(const char *path, json_t **object) {
    *object = NULL;
    char *text;
    size_t size;
    CMUS_TRY(cmus_file_read(path, FILE_LIMIT, &text, &size));
    json_error_t error;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    cmus_free(text);
    if (!root)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s, line %d: %s", path, error.line, error.text);
    if (!json_is_object(root)) {
        json_decref(root);
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: no JSON object", path);
    }
    *object = root;
    return CMUS_OK;
}

cmus_status cmus_json_write(const char *path, const json_t *object) {
    char *text = json_dumps(object, JSON_INDENT(2));
    if (!text)
        cmus_fatal("%s can't be written as JSON: a text is no UTF-8", path);
    char *line = cmus_format_string("%s\n", text);
    free(text);
    cmus_status status = cmus_file_write(path, line, strlen(line));
    cmus_free(line);
    return status;
}

static const char all_folds[] = "all";

char *cmus_fold_text(int fold) {
    return fold == CMUS_FOLD_ALL ? cmus_copy_string(all_folds) : cmus_format_string("%d", fold);
}

/* What "fold" is in JSON: a number, or "all". */
static json_t *fold_to_json(int fold) {
    return fold == CMUS_FOLD_ALL ? json_string(all_folds) : json_integer(fold);
}

static cmus_status fold_from_json(const char *path, const json_t *value, int *fold) {
    const char *text = json_string_value(value);
    json_int_t number = json_integer_value(value);
    if (text && strcmp(text, all_folds) == 0)
        *fold = CMUS_FOLD_ALL;
    else if (json_is_integer(value) && number >= 0 && number <= INT_MAX)
        *fold = (int)number;
    else
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: the fold is missing, or neither a number nor \"all\"", path);
    return CMUS_OK;
}

void cmus_run_identity_write(const cmus_run_identity *identity, json_t *object) {
    json_t *values = json_object();
    for (size_t i = 0; i < cmus_key_count; i++) {
        char *value = cmus_config_value(identity->config, &cmus_keys[i]);
        json_object_set_new(values, cmus_keys[i].name, json_string(value));
        cmus_free(value);
    }
    json_object_set_new(object, "config_hash", json_string(identity->config_hash));
    json_object_set_new(object, "dataset_hash", json_string(identity->dataset_hash));
    json_object_set_new(object, "splits_hash", json_string(identity->splits_hash));
    json_object_set_new(object, "seed", json_integer((json_int_t)identity->config->seed));
    json_object_set_new(object, "fold", fold_to_json(identity->fold));
    json_object_set_new(object, "repeat", json_integer(identity->repeat));
    json_object_set_new(object, "config", values);
}

/* Adds "; WHAT THERE there, HERE here" to the text. */
static void add_difference(char **text, const char *what, const char *there, const char *here) {
    char *longer = cmus_format_string("%s%s%s is %s there, %s here", *text, **text ? "; " : "", what, there, here);
    cmus_free(*text);
    *text = longer;
}

static void compare_config(const cmus_run_identity *identity, const json_t *values, char **text) {
    for (size_t i = 0; i < cmus_key_count; i++) {
        if (!cmus_keys[i].changes_results)
            continue;
        const char *there = json_string_value(json_object_get(values, cmus_keys[i].name));
        char *here = cmus_config_value(identity->config, &cmus_keys[i]);
        if (!there || strcmp(there, here) != 0)
            add_difference(text, cmus_keys[i].name, there ? there : "not known", here);
        cmus_free(here);
    }
}

static void compare_folds(const cmus_run_identity *identity, int fold, json_int_t repeat, char **text) {
    if (fold == identity->fold && repeat == identity->repeat)
        return;
    char *name = cmus_fold_text(fold), *own = cmus_fold_text(identity->fold);
    char *there = cmus_format_string("%s of repeat %lld", name, (long long)repeat);
    char *here = cmus_format_string("%s of repeat %d", own, identity->repeat);
    add_difference(text, "the fold", there, here);
    cmus_free(name);
    cmus_free(own);
    cmus_free(there);
    cmus_free(here);
}

cmus_status cmus_run_identity_check(const cmus_run_identity *identity, const char *path, const json_t *object) {
    const char *config_hash = json_string_value(json_object_get(object, "config_hash"));
    const char *dataset_hash = json_string_value(json_object_get(object, "dataset_hash"));
    const char *splits_hash = json_string_value(json_object_get(object, "splits_hash"));
    const json_t *repeat = json_object_get(object, "repeat");
    int fold = CMUS_FOLD_ALL;
    if (!config_hash || !dataset_hash || !splits_hash || !json_is_integer(repeat))
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: a hash or the repeat is missing", path);
    CMUS_TRY(fold_from_json(path, json_object_get(object, "fold"), &fold));
    char *text = cmus_copy_string("");
    if (strcmp(config_hash, identity->config_hash) != 0) {
        compare_config(identity, json_object_get(object, "config"), &text);
        if (!*text)
            add_difference(&text, "config_hash", config_hash, identity->config_hash);
    }
    if (strcmp(dataset_hash, identity->dataset_hash) != 0)
        add_difference(&text, "the data set's hash", dataset_hash, identity->dataset_hash);
    if (strcmp(splits_hash, identity->splits_hash) != 0)
        add_difference(&text, "the hash of splits.csv", splits_hash, identity->splits_hash);
    compare_folds(identity, fold, json_integer_value(repeat), &text);
    cmus_status status = CMUS_OK;
    if (*text)
        status = cmus_fail(CMUS_ERROR_MISMATCH, "%s: belongs to another run: %s", path, text);
    cmus_free(text);
    return status;
}
