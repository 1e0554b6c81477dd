#include "cmus/metrics.h"

int cmus_predicted_class(const cmus_case_result *result, cmus_head head, int classes) {
    int best = 0;
    for (int i = 1; i < classes; i++)
        if (result->probabilities[head][i] > result->probabilities[head][best])
            best = i;
    return best;
}

void cmus_metrics_add(cmus_metrics *metrics, const cmus_case_result *result, int label, int classes) {
    metrics->cases++;
    metrics->correct += cmus_predicted_class(result, CMUS_HEAD_FUSION, classes) == label;
    metrics->total_loss += result->total_loss;
    metrics->mean_distance += result->mean_distance;
    for (int head = 0; head < CMUS_HEADS; head++) {
        metrics->loss[head] += result->loss[head];
        metrics->dead[head] += result->dead[head];
    }
}

void cmus_metrics_merge(cmus_metrics *metrics, const cmus_metrics *other) {
    metrics->cases += other->cases;
    metrics->correct += other->correct;
    metrics->total_loss += other->total_loss;
    metrics->mean_distance += other->mean_distance;
    for (int head = 0; head < CMUS_HEADS; head++) {
        metrics->loss[head] += other->loss[head];
        metrics->dead[head] += other->dead[head];
    }
}
