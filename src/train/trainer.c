/* The course of a fold: check, begin or resume, train, finish. */
#include "cmus/trainer.h"

#include <omp.h>
#include <string.h>
#include <time.h>

#include "cmus/gemm.h"
#include "cmus/memory.h"
#include "cmus/product.h"
#include "trainer_internal.h"

void cmus_trainer_at(const cmus_trainer *trainer, const char *what) {
    if (trainer->watchdog)
        cmus_watchdog_at(trainer->watchdog, what, trainer->position.step);
}

cmus_evaluator cmus_trainer_evaluator(const cmus_trainer *trainer) {
    return (cmus_evaluator){.communicator = trainer->communicator,
                            .net = trainer->net,
                            .dataset = trainer->dataset,
                            .config = trainer->config,
                            .prefetch = trainer->prefetch,
                            .passage = cmus_optimizer_passage(trainer->optimizer)};
}

static void gather_hosts(cmus_trainer *trainer) {
    const char *host = cmus_host_name();
    size_t *sizes = cmus_allocate((size_t)trainer->communicator->ranks, sizeof *sizes);
    cmus_gather_bytes(trainer->communicator, host, strlen(host) + 1, &trainer->hosts, sizes);
    cmus_free(sizes);
}

static bool is_full_swin(const cmus_net_config *net) {
    cmus_net_config full = cmus_net_config_published();
    return net->embed_dim == full.embed_dim && memcmp(net->depths, full.depths, sizeof full.depths) == 0;
}

static void announce(const cmus_trainer *trainer, cmus_fold_state state) {
    const cmus_config *config = trainer->config;
    const cmus_parameters *parameters = cmus_net_parameters(trainer->net);
    char *classes = cmus_config_value(config, &cmus_keys[0]);
    cmus_info("fold %d of %d, repeat %d: %d training and %d held-out cases, classes %s", trainer->options->fold,
              trainer->folds, trainer->options->repeat, trainer->training_count, trainer->held_out_count, classes);
    cmus_free(classes);
    cmus_info("%zu parameters in %zu tensors; %d rank%s x %d thread%s; %d images at once in %g GiB a rank",
              parameters->size, parameters->count, trainer->communicator->ranks,
              trainer->communicator->ranks == 1 ? "" : "s", omp_get_max_threads(),
              omp_get_max_threads() == 1 ? "" : "s", cmus_net_images_at_once(trainer->net), config->memory_gib);
    cmus_info("%s; %s kernels, products in %s", cmus_blas_description(), cmus_kernels_description(),
              cmus_products_description());
    if (state == CMUS_FOLD_RESUMED)
        cmus_info("resumed from %s/last after epoch %d, update %lld%s", trainer->fold_folder, trainer->position.epoch,
                  (long long)trainer->position.step, trainer->options->init ? "; --init is not used" : "");
    else if (state == CMUS_FOLD_BEGUN)
        cmus_info("%s has no checkpoint yet: begun again from the start", trainer->fold_folder);
    if (state != CMUS_FOLD_RESUMED && !trainer->options->init && is_full_swin(&config->net) &&
        trainer->communicator->rank == 0)
        cmus_warn("the encoders start from random weights; the published protocol starts from ImageNet weights: --init "
                  "FILE.safetensors");
}

/* What rank 0 found in the fold folder, for all ranks. */
static cmus_status look(cmus_trainer *trainer, cmus_fold_state *state) {
    cmus_status status = CMUS_OK;
    if (trainer->communicator->rank == 0)
        status = cmus_fold_folder_look(trainer, state);
    CMUS_TRY(cmus_agree(trainer->communicator, status));
    cmus_broadcast(trainer->communicator, state, sizeof *state, 0);
    cmus_broadcast(trainer->communicator, &trainer->position, sizeof trainer->position, 0);
    return CMUS_OK;
}

/* By rank 0, at the end of an epoch: the rows reach the disk before the checkpoint that counts on them. */
static cmus_status save(const cmus_moments *moments, void *data) {
    cmus_trainer *trainer = data;
    CMUS_TRY(cmus_row_log_sync(trainer->train_rows));
    CMUS_TRY(cmus_row_log_sync(trainer->step_rows));
    return cmus_checkpoint_write(trainer->fold_folder, &trainer->identity, trainer->position,
                                 cmus_net_parameters(trainer->net), cmus_net_weights(trainer->net), moments);
}

static cmus_status train(cmus_trainer *trainer) {
    const cmus_config *config = trainer->config;
    int64_t cases = (int64_t)(config->epochs - trainer->position.epoch) * trainer->training_count;
    int64_t allowed = (config->max_updates - trainer->position.step) * config->batch;
    if (config->max_updates && allowed < cases)
        cases = allowed;
    cmus_progress_begin(&trainer->progress, "trained", "cases", cases);
    trainer->planned = trainer->position;
    cmus_trainer_plan(trainer);
    while (!cmus_trainer_ends(trainer, trainer->position)) {
        cmus_trainer_plan(trainer); /* what comes next is queued before this epoch is over */
        CMUS_TRY(cmus_trainer_epoch(trainer, trainer->position.epoch));
        trainer->position.epoch++;
        cmus_trainer_at(trainer, "writing the checkpoint");
        cmus_optimizer_settle(trainer->optimizer);
        cmus_status status = cmus_optimizer_moments(trainer->optimizer, save, trainer);
        CMUS_TRY(cmus_agree(trainer->communicator, status));
    }
    cmus_progress_end(&trainer->progress, trainer->progress_done);
    return CMUS_OK;
}

/* Not collective. The libraries and the processor of this rank. */
static cmus_status check_machine(const cmus_trainer *trainer) {
    CMUS_TRY(cmus_blas_check());
    cmus_status status = cmus_products_precision(trainer->config->net.precision);
    return status == CMUS_OK ? CMUS_OK : cmus_fail_in(status, "%s", trainer->options->config);
}

static cmus_status run(cmus_trainer *trainer) {
    CMUS_TRY(cmus_agree(trainer->communicator, check_machine(trainer)));
    CMUS_TRY(cmus_agree(trainer->communicator, cmus_trainer_open(trainer)));
    cmus_fold_state state = CMUS_FOLD_NEW;
    CMUS_TRY(look(trainer, &state));
    if (state == CMUS_FOLD_FINISHED) {
        cmus_info("%s is finished already; nothing to do", trainer->fold_folder);
        return CMUS_OK;
    }
    gather_hosts(trainer);
    announce(trainer, state);
    CMUS_TRY(cmus_trainer_fill(trainer, state == CMUS_FOLD_RESUMED));
    cmus_status status = trainer->communicator->rank == 0 ? cmus_fold_folder_begin(trainer) : CMUS_OK;
    CMUS_TRY(cmus_agree(trainer->communicator, status));
    CMUS_TRY(train(trainer));
    return cmus_fold_folder_finish(trainer);
}

cmus_status cmus_train_fold(const cmus_communicator *communicator, cmus_config *config,
                            const cmus_train_options *options) {
    cmus_trainer trainer = {.communicator = communicator, .config = config, .options = options};
    trainer.fold_folder = cmus_format_string("%s/fold-%d", options->out, options->fold);
    cmus_status status = run(&trainer);
    cmus_trainer_close(&trainer);
    return status;
}
