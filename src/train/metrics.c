#include "cmus/metrics.h"

#include <math.h>

#include "cmus/memory.h"

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
    for (int head = 0; head < CMUS_HEADS; head++) {
        metrics->loss[head] += result->loss[head];
        metrics->dead[head] += result->dead[head];
    }
}

void cmus_metrics_merge(cmus_metrics *metrics, const cmus_metrics *other) {
    metrics->cases += other->cases;
    metrics->correct += other->correct;
    metrics->total_loss += other->total_loss;
    for (int head = 0; head < CMUS_HEADS; head++) {
        metrics->loss[head] += other->loss[head];
        metrics->dead[head] += other->dead[head];
    }
}

double cmus_norm(const float *values, size_t count) {
    const size_t CHUNK = 1 << 16;
    size_t chunks = (count + CHUNK - 1) / CHUNK;
    double *partial = cmus_allocate(chunks, sizeof *partial), sum = 0;
#pragma omp parallel for schedule(static)
    for (size_t chunk = 0; chunk < chunks; chunk++) {
        size_t end = (chunk + 1) * CHUNK < count ? (chunk + 1) * CHUNK : count;
        double squares = 0;
        for (size_t i = chunk * CHUNK; i < end; i++)
            squares += (double)values[i] * values[i];
        partial[chunk] = squares;
    }
    for (size_t chunk = 0; chunk < chunks; chunk++)
        sum += partial[chunk];
    cmus_free(partial);
    return sqrt(sum);
}
