#include "cmus/ensemble.h"

#include <jansson.h>
#include <string.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/run_identity.h"
#include "cmus/weight_plan.h"
#include "cmus/weight_tools.h"
#include "cmus/weights.h"
#include "cmus/weights_config.h"
#include "image_recipe_text.h"

#define WEIGHTS "weights.safetensors"

static void add_file(cmus_ensemble *ensemble, const char *path) {
    ensemble->members =
        cmus_grow(ensemble->members, &ensemble->capacity, (size_t)ensemble->count + 1, sizeof *ensemble->members);
    ensemble->members[ensemble->count++].path = cmus_copy_string(path);
}

/* FOLDER/NAME, if it is a file: adds it. */
static bool add_if_there(cmus_ensemble *ensemble, const char *folder, const char *name) {
    char *path = cmus_path_join(folder, name);
    bool there = cmus_file_exists(path);
    if (there)
        add_file(ensemble, path);
    cmus_free(path);
    return there;
}

static bool is_numbered_fold(const char *name) {
    static const char prefix[] = "fold-";
    return strncmp(name, prefix, strlen(prefix)) == 0 && name[strlen(prefix)] &&
           strspn(name + strlen(prefix), "0123456789") == strlen(name + strlen(prefix));
}

/* Folds that a RUN has by run.json of one of them; 0: not known. (Repeats are not told there.) */
static size_t folds_of_run(const char *fold_folder) {
    char *path = cmus_path_join(fold_folder, "run.json");
    json_t *record = NULL;
    json_int_t folds = 0;
    if (cmus_file_exists(path) && cmus_json_read(path, &record) == CMUS_OK)
        folds = json_integer_value(json_object_get(record, "folds"));
    json_decref(record);
    cmus_free(path);
    return folds > 0 ? (size_t)folds : 0;
}

/* The folds of a RUN; if one is missing or not finished, the average would not be what its name says. */
static cmus_status add_run(cmus_ensemble *ensemble, const char *run) {
    char **names;
    size_t count, found = 0, expected = 0;
    CMUS_TRY(cmus_folder_list(run, &names, &count));
    cmus_status status = CMUS_OK;
    for (size_t i = 0; i < count && status == CMUS_OK; i++) {
        char *folder = cmus_path_join(run, names[i]);
        if (is_numbered_fold(names[i]) && cmus_folder_exists(folder)) {
            found++;
            if (!add_if_there(ensemble, folder, "final/" WEIGHTS))
                status =
                    cmus_fail(CMUS_ERROR_NOT_FOUND,
                              "%s: the fold has no final/" WEIGHTS " yet; name the folds to take one by one", folder);
            expected = folds_of_run(folder);
        }
        cmus_free(folder);
    }
    cmus_names_free(names, count);
    if (status == CMUS_OK && found == 0)
        return cmus_fail(CMUS_ERROR_NOT_FOUND,
                         "%s: neither a file of weights nor a folder with " WEIGHTS ", final/" WEIGHTS " or fold-0",
                         run);
    if (status == CMUS_OK && expected && found % expected != 0)
        return cmus_fail(CMUS_ERROR_NOT_FOUND,
                         "%s: only %zu folds are there, of %zu a repeat; name the folds to take one by one", run, found,
                         expected);
    return status;
}

static cmus_status add_path(cmus_ensemble *ensemble, const char *path) {
    char *file;
    if (cmus_weights_locate(path, &file) != CMUS_OK)
        return add_run(ensemble, path);
    add_file(ensemble, file);
    cmus_free(file);
    return CMUS_OK;
}

/* What the file says of its network stands: classes in another order would be other diagnoses. What is given may change
 * the precision, and what changes no result. */
static cmus_status check_given(const cmus_member *member, const cmus_config *own, const cmus_config *given) {
    if (cmus_config_same_network(own, given))
        return CMUS_OK;
    return cmus_fail(
        CMUS_ERROR_MISMATCH,
        "%s: says itself of which network and classes it is, and what was given differs: leave --config out, "
        "and override nothing but precision and keys that change no result",
        member->path);
}

/* The configuration with the overrides. */
static cmus_status settle_config(const cmus_ensemble_options *options, cmus_member *member,
                                 const cmus_state_dict *dict) {
    cmus_config own, given;
    bool brought;
    CMUS_TRY(cmus_weights_config_read(dict, &own, &brought, NULL));
    if (!brought && !options->config)
        return cmus_fail(CMUS_ERROR_CONFIG,
                         "%s: does not say what network it is of; name its configuration by --config", member->path);
    if (options->config)
        CMUS_TRY(cmus_config_read(options->config, options->overrides, options->override_count, &given));
    else {
        char *text = cmus_config_text(&own);
        cmus_status status = cmus_config_parse(text, member->path, options->overrides, options->override_count, &given);
        cmus_free(text);
        CMUS_TRY(status);
    }
    if (brought)
        CMUS_TRY(check_given(member, &own, &given));
    member->config = given;
    if (brought && given.class_count == 0) {
        member->config.class_count = own.class_count;
        memcpy(member->config.classes, own.classes, sizeof own.classes);
        member->config.net.classes = own.class_count;
    }
    return CMUS_OK;
}

static cmus_status read_config(const cmus_ensemble_options *options, cmus_member *member) {
    cmus_state_dict *dict;
    CMUS_TRY(cmus_state_dict_open(member->path, &dict));
    const char *images = cmus_state_dict_metadata(dict, CMUS_METADATA_IMAGES);
    if (images)
        member->images = cmus_copy_string(images);
    cmus_status status = settle_config(options, member, dict);
    cmus_state_dict_close(dict);
    CMUS_TRY(status);
    cmus_config_hash(&member->config, member->config_hash);
    if (member->config.class_count < 2)
        return cmus_fail(
            CMUS_ERROR_CONFIG,
            "%s: nothing says what its classes are called; name them in their order by classes=\"[A, B, C]\"",
            member->path);
    return CMUS_OK;
}

/* What run.json beside the fold's weights tells; nothing if it is not there. */
static void read_record(cmus_member *member) {
    char *path = cmus_weights_beside(member->path, "run.json");
    json_t *record = NULL;
    if (cmus_file_exists(path) && cmus_json_read(path, &record) == CMUS_OK) {
        const char *hash = json_string_value(json_object_get(record, "dataset_hash"));
        const char *splits = json_string_value(json_object_get(record, "splits_hash"));
        const json_t *fold = json_object_get(record, "fold");
        long long repeat = (long long)json_integer_value(json_object_get(record, "repeat"));
        if (hash)
            member->dataset_hash = cmus_copy_string(hash);
        if (splits)
            member->splits_hash = cmus_copy_string(splits);
        if (json_is_string(fold))
            member->fold = cmus_copy_string(json_string_value(fold));
        else if (json_is_integer(fold) && repeat == 0)
            member->fold = cmus_format_string("%lld", (long long)json_integer_value(fold));
        else if (json_is_integer(fold))
            member->fold = cmus_format_string("%lld of repeat %lld", (long long)json_integer_value(fold), repeat);
    }
    json_decref(record);
    cmus_free(path);
}

/* The folder of a path; free with cmus_free(). */
static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? cmus_format_string("%.*s", slash == path ? 1 : (int)(slash - path), path) : cmus_copy_string(".");
}

/* The file's SHA-256, which its folder's manifest must have, if there is one. */
static cmus_status verify(cmus_member *member) {
    CMUS_TRY(cmus_sha256_file(member->path, member->sha256));
    char *folder = folder_of(member->path), *manifest = cmus_path_join(folder, "MANIFEST.sha256");
    const char *slash = strrchr(member->path, '/');
    cmus_status status = CMUS_OK;
    if (cmus_file_exists(manifest))
        status = cmus_manifest_check_known(folder, slash ? slash + 1 : member->path, member->sha256);
    cmus_free(manifest);
    cmus_free(folder);
    return status;
}

/* What must be alike for outputs to be averaged. */
static cmus_status compare(const cmus_member *first, const cmus_member *other) {
    const cmus_config *a = &first->config, *b = &other->config;
    bool classes = cmus_config_same_classes(a, b);
    const char *what = !classes                                 ? "classes, or another order of them"
                       : a->net.image_size != b->net.image_size ? "image_size"
                       : a->max_tem != b->max_tem               ? "max_tem"
                                                                : NULL;
    if (what)
        return cmus_fail(CMUS_ERROR_MISMATCH, "%s and %s can't be averaged: they have another %s", first->path,
                         other->path, what);
    if (!first->images || !other->images)
        return CMUS_OK;
    cmus_status status = cmus_image_recipes_compare(first->images, other->images);
    if (status != CMUS_OK)
        return cmus_fail_in(status, "%s and %s: the images of their training data can't be told to be alike",
                            first->path, other->path);
    return CMUS_OK;
}

cmus_status cmus_ensemble_open(const cmus_ensemble_options *options, cmus_ensemble *ensemble) {
    *ensemble = (cmus_ensemble){0};
    for (size_t i = 0; i < options->path_count; i++)
        CMUS_TRY(add_path(ensemble, options->paths[i]));
    for (int i = 0; i < ensemble->count; i++) {
        cmus_member *member = &ensemble->members[i];
        CMUS_TRY(verify(member));
        for (int j = 0; j < i; j++)
            if (strcmp(ensemble->members[j].sha256, member->sha256) == 0)
                return cmus_fail(CMUS_ERROR_ARGUMENT, "%s and %s are the same weights, which would count twice",
                                 ensemble->members[j].path, member->path);
        CMUS_TRY(read_config(options, member));
        CMUS_TRY(compare(&ensemble->members[0], member));
        read_record(member);
    }
    return CMUS_OK;
}

/* Every tensor must come from the file. */
static cmus_status check_complete(const cmus_member *member, const cmus_weight_plan *plan,
                                  const cmus_parameters *parameters) {
    for (size_t i = 0; plan->kept && i < parameters->count; i++)
        if (plan->steps[i].action == CMUS_WEIGHT_KEPT)
            return cmus_fail(CMUS_ERROR_MISMATCH, "%s: has no weights for '%s'%s: a whole network is needed to predict",
                             member->path, parameters->tensors[i].name,
                             plan->other_classes ? " of this number of classes" : "");
    return CMUS_OK;
}

static cmus_status fill(const cmus_member *member, cmus_net *net) {
    const cmus_parameters *parameters = cmus_net_parameters(net);
    cmus_state_dict *dict;
    CMUS_TRY(cmus_state_dict_open(member->path, &dict));
    cmus_weight_plan plan;
    cmus_status status = cmus_weight_plan_make(dict, parameters, &plan);
    if (status == CMUS_OK)
        status = check_complete(member, &plan, parameters);
    if (status == CMUS_OK)
        status = cmus_weight_plan_apply(&plan, dict, parameters, cmus_net_weights(net));
    cmus_weight_plan_free(&plan);
    cmus_state_dict_close(dict);
    return status;
}

cmus_status cmus_ensemble_load(const cmus_ensemble *ensemble, int number, cmus_net **net) {
    const cmus_member *member = &ensemble->members[number];
    cmus_status status = cmus_net_create(&member->config.net, false, net);
    if (status != CMUS_OK)
        return cmus_fail_in(status, "%s", member->path);
    status = cmus_products_precision(member->config.net.precision);
    if (status == CMUS_OK)
        status = fill(member, *net);
    if (status != CMUS_OK) {
        cmus_net_free(*net);
        *net = NULL;
    }
    return status;
}

void cmus_ensemble_free(cmus_ensemble *ensemble) {
    for (int i = 0; i < ensemble->count; i++) {
        cmus_member *member = &ensemble->members[i];
        cmus_free(member->path);
        cmus_free(member->images);
        cmus_free(member->dataset_hash);
        cmus_free(member->splits_hash);
        cmus_free(member->fold);
    }
    cmus_free(ensemble->members);
    *ensemble = (cmus_ensemble){0};
}
