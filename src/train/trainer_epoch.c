/* One epoch: its updates, the held-out fold, its row and where its time went. */
#include <math.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/roc_area.h"
#include "cmus/trace.h"
#include "trainer_internal.h"

/* One line an epoch (from 1), if ReLU silenced any head in any case. */
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
            epoch, list, metrics->cases);
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

/* Mean over the cases of their mean distances; an empty cell if there are none. */
static void distance_cell(const cmus_metrics *m, char *text, size_t size) {
    text[0] = 0;
    if (m->cases > 0)
        snprintf(text, size, "%.9g", m->mean_distance / m->cases);
}

/* A line for the user. */
static void say_epoch(const cmus_trainer *trainer, const cmus_epoch_row *row) {
    const cmus_metrics *trained = &trainer->position.metrics, *held_out = &row->held_out;
    char trained_text[100] = "all updates skipped", held_out_text[100] = "";
    if (trained->cases > 0)
        snprintf(trained_text, sizeof trained_text, "loss %.4f, accuracy %.3f", trained->total_loss / trained->cases,
                 trained->correct / trained->cases);
    if (held_out->cases > 0)
        snprintf(held_out_text, sizeof held_out_text, "; held out: loss %.4f, accuracy %.3f",
                 held_out->total_loss / held_out->cases, held_out->correct / held_out->cases);
    cmus_info("epoch %d of %d: %s%s; lr %.3g, %.1f s", row->epoch, trainer->config->epochs, trained_text, held_out_text,
              row->lr, row->seconds);
    warn_of_dead_heads(trained, row->epoch);
}

/* By rank 0: the row of train.csv and what else is told of the epoch. */
static cmus_status write_epoch(cmus_trainer *trainer, const cmus_epoch_row *row) {
    if (trainer->communicator->rank != 0)
        return CMUS_OK;
    CMUS_TRY(cmus_fold_lock_check(trainer->lock));
    say_epoch(trainer, row);
    const cmus_metrics *trained = &trainer->position.metrics, *held_out = &row->held_out;
    char train_cells[200], held_out_cells[200], distance[32], held_out_distance[32];
    metrics_cells(trained, train_cells, sizeof train_cells);
    metrics_cells(held_out, held_out_cells, sizeof held_out_cells);
    distance_cell(trained, distance, sizeof distance);
    distance_cell(held_out, held_out_distance, sizeof held_out_distance);
    char *text = cmus_format_string("%d,%.9g,%s,%s,%s,%s,%.3f", row->epoch, row->lr, train_cells, held_out_cells,
                                    distance, held_out_distance, row->seconds);
    cmus_status status = cmus_row_log_add(trainer->train_rows, text);
    cmus_free(text);
    cmus_trainer_events_epoch(trainer, row);
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

/* By rank 0: of the fusion head. */
static double macro_auc(const cmus_trainer *trainer, const cmus_prediction *predictions) {
    size_t cases = (size_t)trainer->held_out_count, classes = (size_t)trainer->config->net.classes;
    double *probabilities = cmus_allocate(cases * classes, sizeof *probabilities);
    int *labels = cmus_allocate(cases, sizeof *labels);
    for (size_t i = 0; i < cases; i++) {
        memcpy(probabilities + i * classes, predictions[i].result.probabilities[CMUS_HEAD_FUSION],
               classes * sizeof *probabilities);
        labels[i] = cmus_dataset_case(trainer->dataset, predictions[i].index).label;
    }
    double area = cmus_macro_auc(probabilities, labels, cases, classes);
    cmus_free(probabilities);
    cmus_free(labels);
    return area;
}

/* Collective. The held-out fold; its probabilities come together only where TensorBoard is to show their AUC. */
static cmus_status evaluate(cmus_trainer *trainer, cmus_epoch_row *row) {
    cmus_trainer_at(trainer, "evaluating");
    cmus_evaluator evaluator = cmus_trainer_evaluator(trainer);
    int count = trainer->held_out_count;
    cmus_prediction *predictions = NULL;
    if (trainer->config->tensorboard)
        predictions = cmus_allocate((size_t)count, sizeof *predictions);
    cmus_status status = cmus_evaluate(&evaluator, trainer->held_out, count, &row->held_out, predictions);
    if (status == CMUS_OK && predictions && trainer->communicator->rank == 0)
        row->auc = macro_auc(trainer, predictions);
    cmus_predictions_free(predictions, count);
    return status;
}

/* The rest of the epoch: what is left of its updates, the held-out fold. */
static cmus_status train_and_evaluate(cmus_trainer *trainer, cmus_epoch_row *row) {
    int epoch = trainer->position.epoch;
    int *order = cmus_trainer_order(trainer, epoch);
    cmus_status status = train_cases(trainer, order);
    cmus_free(order);
    trainer->progress.what = "trained";
    CMUS_TRY(status);
    return cmus_trainer_evaluates(trainer, epoch, trainer->position.step) ? evaluate(trainer, row) : CMUS_OK;
}

cmus_status cmus_trainer_epoch(cmus_trainer *trainer) {
    cmus_position *position = &trainer->position;
    cmus_epoch_row row = {
        .epoch = position->epoch + 1, .lr = cmus_config_learning_rate(trainer->config, position->epoch), .auc = NAN};
    double began = cmus_seconds() - position->seconds;
    cmus_epoch_times before = times_so_far(trainer);
    char what[64];
    snprintf(what, sizeof what, "epoch %d of %d:", row.epoch, trainer->config->epochs);
    trainer->progress.what = what;
    cmus_status status = train_and_evaluate(trainer, &row);
    row.seconds = position->seconds = cmus_seconds() - began;
    CMUS_TRY(status);
    CMUS_TRY(cmus_agree(trainer->communicator, write_epoch(trainer, &row)));
    say_times(trainer, &before);
    *position = (cmus_position){
        .epoch = row.epoch, .step = position->step, .skipped = position->skipped, .joules = position->joules};
    return CMUS_OK;
}
