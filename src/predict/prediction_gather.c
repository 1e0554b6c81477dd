/* Predictions of all ranks on rank 0. */
#include <string.h>

#include "cmus/memory.h"
#include "predict_internal.h"

typedef struct package {
    char *bytes;
    size_t size, capacity;
} package;

static void put(package *p, const void *data, size_t size) {
    if (size == 0)
        return;
    p->bytes = cmus_grow(p->bytes, &p->capacity, p->size + size, 1);
    memcpy(p->bytes + p->size, data, size);
    p->size += size;
}

static void *take(const char **at, size_t count, size_t size) {
    void *copy = cmus_allocate(count, size);
    memcpy(copy, *at, count * size);
    *at += count * size;
    return copy;
}

/* The prediction with the arrays that it points to, one after another. */
static void pack(package *p, const cmus_case_prediction *one, int members) {
    size_t tem = (size_t)one->tem_count, length = one->failed ? strlen(one->failed) + 1 : 0;
    put(p, one, sizeof *one);
    put(p, &length, sizeof length);
    put(p, one->failed, length);
    if (one->failed)
        return;
    put(p, one->tem_weight, tem * sizeof *one->tem_weight);
    put(p, one->tem_distance, tem * sizeof *one->tem_distance);
    put(p, one->tem_kept, tem * sizeof *one->tem_kept);
    put(p, one->each, (size_t)members * sizeof *one->each);
    for (int m = 0; m < members; m++) {
        put(p, one->each[m].tem_weight, tem * sizeof(float));
        put(p, one->each[m].tem_distance, tem * sizeof(float));
        put(p, one->each[m].tem_kept, tem * sizeof(bool));
    }
}

static void unpack(const char **at, cmus_case_prediction *one, int members) {
    size_t length;
    memcpy(one, *at, sizeof *one);
    memcpy(&length, *at + sizeof *one, sizeof length);
    *at += sizeof *one + sizeof length;
    size_t tem = (size_t)one->tem_count;
    one->failed = length ? take(at, length, 1) : NULL;
    one->tem_weight = one->tem_distance = NULL;
    one->tem_kept = NULL;
    one->each = NULL;
    if (one->failed)
        return;
    one->tem_weight = take(at, tem, sizeof(float));
    one->tem_distance = take(at, tem, sizeof(float));
    one->tem_kept = take(at, tem, sizeof(bool));
    one->each = take(at, (size_t)members, sizeof *one->each);
    for (int m = 0; m < members; m++) {
        one->each[m].tem_weight = take(at, tem, sizeof(float));
        one->each[m].tem_distance = take(at, tem, sizeof(float));
        one->each[m].tem_kept = take(at, tem, sizeof(bool));
    }
}

void cmus_predictions_gather(const prediction_run *run, cmus_case_prediction **all) {
    package sent = {0};
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
