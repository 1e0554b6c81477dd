/* What the sources of exchange_bench share. */
#ifndef CMUS_EXCHANGE_BENCH_H
#define CMUS_EXCHANGE_BENCH_H

#include <stdbool.h>

#include "cmus/communicator.h"
#include "cmus/optimizer.h"
#include "cmus/prefetch.h"

/* What is measured of a pair of updates, in this order in arrays. Seconds are this rank's until they are gathered. */
enum {
    EXCHANGE_WITH,    /* seconds of an update with communication */
    EXCHANGE_WITHOUT, /* of the same work without */
    EXCHANGE_FORWARD, /* of that without: images through the encoders, */
    EXCHANGE_CASES,   /* what lies behind the encoders, */
    EXCHANGE_BACKWARD,
    EXCHANGE_OPTIMIZER,
    EXCHANGE_WAITED_IMAGES, /* of that with: the computing thread waited for images to be read, */
    EXCHANGE_WAITED_MAPS,   /* for maps and their gradients, */
    EXCHANGE_WAITED_GRADIENTS,
    EXCHANGE_WAITED_WEIGHTS,
    EXCHANGE_BUSY,    /* of the reducer with buckets on their way */
    EXCHANGE_EXPOSED, /* of those, while the computing thread waited for them */
    EXCHANGE_SENT,    /* bytes by the reducer */
    EXCHANGE_IMAGES,  /* that this rank encoded, both ways together */
    EXCHANGE_VALUES
};

/* What the plans of all updates say. */
typedef struct exchange_plan {
    double waves;     /* an update, mean */
    double load;      /* of the busiest rank over the mean of the ranks: mean over the updates */
    double map_bytes; /* that the busiest rank sends an update, maps and their gradients: mean over the updates */
} exchange_plan;

typedef struct exchange_bench {
    const cmus_communicator *communicator;
    cmus_config config;
    cmus_dataset *dataset;
    cmus_net *net;
    cmus_optimizer *optimizer;
    cmus_prefetch *prefetch;
    const cmus_piece *pieces; /* [piece_count]: of the optimizer */
    size_t piece_count;
    int updates, threads;
    bool in_step;                   /* barriers in the updates without communication */
    int *order;                     /* [updates][batch]: cases */
    exchange_plan plan;             /* on rank 0 */
    double *largest, *sum;          /* [updates][EXCHANGE_VALUES] on rank 0: over the ranks */
    double sum_alone, spread_alone; /* seconds while nothing is computed */
    double peak;                    /* bytes of the largest rank */
} exchange_bench;

/* Updates at the beginning that do not count. */
enum { EXCHANGE_WARM_UP = 2 };

/* Collective. Prints the medians on rank 0 and appends them to `csv` (NULL: no file) as a row, with a line of names
 * first if the file is new; `link` goes into the row's first cell. IO. */
cmus_status exchange_report(exchange_bench *bench, const char *csv, const char *link);

#endif
