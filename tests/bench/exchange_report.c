/* What exchange_bench prints, and its row of a table. */
#include <stdio.h>
#include <stdlib.h>

#include "cmus/launch.h"
#include "cmus/memory.h"
#include "exchange_bench.h"

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values. */
static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, compare);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

/* Over the updates that count: of `values` [updates][EXCHANGE_VALUES] number `what`, divided by number `by` (-1: by 1).
 */
static double middle(const exchange_bench *b, const double *values, int what, int by) {
    int count = b->updates - EXCHANGE_WARM_UP;
    double *list = cmus_allocate((size_t)count, sizeof *list);
    for (int i = 0; i < count; i++) {
        const double *row = values + (i + EXCHANGE_WARM_UP) * EXCHANGE_VALUES;
        double divisor = by < 0 ? 1 : row[by];
        list[i] = divisor != 0 ? row[what] / divisor : 0;
    }
    double result = median(list, count);
    cmus_free(list);
    return result;
}

/* Bytes that rank 0 sends for a sum and for a spread. */
static void count_bytes(const exchange_bench *b, double *sum, double *spread) {
    double own = 0, all = cmus_reducer_bytes(cmus_optimizer_reducer(b->optimizer));
    for (size_t i = 0; i < b->piece_count; i++)
        own += (double)b->pieces[i].count;
    *spread = b->config.shard_optimizer ? own * (b->communicator->ranks - 1) * sizeof(float) : 0;
    *sum = all - *spread;
}

/* A value with its name in the table and its line for the user. */
typedef struct cell {
    const char *name, *text; /* text NULL: only in the table */
    double value;
} cell;

enum { CELLS = 40 };

static int list_cells(const exchange_bench *b, cell *cells) {
    double sum, spread;
    count_bytes(b, &sum, &spread);
    int n = 0, ranks = b->communicator->ranks;
    const double *most = b->largest;
    cells[n++] = (cell){"ranks", NULL, ranks};
    cells[n++] = (cell){"threads", NULL, b->threads};
    cells[n++] = (cell){"batch", NULL, b->config.batch};
    static const char *const depth_names[CMUS_STAGES] = {"depth_1", "depth_2", "depth_3", "depth_4"};
    for (int stage = 0; stage < CMUS_STAGES; stage++)
        cells[n++] = (cell){depth_names[stage], NULL, b->config.net.depths[stage]};
    cells[n++] = (cell){"pairs", NULL, b->updates - EXCHANGE_WARM_UP};
    cells[n++] = (cell){"parameters", "parameters", (double)cmus_net_parameters(b->net)->size};
    cells[n++] = (cell){"images", "images an update", middle(b, b->sum, EXCHANGE_IMAGES, -1) / 2};
    cells[n++] = (cell){"waves", "waves an update", b->plan.waves};
    cells[n++] = (cell){"load", "load of the busiest rank / mean", b->plan.load};
    cells[n++] = (cell){"map_bytes", "bytes of maps from the busiest rank", b->plan.map_bytes};
    cells[n++] = (cell){"sum_bytes", "bytes of a sum from a rank", sum};
    cells[n++] = (cell){"spread_bytes", "bytes of a spread from a rank", spread};
    cells[n++] = (cell){"sent_bytes", "bytes sent in an update", middle(b, most, EXCHANGE_SENT, -1)};
    cells[n++] = (cell){"bucket_mb", NULL, b->config.bucket_mb};
    cells[n++] = (cell){"buckets", "buckets", (double)cmus_reducer_buckets(cmus_optimizer_reducer(b->optimizer))};
    cells[n++] = (cell){"with_seconds", "(a) with communication, s", middle(b, most, EXCHANGE_WITH, -1)};
    cells[n++] = (cell){"without_seconds", "(b) without, s", middle(b, most, EXCHANGE_WITHOUT, -1)};
    cells[n++] = (cell){"ratio", "(a) / (b), median of pairs", middle(b, most, EXCHANGE_WITH, EXCHANGE_WITHOUT)};
    cells[n++] = (cell){"forward_seconds", "forward in (b), s", middle(b, most, EXCHANGE_FORWARD, -1)};
    cells[n++] = (cell){"cases_seconds", "behind the encoders in (b), s", middle(b, most, EXCHANGE_CASES, -1)};
    cells[n++] = (cell){"backward_seconds", "backward in (b), s", middle(b, most, EXCHANGE_BACKWARD, -1)};
    cells[n++] = (cell){"optimizer_seconds", "optimizer in (b), s", middle(b, most, EXCHANGE_OPTIMIZER, -1)};
    cells[n++] = (cell){"waited_images", "waited for images, s", middle(b, most, EXCHANGE_WAITED_IMAGES, -1)};
    cells[n++] = (cell){"waited_maps", "waited for maps, s", middle(b, most, EXCHANGE_WAITED_MAPS, -1)};
    cells[n++] = (cell){"waited_gradients", "waited for gradients, s", middle(b, most, EXCHANGE_WAITED_GRADIENTS, -1)};
    cells[n++] = (cell){"waited_weights", "waited for weights, s", middle(b, most, EXCHANGE_WAITED_WEIGHTS, -1)};
    double exposed = middle(b, b->sum, EXCHANGE_EXPOSED, EXCHANGE_BUSY);
    cells[n++] = (cell){"busy_seconds", "reducer busy, s", middle(b, most, EXCHANGE_BUSY, -1)};
    cells[n++] = (cell){"hidden", "share of it hidden", b->communicator->ranks > 1 ? 1 - exposed : 0};
    cells[n++] = (cell){"rate", "bytes/s of a rank meanwhile", middle(b, b->sum, EXCHANGE_SENT, EXCHANGE_BUSY)};
    cells[n++] = (cell){"sum_alone_seconds", "a sum while nothing is computed, s", b->sum_alone};
    cells[n++] = (cell){"spread_alone_seconds", "a spread while nothing is computed, s", b->spread_alone};
    cells[n++] = (cell){"peak_bytes", "peak memory of the largest rank, bytes", b->peak};
    return n;
}

static cmus_status write_row(const char *path, const char *link, const cell *cells, int count) {
    FILE *file = fopen(path, "a");
    if (!file)
        return cmus_fail(CMUS_ERROR_IO, "%s: can't be written", path);
    if (fseek(file, 0, SEEK_END) == 0 && ftell(file) == 0) {
        fprintf(file, "link");
        for (int i = 0; i < count; i++)
            fprintf(file, ",%s", cells[i].name);
        fprintf(file, "\n");
    }
    fprintf(file, "%s", link);
    for (int i = 0; i < count; i++)
        fprintf(file, ",%.10g", cells[i].value);
    fprintf(file, "\n");
    bool bad = ferror(file);
    return fclose(file) != 0 || bad ? cmus_fail(CMUS_ERROR_IO, "%s: can't be written", path) : CMUS_OK;
}

cmus_status exchange_report(exchange_bench *b, const char *csv, const char *link) {
    char *machines = cmus_launch_description(b->communicator, b->threads);
    cmus_status status = CMUS_OK;
    if (b->communicator->rank == 0) {
        cell cells[CELLS];
        int count = list_cells(b, cells);
        printf("%s; link: %s\n", machines, link);
        printf("%d pairs of updates of %d cases; medians of the slowest rank, without the first %d pairs\n", b->updates,
               b->config.batch, EXCHANGE_WARM_UP);
        for (int i = 0; i < count; i++)
            if (cells[i].text)
                printf("%-40s %14.7g\n", cells[i].text, cells[i].value);
        if (csv)
            status = write_row(csv, link, cells, count);
    }
    cmus_free(machines);
    return cmus_agree(b->communicator, status);
}
