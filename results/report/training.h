/* train.csv of one fold: a line an epoch, losses and accuracies in training and on the held-out fold. */
#ifndef CMUS_REPORT_TRAINING_H
#define CMUS_REPORT_TRAINING_H

#include <stddef.h>

#include "cmus/status.h"

/* The columns that are drawn. Those of the held-out fold are NaN in epochs in which it was not evaluated; those from
 * the losses of the heads on, and the distances, which older versions of cmus-train did not write, are NaN if the file
 * does not have them. The losses of the heads have the order of report_head. */
typedef enum report_curve {
    REPORT_TRAIN_LOSS,
    REPORT_VAL_LOSS,
    REPORT_TRAIN_ACCURACY,
    REPORT_VAL_ACCURACY,
    REPORT_TRAIN_LOSS_FUSION,
    REPORT_TRAIN_LOSS_OM,
    REPORT_TRAIN_LOSS_IM,
    REPORT_TRAIN_LOSS_TEM,
    REPORT_VAL_LOSS_FUSION,
    REPORT_VAL_LOSS_OM,
    REPORT_VAL_LOSS_IM,
    REPORT_VAL_LOSS_TEM,
    REPORT_TRAIN_DISTANCE, /* mean over the cases of the mean distance between their TEM images */
    REPORT_VAL_DISTANCE,
    REPORT_CURVES
} report_curve;

typedef struct report_training {
    size_t epochs;
    long *epoch;                   /* [epochs], rising */
    double *values[REPORT_CURVES]; /* [epochs] */
} report_training;

/* FORMAT and DATA name file and line: a missing column, text in place of a number, epochs out of order. */
cmus_status report_training_read(const char *path, report_training *training);
void report_training_free(report_training *training);

#endif
