/* Outputs of cases without random choices, shared over ranks; predictions.csv and features.safetensors. */
#ifndef CMUS_EVALUATE_H
#define CMUS_EVALUATE_H

#include "cmus/communicator.h"
#include "cmus/metrics.h"
#include "cmus/prefetch.h"

/* What is needed to run cases through a network. */
typedef struct cmus_evaluator {
    const cmus_communicator *communicator;
    cmus_net *net;
    cmus_dataset *dataset;
    const cmus_config *config;
    cmus_prefetch *prefetch;
    const cmus_passage *passage; /* asked for weights; NULL: they are all there */
    bool features;               /* predictions get theirs; needs save_features */
} cmus_evaluator;

/* One case's outputs. Its arrays (result.tem..., result.features) are owned: cmus_predictions_free(). */
typedef struct cmus_prediction {
    int index, tem_count; /* case of the data set */
    cmus_case_result result;
} cmus_prediction;

/* Collective. Runs the cases `indices` [count], their images shared out; they must be the next group of the prefetch,
 * queued with epoch -1. `metrics` gets the sums of all ranks. `predictions`: NULL on every rank, or an array [count]
 * that rank 0 gets filled in the order of `indices` (ignored on the others). FORMAT or CHECKSUM on every rank, if any
 * of them can't read a case. */
cmus_status cmus_evaluate(const cmus_evaluator *evaluator, const int *indices, int count, cmus_metrics *metrics,
                          cmus_prediction *predictions);
void cmus_predictions_free(cmus_prediction *predictions, int count);

/* Not collective. Writes predictions.csv. IO. */
cmus_status cmus_predictions_write(const char *path, const cmus_dataset *dataset, const cmus_prediction *predictions,
                                   int count);

/* Not collective. Writes the features of the predictions [count] as float32 tensors, their rows in this order: `om`,
 * `im`, `tem` [count][channels] and `fused` [count][3 channels] (CMUS_FEATURES in cmusnet.h says what they are). IO. */
cmus_status cmus_features_write(const char *path, const cmus_prediction *predictions, int count, size_t channels);

#endif
