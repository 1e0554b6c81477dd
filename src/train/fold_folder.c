/* RUN/fold-K: what is found there, what is put there. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmus/memory.h"
#include "trainer_internal.h"

static const char TRAIN_HEADER[] =
    "epoch,lr,train_loss,train_loss_fusion,train_loss_om,train_loss_im,train_loss_tem,train_accuracy,val_loss,"
    "val_loss_fusion,val_loss_om,val_loss_im,val_loss_tem,val_accuracy,train_mean_distance,val_mean_distance,seconds";
static const char STEP_HEADER[] = "step,epoch,loss,gradient_norm,seconds,data_seconds,skipped";
#define PREDICTIONS "predictions.csv"
#define FEATURES "features.safetensors"

static char *in_fold(const cmus_trainer *trainer, const char *name) {
    return cmus_path_join(trainer->fold_folder, name);
}

static bool has(const cmus_trainer *trainer, const char *name) {
    char *path = in_fold(trainer, name);
    bool exists = cmus_file_exists(path);
    cmus_free(path);
    return exists;
}

/* The record of a begun run: of this run? complete? since when? */
static cmus_status read_record(cmus_trainer *trainer, bool *complete) {
    char *path = in_fold(trainer, "run.json");
    json_t *record = NULL;
    cmus_status status = cmus_json_read(path, &record);
    if (status == CMUS_OK)
        status = cmus_run_identity_check(&trainer->identity, path, record);
    if (status == CMUS_OK) {
        *complete = json_is_true(json_object_get(record, "fold_complete"));
        const char *started = json_string_value(json_object_get(record, "started"));
        if (started) {
            cmus_free(trainer->started);
            trainer->started = cmus_copy_string(started);
        }
    }
    json_decref(record);
    cmus_free(path);
    return status;
}

cmus_status cmus_fold_folder_lock(cmus_trainer *trainer) {
    trainer->made_out = !cmus_folder_exists(trainer->options->out);
    CMUS_TRY(cmus_folder_make(trainer->options->out));
    char *path = cmus_format_string("%s.lock", trainer->fold_folder);
    cmus_status status = cmus_fold_lock_take(path, &trainer->lock);
    cmus_free(path);
    return status;
}

void cmus_fold_folder_unlock(cmus_trainer *trainer) {
    cmus_fold_lock_release(trainer->lock);
    if (trainer->made_out)
        rmdir(trainer->options->out); /* stays if it holds anything */
}

/* An epoch that is begun has no fewer updates than those before it, and no more than its own beside them. */
static cmus_status check_position(const cmus_trainer *trainer) {
    cmus_position position = trainer->position;
    int64_t each = cmus_trainer_updates_per_epoch(trainer), before = position.epoch * each;
    if (cmus_trainer_ends(trainer, position) || (position.step >= before && position.step <= before + each))
        return CMUS_OK;
    return cmus_fail(CMUS_ERROR_FORMAT,
                     "%s/last/state.json: step %lld does not belong to epoch %d of %lld updates each",
                     trainer->fold_folder, (long long)position.step, position.epoch, (long long)each);
}

cmus_status cmus_fold_folder_look(cmus_trainer *trainer, cmus_fold_state *state) {
    *state = CMUS_FOLD_NEW;
    bool record = has(trainer, "run.json"), checkpoint = cmus_checkpoint_exists(trainer->fold_folder);
    if (!record && !checkpoint)
        return CMUS_OK;
    if (!trainer->options->resume)
        return cmus_fail(CMUS_ERROR_IO, "%s: holds a %s run; continue it by --resume, or remove the folder",
                         trainer->fold_folder, has(trainer, "MANIFEST.sha256") ? "finished" : "begun");
    bool complete = false;
    if (record)
        CMUS_TRY(read_record(trainer, &complete));
    *state = CMUS_FOLD_BEGUN;
    if (complete && has(trainer, "MANIFEST.sha256")) {
        *state = CMUS_FOLD_FINISHED;
        return cmus_manifest_check(trainer->fold_folder);
    }
    if (!checkpoint)
        return CMUS_OK;
    *state = CMUS_FOLD_RESUMED;
    if (trainer->options->check_ranks)
        return CMUS_OK;
    CMUS_TRY(cmus_checkpoint_settle(trainer->fold_folder, &trainer->identity, &trainer->position));
    return check_position(trainer);
}

/* Temporary files that a killed run left. */
static cmus_status remove_leftovers(const cmus_trainer *trainer) {
    char **names;
    size_t count;
    CMUS_TRY(cmus_folder_list(trainer->fold_folder, &names, &count));
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(names[i]);
        if (length < 4 || strcmp(names[i] + length - 4, ".tmp") != 0)
            continue;
        char *path = in_fold(trainer, names[i]);
        unlink(path);
        cmus_free(path);
    }
    cmus_names_free(names, count);
    return CMUS_OK;
}

static cmus_status open_rows(cmus_trainer *trainer) {
    char *train = in_fold(trainer, "train.csv"), *steps = in_fold(trainer, "steps.csv");
    cmus_status status = cmus_row_log_open(train, TRAIN_HEADER, trainer->position.epoch, &trainer->train_rows);
    if (status == CMUS_OK)
        status = cmus_row_log_open(steps, STEP_HEADER, trainer->position.step, &trainer->step_rows);
    cmus_free(train);
    cmus_free(steps);
    return status;
}

cmus_status cmus_fold_folder_begin(cmus_trainer *trainer) {
    CMUS_TRY(cmus_folder_make(trainer->fold_folder));
    CMUS_TRY(remove_leftovers(trainer));
    CMUS_TRY(cmus_run_record_write(trainer, false, 0));
    char *path = in_fold(trainer, "config.yaml"), *text = cmus_config_text(trainer->config);
    cmus_status status = cmus_file_write(path, text, strlen(text));
    cmus_free(path);
    cmus_free(text);
    CMUS_TRY(status);
    CMUS_TRY(open_rows(trainer));
    cmus_trainer_events_open(trainer);
    return CMUS_OK;
}

static cmus_status write_final_weights(const cmus_trainer *trainer) {
    static const char *const names[] = {"weights.safetensors"};
    char *folder = in_fold(trainer, "final"), *path = cmus_path_join(folder, names[0]);
    cmus_status status = cmus_folder_make(folder);
    if (status == CMUS_OK)
        status = cmus_checkpoint_write_weights(path, &trainer->identity, cmus_net_parameters(trainer->net),
                                               cmus_net_weights(trainer->net));
    if (status == CMUS_OK)
        status = cmus_manifest_write(folder, names, 1);
    cmus_free(path);
    cmus_free(folder);
    return status;
}

static cmus_status write_predictions(const cmus_trainer *trainer, const cmus_prediction *predictions) {
    int count = trainer->held_out_count;
    char *table = in_fold(trainer, PREDICTIONS), *features = in_fold(trainer, FEATURES);
    cmus_status status = cmus_predictions_write(table, trainer->dataset, predictions, count);
    if (status == CMUS_OK && trainer->config->save_features)
        status = cmus_features_write(features, predictions, count, cmus_net_channels(trainer->net));
    cmus_free(table);
    cmus_free(features);
    return status;
}

/* By rank 0; the manifest comes last and says that the rest is there. predictions: NULL if no fold is held out. */
static cmus_status write_results(cmus_trainer *trainer, const cmus_prediction *predictions, double peak_memory) {
    /* what is of held-out cases stands last; event files are no result, and may be removed */
    static const char *const listed[] = {"config.yaml", "train.csv", "steps.csv", "run.json", PREDICTIONS, FEATURES};
    size_t files = 4;
    CMUS_TRY(cmus_fold_lock_check(trainer->lock));
    CMUS_TRY(write_final_weights(trainer));
    if (predictions) {
        CMUS_TRY(write_predictions(trainer, predictions));
        files += trainer->config->save_features ? 2 : 1;
    }
    CMUS_TRY(cmus_run_record_write(trainer, true, peak_memory));
    return cmus_manifest_write(trainer->fold_folder, listed, files);
}

/* Collective. predictions [held_out_count] are filled on rank 0. */
static cmus_status predict(cmus_trainer *trainer, cmus_metrics *metrics, cmus_prediction *predictions) {
    cmus_trainer_at(trainer, "predicting");
    cmus_evaluator evaluator = cmus_trainer_evaluator(trainer);
    evaluator.features = trainer->config->save_features;
    return cmus_evaluate(&evaluator, trainer->held_out, trainer->held_out_count, metrics, predictions);
}

cmus_status cmus_fold_folder_finish(cmus_trainer *trainer) {
    int count = trainer->held_out_count;
    cmus_prediction *predictions = NULL;
    cmus_metrics metrics = {0};
    cmus_status status = CMUS_OK;
    if (count > 0) {
        predictions = cmus_allocate((size_t)count, sizeof *predictions);
        status = predict(trainer, &metrics, predictions);
    }
    cmus_optimizer_settle(trainer->optimizer);
    double peak_memory = (double)cmus_peak_memory();
    cmus_maximum_double(trainer->communicator, &peak_memory);
    cmus_trainer_count_energy(trainer);
    if (status == CMUS_OK && trainer->communicator->rank == 0)
        status = write_results(trainer, predictions, peak_memory);
    cmus_predictions_free(predictions, count);
    CMUS_TRY(cmus_agree(trainer->communicator, status));
    char *held_out = count > 0 ? cmus_format_string("held-out fold: %.0f of %.0f cases right, loss %.4f",
                                                    metrics.correct, metrics.cases, metrics.total_loss / metrics.cases)
                               : cmus_format_string("trained on all %d cases", trainer->training_count);
    cmus_info("%s; largest rank took %.2f GiB; %s", held_out, peak_memory / (1024.0 * 1024 * 1024),
              trainer->fold_folder);
    cmus_free(held_out);
    return CMUS_OK;
}
