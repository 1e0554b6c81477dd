/* Seconds of a sum over the ranks, as the gradients need it: allreduce_bench [MEGABYTES [REPEATS]]. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmus/communicator.h"
#include "cmus/log.h"
#include "cmus/memory.h"

static int in_order(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

int main(int argc, char **argv) {
    cmus_communicator world = cmus_communicator_begin(&argc, &argv, "allreduce_bench");
    double megabytes = argc > 1 ? atof(argv[1]) : 64;
    int repeats = argc > 2 ? atoi(argv[2]) : 5;
    if (argc > 3 || !(megabytes > 0 && megabytes <= 4096) || repeats < 1 || repeats > 10000) {
        fprintf(stderr, "usage: allreduce_bench [MEGABYTES (up to 4096) [REPEATS]]\n");
        cmus_communicator_end();
        return 2;
    }
    size_t count = (size_t)ceil(megabytes * 1e6 / sizeof(float));
    float *values = cmus_allocate(count, sizeof *values);
    double *seconds = cmus_allocate((size_t)repeats, sizeof *seconds);
    for (int i = -1; i < repeats; i++) { /* the first one makes the connections and does not count */
        cmus_barrier(&world);
        double began = cmus_seconds();
        cmus_sum_floats(&world, values, count, count * sizeof *values);
        double took = cmus_seconds() - began;
        cmus_maximum_double(&world, &took);
        if (i >= 0)
            seconds[i] = took;
    }
    qsort(seconds, (size_t)repeats, sizeof *seconds, in_order);
    if (world.rank == 0)
        printf("ranks %d megabytes %.3f median %.6f shortest %.6f seconds\n", world.ranks, megabytes,
               seconds[repeats / 2], seconds[0]);
    cmus_free(values);
    cmus_free(seconds);
    cmus_communicator_end();
    return 0;
}
