#include "cmus/evaluate.h"

#include <string.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/package.h"
#include "cmus/stop.h"
#include "cmus/wave_run.h"

/* Floats of a case's features; 0: they are not wanted. */
static size_t feature_count(const cmus_evaluator *e) {
    return e->features ? CMUS_FEATURES * cmus_net_channels(e->net) : 0;
}

static void pack(cmus_package *p, int index, const cmus_case *one, const cmus_case_result *result, size_t features) {
    cmus_prediction head = {.index = index, .tem_count = one->tem_count, .result = *result};
    size_t count = (size_t)one->tem_count;
    cmus_package_put(p, &head, sizeof head);
    cmus_package_put(p, result->tem_weight, count * sizeof *result->tem_weight);
    cmus_package_put(p, result->tem_distance, count * sizeof *result->tem_distance);
    cmus_package_put(p, result->tem_kept, count * sizeof *result->tem_kept);
    cmus_package_put(p, result->features, features * sizeof *result->features);
}

static void unpack(const char **at, cmus_prediction *prediction, size_t features) {
    memcpy(prediction, *at, sizeof *prediction);
    *at += sizeof *prediction;
    size_t count = (size_t)prediction->tem_count;
    prediction->result.tem_weight = cmus_package_take(at, count * sizeof *prediction->result.tem_weight);
    prediction->result.tem_distance = cmus_package_take(at, count * sizeof *prediction->result.tem_distance);
    prediction->result.tem_kept = cmus_package_take(at, count * sizeof *prediction->result.tem_kept);
    prediction->result.features =
        features ? cmus_package_take(at, features * sizeof *prediction->result.features) : NULL;
}

/* A wave at a time; what this rank owns goes into metrics and package. */
static cmus_status run_waves(const cmus_evaluator *e, cmus_metrics *metrics, cmus_package *sent) {
    cmus_portion portion;
    do {
        cmus_status status = cmus_prefetch_next(e->prefetch, &portion);
        if (status == CMUS_OK)
            status = cmus_stop_check();
        CMUS_TRY(cmus_agree(e->communicator, status));
        cmus_wave_pass pass = {.passage = e->passage};
        cmus_wave_run(e->communicator, e->net, &portion, &pass);
        const cmus_share *share = &portion.share;
        for (int i = 0; i < share->case_count; i++) {
            cmus_metrics_add(metrics, &share->results[i], share->cases[i].label, e->config->net.classes);
            if (sent)
                pack(sent, portion.wave->indices[share->positions[i]], &share->cases[i], &share->results[i],
                     feature_count(e));
        }
    } while (!portion.wave->last);
    return CMUS_OK;
}

/* Rank 0 puts what came, rank after rank, into the order of the cases. */
static void collect(const cmus_evaluator *e, const cmus_package *sent, const int *indices, int count,
                    cmus_prediction *predictions) {
    size_t *sizes = cmus_allocate((size_t)e->communicator->ranks, sizeof *sizes);
    char *all;
    cmus_gather_bytes(e->communicator, sent->bytes, sent->size, &all, sizes);
    if (all) {
        int *position = cmus_allocate((size_t)cmus_dataset_case_count(e->dataset), sizeof *position);
        for (int i = 0; i < count; i++)
            position[indices[i]] = i;
        const char *at = all;
        for (int i = 0; i < count; i++) {
            cmus_prediction next;
            unpack(&at, &next, feature_count(e));
            predictions[position[next.index]] = next;
        }
        cmus_free(position);
    }
    cmus_free(all);
    cmus_free(sizes);
}

cmus_status cmus_evaluate(const cmus_evaluator *e, const int *indices, int count, cmus_metrics *metrics,
                          cmus_prediction *predictions) {
    cmus_package sent = {0};
    *metrics = (cmus_metrics){0};
    cmus_status status = run_waves(e, metrics, predictions ? &sent : NULL);
    if (status == CMUS_OK) {
        cmus_sum_doubles(e->communicator, (double *)metrics, CMUS_METRICS_FIELDS);
        if (predictions)
            collect(e, &sent, indices, count, predictions);
    }
    cmus_free(sent.bytes);
    return status;
}

void cmus_predictions_free(cmus_prediction *predictions, int count) {
    for (int i = 0; predictions && i < count; i++) {
        cmus_free(predictions[i].result.tem_weight);
        cmus_free(predictions[i].result.tem_distance);
        cmus_free(predictions[i].result.tem_kept);
        cmus_free(predictions[i].result.features);
    }
    cmus_free(predictions);
}
