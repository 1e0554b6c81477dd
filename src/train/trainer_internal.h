/* State of one fold's training, shared by the trainer's files. */
#ifndef CMUS_TRAINER_INTERNAL_H
#define CMUS_TRAINER_INTERNAL_H

#include "cmus/checkpoint.h"
#include "cmus/energy.h"
#include "cmus/evaluate.h"
#include "cmus/event_log.h"
#include "cmus/fold_lock.h"
#include "cmus/launch.h"
#include "cmus/log.h"
#include "cmus/optimizer.h"
#include "cmus/preload.h"
#include "cmus/row_log.h"
#include "cmus/splits.h"
#include "cmus/stage.h"
#include "cmus/trainer.h"
#include "cmus/watchdog.h"

typedef struct cmus_trainer {
    const cmus_communicator *communicator;
    cmus_config *config;
    const cmus_train_options *options;
    char *fold_folder;
    char *init;              /* the file of weights that --init means; NULL: none */
    bool init_other_classes; /* its heads are of other classes */
    cmus_fold_lock *lock;    /* rank 0; NULL with check_ranks */
    bool made_out;           /* rank 0: the folder `out` was not there before */

    cmus_dataset *dataset;
    cmus_stage *stage;                  /* NULL: the shards are read where they are */
    cmus_shared_memory *preload;        /* NULL: images are read from the shards */
    int folds, repeats;                 /* of the splits */
    int *training, *held_out;           /* cases, in the order of the data set */
    int training_count, held_out_count; /* held out: 0 with CMUS_FOLD_ALL */
    cmus_run_identity identity;

    cmus_net *net;
    cmus_optimizer *optimizer;
    cmus_watchdog *watchdog;
    cmus_prefetch *prefetch;

    cmus_position position, planned;      /* done; queued for the prefetch */
    cmus_row_log *train_rows, *step_rows; /* rank 0 */
    cmus_event_log *events;               /* rank 0; NULL: not wanted */
    bool counts_energy;                   /* each host's first rank */
    cmus_energy *energy;                  /* NULL: not known */
    double joules_before;                 /* what the checkpoint of the start says */
    cmus_progress progress;
    int64_t progress_done;
    char *started, *hosts; /* for run.json; hosts on rank 0 */
    char *machines;        /* rank 0: hosts, ranks, threads, cores */
    double began;          /* the zero of the timeline */
} cmus_trainer;

/* What an update leaves for the tables. */
typedef struct cmus_update_row {
    double loss, norm, lr, seconds, data_seconds;
    int images; /* of its cases */
    bool skipped;
} cmus_update_row;

/* What an epoch does, beside the metrics of the position. */
typedef struct cmus_epoch_row {
    int epoch; /* from 1 */
    double lr, seconds;
    cmus_metrics held_out; /* no cases: not evaluated */
    double auc;            /* macro AUC of the held-out cases, on rank 0; NaN: not known */
} cmus_epoch_row;

/* Not collective. Opens data set and splits, checks them against the configuration, picks the fold's cases. */
cmus_status cmus_trainer_open(cmus_trainer *trainer);
/* Collective. Copies or preloads the images, if asked to, and fills the weights: fresh, from --init, or from the
 * checkpoint. */
cmus_status cmus_trainer_fill(cmus_trainer *trainer, bool resumed);
/* Collective. */
void cmus_trainer_close(cmus_trainer *trainer);

/* Not collective; the same on every rank. Whether training ends at this position, and whether the held-out fold is
 * evaluated at the end of an epoch, when `step` updates are done. */
bool cmus_trainer_ends(const cmus_trainer *trainer, cmus_position position);
bool cmus_trainer_evaluates(const cmus_trainer *trainer, int epoch, int64_t step);
/* The training cases [training_count] in the order of this epoch; free with cmus_free(). */
int *cmus_trainer_order(const cmus_trainer *trainer, int epoch);
/* Queues for the prefetch what comes after trainer->planned: one more epoch, or the final evaluation, if a fold is held
 * out. */
void cmus_trainer_plan(cmus_trainer *trainer);

/* Updates of a whole epoch. Cases of the epoch that is begun which are done at this position. */
int cmus_trainer_updates_per_epoch(const cmus_trainer *trainer);
int cmus_trainer_cases_done(const cmus_trainer *trainer, cmus_position position);

/* Collective. Trains the rest of the epoch at the position, which must be planned, writes its rows and moves on to the
 * next. STOPPED: the position is behind the last update that was done. */
cmus_status cmus_trainer_epoch(cmus_trainer *trainer);

/* Collective. One update by a batch of `count` cases; the position moves on. DATA if loss or gradient was not finite
 * more than max_bad_steps times; FORMAT, CHECKSUM, IO; MISMATCH if the ranks' weights differ; STOPPED after the update.
 */
cmus_status cmus_trainer_update(cmus_trainer *trainer, const int *cases, int count);

/* Collective. MISMATCH if the ranks' weights are not the same; `what` names them. */
cmus_status cmus_trainer_compare_weights(cmus_trainer *trainer, const char *what);

/* By rank 0. The event file, its records. IO. */
void cmus_trainer_events_open(cmus_trainer *trainer);
void cmus_trainer_events_update(cmus_trainer *trainer, const cmus_update_row *row);
void cmus_trainer_events_epoch(cmus_trainer *trainer, const cmus_epoch_row *row);

/* Collective. Brings the position's joules up to now, on every rank. */
void cmus_trainer_count_energy(cmus_trainer *trainer);

/* Not collective. Tells the watchdog what this rank begins to do; a literal. */
void cmus_trainer_at(const cmus_trainer *trainer, const char *what);
cmus_evaluator cmus_trainer_evaluator(const cmus_trainer *trainer);

/* What a fold folder is found to hold. */
typedef enum cmus_fold_state { CMUS_FOLD_NEW, CMUS_FOLD_BEGUN, CMUS_FOLD_RESUMED, CMUS_FOLD_FINISHED } cmus_fold_state;

/* By rank 0. Looks at RUN/fold-K: ARGUMENT if it is begun and --resume was not given; MISMATCH if it is of another run.
 * With RESUMED, position is that of the checkpoint in last/; with options->check_ranks it is not looked for. Nothing is
 * written but the checkpoint's place. */
cmus_status cmus_fold_folder_look(cmus_trainer *trainer, cmus_fold_state *state);
/* By rank 0. Keeps other jobs out of RUN/fold-N, from now until cmus_trainer_close(). IO if one is in it. */
cmus_status cmus_fold_folder_lock(cmus_trainer *trainer);
/* By rank 0. Leaves nothing of a RUN in which nothing was begun. */
void cmus_fold_folder_unlock(cmus_trainer *trainer);
/* By rank 0. Makes the folder with config.yaml and run.json, and opens the row logs at the position. */
cmus_status cmus_fold_folder_begin(cmus_trainer *trainer);
/* Collective. Writes final weights, predictions of the held-out fold, if there is one, run.json and the manifest. */
cmus_status cmus_fold_folder_finish(cmus_trainer *trainer);
/* By rank 0. run.json; `complete`: the fold is done. The first one says when the fold was begun, and later ones keep
 * it. */
cmus_status cmus_run_record_write(cmus_trainer *trainer, bool complete, double peak_memory);

#endif
