#include "cmus/sampler.h"

#include <stdlib.h>

#include "cmus/memory.h"
#include "cmus/random.h"

typedef struct sized_case {
    int images, position;
} sized_case;

void cmus_epoch_order(uint64_t seed, int epoch, int *order, int count) {
    uint64_t id = (uint64_t)epoch;
    cmus_random random = cmus_random_begin(seed, "order", &id, 1);
    cmus_random_shuffle(&random, order, count);
}

static int compare_sizes(const void *a, const void *b) {
    const sized_case *x = a, *y = b;
    if (x->images != y->images)
        return x->images > y->images ? -1 : 1;
    return (x->position > y->position) - (x->position < y->position);
}

void cmus_share_cases(const int *images, int count, int ranks, int *rank_of) {
    sized_case *sorted = cmus_allocate((size_t)count, sizeof *sorted);
    long *load = cmus_allocate((size_t)ranks, sizeof *load);
    for (int i = 0; i < count; i++)
        sorted[i] = (sized_case){images[i], i};
    if (count > 0)
        qsort(sorted, (size_t)count, sizeof *sorted, compare_sizes);
    for (int i = 0; i < count; i++) {
        int lightest = 0;
        for (int rank = 1; rank < ranks; rank++)
            if (load[rank] < load[lightest])
                lightest = rank;
        load[lightest] += sorted[i].images;
        rank_of[sorted[i].position] = lightest;
    }
    cmus_free(sorted);
    cmus_free(load);
}
