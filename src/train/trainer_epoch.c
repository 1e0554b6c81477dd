/* One epoch: its updates, the held-out fold, its row and where its time went. */
#include <string.h>

#include "cmus/memory.h"
#include "cmus/trace.h"
#include "trainer_internal.h"

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
    CMUS_TRY(cmus_fold_lock_check(trainer->lock));
    double lr = cmus_config_learning_rate(trainer->config, epoch);
    char train_cells[200], held_out_cells[200], trained_text[100] = "all updates skipped", held_out_text[100] = "";
    metrics_cells(trained, train_cells, sizeof train_cells);
    metrics_cells(held_out, held_out_cells, sizeof held_out_cells);
    if (trained->cases > 0)
        snprintf(trained_text, sizeof trained_text, "loss %.4f, accuracy %.3f", trained->total_loss / trained->cases,
                 trained->correct / trained->cases);
    if (held_out->cases > 0)
        snprintf(held_out_text, sizeof held_out_text, "; held out: loss %.4f, accuracy %.3f",
                 held_out->total_loss / held_out->cases, held_out->correct / held_out->cases);
    cmus_info("epoch %d of %d: %s%s; lr %.3g, %.1f s", epoch + 1, trainer->config->epochs, trained_text, held_out_text,
              lr, seconds);
    warn_of_dead_heads(trained, epoch);
    char *row = cmus_format_string("%d,%.9g,%s,%s,%.3f", epoch + 1, lr, train_cells, held_out_cells, seconds);
    cmus_status status = cmus_row_log_add(trainer->train_rows, row);
    cmus_free(row);
    return status;
}

/* The updates of an epoch over the shuffled cases that are not done yet, as far as max_updates allows. */
static cmus_status train_cases(cmus_trainer *trainer, const int *order) {
    const cmus_config *config = trainer->config;
    for (int begin = cmus_trainer_cases_done(trainer, trainer->position); begin < trainer->training_count;
         begin += config->batch) {
        if (config->max_updates && trainer->position.step >= config->max_updates)
            break;
        int left = trainer->training_count - begin, count = left < config->batch ? left : config->batch;
        cmus_status status = cmus_trainer_update(trainer, order + begin, count);
        if (status != CMUS_OK && status != CMUS_STOPPED)
            return status;
        trainer->progress_done += count;
        cmus_progress_update(&trainer->progress, trainer->progress_done);
        CMUS_TRY(status);
    }
    return CMUS_OK;
}

/* Seconds so far. */
static cmus_epoch_times times_so_far(const cmus_trainer *trainer) {
    cmus_epoch_times times = {.wall = cmus_seconds(), .waiting_data = cmus_prefetch_waited(trainer->prefetch)};
    for (int i = 0; i < CMUS_ACTIVITIES; i++)
        times.activity[i] = cmus_trace_seconds((cmus_activity)i);
    cmus_optimizer_waited(trainer->optimizer, &times.waiting_gradients, &times.waiting_weights);
    cmus_reducer_statistics state = cmus_reducer_state(cmus_optimizer_reducer(trainer->optimizer));
    times.reducer_busy = state.busy_seconds;
    times.reducer_exposed = state.exposed_seconds;
    return times;
}

/* Collective. One line: where the time since `before` went, over all ranks. */
static void say_times(const cmus_trainer *trainer, const cmus_epoch_times *before) {
    cmus_epoch_times times = times_so_far(trainer);
    for (size_t i = 0; i < CMUS_EPOCH_TIMES; i++)
        ((double *)&times)[i] -= ((const double *)before)[i];
    cmus_sum_doubles(trainer->communicator, (double *)&times, CMUS_EPOCH_TIMES);
    char *text = cmus_epoch_times_text(&times);
    cmus_info("time: %s", text);
    cmus_free(text);
}

/* The rest of the epoch: what is left of its updates, the held-out fold. */
static cmus_status train_and_evaluate(cmus_trainer *trainer, cmus_metrics *held_out) {
    int epoch = trainer->position.epoch;
    int *order = cmus_trainer_order(trainer, epoch);
    cmus_status status = train_cases(trainer, order);
    cmus_free(order);
    trainer->progress.what = "trained";
    CMUS_TRY(status);
    if (!cmus_trainer_evaluates(trainer, epoch, trainer->position.step))
        return CMUS_OK;
    cmus_trainer_at(trainer, "evaluating");
    cmus_evaluator evaluator = cmus_trainer_evaluator(trainer);
    return cmus_evaluate(&evaluator, trainer->held_out, trainer->held_out_count, held_out, NULL);
}

cmus_status cmus_trainer_epoch(cmus_trainer *trainer) {
    int epoch = trainer->position.epoch;
    double began = cmus_seconds() - trainer->position.seconds;
    cmus_epoch_times before = times_so_far(trainer);
    char what[64];
    snprintf(what, sizeof what, "epoch %d of %d:", epoch + 1, trainer->config->epochs);
    trainer->progress.what = what;
    cmus_metrics held_out = {0};
    cmus_status status = train_and_evaluate(trainer, &held_out);
    cmus_position *position = &trainer->position;
    position->seconds = cmus_seconds() - began;
    CMUS_TRY(status);
    status = write_epoch(trainer, epoch, &position->metrics, &held_out, position->seconds);
    CMUS_TRY(cmus_agree(trainer->communicator, status));
    say_times(trainer, &before);
    *position = (cmus_position){.epoch = epoch + 1, .step = position->step, .skipped = position->skipped};
    return CMUS_OK;
}
