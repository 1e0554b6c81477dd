/* balance_bench: how evenly the images of random batches are shared out over ranks, against cases.
 *   balance_bench CONFIG [KEY=VALUE...]
 */
#include <stdio.h>
#include <string.h>

#include "cmus/augment.h"
#include "cmus/memory.h"
#include "cmus/program.h"
#include "cmus/random.h"
#include "cmus/wave.h"

enum { BATCHES = 1000, LARGEST_BATCH = 16, LARGEST_BAG = 10, MOST_IMAGES = LARGEST_BATCH * (LARGEST_BAG + 2) };
enum { MOST_RANKS = 16 };

/* A batch: what its images cost, and its cases. */
typedef struct drawn_batch {
    int images, cases;
    double image[MOST_IMAGES], whole_case[LARGEST_BATCH];
} drawn_batch;

/* The largest load over the mean, over all batches. */
typedef struct evenness {
    double mean, worst;
} evenness;

/* Bags of 1 to LARGEST_BAG TEM images, each as likely; stochastic depth as in training, or none. */
static void draw_batch(const cmus_net *net, int cases, int number, bool drops, drawn_batch *batch) {
    int blocks = cmus_net_blocks(net);
    double *probability = cmus_allocate((size_t)blocks, sizeof *probability);
    float *depth = cmus_allocate(2 * (size_t)blocks, sizeof *depth);
    for (int block = 0; block < blocks; block++)
        probability[block] = cmus_net_drop_probability(net, block);
    *batch = (drawn_batch){.cases = cases};
    for (int c = 0; c < cases; c++) {
        uint64_t ids[] = {(uint64_t)number, (uint64_t)c}, key = cmus_random_key(1, "bag", ids, 2);
        int images = 2 + 1 + (int)(cmus_uniform_at(key, 0) * LARGEST_BAG);
        for (int i = 0; i < images; i++) {
            cmus_draw_depth(&(cmus_image_key){.seed = 1, .case_hash = key, .image = i}, probability, blocks, depth);
            double cost = cmus_net_image_cost(net, drops ? depth : NULL);
            batch->image[batch->images++] = cost;
            batch->whole_case[c] += cost;
        }
    }
    cmus_free(probability);
    cmus_free(depth);
}

/* The largest load when these are shared out. */
static double largest_load(const double *cost, int count, int ranks) {
    double load[MOST_RANKS] = {0}, largest = 0;
    int rank_of[MOST_IMAGES];
    cmus_share_images(cost, count, ranks, load, rank_of);
    for (int rank = 0; rank < ranks; rank++)
        largest = load[rank] > largest ? load[rank] : largest;
    return largest;
}

static void add(evenness *e, double ratio) {
    e->mean += ratio / BATCHES;
    e->worst = ratio > e->worst ? ratio : e->worst;
}

static void print_row(const cmus_net *net, int ranks, int cases, bool drops) {
    evenness by_image = {0}, by_case = {0}, whole = {0};
    for (int number = 0; number < BATCHES; number++) {
        drawn_batch batch;
        draw_batch(net, cases, number, drops, &batch);
        double all = 0;
        for (int i = 0; i < batch.images; i++)
            all += batch.image[i];
        double mean = all / ranks, least = all / batch.images * ((batch.images + ranks - 1) / ranks);
        double largest = largest_load(batch.image, batch.images, ranks);
        add(&by_image, largest / mean);
        add(&whole, largest / (least > mean ? least : mean));
        add(&by_case, largest_load(batch.whole_case, cases, ranks) / mean);
    }
    printf("| %d | %d | %s | %.3f | %.3f | %.3f | %.3f | %.3f | %.3f |\n", ranks, cases, drops ? "drawn" : "equal",
           by_image.mean, by_image.worst, whole.mean, whole.worst, by_case.mean, by_case.worst);
}

static cmus_status run(const char *path, char **overrides, int count) {
    static const int rank_counts[] = {2, 4, 8, MOST_RANKS}, batches[] = {4, LARGEST_BATCH};
    cmus_config config;
    cmus_net *net;
    CMUS_TRY(cmus_config_read(path, (const char *const *)overrides, (size_t)count, &config));
    config.net.classes = 2; /* they do not change what an image costs */
    CMUS_TRY(cmus_net_create(&config.net, false, &net));
    printf("%d random batches of cases with 1 to %d TEM images. Largest load / mean load: mean and worst of the "
           "batches.\nWhole images: largest load / the larger of the mean load and ceil(images / ranks) average "
           "images.\n\n",
           BATCHES, LARGEST_BAG);
    printf("| ranks | cases | costs | by image | worst | whole images | worst | by case | worst |\n");
    printf("|---|---|---|---|---|---|---|---|---|\n");
    for (size_t b = 0; b < sizeof batches / sizeof batches[0]; b++)
        for (size_t r = 0; r < sizeof rank_counts / sizeof rank_counts[0]; r++)
            for (int drops = 0; drops < 2; drops++)
                print_row(net, rank_counts[r], batches[b], drops);
    cmus_net_free(net);
    return CMUS_OK;
}

int main(int argc, char **argv) {
    cmus_program_begin("balance_bench");
    if (argc < 2 || argv[1][0] == '-') {
        fprintf(stderr, "usage: balance_bench CONFIG [KEY=VALUE...]\n");
        return 2;
    }
    return cmus_program_end(run(argv[1], argv + 2, argc - 2));
}
