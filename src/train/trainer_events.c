/* What a fold's event file gets for TensorBoard: a record an update, a record an epoch, both by the number of the last
 * update. By rank 0; nothing is done where the configuration has `tensorboard: false`. */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "trainer_internal.h"

enum { SCALARS = 20 /* of a record, at most */ };

/* Seconds since 1970. */
static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* The file only watches: what happens to it must not end a training. */
static void give_up_if(cmus_trainer *trainer, cmus_status status) {
    if (status == CMUS_OK)
        return;
    cmus_warn("%s; there are no more events for TensorBoard until the fold is resumed", cmus_last_error());
    cmus_event_log_close(trainer->events);
    trainer->events = NULL;
}

void cmus_trainer_events_open(cmus_trainer *trainer) {
    if (trainer->config->tensorboard)
        give_up_if(trainer, cmus_event_log_open(trainer->fold_folder, cmus_host_name(), now(),
                                                trainer->position.step + 1, &trainer->events));
}

void cmus_trainer_events_update(cmus_trainer *trainer, const cmus_update_row *row) {
    if (!trainer->events)
        return;
    const cmus_scalar scalars[] = {
        {"update/loss", row->loss},
        {"update/gradient_norm", row->norm},
        {"update/learning_rate", row->lr},
        {"update/seconds", row->seconds},
        {"update/images_per_second", row->images / row->seconds},
    };
    give_up_if(trainer, cmus_event_log_add(trainer->events, now(), trainer->position.step, scalars,
                                           sizeof scalars / sizeof scalars[0]));
}

/* The tags of what is there for the training cases and for the held-out ones, side by side in a group each. */
typedef struct tags {
    const char *loss, *of_head[CMUS_HEADS], *accuracy, *mean_distance;
} tags;
static const tags training_tags = {"loss/train",
                                   {[CMUS_HEAD_FUSION] = "loss_fusion/train",
                                    [CMUS_HEAD_OM] = "loss_om/train",
                                    [CMUS_HEAD_IM] = "loss_im/train",
                                    [CMUS_HEAD_TEM] = "loss_tem/train"},
                                   "accuracy/train",
                                   "mean_distance/train"};
static const tags held_out_tags = {"loss/held_out",
                                   {[CMUS_HEAD_FUSION] = "loss_fusion/held_out",
                                    [CMUS_HEAD_OM] = "loss_om/held_out",
                                    [CMUS_HEAD_IM] = "loss_im/held_out",
                                    [CMUS_HEAD_TEM] = "loss_tem/held_out"},
                                   "accuracy/held_out",
                                   "mean_distance/held_out"};

/* Means over the cases, if there are any. */
static size_t add_means(const cmus_metrics *m, const tags *names, cmus_scalar *scalars) {
    if (m->cases == 0)
        return 0;
    size_t count = 0;
    scalars[count++] = (cmus_scalar){names->loss, m->total_loss / m->cases};
    for (int head = 0; head < CMUS_HEADS; head++)
        scalars[count++] = (cmus_scalar){names->of_head[head], m->loss[head] / m->cases};
    scalars[count++] = (cmus_scalar){names->accuracy, m->correct / m->cases};
    scalars[count++] = (cmus_scalar){names->mean_distance, m->mean_distance / m->cases};
    return count;
}

void cmus_trainer_events_epoch(cmus_trainer *trainer, const cmus_epoch_row *row) {
    if (!trainer->events)
        return;
    cmus_scalar scalars[SCALARS];
    size_t count = add_means(&trainer->position.metrics, &training_tags, scalars);
    count += add_means(&row->held_out, &held_out_tags, scalars + count);
    if (!isnan(row->auc))
        scalars[count++] = (cmus_scalar){"auc/held_out", row->auc};
    scalars[count++] = (cmus_scalar){"epoch/number", row->epoch};
    scalars[count++] = (cmus_scalar){"epoch/seconds", row->seconds};
    give_up_if(trainer, cmus_event_log_add(trainer->events, now(), trainer->position.step, scalars, count));
}
