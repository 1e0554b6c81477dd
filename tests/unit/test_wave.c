/* Waves: every image once, each case with its owner, no more together than the memory holds, and even loads. */
#include <math.h>
#include <string.h>

#include "cmus/augment.h"
#include "cmus/batch.h"
#include "cmus/memory.h"
#include "cmus/random.h"
#include "cmus/wave.h"
#include "scratch_dataset.h"
#include "unit.h"

enum { CASES = 60, LARGEST_BAG = 10, SIDE = 32, MOST_RANKS = 40, MOST_TOGETHER = 16 };

static int bag_of(int case_index) {
    return 1 + (case_index * 7) % LARGEST_BAG; /* each size as often */
}

static scratch_dataset files = {.folder = "wave_scratch", .cases = CASES, .side = SIDE, .bag_of = bag_of};

typedef struct setting {
    cmus_config config;
    cmus_net *net;
    cmus_dataset *dataset;
} setting;

/* Images of which everything is kept that the memory holds: all, or a few. */
enum { ALL_IMAGES = 0, FEW_IMAGES = 6 };

/* The network with memory for so many images at once, found by bisection: less than for one is an error. */
static cmus_net *make_net(cmus_net_config *config, int at_once) {
    double low = 0, high = 0x1p36;
    cmus_net *net = NULL;
    for (int i = 0; i < 60; i++) {
        config->memory_bytes = at_once == ALL_IMAGES ? high : (low + high) / 2;
        int fits = cmus_net_create(config, true, &net) == CMUS_OK ? cmus_net_images_at_once(net) : 0;
        if (at_once == ALL_IMAGES || fits == at_once)
            return net;
        cmus_net_free(net);
        if (fits > at_once)
            high = config->memory_bytes;
        else
            low = config->memory_bytes;
    }
    CU_FAIL_FATAL("no memory holds so many images");
    return NULL;
}

static setting open_setting(int at_once, cmus_activations activations, double drop_path) {
    static const int depths[CMUS_STAGES] = {2, 2, 18, 2};
    setting s = {.net = NULL};
    cmus_config_defaults(&s.config);
    s.config.max_tem = LARGEST_BAG - 1; /* less than there are */
    cmus_net_config *net = &s.config.net;
    net->embed_dim = 8;
    net->image_size = SIDE;
    net->classes = 2;
    net->fusion_hidden = 8;
    net->drop_path = drop_path;
    net->activations = activations;
    for (int stage = 0; stage < CMUS_STAGES; stage++) {
        net->depths[stage] = depths[stage];
        net->heads[stage] = 1;
    }
    scratch_dataset_write(&files);
    CU_ASSERT_EQUAL_FATAL(cmus_dataset_open(files.folder, &s.dataset), CMUS_OK);
    s.net = make_net(net, at_once);
    return s;
}

static void close_setting(setting *s) {
    cmus_net_free(s->net);
    cmus_dataset_close(s->dataset);
    cmus_folder_remove(files.folder);
}

static void draw_cases(int *indices, int count, uint64_t number) {
    cmus_random random = cmus_random_begin(5, "batch", &number, 1);
    int all[CASES];
    for (int i = 0; i < CASES; i++)
        all[i] = i;
    cmus_random_shuffle(&random, all, CASES);
    memcpy(indices, all, (size_t)count * sizeof *indices);
}

/* The factors of an image, drawn here once more; NULL if nothing is drawn. */
static float *depth_of(const setting *s, const cmus_wave *wave, const cmus_wave_image *image) {
    if (wave->epoch < 0)
        return NULL;
    int blocks = cmus_net_blocks(s->net);
    double probability[32];
    float *depth = cmus_allocate(2 * (size_t)blocks, sizeof *depth);
    for (int block = 0; block < blocks; block++)
        probability[block] = cmus_net_drop_probability(s->net, block);
    cmus_image_key key = {.seed = s->config.seed,
                          .case_hash = cmus_hash_text(files.case_ids[wave->indices[image->position]]),
                          .epoch = wave->epoch,
                          .modality = image->modality,
                          .image = image->number};
    cmus_draw_depth(&key, probability, blocks, depth);
    return depth;
}

/* A rank's images of a wave are within its memory, and its pixels within theirs. */
static bool rank_has_room(const setting *s, const cmus_wave *wave, int rank) {
    cmus_image images[MOST_TOGETHER * (LARGEST_BAG + 2)];
    float *depths[MOST_TOGETHER * (LARGEST_BAG + 2)];
    int count = 0;
    for (int m = 0; m < CMUS_MODALITIES; m++)
        for (int i = 0; i < wave->first[wave->count]; i++)
            if (wave->images[i].rank == rank && wave->images[i].modality == (cmus_modality)m) {
                depths[count] = depth_of(s, wave, &wave->images[i]);
                images[count] = (cmus_image){.modality = (cmus_modality)m, .depth = depths[count]};
                count++;
            }
    bool room = wave->keep == CMUS_KEEP_NOTHING || cmus_net_fits(s->net, images, count, wave->keep);
    for (int i = 0; i < count; i++)
        cmus_free(depths[i]);
    return room && (wave->count == 1 || (size_t)count * 3 * SIDE * SIDE * sizeof(float) <= CMUS_WAVE_PIXEL_BYTES);
}

/* Each image of each case once, in its place, on a rank that there is. */
static void check_images(const setting *s, const cmus_wave *wave, int ranks) {
    int wrong = wave->first[0] != 0;
    for (int c = 0; c < wave->count; c++) {
        int bag = bag_of(wave->indices[c]) < s->config.max_tem ? bag_of(wave->indices[c]) : s->config.max_tem;
        CU_ASSERT_EQUAL_FATAL(wave->first[c + 1] - wave->first[c], bag + 2);
        for (int i = 0; i < bag + 2; i++) {
            const cmus_wave_image *image = &wave->images[wave->first[c] + i];
            cmus_modality modality = i < bag ? CMUS_TEM : i == bag ? CMUS_OM : CMUS_IM;
            wrong += image->position != c || image->modality != modality || image->number != (i < bag ? i : 0);
            wrong += image->rank < 0 || image->rank >= ranks;
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* The owner encodes the most of the case's images; of several such ranks it owns the fewest cases so far. */
static void check_owners(const cmus_wave *wave, int ranks, int *owned) {
    for (int c = 0; c < wave->count; c++) {
        int images_of[MOST_RANKS] = {0}, owner = wave->owner[c];
        CU_ASSERT_FATAL(owner >= 0 && owner < ranks);
        for (int i = wave->first[c]; i < wave->first[c + 1]; i++)
            images_of[wave->images[i].rank]++;
        for (int rank = 0; rank < ranks; rank++) {
            CU_ASSERT(images_of[rank] <= images_of[owner]);
            CU_ASSERT(images_of[rank] < images_of[owner] || owned[rank] >= owned[owner]);
        }
        owned[owner]++;
    }
}

/* What every plan must keep. Returns how many waves it has. */
static int check_plan(const setting *s, int ranks, const int *indices, int count, int epoch) {
    cmus_wave **waves;
    int planned = cmus_wave_plan(s->net, s->dataset, &s->config, ranks, indices, count, epoch, &waves);
    int at = 0, owned[MOST_RANKS] = {0};
    CU_ASSERT_FATAL(planned >= 1);
    for (int w = 0; w < planned; w++) {
        const cmus_wave *wave = waves[w];
        CU_ASSERT_EQUAL(wave->epoch, epoch);
        CU_ASSERT_EQUAL(wave->last, w == planned - 1);
        CU_ASSERT(wave->count > 0 || count == 0);
        CU_ASSERT_FATAL(at + wave->count <= count);
        CU_ASSERT(memcmp(wave->indices, indices + at, (size_t)wave->count * sizeof *indices) == 0);
        CU_ASSERT(cmus_net_may_keep(s->net, wave->keep));
        CU_ASSERT(epoch >= 0 || wave->keep == CMUS_KEEP_NOTHING);
        if (epoch >= 0 && wave->keep == CMUS_KEEP_NOTHING)
            CU_ASSERT(wave->count <= 1); /* computed in parts */
        check_images(s, wave, ranks);
        check_owners(wave, ranks, owned);
        for (int rank = 0; rank < ranks; rank++)
            CU_ASSERT(rank_has_room(s, wave, rank));
        at += wave->count;
    }
    CU_ASSERT_EQUAL(at, count);
    for (int w = 0; w < planned; w++)
        cmus_wave_free(waves[w]);
    cmus_free(waves);
    return planned;
}

static void plans_keep_their_rules(void) {
    static const int memory[] = {ALL_IMAGES, FEW_IMAGES};
    static const int rank_counts[] = {1, 2, 3, 8, MOST_RANKS}, counts[] = {0, 1, 4, MOST_TOGETHER};
    static const cmus_activations activations[] = {CMUS_ACTIVATIONS_AUTO, CMUS_ACTIVATIONS_STORE,
                                                   CMUS_ACTIVATIONS_RECOMPUTE};
    for (int m = 0; m < 2; m++)
        for (int a = 0; a < 3; a++) {
            setting s = open_setting(memory[m], activations[a], 0.5);
            for (int r = 0; r < 5; r++)
                for (int c = 0; c < 4; c++)
                    for (int epoch = -1; epoch < 2; epoch++) {
                        int indices[MOST_TOGETHER];
                        draw_cases(indices, counts[c], (uint64_t)(epoch + 2));
                        int planned = check_plan(&s, rank_counts[r], indices, counts[c], epoch);
                        if (m == 0 || epoch < 0 || counts[c] < 2)
                            CU_ASSERT_EQUAL(planned, 1);
                        if (m == 1 && epoch >= 0 && counts[c] == MOST_TOGETHER && rank_counts[r] <= 3)
                            CU_ASSERT(planned > 1);
                    }
            close_setting(&s);
        }
}

/* More memory or more ranks: fewer waves; with little, the kept maps alone make larger waves than all. */
static void waves_are_as_large_as_the_memory(void) {
    int indices[MOST_TOGETHER], by_memory[3], by_ranks[3];
    draw_cases(indices, MOST_TOGETHER, 1);
    for (int k = 0; k < 3; k++) {
        setting s = open_setting(FEW_IMAGES << k, CMUS_ACTIVATIONS_STORE, 0.5);
        by_memory[k] = check_plan(&s, 2, indices, MOST_TOGETHER, 0);
        close_setting(&s);
    }
    CU_ASSERT(by_memory[0] > by_memory[1] && by_memory[1] > by_memory[2]);
    setting s = open_setting(FEW_IMAGES, CMUS_ACTIVATIONS_STORE, 0.5);
    for (int k = 0; k < 3; k++)
        by_ranks[k] = check_plan(&s, 1 << (2 * k), indices, MOST_TOGETHER, 0);
    close_setting(&s);
    CU_ASSERT(by_ranks[0] > by_ranks[1] && by_ranks[1] > by_ranks[2]);
    s = open_setting(FEW_IMAGES, CMUS_ACTIVATIONS_RECOMPUTE, 0.5);
    CU_ASSERT(check_plan(&s, 4, indices, MOST_TOGETHER, 0) < by_ranks[1]);
    close_setting(&s);
}

static bool same_wave(const cmus_wave *a, const cmus_wave *b) {
    size_t count = (size_t)a->count;
    bool same = a->epoch == b->epoch && a->count == b->count && a->last == b->last && a->keep == b->keep &&
                memcmp(a->indices, b->indices, count * sizeof *a->indices) == 0 &&
                memcmp(a->owner, b->owner, count * sizeof *a->owner) == 0 &&
                memcmp(a->first, b->first, (count + 1) * sizeof *a->first) == 0;
    for (int i = 0; same && i < a->first[count]; i++)
        same = a->images[i].rank == b->images[i].rank && a->images[i].number == b->images[i].number;
    return same;
}

/* Ranks plan by themselves, each with a network and a data set of its own. */
static void every_rank_plans_the_same(void) {
    setting one = open_setting(FEW_IMAGES, CMUS_ACTIVATIONS_AUTO, 0.5);
    cmus_wave **first, **second;
    int indices[MOST_TOGETHER], other = 0;
    for (int epoch = 0; epoch < 3; epoch++) {
        draw_cases(indices, MOST_TOGETHER, 7);
        int count = cmus_wave_plan(one.net, one.dataset, &one.config, 3, indices, MOST_TOGETHER, epoch, &first);
        setting two = {.config = one.config};
        CU_ASSERT_EQUAL_FATAL(cmus_dataset_open(files.folder, &two.dataset), CMUS_OK);
        CU_ASSERT_EQUAL_FATAL(cmus_net_create(&two.config.net, true, &two.net), CMUS_OK);
        CU_ASSERT_EQUAL_FATAL(
            cmus_wave_plan(two.net, two.dataset, &two.config, 3, indices, MOST_TOGETHER, epoch, &second), count);
        for (int w = 0; w < count; w++)
            CU_ASSERT(same_wave(first[w], second[w]));
        for (int i = 0; i < first[0]->first[1]; i++) /* drawn costs: another epoch shares out otherwise */
            other += epoch > 0 && first[0]->images[i].rank != 0;
        for (int w = 0; w < count; w++) {
            cmus_wave_free(first[w]);
            cmus_wave_free(second[w]);
        }
        cmus_free(first);
        cmus_free(second);
        cmus_net_free(two.net);
        cmus_dataset_close(two.dataset);
    }
    CU_ASSERT(other > 0);
    close_setting(&one);
}

static void a_whole_wave_is_on_one_rank(void) {
    setting s = open_setting(FEW_IMAGES, CMUS_ACTIVATIONS_AUTO, 0.5);
    int indices[MOST_TOGETHER];
    for (int count = 0; count <= MOST_TOGETHER; count += MOST_TOGETHER)
        for (int epoch = -1; epoch < 1; epoch++) {
            draw_cases(indices, count, 3);
            cmus_wave *wave = cmus_wave_whole(s.net, s.dataset, &s.config, indices, count, epoch);
            CU_ASSERT(wave->count == count && wave->last && wave->epoch == epoch);
            check_images(&s, wave, 1);
            for (int c = 0; c < count; c++)
                CU_ASSERT(wave->owner[c] == 0 && wave->indices[c] == indices[c]);
            cmus_wave_free(wave);
        }
    close_setting(&s);
}

/* The loads of a batch over all its waves, and what they follow from, reckoned here. */
typedef struct loads {
    double most, sum, costliest;
    int images;
} loads;

static loads load_of(const setting *s, int ranks, const int *indices, int count, int epoch) {
    cmus_wave **waves;
    int planned = cmus_wave_plan(s->net, s->dataset, &s->config, ranks, indices, count, epoch, &waves);
    double load[MOST_RANKS] = {0}, own[MOST_RANKS] = {0};
    loads all = {0};
    for (int w = 0; w < planned; w++) {
        cmus_wave_loads(waves[w], s->net, s->dataset, &s->config, load);
        all.images += waves[w]->first[waves[w]->count];
        for (int i = 0; i < waves[w]->first[waves[w]->count]; i++) {
            float *depth = depth_of(s, waves[w], &waves[w]->images[i]);
            double cost = cmus_net_image_cost(s->net, depth);
            own[waves[w]->images[i].rank] += cost;
            all.costliest = cost > all.costliest ? cost : all.costliest;
            cmus_free(depth);
        }
        cmus_wave_free(waves[w]);
    }
    cmus_free(waves);
    for (int rank = 0; rank < ranks; rank++) {
        CU_ASSERT_DOUBLE_EQUAL(load[rank], own[rank], 1e-9 * own[rank]);
        all.sum += own[rank];
        all.most = own[rank] > all.most ? own[rank] : all.most;
    }
    return all;
}

/* 8 ranks, bags of 1 to 10 images: by image the largest load is near what whole images allow. */
static void loads_are_even(void) {
    enum { RANKS = 8, BATCHES = 150 };
    for (int drops = 0; drops < 2; drops++) {
        setting s = open_setting(ALL_IMAGES, CMUS_ACTIVATIONS_AUTO, drops ? 0.5 : 0);
        s.config.max_tem = LARGEST_BAG;
        double worst[2] = {0};
        for (int k = 0; k < 2; k++)
            for (int b = 0; b < BATCHES; b++) {
                int indices[MOST_TOGETHER], count = k ? MOST_TOGETHER : 4;
                draw_cases(indices, count, (uint64_t)b);
                loads l = load_of(&s, RANKS, indices, count, b);
                double mean = l.sum / RANKS, whole = ceil((double)l.images / RANKS) * l.sum / l.images;
                double ratio = l.most / (k || mean > whole ? mean : whole);
                worst[k] = ratio > worst[k] ? ratio : worst[k];
            }
        printf("%s costs: at worst %.3f of whole images at batch 4, %.3f of the mean at batch %d ",
               drops ? "drawn" : "equal", worst[0], worst[1], MOST_TOGETHER);
        CU_ASSERT(worst[0] <= 1.05);
        CU_ASSERT(worst[1] <= 1.1);
        close_setting(&s);
    }
}

/* Over several waves the loads are made even too: a wave begins with what the ranks have from those before. */
static void loads_are_even_over_waves(void) {
    setting s = open_setting(FEW_IMAGES, CMUS_ACTIVATIONS_AUTO, 0.5);
    for (int ranks = 2; ranks <= 8; ranks += 3)
        for (int b = 0; b < 20; b++) {
            int indices[MOST_TOGETHER];
            draw_cases(indices, MOST_TOGETHER, (uint64_t)b);
            loads l = load_of(&s, ranks, indices, MOST_TOGETHER, b);
            CU_ASSERT(l.most <= l.sum / ranks + l.costliest);
        }
    close_setting(&s);
}

int main(void) {
    static const unit_test tests[] = {
        {"plans keep their rules", plans_keep_their_rules},
        {"waves are as large as the memory", waves_are_as_large_as_the_memory},
        {"every rank plans the same", every_rank_plans_the_same},
        {"a whole wave is on one rank", a_whole_wave_is_on_one_rank},
        {"loads are even", loads_are_even},
        {"loads are even over waves", loads_are_even_over_waves},
    };
    return unit_main("wave", tests, sizeof tests / sizeof tests[0]);
}
