#include "cmus/checkpoint.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/program.h"

enum { PLACES = 3 };
static const json_int_t MOST_UPDATES = (json_int_t)1 << 40; /* so that no product with a batch overflows */
static const char *const places[PLACES] = {"last.new", "last", "last.old"}; /* the newest first on a tie */
static const char *const files[] = {"weights.safetensors", "moments.safetensors", "state.json"};

typedef struct candidate {
    const char *place;
    char *path;
    cmus_position position;
    bool usable;
} candidate;

static cmus_status move(const char *fold_folder, const char *from, const char *to) {
    char *old = cmus_path_join(fold_folder, from), *new = cmus_path_join(fold_folder, to);
    cmus_status status = cmus_folder_remove(new);
    if (status == CMUS_OK && rename(old, new) != 0)
        status = cmus_fail(CMUS_ERROR_IO, "can't move %s to %s: %s", old, new, strerror(errno));
    if (status == CMUS_OK)
        status = cmus_folder_sync(fold_folder);
    cmus_free(old);
    cmus_free(new);
    return status;
}

static cmus_status remove_place(const char *fold_folder, const char *place) {
    char *path = cmus_path_join(fold_folder, place);
    cmus_status status = cmus_folder_remove(path);
    cmus_free(path);
    return status;
}

static bool place_exists(const char *fold_folder, const char *place) {
    char *path = cmus_path_join(fold_folder, place);
    bool exists = cmus_folder_exists(path);
    cmus_free(path);
    return exists;
}

static cmus_status write_state(const char *path, const cmus_run_identity *identity, cmus_position position) {
    json_t *metrics = json_array();
    for (size_t i = 0; i < CMUS_METRICS_FIELDS; i++)
        json_array_append_new(metrics, json_real(((const double *)&position.metrics)[i]));
    json_t *state =
        json_pack("{s:i, s:I, s:I, s:o, s:f}", "epoch", position.epoch, "step", (json_int_t)position.step, "skipped",
                  (json_int_t)position.skipped, "epoch_metrics", metrics, "epoch_seconds", position.seconds);
    json_object_set_new(state, "energy_joules", isnan(position.joules) ? json_null() : json_real(position.joules));
    cmus_run_identity_write(identity, state);
    cmus_status status = cmus_json_write(path, state);
    json_decref(state);
    return status;
}

cmus_status cmus_checkpoint_write_weights(const char *path, const cmus_run_identity *identity,
                                          const cmus_parameters *parameters, const float *weights) {
    char *config = cmus_config_results_text(identity->config);
    const cmus_text_pair pairs[] = {{CMUS_METADATA_CONFIG, config},
                                    {CMUS_METADATA_VERSION, cmus_version()},
                                    {CMUS_METADATA_IMAGES, identity->images}};
    size_t count = sizeof pairs / sizeof pairs[0] - !identity->images;
    cmus_status status = cmus_weights_write(path, parameters, weights, pairs, count);
    cmus_free(config);
    return status;
}

static cmus_status write_files(const char *folder, const cmus_run_identity *identity, cmus_position position,
                               const cmus_parameters *parameters, const float *weights, const cmus_moments *moments) {
    CMUS_TRY(cmus_folder_make(folder));
    char *weight_path = cmus_path_join(folder, files[0]), *moment_path = cmus_path_join(folder, files[1]);
    char *state_path = cmus_path_join(folder, files[2]);
    cmus_status status = cmus_checkpoint_write_weights(weight_path, identity, parameters, weights);
    if (status == CMUS_OK)
        status = cmus_moments_write(moment_path, parameters, moments);
    if (status == CMUS_OK)
        status = write_state(state_path, identity, position);
    cmus_free(weight_path);
    cmus_free(moment_path);
    cmus_free(state_path);
    return status == CMUS_OK ? cmus_manifest_write(folder, files, sizeof files / sizeof files[0]) : status;
}

cmus_status cmus_checkpoint_write(const char *fold_folder, const cmus_run_identity *identity, cmus_position position,
                                  const cmus_parameters *parameters, const float *weights,
                                  const cmus_moments *moments) {
    CMUS_TRY(remove_place(fold_folder, "last.new"));
    char *folder = cmus_path_join(fold_folder, "last.new");
    cmus_status status = write_files(folder, identity, position, parameters, weights, moments);
    if (status != CMUS_OK) {
        char *message = cmus_copy_string(cmus_last_error());
        cmus_folder_remove(folder); /* gives the space back; the first failure is the one to report */
        status = cmus_fail(status, "%s", message);
        cmus_free(message);
    }
    cmus_free(folder);
    CMUS_TRY(status);
    if (place_exists(fold_folder, "last"))
        CMUS_TRY(move(fold_folder, "last", "last.old"));
    CMUS_TRY(move(fold_folder, "last.new", "last"));
    return remove_place(fold_folder, "last.old");
}

bool cmus_checkpoint_exists(const char *fold_folder) {
    for (int i = 1; i < PLACES; i++)
        if (place_exists(fold_folder, places[i]))
            return true;
    /* one that was never completed is none: it was the first, and nothing is lost by starting again */
    char *manifest = cmus_format_string("%s/last.new/MANIFEST.sha256", fold_folder);
    bool complete = cmus_file_exists(manifest);
    cmus_free(manifest);
    return complete;
}

/* Whether it is a whole number from 0 to `most`. */
static bool take_count(const json_t *value, json_int_t most, int64_t *count) {
    *count = json_integer_value(value);
    return json_is_integer(value) && *count >= 0 && *count <= most;
}

/* What the epoch that is begun has come to. */
static bool take_epoch(const json_t *state, cmus_position *position) {
    const json_t *metrics = json_object_get(state, "epoch_metrics"), *seconds = json_object_get(state, "epoch_seconds");
    bool right = json_array_size(metrics) == CMUS_METRICS_FIELDS && json_is_real(seconds);
    for (size_t i = 0; right && i < CMUS_METRICS_FIELDS; i++) {
        const json_t *value = json_array_get(metrics, i);
        right = json_is_real(value);
        ((double *)&position->metrics)[i] = json_real_value(value);
    }
    position->seconds = json_real_value(seconds);
    return right;
}

/* The state's numbers, without looking at the large files. */
static cmus_status read_position(const char *folder, cmus_position *position) {
    char *path = cmus_path_join(folder, "state.json");
    json_t *state = NULL;
    cmus_status status = cmus_json_read(path, &state);
    if (status == CMUS_OK) {
        int64_t epoch;
        bool right = take_count(json_object_get(state, "epoch"), INT32_MAX, &epoch) &&
                     take_count(json_object_get(state, "step"), MOST_UPDATES, &position->step) &&
                     take_count(json_object_get(state, "skipped"), position->step, &position->skipped) &&
                     take_epoch(state, position);
        position->epoch = (int)epoch;
        const json_t *joules = json_object_get(state, "energy_joules");
        position->joules = json_is_real(joules) ? json_real_value(joules) : NAN;
        if (!right)
            status = cmus_fail(CMUS_ERROR_FORMAT,
                               "%s: epoch, step, skipped, epoch_metrics or epoch_seconds is missing "
                               "or impossible",
                               path);
    }
    json_decref(state);
    cmus_free(path);
    return status;
}

/* Every file complete by the manifest, and the manifest names all of them. */
static cmus_status check_complete(const char *folder) {
    char *path = cmus_path_join(folder, "MANIFEST.sha256"), *text = NULL;
    size_t size;
    cmus_status status = cmus_file_read(path, 1 << 16, &text, &size);
    for (size_t i = 0; i < sizeof files / sizeof files[0] && status == CMUS_OK; i++)
        if (!strstr(text, files[i]))
            status = cmus_fail(CMUS_ERROR_FORMAT, "%s: does not list %s", path, files[i]);
    cmus_free(text);
    cmus_free(path);
    return status == CMUS_OK ? cmus_manifest_check(folder) : status;
}

static candidate *newest(candidate *candidates) {
    candidate *best = NULL;
    for (int i = 0; i < PLACES; i++)
        if (candidates[i].usable && (!best || candidates[i].position.step > best->position.step))
            best = &candidates[i];
    return best;
}

/* Takes candidates from the newest on until one is complete. */
static cmus_status choose(const char *fold_folder, candidate *candidates, candidate **chosen) {
    for (int i = 0; i < PLACES; i++) {
        candidate *c = &candidates[i];
        *c = (candidate){.place = places[i], .path = cmus_path_join(fold_folder, places[i])};
        if (!cmus_folder_exists(c->path))
            continue;
        c->usable = read_position(c->path, &c->position) == CMUS_OK;
        if (!c->usable)
            cmus_warn("checkpoint %s is passed over: %s", c->path, cmus_last_error());
    }
    while ((*chosen = newest(candidates))) {
        if (check_complete((*chosen)->path) == CMUS_OK)
            return CMUS_OK;
        cmus_warn("checkpoint %s is passed over: %s", (*chosen)->path, cmus_last_error());
        (*chosen)->usable = false;
    }
    return cmus_fail(CMUS_ERROR_CHECKSUM,
                     "%s: no complete checkpoint in last, last.new or last.old; remove the folder to start again",
                     fold_folder);
}

static cmus_status check_identity(const char *folder, const cmus_run_identity *identity) {
    char *path = cmus_path_join(folder, "state.json");
    json_t *state = NULL;
    cmus_status status = cmus_json_read(path, &state);
    if (status == CMUS_OK)
        status = cmus_run_identity_check(identity, path, state);
    json_decref(state);
    cmus_free(path);
    return status;
}

cmus_status cmus_checkpoint_settle(const char *fold_folder, const cmus_run_identity *identity,
                                   cmus_position *position) {
    candidate candidates[PLACES], *chosen;
    cmus_status status = choose(fold_folder, candidates, &chosen);
    if (status == CMUS_OK)
        status = check_identity(chosen->path, identity);
    if (status == CMUS_OK) {
        *position = chosen->position;
        if (strcmp(chosen->place, "last") != 0)
            status = move(fold_folder, chosen->place, "last");
    }
    for (int i = 0; i < PLACES; i++) {
        if (status == CMUS_OK && strcmp(places[i], "last") != 0)
            status = remove_place(fold_folder, places[i]);
        cmus_free(candidates[i].path);
    }
    return status;
}

cmus_status cmus_checkpoint_read(const char *fold_folder, const cmus_parameters *parameters, float *weights,
                                 const cmus_moments *moments) {
    char *weight_path = cmus_format_string("%s/last/%s", fold_folder, files[0]);
    char *moment_path = cmus_format_string("%s/last/%s", fold_folder, files[1]);
    cmus_status status = cmus_weights_read(weight_path, parameters, weights);
    if (status == CMUS_OK)
        status = cmus_moments_read(moment_path, parameters, moments);
    cmus_free(weight_path);
    cmus_free(moment_path);
    return status;
}
