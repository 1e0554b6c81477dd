/* Checkpoints of a fold: FOLD/last/ holds weights.safetensors, moments.safetensors, state.json and MANIFEST.sha256.
 *
 * A new one is written into last.new/, flushed to the disk, and moved to its place: last to last.old, last.new to last,
 * then last.old is removed. Killed at any moment, at least one of the three is complete. By one rank; not collective.
 */
#ifndef CMUS_CHECKPOINT_H
#define CMUS_CHECKPOINT_H

#include <stdint.h>

#include "cmus/metrics.h"
#include "cmus/parameters.h"
#include "cmus/run_identity.h"
#include "cmus/status.h"
#include "cmus/weights.h"

/* Where training is: what is done. How far the epoch that is begun has come follows from step. */
typedef struct cmus_position {
    int epoch;            /* epochs that are done */
    int64_t step;         /* updates that are done, skipped ones too */
    int64_t skipped;      /* updates whose loss or gradient was not finite */
    cmus_metrics metrics; /* sums over the updates of the epoch that is begun */
    double seconds;       /* of the epoch that is begun */
    double joules;        /* of all that is done, on all hosts; NaN: not known */
} cmus_position;

/* Writes weights with the metadata by which the file is complete in itself (weights.h). Only keys that change results
 * are in it: the same weights give the same bytes, whatever the machine and the ranks they were computed on. IO. */
cmus_status cmus_checkpoint_write_weights(const char *path, const cmus_run_identity *identity,
                                          const cmus_parameters *parameters, const float *weights);

/* Replaces FOLD/last. On failure (IO, such as no space left) what was there stays and last.new is removed. */
cmus_status cmus_checkpoint_write(const char *fold_folder, const cmus_run_identity *identity, cmus_position position,
                                  const cmus_parameters *parameters, const float *weights, const cmus_moments *moments);

/* Whether there is anything to resume from, complete or not. */
bool cmus_checkpoint_exists(const char *fold_folder);

/* Finds the newest complete one of last, last.new and last.old, warns of those that were passed over and why, and moves
 * it to last. FORMAT or CHECKSUM if none is complete; MISMATCH if it is of another run. */
cmus_status cmus_checkpoint_settle(const char *fold_folder, const cmus_run_identity *identity, cmus_position *position);

/* Reads FOLD/last, which cmus_checkpoint_settle() has checked. */
cmus_status cmus_checkpoint_read(const char *fold_folder, const cmus_parameters *parameters, float *weights,
                                 const cmus_moments *moments);

#endif
