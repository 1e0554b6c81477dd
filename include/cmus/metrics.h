/* Sums over cases: losses, hits, dead heads. All fields are doubles, so that ranks sum them as one array. */
#ifndef CMUS_METRICS_H
#define CMUS_METRICS_H

#include "cmus/cmusnet.h"

typedef struct cmus_metrics {
    double cases, correct; /* correct: the fusion head's largest probability is the label's */
    double total_loss, loss[CMUS_HEADS];
    double dead[CMUS_HEADS]; /* cases in which ReLU made all logits of the head 0 */
    double mean_distance;    /* of the cases' TEM images among themselves */
} cmus_metrics;

enum { CMUS_METRICS_FIELDS = sizeof(cmus_metrics) / sizeof(double) };

/* Class with the largest probability of a head; the lowest on a tie. */
int cmus_predicted_class(const cmus_case_result *result, cmus_head head, int classes);

void cmus_metrics_add(cmus_metrics *metrics, const cmus_case_result *result, int label, int classes);
void cmus_metrics_merge(cmus_metrics *metrics, const cmus_metrics *other);

#endif
