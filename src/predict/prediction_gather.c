/* Predictions of all ranks on rank 0. */
#include <string.h>

#include "cmus/memory.h"
#include "cmus/package.h"
#include "predict_internal.h"

/* The prediction with the arrays that it points to, one after another. */
static void pack(cmus_package *p, const cmus_case_prediction *one, int members) {
    size_t tem = (size_t)one->tem_count, length = one->failed ? strlen(one->failed) + 1 : 0;
    cmus_package_put(p, one, sizeof *one);
    cmus_package_put(p, &length, sizeof length);
    cmus_package_put(p, one->failed, length);
    if (one->failed)
        return;
    cmus_package_put(p, one->tem_weight, tem * sizeof *one->tem_weight);
    cmus_package_put(p, one->tem_distance, tem * sizeof *one->tem_distance);
    cmus_package_put(p, one->tem_kept, tem * sizeof *one->tem_kept);
    cmus_package_put(p, one->each, (size_t)members * sizeof *one->each);
    for (int m = 0; m < members; m++) {
        cmus_package_put(p, one->each[m].tem_weight, tem * sizeof(float));
        cmus_package_put(p, one->each[m].tem_distance, tem * sizeof(float));
        cmus_package_put(p, one->each[m].tem_kept, tem * sizeof(bool));
    }
}

static void unpack(const char **at, cmus_case_prediction *one, int members) {
    size_t length;
    memcpy(one, *at, sizeof *one);
    memcpy(&length, *at + sizeof *one, sizeof length);
    *at += sizeof *one + sizeof length;
    size_t tem = (size_t)one->tem_count;
    one->failed = length ? cmus_package_take(at, length) : NULL;
    one->tem_weight = one->tem_distance = NULL;
    one->tem_kept = NULL;
    one->each = NULL;
    if (one->failed)
        return;
    one->tem_weight = cmus_package_take(at, tem * sizeof(float));
    one->tem_distance = cmus_package_take(at, tem * sizeof(float));
    one->tem_kept = cmus_package_take(at, tem * sizeof(bool));
    one->each = cmus_package_take(at, (size_t)members * sizeof *one->each);
    for (int m = 0; m < members; m++) {
        one->each[m].tem_weight = cmus_package_take(at, tem * sizeof(float));
        one->each[m].tem_distance = cmus_package_take(at, tem * sizeof(float));
        one->each[m].tem_kept = cmus_package_take(at, tem * sizeof(bool));
    }
}

void cmus_predictions_gather(const prediction_run *run, cmus_case_prediction **all) {
    cmus_package sent = {0};
    int members = run->ensemble.count, cases = cmus_case_source_count(run->source);
    for (int i = 0; i < run->own_count; i++)
        pack(&sent, &run->own[i].prediction, members);
    size_t *sizes = cmus_allocate((size_t)run->communicator->ranks, sizeof *sizes);
    char *bytes;
    cmus_gather_bytes(run->communicator, sent.bytes, sent.size, &bytes, sizes);
    *all = NULL;
    if (bytes) {
        const char *at = bytes;
        *all = cmus_allocate((size_t)cases, sizeof **all);
        for (int i = 0; i < cases; i++) {
            cmus_case_prediction next;
            unpack(&at, &next, members);
            (*all)[next.index] = next;
        }
    }
    cmus_free(bytes);
    cmus_free(sizes);
    cmus_free(sent.bytes);
}
