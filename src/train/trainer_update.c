/* One update: the waves of a batch, gradients summed over the ranks, Adam or, if something is not finite, none. */
#include <math.h>
#include <string.h>

#include "cmus/batch.h"
#include "cmus/memory.h"
#include "cmus/stop.h"
#include "cmus/trace.h"
#include "cmus/wave_run.h"
#include "trainer_internal.h"

/* The batch of an update. */
typedef struct update {
    const int *cases; /* [count], of the data set */
    int count;
    double *bad; /* [count]: ranks on which the case's loss is not finite, 0 or 1 in all */
    cmus_metrics metrics;
} update;

static void add_results(const cmus_trainer *trainer, const cmus_portion *portion, update *u) {
    const cmus_share *share = &portion->share;
    for (int i = 0; i < share->case_count; i++) {
        cmus_metrics_add(&u->metrics, &share->results[i], share->cases[i].label, trainer->config->net.classes);
        for (int c = 0; c < u->count && !isfinite(share->results[i].total_loss); c++)
            u->bad[c] += u->cases[c] == portion->wave->indices[share->positions[i]];
    }
}

/* Gradients of the batch, summed over the ranks at the end: *norm is that of the whole network, or NaN. Metrics and bad
 * cases are those of this rank's cases. */
static cmus_status run_waves(cmus_trainer *trainer, update *u, double scale, double *norm) {
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
        add_results(trainer, &portion, u);
    } while (!portion.wave->last);
    cmus_trainer_at(trainer, "summing gradients");
    *norm = sqrt(cmus_optimizer_finish(trainer->optimizer));
    return CMUS_OK;
}

/* Names of the cases whose loss is not finite; of all, if there are none. Free with cmus_free(). */
static char *bad_names(const cmus_trainer *trainer, const update *u, bool *losses) {
    *losses = false;
    for (int c = 0; c < u->count; c++)
        *losses = *losses || u->bad[c] > 0;
    char *names = cmus_copy_string("");
    for (int c = 0; c < u->count; c++) {
        if (*losses && u->bad[c] == 0)
            continue;
        char *longer = cmus_format_string("%s '%s'", names, cmus_dataset_case(trainer->dataset, u->cases[c]).case_id);
        cmus_free(names);
        names = longer;
    }
    return names;
}

/* Collective. Skips the update; DATA if that was one too many: names the cases, the same on every rank. */
static cmus_status skip(cmus_trainer *trainer, const update *u) {
    cmus_optimizer_skip(trainer->optimizer);
    trainer->position.skipped++;
    cmus_sum_doubles(trainer->communicator, u->bad, (size_t)u->count);
    bool losses;
    char *names = bad_names(trainer, u, &losses);
    char *what = cmus_format_string("epoch %d, update %lld: %s%s", trainer->position.epoch + 1,
                                    (long long)trainer->position.step,
                                    losses ? "the loss is not finite for the cases"
                                           : "the gradient is not finite, or too large, for the batch of the cases",
                                    names);
    cmus_status status = CMUS_OK;
    if (trainer->position.skipped > trainer->config->max_bad_steps)
        status = cmus_fail(CMUS_ERROR_DATA,
                           "%s; %lld updates were skipped before for such a reason (max_bad_steps: %d); look at these "
                           "images, or lower lr",
                           what, (long long)trainer->position.skipped - 1, trainer->config->max_bad_steps);
    else if (trainer->communicator->rank == 0)
        cmus_warn("%s; the update is skipped", what);
    cmus_free(what);
    cmus_free(names);
    return status;
}

static cmus_status write_step(cmus_trainer *trainer, const cmus_update_row *row) {
    if (trainer->communicator->rank != 0)
        return CMUS_OK;
    char *text = cmus_format_string("%lld,%d,%.9g,%.9g,%.4f,%.6f,%d", (long long)trainer->position.step,
                                    trainer->position.epoch + 1, row->loss, row->norm, row->seconds, row->data_seconds,
                                    row->skipped);
    cmus_status status = cmus_row_log_add(trainer->step_rows, text);
    cmus_free(text);
    cmus_trainer_events_update(trainer, row);
    return status;
}

static int count_images(const cmus_trainer *trainer, const int *cases, int count) {
    int images = 0;
    for (int i = 0; i < count; i++)
        images += cmus_case_images(trainer->dataset, trainer->config, cases[i]);
    return images;
}

cmus_status cmus_trainer_compare_weights(cmus_trainer *trainer, const char *what) {
    if (trainer->communicator->ranks == 1)
        return CMUS_OK;
    cmus_trainer_at(trainer, "comparing weights");
    cmus_optimizer_settle(trainer->optimizer);
    size_t bytes = cmus_net_parameters(trainer->net)->size * sizeof(float);
    char text[32];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)cmus_hash_bytes(cmus_net_weights(trainer->net), bytes));
    return cmus_launch_same(trainer->communicator, what, text);
}

/* Collective. When it is time to. */
static cmus_status watch_weights(cmus_trainer *trainer) {
    int every = trainer->config->watch_every;
    if (every == 0 || trainer->position.step % every != 0)
        return CMUS_OK;
    char what[64];
    snprintf(what, sizeof what, "the hash of the weights after update %lld", (long long)trainer->position.step);
    return cmus_trainer_compare_weights(trainer, what);
}

/* Collective. Adam, or none, with what was summed. */
static cmus_status apply(cmus_trainer *trainer, const update *u, cmus_update_row *row) {
    trainer->position.step++;
    row->skipped = !isfinite(row->norm) || !isfinite(u->metrics.total_loss);
    if (row->skipped)
        return skip(trainer, u);
    cmus_trainer_at(trainer, "updating weights");
    cmus_optimizer_step(trainer->optimizer, row->lr, trainer->position.step - trainer->position.skipped);
    cmus_optimizer_spread(trainer->optimizer);
    return CMUS_OK;
}

cmus_status cmus_trainer_update(cmus_trainer *trainer, const int *cases, int count) {
    double began = cmus_seconds(), waited = cmus_prefetch_waited(trainer->prefetch);
    double scale = trainer->config->loss_reduction == CMUS_REDUCTION_MEAN ? 1.0 / count : 1.0;
    update u = {.cases = cases, .count = count};
    cmus_update_row row = {.lr = cmus_config_learning_rate(trainer->config, trainer->position.epoch),
                           .images = count_images(trainer, cases, count)};
    u.bad = cmus_allocate((size_t)count, sizeof *u.bad);
    cmus_status status = run_waves(trainer, &u, scale, &row.norm);
    if (status == CMUS_OK) {
        row.data_seconds = cmus_prefetch_waited(trainer->prefetch) - waited;
        cmus_maximum_double(trainer->communicator, &row.data_seconds);
        cmus_sum_doubles(trainer->communicator, (double *)&u.metrics, CMUS_METRICS_FIELDS);
        status = apply(trainer, &u, &row);
        if (status == CMUS_OK && !row.skipped)
            cmus_metrics_merge(&trainer->position.metrics, &u.metrics);
        row.loss = u.metrics.total_loss * scale;
        row.seconds = cmus_seconds() - began;
        cmus_status written = write_step(trainer, &row);
        if (status == CMUS_OK)
            status = written;
        if (status == CMUS_OK)
            status = cmus_stop_check(); /* a signal that reached any rank stops all of them here */
        status = cmus_agree(trainer->communicator, status);
    }
    cmus_free(u.bad);
    return status == CMUS_OK ? watch_weights(trainer) : status;
}
