/* Which images of a batch go through the network together, and where. */
#include <stdlib.h>
#include <string.h>

#include "cmus/augment.h"
#include "cmus/batch.h"
#include "cmus/memory.h"
#include "cmus/random.h"
#include "cmus/wave.h"

typedef struct costly_image {
    double cost;
    int number;
} costly_image;

static int compare_costs(const void *a, const void *b) {
    const costly_image *x = a, *y = b;
    if (x->cost != y->cost)
        return x->cost > y->cost ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

void cmus_share_images(const double *cost, int count, int ranks, double *load, int *rank_of) {
    costly_image *sorted = cmus_allocate((size_t)count, sizeof *sorted);
    for (int i = 0; i < count; i++)
        sorted[i] = (costly_image){cost[i], i};
    if (count > 0)
        qsort(sorted, (size_t)count, sizeof *sorted, compare_costs);
    for (int i = 0; i < count; i++) {
        int lightest = 0;
        for (int rank = 1; rank < ranks; rank++)
            if (load[rank] < load[lightest])
                lightest = rank;
        load[lightest] += sorted[i].cost;
        rank_of[sorted[i].number] = lightest;
    }
    cmus_free(sorted);
}

/* The batch on its way into waves. Images are numbered case after case: TEM, OM, IM. */
typedef struct planner {
    const cmus_net *net;
    const cmus_config *config;
    int ranks, count, epoch;
    const int *indices;
    int *first;              /* [count + 1]: first image of each case */
    cmus_wave_image *images; /* position: in the batch */
    float *depth;            /* [images][blocks][2]; NULL: nothing is drawn */
    double *cost;            /* [images] */
    double *load;            /* [ranks]: of the waves before */
    int *owned;              /* [ranks]: cases so far */
    int *rank_of;            /* [images]: of the wave that is tried */
    cmus_image *own;         /* [images]: of one rank */
} planner;

static const float *depth_of(const planner *p, int image) {
    return p->depth ? p->depth + (size_t)image * 2 * (size_t)cmus_net_blocks(p->net) : NULL;
}

static void list_images(planner *p, const cmus_dataset *dataset) {
    p->first = cmus_allocate((size_t)p->count + 1, sizeof *p->first);
    for (int c = 0; c < p->count; c++)
        p->first[c + 1] = p->first[c] + cmus_case_images(dataset, p->config, p->indices[c]);
    p->images = cmus_allocate((size_t)p->first[p->count], sizeof *p->images);
    for (int c = 0; c < p->count; c++) {
        int bag = p->first[c + 1] - p->first[c] - 2;
        for (int i = 0; i < bag + 2; i++)
            p->images[p->first[c] + i] = (cmus_wave_image){.position = c,
                                                           .modality = i < bag    ? CMUS_TEM
                                                                       : i == bag ? CMUS_OM
                                                                                  : CMUS_IM,
                                                           .number = i < bag ? i : 0};
    }
}

static void draw_costs(planner *p, const cmus_dataset *dataset) {
    size_t images = (size_t)p->first[p->count], blocks = (size_t)cmus_net_blocks(p->net);
    double *probability = cmus_allocate(blocks, sizeof *probability);
    for (size_t block = 0; block < blocks; block++)
        probability[block] = cmus_net_drop_probability(p->net, (int)block);
    if (p->epoch >= 0)
        p->depth = cmus_allocate(images * 2 * blocks, sizeof *p->depth);
    p->cost = cmus_allocate(images, sizeof *p->cost);
    for (size_t i = 0; i < images; i++) {
        const cmus_wave_image *image = &p->images[i];
        cmus_case_info info = cmus_dataset_case(dataset, p->indices[image->position]);
        cmus_image_key key = {.seed = p->config->seed,
                              .case_hash = cmus_hash_text(info.case_id),
                              .epoch = p->epoch,
                              .modality = image->modality,
                              .image = image->number};
        if (p->depth)
            cmus_draw_depth(&key, probability, (int)blocks, p->depth + i * 2 * blocks);
        p->cost[i] = cmus_net_image_cost(p->net, depth_of(p, (int)i));
    }
    cmus_free(probability);
}

static planner make_planner(const cmus_net *net, const cmus_dataset *dataset, const cmus_config *config, int ranks,
                            const int *indices, int count, int epoch) {
    planner p = {.net = net, .config = config, .ranks = ranks, .count = count, .epoch = epoch, .indices = indices};
    list_images(&p, dataset);
    draw_costs(&p, dataset);
    size_t images = (size_t)p.first[count];
    p.load = cmus_allocate((size_t)ranks, sizeof *p.load);
    p.owned = cmus_allocate((size_t)ranks, sizeof *p.owned);
    p.rank_of = cmus_allocate(images, sizeof *p.rank_of);
    p.own = cmus_allocate(images, sizeof *p.own);
    return p;
}

static void free_planner(planner *p) {
    cmus_free(p->first);
    cmus_free(p->images);
    cmus_free(p->depth);
    cmus_free(p->cost);
    cmus_free(p->load);
    cmus_free(p->owned);
    cmus_free(p->rank_of);
    cmus_free(p->own);
}

/* Gives the images of the cases [begin, end) to ranks; returns the loads of the ranks then, to be freed. */
static double *share(planner *p, int begin, int end) {
    double *load = cmus_allocate((size_t)p->ranks, sizeof *load);
    memcpy(load, p->load, (size_t)p->ranks * sizeof *load);
    cmus_share_images(p->cost + p->first[begin], p->first[end] - p->first[begin], p->ranks, load,
                      p->rank_of + p->first[begin]);
    return load;
}

/* A rank's images of the cases [begin, end) into p->own, sorted by modality; returns how many. */
static int list_own(const planner *p, int begin, int end, int rank) {
    int found = 0;
    for (int m = 0; m < CMUS_MODALITIES; m++)
        for (int i = p->first[begin]; i < p->first[end]; i++)
            if (p->rank_of[i] == rank && p->images[i].modality == (cmus_modality)m)
                p->own[found++] = (cmus_image){.modality = (cmus_modality)m, .depth = depth_of(p, i)};
    return found;
}

/* Whether every rank has room for its images of the cases [begin, end), as they were shared out. */
static bool fits(const planner *p, int begin, int end, cmus_keep keep) {
    size_t side = (size_t)p->config->net.image_size, each = 3 * side * side * sizeof(float);
    for (int rank = 0; rank < p->ranks; rank++) {
        int own = list_own(p, begin, end, rank);
        if (end - begin > 1 && (size_t)own * each > CMUS_WAVE_PIXEL_BYTES)
            return false;
        if (keep != CMUS_KEEP_NOTHING && !cmus_net_fits(p->net, p->own, own, keep))
            return false;
    }
    return true;
}

static bool fit_together(planner *p, int begin, int count, cmus_keep keep) {
    cmus_free(share(p, begin, begin + count));
    return fits(p, begin, begin + count, keep);
}

/* How many cases from `begin` on make a wave that keeps so much; 0: not even one. More cases need more memory, so it is
 * found by halving. */
static int cases_together(planner *p, int begin, cmus_keep keep) {
    int left = p->count - begin, most = left < CMUS_WAVE_CASES ? left : CMUS_WAVE_CASES, good = 0, bad = most + 1;
    for (int next = most; good + 1 < bad; next = good + (bad - good) / 2) /* all of them first */
        if (fit_together(p, begin, next, keep))
            good = next;
        else
            bad = next;
    return good;
}

/* The rank that encodes most of a case's images, as their maps need not travel; of several the one that owns the fewest
 * cases so far. */
static int choose_owner(const planner *p, int position, int *images_of) {
    memset(images_of, 0, (size_t)p->ranks * sizeof *images_of);
    for (int i = p->first[position]; i < p->first[position + 1]; i++)
        images_of[p->rank_of[i]]++;
    int best = 0;
    for (int rank = 1; rank < p->ranks; rank++)
        if (images_of[rank] > images_of[best] ||
            (images_of[rank] == images_of[best] && p->owned[rank] < p->owned[best]))
            best = rank;
    p->owned[best]++;
    return best;
}

static cmus_wave *make_wave(planner *p, int begin, int count, cmus_keep keep) {
    cmus_wave *wave = cmus_allocate(1, sizeof *wave);
    *wave = (cmus_wave){.epoch = p->epoch, .count = count, .last = begin + count == p->count, .keep = keep};
    int end = begin + count, first_image = p->first[begin], images = p->first[end] - first_image;
    double *load = share(p, begin, end);
    cmus_free(p->load);
    p->load = load;
    wave->indices = cmus_allocate((size_t)count, sizeof *wave->indices);
    wave->owner = cmus_allocate((size_t)count, sizeof *wave->owner);
    wave->first = cmus_allocate((size_t)count + 1, sizeof *wave->first);
    wave->images = cmus_allocate((size_t)images, sizeof *wave->images);
    int *images_of = cmus_allocate((size_t)p->ranks, sizeof *images_of);
    for (int c = 0; c < count; c++) {
        wave->indices[c] = p->indices[begin + c];
        wave->owner[c] = choose_owner(p, begin + c, images_of);
        wave->first[c + 1] = p->first[begin + c + 1] - first_image;
    }
    cmus_free(images_of);
    for (int i = 0; i < images; i++) {
        wave->images[i] = p->images[first_image + i];
        wave->images[i].position -= begin;
        wave->images[i].rank = p->rank_of[first_image + i];
    }
    return wave;
}

/* How many cases from `begin` on make the next wave, and what it keeps: as much as fits. */
static int next_wave(planner *p, int begin, cmus_keep *keep) {
    *keep = p->epoch >= 0 ? CMUS_KEEP_ALL : CMUS_KEEP_NOTHING;
    for (; *keep > CMUS_KEEP_NOTHING; --*keep) {
        int together = cmus_net_may_keep(p->net, *keep) ? cases_together(p, begin, *keep) : 0;
        if (together > 0)
            return together;
    }
    if (p->count == 0)
        return 0;
    return p->epoch >= 0 ? 1 : cases_together(p, begin, CMUS_KEEP_NOTHING); /* a single case always goes */
}

int cmus_wave_plan(const cmus_net *net, const cmus_dataset *dataset, const cmus_config *config, int ranks,
                   const int *indices, int count, int epoch, cmus_wave ***waves) {
    planner p = make_planner(net, dataset, config, ranks, indices, count, epoch);
    int begin = 0, planned = 0;
    size_t room = 0;
    *waves = NULL;
    do {
        cmus_keep keep;
        int together = next_wave(&p, begin, &keep);
        *waves = cmus_grow(*waves, &room, (size_t)planned + 1, sizeof **waves);
        (*waves)[planned++] = make_wave(&p, begin, together, keep);
        begin += together;
    } while (begin < count);
    free_planner(&p);
    return planned;
}

cmus_wave *cmus_wave_whole(const cmus_net *net, const cmus_dataset *dataset, const cmus_config *config,
                           const int *indices, int count, int epoch) {
    planner p = make_planner(net, dataset, config, 1, indices, count, epoch);
    cmus_wave *wave = make_wave(&p, 0, count, CMUS_KEEP_NOTHING);
    free_planner(&p);
    return wave;
}

void cmus_wave_free(cmus_wave *wave) {
    if (!wave)
        return;
    cmus_free(wave->indices);
    cmus_free(wave->owner);
    cmus_free(wave->first);
    cmus_free(wave->images);
    cmus_free(wave);
}

void cmus_wave_loads(const cmus_wave *wave, const cmus_net *net, const cmus_dataset *dataset, const cmus_config *config,
                     double *load) {
    planner p = make_planner(net, dataset, config, 1, wave->indices, wave->count, wave->epoch);
    for (int i = 0; i < wave->first[wave->count]; i++)
        load[wave->images[i].rank] += p.cost[i];
    free_planner(&p);
}
