/* One update: the waves of a batch, gradients summed over the ranks, Adam or, if something is not finite, none. */
#include <math.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/trace.h"
#include "cmus/wave_run.h"
#include "trainer_internal.h"

/* Adds " 'ID'" to the text. */
static void add_name(char **text, const cmus_trainer *trainer, int index) {
    char *longer = cmus_format_string("%s '%s'", *text, cmus_dataset_case(trainer->dataset, index).case_id);
    cmus_free(*text);
    *text = longer;
}

static void add_results(const cmus_trainer *trainer, const cmus_portion *portion, cmus_metrics *metrics,
                        char **bad_names) {
    const cmus_share *share = &portion->share;
    for (int i = 0; i < share->case_count; i++) {
        cmus_metrics_add(metrics, &share->results[i], share->cases[i].label, trainer->config->net.classes);
        if (!isfinite(share->results[i].total_loss))
            add_name(bad_names, trainer, portion->wave->indices[share->positions[i]]);
    }
}

/* Gradients of the batch, summed over the ranks at the end: *norm is that of the whole network, or NaN. The sums of
 * this rank's cases go into `metrics`, the names of those whose loss is not finite to *bad_names. */
static cmus_status run_waves(cmus_trainer *trainer, double scale, cmus_metrics *metrics, char **bad_names,
                             double *norm) {
    cmus_portion portion;
    do {
        cmus_trainer_at(trainer, "reading images");
        cmus_status status = cmus_prefetch_next(trainer->prefetch, &portion);
        cmus_trainer_at(trainer, "waiting for the other ranks");
        CMUS_TRY(cmus_agree(trainer->communicator, status));
        if (portion.wave->last)
            cmus_optimizer_begin(trainer->optimizer);
        cmus_trainer_at(trainer, "computing gradients");
        cmus_wave_pass pass = {.backward = true,
                               .scale = scale,
                               .passage = cmus_optimizer_passage(trainer->optimizer),
                               .final = portion.wave->last};
        cmus_wave_run(trainer->communicator, trainer->net, &portion, &pass);
        add_results(trainer, &portion, metrics, bad_names);
    } while (!portion.wave->last);
    cmus_trainer_at(trainer, "summing gradients");
    *norm = sqrt(cmus_optimizer_finish(trainer->optimizer));
    return CMUS_OK;
}

/* Collective. Skips the update; DATA if that was one too many: names the cases, on every rank. */
static cmus_status skip(cmus_trainer *trainer, const int *cases, int count, int epoch, const char *bad_names) {
    cmus_optimizer_skip(trainer->optimizer);
    trainer->position.skipped++;
    char *all;
    size_t *sizes = cmus_allocate((size_t)trainer->communicator->ranks, sizeof *sizes);
    cmus_gather_bytes(trainer->communicator, bad_names, strlen(bad_names) + 1, &all, sizes);
    cmus_status status = CMUS_OK;
    if (all) {
        char *names = cmus_copy_string("");
        size_t begin = 0;
        for (int rank = 0; rank < trainer->communicator->ranks; begin += sizes[rank++]) {
            char *longer = cmus_format_string("%s%s", names, all + begin);
            cmus_free(names);
            names = longer;
        }
        bool losses = *names;
        for (int i = 0; !losses && i < count; i++)
            add_name(&names, trainer, cases[i]);
        char *what = cmus_format_string("epoch %d, update %lld: %s%s", epoch + 1, (long long)trainer->position.step,
                                        losses ? "the loss is not finite for the cases"
                                               : "the gradient is not finite, or too large, for the batch of the cases",
                                        names);
        if (trainer->position.skipped > trainer->config->max_bad_steps)
            status = cmus_fail(CMUS_ERROR_DATA,
                               "%s; %lld updates were skipped before for such a reason "
                               "(max_bad_steps: %d); look at these images, or lower lr",
                               what, (long long)trainer->position.skipped - 1, trainer->config->max_bad_steps);
        else
            cmus_warn("%s; the update is skipped", what);
        cmus_free(what);
        cmus_free(names);
    }
    cmus_free(all);
    cmus_free(sizes);
    return cmus_agree(trainer->communicator, status);
}

static cmus_status write_step(cmus_trainer *trainer, int epoch, double loss, double norm, double seconds,
                              double data_seconds, bool skipped) {
    if (trainer->communicator->rank != 0)
        return CMUS_OK;
    char *row = cmus_format_string("%lld,%d,%.9g,%.9g,%.4f,%.6f,%d", (long long)trainer->position.step, epoch + 1, loss,
                                   norm, seconds, data_seconds, skipped);
    cmus_status status = cmus_row_log_add(trainer->step_rows, row);
    cmus_free(row);
    return status;
}

cmus_status cmus_trainer_compare_weights(cmus_trainer *trainer, const char *what) {
    if (trainer->communicator->ranks == 1)
        return CMUS_OK;
    cmus_trainer_at(trainer, "comparing weights");
    cmus_optimizer_settle(trainer->optimizer);
    size_t bytes = cmus_net_parameters(trainer->net)->size * sizeof(float);
    char text[32];
    snprintf(text, sizeof text, "hash %016llx",
             (unsigned long long)cmus_hash_bytes(cmus_net_weights(trainer->net), bytes));
    return cmus_launch_same(trainer->communicator, what, text);
}

/* Collective. When it is time to. */
static cmus_status watch_weights(cmus_trainer *trainer) {
    int every = trainer->config->watch_every;
    if (every == 0 || trainer->position.step % every != 0)
        return CMUS_OK;
    char what[64];
    snprintf(what, sizeof what, "the weights after update %lld", (long long)trainer->position.step);
    return cmus_trainer_compare_weights(trainer, what);
}

cmus_status cmus_trainer_update(cmus_trainer *trainer, const int *cases, int count, int epoch, cmus_metrics *sums) {
    double began = cmus_seconds(), data_seconds = -cmus_prefetch_waited(trainer->prefetch), norm;
    const cmus_config *config = trainer->config;
    double scale = config->loss_reduction == CMUS_REDUCTION_MEAN ? 1.0 / count : 1.0;
    cmus_metrics metrics = {0};
    char *bad_names = cmus_copy_string("");
    cmus_status status = run_waves(trainer, scale, &metrics, &bad_names, &norm);
    if (status == CMUS_OK) {
        data_seconds += cmus_prefetch_waited(trainer->prefetch);
        cmus_maximum_double(trainer->communicator, &data_seconds);
        cmus_sum_doubles(trainer->communicator, (double *)&metrics, CMUS_METRICS_FIELDS);
        trainer->position.step++;
        bool bad = !isfinite(norm) || !isfinite(metrics.total_loss);
        if (bad) {
            status = skip(trainer, cases, count, epoch, bad_names);
        } else {
            cmus_trainer_at(trainer, "updating weights");
            cmus_optimizer_step(trainer->optimizer, cmus_config_learning_rate(config, epoch),
                                trainer->position.step - trainer->position.skipped);
            cmus_metrics_merge(sums, &metrics);
        }
        if (status == CMUS_OK)
            status =
                write_step(trainer, epoch, metrics.total_loss * scale, norm, cmus_seconds() - began, data_seconds, bad);
        status = cmus_agree(trainer->communicator, status);
    }
    cmus_free(bad_names);
    return status == CMUS_OK ? watch_weights(trainer) : status;
}
