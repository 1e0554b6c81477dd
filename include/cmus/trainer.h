/* Training of one fold: what cmus-train does between its command line and its exit code. */
#ifndef CMUS_TRAINER_H
#define CMUS_TRAINER_H

#include <stdbool.h>

#include "cmus/communicator.h"
#include "cmus/config.h"
#include "cmus/status.h"

typedef struct cmus_train_options {
    const char *config; /* path, for messages */
    const char *data;   /* folder of the data set, with splits.csv */
    const char *out;  /* RUN; fold K of repeat R goes into RUN/fold-N/, N = R x folds + K; all of them: RUN/fold-all/ */
    const char *init; /* safetensors file, or NULL */
    int fold, repeat; /* fold: that is held out, or CMUS_FOLD_ALL (run_identity.h): none; then repeat is 0 */
    bool resume;
    int check_ranks; /* not 0: look, say what so many ranks would train, and train and write nothing */
} cmus_train_options;

/* Collective. Checks all input, then trains, evaluates, if a fold is held out, and writes the fold folder. The status
 * and its message are the same on every rank. `config` gets the data set's classes. STOPPED after a signal (stop.h),
 * which cmus_stop_listen() must have been told to take down: the update or evaluation is finished, and the checkpoint
 * holds all updates. */
cmus_status cmus_train_fold(const cmus_communicator *communicator, cmus_config *config,
                            const cmus_train_options *options);

#endif
