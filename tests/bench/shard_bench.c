/* shard_bench: how fast the images of a packed data set are read, in a random order, by one thread.
 *   shard_bench DATA [SECONDS]
 * Prints images/s, the best of the passes that fit in SECONDS (3); the first one, which may wait for the disk, does not
 * count.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cmus/dataset.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/program.h"
#include "cmus/sampler.h"

/* All images of the cases in this order; *images: how many. */
static cmus_status read_all(cmus_dataset *dataset, const int *order, uint8_t *image, int64_t *images) {
    *images = 0;
    for (int i = 0; i < cmus_dataset_case_count(dataset); i++)
        for (int kind = 0; kind < CMUS_IMAGE_KINDS; kind++) {
            if (!cmus_dataset_has(dataset, (cmus_image_kind)kind))
                continue;
            int count = kind == CMUS_IMAGE_TEM ? cmus_dataset_case(dataset, order[i]).tem_count : 1;
            for (int k = 0; k < count; k++, ++*images)
                CMUS_TRY(cmus_dataset_read_image(dataset, order[i], (cmus_image_kind)kind, k, image));
        }
    return CMUS_OK;
}

static cmus_status measure(cmus_dataset *dataset, double seconds) {
    int cases = cmus_dataset_case_count(dataset), *order = cmus_allocate((size_t)cases, sizeof *order);
    size_t side = (size_t)cmus_dataset_image_size(dataset);
    uint8_t *image = cmus_allocate_raw(side * side, 3);
    int64_t images = 0;
    for (int i = 0; i < cases; i++)
        order[i] = i;
    cmus_epoch_order(1, 0, order, cases);
    cmus_status status = read_all(dataset, order, image, &images);
    double best = 1e30, began = cmus_seconds();
    while (status == CMUS_OK && (best == 1e30 || cmus_seconds() - began < seconds)) {
        clock_t pass_began = clock();
        status = read_all(dataset, order, image, &images);
        double pass = (double)(clock() - pass_began) / CLOCKS_PER_SEC;
        best = pass < best ? pass : best;
    }
    if (status == CMUS_OK)
        printf("%.0f\n", (double)images / best);
    cmus_free(image);
    cmus_free(order);
    return status;
}

int main(int argc, char **argv) {
    cmus_program_begin("shard_bench");
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: shard_bench DATA [SECONDS]\n");
        return 2;
    }
    cmus_dataset *dataset;
    cmus_status status = cmus_dataset_open(argv[1], &dataset);
    if (status == CMUS_OK)
        status = measure(dataset, argc > 2 ? strtod(argv[2], NULL) : 3);
    cmus_dataset_close(dataset);
    return cmus_program_end(status);
}
