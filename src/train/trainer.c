/* The course of a fold: check, begin or resume, train, finish. */
#include "cmus/trainer.h"

#include <math.h>
#include <omp.h>
#include <string.h>
#include <time.h>

#include "cmus/gemm.h"
#include "cmus/memory.h"
#include "cmus/product.h"
#include "cmus/shared_memory.h"
#include "cmus/stop.h"
#include "cmus/trace.h"
#include "trainer_internal.h"

void cmus_trainer_at(const cmus_trainer *trainer, const char *what) {
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

enum { TRACE_SPANS = 80000000 /* of all ranks */, TABLES_BYTES = 64 << 20 /* of a fold's tables, more than enough */ };

static void gather_hosts(cmus_trainer *trainer) {
    const char *host = cmus_host_name();
    size_t *sizes = cmus_allocate((size_t)trainer->communicator->ranks, sizeof *sizes);
    cmus_gather_bytes(trainer->communicator, host, strlen(host) + 1, &trainer->hosts, sizes);
    cmus_free(sizes);
    trainer->machines = cmus_launch_description(trainer->communicator, omp_get_max_threads());
    cmus_barrier(trainer->communicator);
    trainer->began = cmus_seconds();
}

static bool is_full_swin(const cmus_net_config *net) {
    cmus_net_config full = cmus_net_config_published();
    return net->embed_dim == full.embed_dim && memcmp(net->depths, full.depths, sizeof full.depths) == 0;
}

static void announce_cases(const cmus_trainer *trainer) {
    char *classes = cmus_config_value(trainer->config, &cmus_keys[0]);
    if (trainer->options->fold == CMUS_FOLD_ALL)
        cmus_info("fold all of %d: %d training cases, none is held out, classes %s", trainer->folds,
                  trainer->training_count, classes);
    else
        cmus_info("fold %d of %d, repeat %d: %d training and %d held-out cases, classes %s", trainer->options->fold,
                  trainer->folds, trainer->options->repeat, trainer->training_count, trainer->held_out_count, classes);
    cmus_free(classes);
}

static void announce(const cmus_trainer *trainer, cmus_fold_state state) {
    const cmus_config *config = trainer->config;
    const cmus_parameters *parameters = cmus_net_parameters(trainer->net);
    announce_cases(trainer);
    cmus_info("%zu parameters in %zu tensors; %d images at once in %g GiB a rank", parameters->size, parameters->count,
              cmus_net_images_at_once(trainer->net), config->memory_gib);
    cmus_info("%s; %s; %s; %s kernels, products in %s", trainer->machines, cmus_mpi_version(), cmus_blas_description(),
              cmus_kernels_description(), cmus_products_description());
    if (state == CMUS_FOLD_RESUMED)
        cmus_info("resumed from %s/last after epoch %d, update %lld%s", trainer->fold_folder, trainer->position.epoch,
                  (long long)trainer->position.step, trainer->options->init ? "; --init is not used" : "");
    else if (state == CMUS_FOLD_BEGUN)
        cmus_info("%s has no checkpoint yet: begun again from the start", trainer->fold_folder);
    if (state != CMUS_FOLD_RESUMED && !trainer->options->init && is_full_swin(&config->net) &&
        trainer->communicator->rank == 0)
        cmus_warn("the encoders start from random weights; the published protocol starts from ImageNet weights: --init "
                  "FILE with torchvision's, timm's or Microsoft's swin_b");
}

/* What travels in an update. */
static void announce_exchange(const cmus_trainer *trainer) {
    const cmus_config *config = trainer->config;
    cmus_reducer *reducer = cmus_optimizer_reducer(trainer->optimizer);
    if (trainer->communicator->ranks == 1)
        return;
    size_t buckets = cmus_reducer_buckets(reducer);
    cmus_info("an update sends %.1f MB from each rank, in %zu bucket%s of up to %d MiB: gradients in %s%s",
              cmus_reducer_bytes(reducer) / 1e6, buckets, buckets == 1 ? "" : "s", config->bucket_mb,
              config->allreduce_order == CMUS_ORDER_FIXED          ? "64-bit integers, whose sums are exact"
              : config->allreduce_precision == CMUS_PRECISION_BF16 ? "bfloat16"
                                                                   : "float32",
              config->shard_optimizer ? ", and weights; each rank keeps its share of the moments" : "");
}

/* What rank 0 found in the fold folder, for all ranks; nobody else may write there from now on. */
static cmus_status look(cmus_trainer *trainer, cmus_fold_state *state) {
    cmus_status status = CMUS_OK;
    if (trainer->communicator->rank == 0 && trainer->options->check_ranks == 0)
        status = cmus_fold_folder_lock(trainer);
    if (trainer->communicator->rank == 0 && status == CMUS_OK)
        status = cmus_fold_folder_look(trainer, state);
    CMUS_TRY(cmus_agree(trainer->communicator, status));
    cmus_broadcast(trainer->communicator, state, sizeof *state, 0);
    cmus_broadcast(trainer->communicator, &trainer->position, sizeof trainer->position, 0);
    return CMUS_OK;
}

/* Collective. One rank of each host counts what all of it takes. */
static void start_energy(cmus_trainer *trainer) {
    trainer->joules_before = trainer->position.joules;
    trainer->counts_energy = cmus_host_ranks_of(trainer->communicator).rank == 0;
    if (trainer->counts_energy)
        trainer->energy = cmus_energy_start(CMUS_POWERCAP);
}

void cmus_trainer_count_energy(cmus_trainer *trainer) {
    double joules = trainer->counts_energy ? cmus_energy_joules(trainer->energy) : 0; /* NaN of one is NaN of all */
    cmus_sum_doubles(trainer->communicator, &joules, 1);
    trainer->position.joules = trainer->joules_before + joules;
}

/* By rank 0: the rows reach the disk before the checkpoint that counts on them. */
static cmus_status save(const cmus_moments *moments, void *data) {
    cmus_trainer *trainer = data;
    CMUS_TRY(cmus_fold_lock_check(trainer->lock));
    CMUS_TRY(cmus_row_log_sync(trainer->train_rows));
    CMUS_TRY(cmus_row_log_sync(trainer->step_rows));
    return cmus_checkpoint_write(trainer->fold_folder, &trainer->identity, trainer->position,
                                 cmus_net_parameters(trainer->net), cmus_net_weights(trainer->net), moments);
}

/* Collective. Behind an epoch, and where a signal has stopped training. */
static cmus_status write_checkpoint(cmus_trainer *trainer) {
    cmus_trainer_at(trainer, "writing the checkpoint");
    cmus_optimizer_settle(trainer->optimizer);
    cmus_trainer_count_energy(trainer);
    return cmus_agree(trainer->communicator, cmus_optimizer_moments(trainer->optimizer, save, trainer));
}

/* Collective. After a signal that came before the update or evaluation that was going on has ended. */
static cmus_status stop_here(cmus_trainer *trainer) {
    char *signal = cmus_copy_string(cmus_last_error());
    cmus_status status = write_checkpoint(trainer);
    if (status == CMUS_OK)
        status = cmus_fail(CMUS_STOPPED, "%s after update %lld: %s/last holds all of it, --resume goes on", signal,
                           (long long)trainer->position.step, trainer->fold_folder);
    cmus_free(signal);
    return status;
}

static cmus_status train(cmus_trainer *trainer) {
    const cmus_config *config = trainer->config;
    int64_t cases = (int64_t)(config->epochs - trainer->position.epoch) * trainer->training_count -
                    cmus_trainer_cases_done(trainer, trainer->position);
    int64_t allowed = (config->max_updates - trainer->position.step) * config->batch;
    if (config->max_updates && allowed < cases)
        cases = allowed;
    cmus_progress_begin(&trainer->progress, "trained", "cases", cases);
    trainer->planned = trainer->position;
    cmus_trainer_plan(trainer);
    while (!cmus_trainer_ends(trainer, trainer->position)) {
        cmus_trainer_plan(trainer); /* what comes next is queued before this epoch is over */
        cmus_status status = cmus_trainer_epoch(trainer);
        if (status == CMUS_STOPPED)
            return stop_here(trainer);
        CMUS_TRY(status);
        CMUS_TRY(write_checkpoint(trainer));
    }
    cmus_progress_end(&trainer->progress, trainer->progress_done);
    return CMUS_OK;
}

/* Collective. The timeline of all ranks, if it is wanted. */
static cmus_status write_trace(const cmus_trainer *trainer) {
    const char *path = trainer->config->trace;
    if (!path[0])
        return CMUS_OK;
    char *own, *all;
    size_t size, *sizes = cmus_allocate((size_t)trainer->communicator->ranks, sizeof *sizes);
    cmus_trace_take(trainer->began, &own, &size);
    cmus_gather_bytes(trainer->communicator, own, size, &all, sizes);
    cmus_status status = CMUS_OK;
    if (all)
        status = cmus_trace_write(path, all, sizes, trainer->communicator->ranks, trainer->hosts);
    cmus_free(own);
    cmus_free(all);
    cmus_free(sizes);
    return cmus_agree(trainer->communicator, status);
}

/* Not collective. Said before hours of training, at whose end the timeline is written. */
static cmus_status check_trace_folder(const cmus_trainer *trainer) {
    const char *path = trainer->config->trace, *slash = strrchr(path, '/');
    char *folder = slash ? cmus_format_string("%.*s", (int)(slash - path + 1), path) : cmus_copy_string(".");
    cmus_status status = CMUS_OK;
    if (path[0] && trainer->communicator->rank == 0 && !cmus_folder_exists(folder))
        status = cmus_fail(CMUS_ERROR_NOT_FOUND, "trace: %s: there is no folder %s", path, folder);
    cmus_free(folder);
    return status;
}

/* Not collective. The libraries and the processor of this rank. */
static cmus_status check_machine(const cmus_trainer *trainer) {
    CMUS_TRY(cmus_blas_check());
    cmus_status status = cmus_products_precision(trainer->config->net.precision);
    return status == CMUS_OK ? CMUS_OK : cmus_fail_in(status, "%s", trainer->options->config);
}

/* Collective. What must be the same on every rank. */
static cmus_status check_same(const cmus_trainer *trainer) {
    const cmus_run_identity *identity = &trainer->identity;
    char *text = cmus_config_text(trainer->config);
    char config_hash[CMUS_SHA256_TEXT];
    cmus_sha256(text, strlen(text), config_hash);
    cmus_free(text);
    CMUS_TRY(cmus_launch_same(trainer->communicator, "the configuration's hash", config_hash));
    CMUS_TRY(cmus_launch_same(trainer->communicator, "the data set's hash", identity->dataset_hash));
    CMUS_TRY(cmus_launch_same(trainer->communicator, "the hash of splits.csv", identity->splits_hash));
    if (trainer->config->allreduce_order != CMUS_ORDER_FIXED)
        return CMUS_OK;
    text = cmus_format_string("%s, %s kernels, products in %s, %d threads", cmus_blas_description(),
                              cmus_kernels_description(), cmus_products_description(), omp_get_max_threads());
    cmus_status status = cmus_launch_same(
        trainer->communicator, "what allreduce_order: fixed needs to be alike (BLAS, kernels, threads)", text);
    cmus_free(text);
    return status;
}

/* The timeline of all ranks is gathered at the end, in less than 2 GiB. */
static void limit_trace(const cmus_trainer *trainer) {
    size_t each = TRACE_SPANS / (size_t)trainer->communicator->ranks;
    cmus_trace_limit(each < CMUS_TRACE_SPANS ? each : CMUS_TRACE_SPANS);
}

/* For scripts: a line "key: value" each, on standard output. */
static cmus_status print_check(const cmus_trainer *trainer) {
    const cmus_config *config = trainer->config;
    double parameters = (double)cmus_net_parameters(trainer->net)->size, floats = 2 * 3; /* two checkpoints at once */
    printf("folds: %d\nrepeats: %d\nepochs: %d\nupdates_per_epoch: %d\n", trainer->folds, trainer->repeats,
           config->epochs, cmus_trainer_updates_per_epoch(trainer));
    printf("disk_bytes: %.0f\nmemory_bytes: %.0f\n", floats * parameters * sizeof(float) + TABLES_BYTES,
           config->memory_gib * 0x1p30);
    return fflush(stdout) == 0 ? CMUS_OK : cmus_fail(CMUS_ERROR_IO, "can't write to standard output");
}

static cmus_status run(cmus_trainer *trainer) {
    const cmus_config *config = trainer->config;
    if (trainer->options->check_ranks == 0) /* looked at on a machine where nothing is trained */
        CMUS_TRY(cmus_agree(trainer->communicator, check_machine(trainer)));
    CMUS_TRY(cmus_agree(trainer->communicator, check_trace_folder(trainer)));
    CMUS_TRY(cmus_agree(trainer->communicator, cmus_trainer_open(trainer)));
    CMUS_TRY(check_same(trainer));
    cmus_fold_state state = CMUS_FOLD_NEW;
    CMUS_TRY(look(trainer, &state));
    if (trainer->options->check_ranks)
        return trainer->communicator->rank == 0 ? print_check(trainer) : CMUS_OK;
    if (state == CMUS_FOLD_FINISHED) {
        cmus_info("%s is finished already; nothing to do", trainer->fold_folder);
        return CMUS_OK;
    }
    gather_hosts(trainer);
    start_energy(trainer);
    cmus_trace_thread("computation");
    limit_trace(trainer);
    cmus_trace_keep(config->trace[0]);
    announce(trainer, state);
    CMUS_TRY(cmus_trainer_fill(trainer, state == CMUS_FOLD_RESUMED));
    CMUS_TRY(cmus_agree(trainer->communicator, cmus_stop_check())); /* staging may have taken long */
    announce_exchange(trainer);
    cmus_status status = trainer->communicator->rank == 0 ? cmus_fold_folder_begin(trainer) : CMUS_OK;
    CMUS_TRY(cmus_agree(trainer->communicator, status));
    CMUS_TRY(train(trainer));
    cmus_status finished = cmus_fold_folder_finish(trainer);
    if (finished == CMUS_STOPPED)
        return cmus_fail_in(finished, "%s/last holds all updates, --resume predicts and ends", trainer->fold_folder);
    CMUS_TRY(finished);
    return write_trace(trainer);
}

cmus_status cmus_train_fold(const cmus_communicator *communicator, cmus_config *config,
                            const cmus_train_options *options) {
    cmus_trainer trainer = {.communicator = communicator, .config = config, .options = options};
    cmus_status status = run(&trainer);
    cmus_trainer_close(&trainer);
    return status;
}
