/* Before training: data set, splits and fold; network and weights. */
#include <stdlib.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/state_dict.h"
#include "cmus/weight_tools.h"
#include "cmus/weights_config.h"
#include "trainer_internal.h"

_Static_assert((int)CMUS_IMAGE_TEM == (int)CMUS_TEM && (int)CMUS_IMAGE_OM == (int)CMUS_OM &&
                   (int)CMUS_IMAGE_IM == (int)CMUS_IM,
               "images of the data set have the numbers of the modalities");

/* The classes of the configuration, if any, must be the data set's; then the data set's are taken. */
static cmus_status take_classes(const cmus_trainer *trainer) {
    cmus_config *config = trainer->config;
    const cmus_dataset *dataset = trainer->dataset;
    int count = cmus_dataset_class_count(dataset), found = 0;
    for (int i = 0; i < config->class_count; i++)
        for (int j = 0; j < count; j++)
            found += strcmp(config->classes[i], cmus_dataset_class_name(dataset, j)) == 0;
    if (count < 2 || count > CMUS_MAX_CLASSES)
        return cmus_fail(CMUS_ERROR_DATA, "%s: %d classes; 2 to %d can be trained", trainer->options->data, count,
                         CMUS_MAX_CLASSES);
    cmus_config stored = *config;
    stored.class_count = count;
    for (int i = 0; i < count; i++)
        if (snprintf(stored.classes[i], CMUS_CLASS_NAME, "%s", cmus_dataset_class_name(dataset, i)) >= CMUS_CLASS_NAME)
            return cmus_fail(CMUS_ERROR_LIMIT, "%s: the name of class %d is too long", trainer->options->data, i);
    if (config->class_count > 0 && (found != count || config->class_count != count)) {
        char *wanted = cmus_config_value(config, &cmus_keys[0]), *there = cmus_config_value(&stored, &cmus_keys[0]);
        cmus_status status = cmus_fail(CMUS_ERROR_MISMATCH,
                                       "%s: classes are %s, but the data set %s has %s; leave the key out or pack "
                                       "the data again",
                                       trainer->options->config, wanted, trainer->options->data, there);
        cmus_free(wanted);
        cmus_free(there);
        return status;
    }
    *config = stored;
    config->net.classes = count;
    return CMUS_OK;
}

/* Every case that no repeat keeps apart. */
static void pick_all(cmus_trainer *trainer, const cmus_splits *splits) {
    for (int i = 0; i < splits->cases; i++) {
        bool kept_apart = false;
        for (int repeat = 0; repeat < splits->repeats; repeat++)
            kept_apart =
                kept_apart || splits->fold[(size_t)repeat * (size_t)splits->cases + (size_t)i] == CMUS_FOLD_HOLDOUT;
        if (!kept_apart)
            trainer->training[trainer->training_count++] = i;
    }
}

static void pick_fold(cmus_trainer *trainer, const cmus_splits *splits) {
    int fold = trainer->options->fold, repeat = trainer->options->repeat;
    for (int i = 0; i < splits->cases; i++) {
        int of_case = splits->fold[(size_t)repeat * (size_t)splits->cases + (size_t)i];
        if (of_case == fold)
            trainer->held_out[trainer->held_out_count++] = i;
        else if (of_case != CMUS_FOLD_HOLDOUT)
            trainer->training[trainer->training_count++] = i;
    }
}

static cmus_status pick_cases(cmus_trainer *trainer, const cmus_splits *splits, const char *path) {
    int fold = trainer->options->fold, repeat = trainer->options->repeat;
    if (fold >= splits->folds)
        return cmus_fail(CMUS_ERROR_ARGUMENT, "--fold %d: %s has the folds 0 to %d", fold, path, splits->folds - 1);
    if (repeat >= splits->repeats)
        return cmus_fail(CMUS_ERROR_ARGUMENT, "--repeat %d: %s has the repeats 0 to %d", repeat, path,
                         splits->repeats - 1);
    trainer->folds = splits->folds;
    trainer->repeats = splits->repeats;
    char *name = cmus_fold_text(fold == CMUS_FOLD_ALL ? fold : repeat * splits->folds + fold);
    trainer->fold_folder = cmus_format_string("%s/fold-%s", trainer->options->out, name);
    cmus_free(name);
    trainer->training = cmus_allocate((size_t)splits->cases, sizeof(int));
    trainer->held_out = cmus_allocate((size_t)splits->cases, sizeof(int));
    if (fold == CMUS_FOLD_ALL)
        pick_all(trainer, splits);
    else
        pick_fold(trainer, splits);
    return CMUS_OK;
}

static cmus_status read_splits(cmus_trainer *trainer) {
    char *path = cmus_path_join(trainer->options->data, "splits.csv");
    cmus_splits splits = {0};
    cmus_status status = cmus_splits_read(path, trainer->dataset, &splits, NULL);
    if (status == CMUS_ERROR_NOT_FOUND)
        status = cmus_fail(status, "%s: there is none; make it once by: cmus-split %s --folds 5 --seed 1", path,
                           trainer->options->data);
    if (status == CMUS_OK)
        status = cmus_sha256_file(path, trainer->identity.splits_hash);
    if (status == CMUS_OK)
        status = pick_cases(trainer, &splits, path);
    cmus_splits_free(&splits);
    cmus_free(path);
    return status;
}

/* The file that --init means, and whether its heads are of other classes, as far as it says so itself: rows of
 * IgA nephropathy must not become those of another disease. */
static cmus_status look_at_init(cmus_trainer *trainer) {
    CMUS_TRY(cmus_weights_locate(trainer->options->init, &trainer->init));
    cmus_state_dict *dict;
    CMUS_TRY(cmus_state_dict_open(trainer->init, &dict));
    cmus_config own;
    bool found;
    cmus_status status = cmus_weights_config_read(dict, &own, &found, NULL);
    trainer->init_other_classes =
        status == CMUS_OK && found && own.class_count && !cmus_config_same_classes(&own, trainer->config);
    cmus_state_dict_close(dict);
    return status;
}

cmus_status cmus_trainer_open(cmus_trainer *trainer) {
    const cmus_train_options *options = trainer->options;
    cmus_config *config = trainer->config;
    CMUS_TRY(cmus_dataset_open(options->data, &trainer->dataset));
    CMUS_TRY(cmus_dataset_needs_all(trainer->dataset, options->data));
    int size = cmus_dataset_image_size(trainer->dataset);
    if (size != config->net.image_size)
        return cmus_fail(CMUS_ERROR_MISMATCH,
                         "%s: image_size is %d, but the images of %s have %d pixels; pack them again or change the key",
                         options->config, config->net.image_size, options->data, size);
    CMUS_TRY(take_classes(trainer));
    CMUS_TRY(read_splits(trainer));
    cmus_run_identity *identity = &trainer->identity;
    identity->config = config;
    identity->fold = options->fold;
    identity->repeat = options->repeat;
    identity->images = cmus_dataset_options(trainer->dataset);
    cmus_config_hash(config, identity->config_hash);
    snprintf(identity->dataset_hash, sizeof identity->dataset_hash, "%s", cmus_dataset_hash(trainer->dataset));
    config->net.exact_sums = config->allreduce_order == CMUS_ORDER_FIXED;
    int ranks = options->check_ranks ? options->check_ranks : trainer->communicator->ranks;
    config->net.optimizer_shares = config->shard_optimizer ? ranks : 1;
    CMUS_TRY(cmus_net_create(&config->net, true, &trainer->net));
    if (options->init)
        CMUS_TRY(look_at_init(trainer));
    if (options->init) /* checked here, read by rank 0 later */
        CMUS_TRY(cmus_weights_initialize(trainer->init, trainer->init_other_classes, cmus_net_parameters(trainer->net),
                                         NULL, NULL, NULL));
    return CMUS_OK;
}

/* Rank 0 fills the weights for all: libraries of mathematics may differ between hosts in a last digit. */
static cmus_status fill_fresh(cmus_trainer *trainer) {
    const cmus_parameters *parameters = cmus_net_parameters(trainer->net);
    const char *init = trainer->init;
    float *weights = cmus_net_weights(trainer->net);
    char *loaded = NULL, *warning = NULL;
    cmus_status status = CMUS_OK;
    if (trainer->communicator->rank == 0) {
        cmus_parameters_initialize(parameters, trainer->config->seed, weights);
        if (init)
            status = cmus_weights_initialize(init, trainer->init_other_classes, parameters, weights, &loaded, &warning);
    }
    if (loaded)
        cmus_info("%s: %s", init, loaded);
    if (warning)
        cmus_warn("%s: %s", init, warning);
    cmus_free(loaded);
    cmus_free(warning);
    CMUS_TRY(cmus_agree(trainer->communicator, status));
    cmus_broadcast(trainer->communicator, weights, parameters->size * sizeof(float), 0);
    return CMUS_OK;
}

/* By rank 0. */
static cmus_status read_checkpoint(const cmus_moments *moments, void *data) {
    const cmus_trainer *trainer = data;
    return cmus_checkpoint_read(trainer->fold_folder, cmus_net_parameters(trainer->net), cmus_net_weights(trainer->net),
                                moments);
}

static cmus_status fill_from_checkpoint(cmus_trainer *trainer) {
    const cmus_parameters *parameters = cmus_net_parameters(trainer->net);
    float *weights = cmus_net_weights(trainer->net);
    cmus_status status = cmus_optimizer_moments(trainer->optimizer, read_checkpoint, trainer);
    CMUS_TRY(cmus_agree(trainer->communicator, status));
    cmus_broadcast(trainer->communicator, weights, parameters->size * sizeof(float), 0);
    return CMUS_OK;
}

/* Collective. The fold's images nearer to the ranks, as the configuration asks. Before the prefetch has HDF5 to itself.
 */
static cmus_status bring_near(cmus_trainer *trainer) {
    const cmus_config *config = trainer->config;
    int count = trainer->training_count + trainer->held_out_count;
    int *cases = cmus_allocate((size_t)count, sizeof *cases);
    memcpy(cases, trainer->training, (size_t)trainer->training_count * sizeof *cases);
    memcpy(cases + trainer->training_count, trainer->held_out, (size_t)trainer->held_out_count * sizeof *cases);
    cmus_status status = CMUS_OK;
    if (config->stage[0])
        status = cmus_stage_start(trainer->communicator, trainer->dataset, trainer->options->data, config->stage, cases,
                                  count, &trainer->stage);
    if (status == CMUS_OK && config->preload)
        status = cmus_preload_start(trainer->communicator, trainer->dataset, cases, count, config->max_tem,
                                    &trainer->preload);
    cmus_free(cases);
    return status;
}

static void tick(void *context, const char *what) {
    cmus_trainer_at(context, what);
}

cmus_status cmus_trainer_fill(cmus_trainer *trainer, bool resumed) {
    CMUS_TRY(bring_near(trainer)); /* may take long; the watchdog begins behind it */
    trainer->watchdog =
        cmus_watchdog_start(trainer->communicator, trainer->config->stall_report, trainer->config->stall_timeout);
    trainer->optimizer = cmus_optimizer_create(trainer->communicator, trainer->net, trainer->config);
    cmus_optimizer_watch(trainer->optimizer, tick, trainer);
    trainer->prefetch = cmus_prefetch_create(trainer->communicator, trainer->net, trainer->dataset, trainer->config);
    CMUS_TRY(resumed ? fill_from_checkpoint(trainer) : fill_fresh(trainer));
    return cmus_trainer_compare_weights(trainer, "the hash of the weights at the start");
}

void cmus_trainer_close(cmus_trainer *trainer) {
    cmus_watchdog_stop(trainer->watchdog);
    cmus_row_log_close(trainer->train_rows);
    cmus_row_log_close(trainer->step_rows);
    cmus_event_log_close(trainer->events);
    cmus_energy_stop(trainer->energy);
    cmus_prefetch_free(trainer->prefetch);
    cmus_optimizer_free(trainer->optimizer);
    cmus_net_free(trainer->net);
    cmus_dataset_close(trainer->dataset);
    cmus_shared_memory_free(trainer->preload);
    cmus_stage_end(trainer->communicator, trainer->stage);
    if (trainer->communicator->rank == 0)
        cmus_fold_folder_unlock(trainer);
    cmus_free(trainer->training);
    cmus_free(trainer->held_out);
    cmus_free(trainer->fold_folder);
    cmus_free(trainer->started);
    cmus_free(trainer->hosts);
    cmus_free(trainer->machines);
    cmus_free(trainer->init);
}
