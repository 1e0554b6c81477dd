/* One epoch: batches shared over ranks, gradients summed, Adam, the held-out fold, the rows of both tables. */
#include <math.h>
#include <string.h>

#include "cmus/adam.h"
#include "cmus/memory.h"
#include "trainer_internal.h"

/* Gradients of this rank's cases of an update into the network, their sums into `metrics`. */
static cmus_status run_own(cmus_trainer *trainer, int epoch, double scale, cmus_metrics *metrics) {
    char *broken = cmus_copy_string("");
    cmus_portion portion;
    do {
        cmus_status status = cmus_prefetch_next(trainer->prefetch, &portion);
        if (status != CMUS_OK) {
            cmus_free(broken);
            return status;
        }
        cmus_case_result *results = portion.results;
        cmus_net_gradients(trainer->net, portion.cases, portion.count, scale, results);
        for (int i = 0; i < portion.count; i++) {
            cmus_metrics_add(metrics, &results[i], portion.cases[i].label, trainer->config->net.classes);
            if (isfinite(results[i].total_loss))
                continue;
            char *longer =
                cmus_format_string("%s '%s'", broken, cmus_dataset_case(trainer->dataset, portion.indices[i]).case_id);
            cmus_free(broken);
            broken = longer;
        }
    } while (!portion.last);
    cmus_status status = CMUS_OK;
    if (*broken)
        status = cmus_fail(CMUS_ERROR_DATA,
                           "epoch %d, update %lld: the loss is not finite for the cases%s; look at their images, or "
                           "lower lr",
                           epoch + 1, (long long)trainer->position.step + 1, broken);
    cmus_free(broken);
    return status;
}

/* Names the batch whose summed gradient is not finite; the same on every rank. */
static cmus_status bad_gradient(const cmus_trainer *trainer, const int *cases, int count, int epoch) {
    char *names = cmus_copy_string("");
    for (int i = 0; i < count; i++) {
        char *longer = cmus_format_string("%s '%s'", names, cmus_dataset_case(trainer->dataset, cases[i]).case_id);
        cmus_free(names);
        names = longer;
    }
    cmus_status status = cmus_fail(
        CMUS_ERROR_DATA, "epoch %d, update %lld: the gradient is not finite for the batch of the cases%s; lower lr",
        epoch + 1, (long long)trainer->position.step + 1, names);
    cmus_free(names);
    return status;
}

static cmus_status write_step(cmus_trainer *trainer, int epoch, double loss, double norm, double seconds,
                              double data_seconds) {
    if (trainer->communicator->rank != 0)
        return CMUS_OK;
    char *row = cmus_format_string("%lld,%d,%.9g,%.9g,%.4f,%.6f", (long long)trainer->position.step, epoch + 1, loss,
                                   norm, seconds, data_seconds);
    cmus_status status = cmus_row_log_add(trainer->step_rows, row);
    cmus_free(row);
    return status;
}

/* One update by a batch of `count` cases. */
static cmus_status update(cmus_trainer *trainer, const int *cases, int count, int epoch, cmus_metrics *sums) {
    double began = cmus_seconds(), data_seconds = -cmus_prefetch_waited(trainer->prefetch);
    const cmus_config *config = trainer->config;
    size_t size = cmus_net_parameters(trainer->net)->size;
    float *gradient = cmus_net_gradient(trainer->net); /* 0: as it was made, or left by the update before */
    double scale = config->loss_reduction == CMUS_REDUCTION_MEAN ? 1.0 / count : 1.0;
    cmus_metrics metrics = {0};
    cmus_status status = run_own(trainer, epoch, scale, &metrics);
    CMUS_TRY(cmus_agree(trainer->communicator, status));
    data_seconds += cmus_prefetch_waited(trainer->prefetch);
    cmus_maximum_double(trainer->communicator, &data_seconds);
    cmus_sum_doubles(trainer->communicator, (double *)&metrics, CMUS_METRICS_FIELDS);
    cmus_sum_floats(trainer->communicator, gradient, size, (size_t)config->bucket_mb << 20);
    double norm = cmus_norm(gradient, size);
    if (!isfinite(norm))
        return bad_gradient(trainer, cases, count, epoch);
    cmus_adam adam = cmus_adam_published();
    adam.lr = cmus_config_learning_rate(config, epoch);
    adam.weight_decay = config->weight_decay;
    trainer->position.step++;
    cmus_adam_update(&adam, trainer->position.step, size, cmus_net_weights(trainer->net), gradient, trainer->moments[0],
                     trainer->moments[1], trainer->moments[2]);
    cmus_metrics_merge(sums, &metrics);
    status = write_step(trainer, epoch, metrics.total_loss * scale, norm, cmus_seconds() - began, data_seconds);
    return cmus_agree(trainer->communicator, status);
}

/* One line an epoch, if ReLU silenced any head in any case. */
static void warn_of_dead_heads(const cmus_metrics *metrics, int epoch) {
    char list[200] = "";
    size_t used = 0;
    for (int head = 0; head < CMUS_HEADS; head++)
        if (metrics->dead[head] > 0 && used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s in %.0f", used ? ", " : "",
                                     cmus_head_names[head], metrics->dead[head]);
    if (used)
        cmus_warn(
            "epoch %d: heads without a gradient, as ReLU made all their logits 0: %s of %.0f training cases; a lower "
            "lr or head_relu: false helps",
            epoch + 1, list, metrics->cases);
}

/* "total,fusion,om,im,tem" and accuracy as means over the cases; empty cells if there are none. */
static void metrics_cells(const cmus_metrics *m, char *text, size_t size) {
    if (m->cases == 0)
        snprintf(text, size, ",,,,,");
    else
        snprintf(text, size, "%.9g,%.9g,%.9g,%.9g,%.9g,%.9g", m->total_loss / m->cases,
                 m->loss[CMUS_HEAD_FUSION] / m->cases, m->loss[CMUS_HEAD_OM] / m->cases,
                 m->loss[CMUS_HEAD_IM] / m->cases, m->loss[CMUS_HEAD_TEM] / m->cases, m->correct / m->cases);
}

/* By rank 0: the row of train.csv and a line for the user. */
static cmus_status write_epoch(cmus_trainer *trainer, int epoch, const cmus_metrics *trained,
                               const cmus_metrics *held_out, double seconds) {
    if (trainer->communicator->rank != 0)
        return CMUS_OK;
    double lr = cmus_config_learning_rate(trainer->config, epoch);
    char train_cells[200], held_out_cells[200], held_out_text[100] = "";
    metrics_cells(trained, train_cells, sizeof train_cells);
    metrics_cells(held_out, held_out_cells, sizeof held_out_cells);
    if (held_out->cases > 0)
        snprintf(held_out_text, sizeof held_out_text, "; held out: loss %.4f, accuracy %.3f",
                 held_out->total_loss / held_out->cases, held_out->correct / held_out->cases);
    cmus_info("epoch %d of %d: loss %.4f, accuracy %.3f%s; lr %.3g, %.1f s", epoch + 1, trainer->config->epochs,
              trained->total_loss / trained->cases, trained->correct / trained->cases, held_out_text, lr, seconds);
    warn_of_dead_heads(trained, epoch);
    char *row = cmus_format_string("%d,%.9g,%s,%s,%.3f", epoch + 1, lr, train_cells, held_out_cells, seconds);
    cmus_status status = cmus_row_log_add(trainer->train_rows, row);
    cmus_free(row);
    return status;
}

/* The updates of an epoch over the shuffled cases, as far as max_updates allows. */
static cmus_status train_cases(cmus_trainer *trainer, const int *order, int epoch, cmus_metrics *trained) {
    const cmus_config *config = trainer->config;
    for (int begin = 0; begin < trainer->training_count; begin += config->batch) {
        if (config->max_updates && trainer->position.step >= config->max_updates)
            break;
        int left = trainer->training_count - begin, count = left < config->batch ? left : config->batch;
        CMUS_TRY(update(trainer, order + begin, count, epoch, trained));
        trainer->progress_done += count;
        cmus_progress_update(&trainer->progress, trainer->progress_done);
    }
    return CMUS_OK;
}

cmus_status cmus_trainer_epoch(cmus_trainer *trainer, int epoch) {
    double began = cmus_seconds();
    char what[64];
    snprintf(what, sizeof what, "epoch %d of %d:", epoch + 1, trainer->config->epochs);
    trainer->progress.what = what;
    int *order = cmus_trainer_order(trainer, epoch);
    cmus_metrics trained = {0}, held_out = {0};
    cmus_status status = train_cases(trainer, order, epoch, &trained);
    cmus_free(order);
    trainer->progress.what = "trained";
    CMUS_TRY(status);
    if (cmus_trainer_evaluates(trainer, epoch, trainer->position.step)) {
        cmus_evaluator evaluator = {trainer->communicator, trainer->net, trainer->dataset, trainer->config,
                                    trainer->prefetch};
        CMUS_TRY(cmus_evaluate(&evaluator, trainer->held_out, trainer->held_out_count, &held_out, NULL));
    }
    return cmus_agree(trainer->communicator, write_epoch(trainer, epoch, &trained, &held_out, cmus_seconds() - began));
}
