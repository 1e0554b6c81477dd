/* Prefetch: portions are the planned waves in their order, with what direct loading gives; errors come with their
 * portion; it ends early. */
#include <math.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/prefetch.h"
#include "scratch_dataset.h"
#include "unit.h"

enum { CASES = 24, MAX_TEM = 4, MOST_PORTIONS = 32 };

static int bag_of(int case_index) {
    return 1 + case_index % 6; /* some are larger than MAX_TEM */
}

static scratch_dataset files = {.folder = "prefetch_scratch", .cases = CASES, .bag_of = bag_of};

static void write_dataset(int side) {
    files.side = side;
    scratch_dataset_write(&files);
}

/* Flips a bit in the OM image of a case. */
static void damage(int case_index) {
    const char *path = scratch_dataset_shard(&files);
    uint8_t image[3 * 32 * 32];
    size_t number = 0, size;
    for (int i = 0; i < case_index; i++)
        number += 2 + (size_t)bag_of(i);
    scratch_dataset_image(&(int){32}, number, 3, image);
    char *bytes;
    CU_ASSERT_EQUAL_FATAL(cmus_file_read(path, 1 << 24, &bytes, &size), CMUS_OK);
    char *found = memmem(bytes, size, image, sizeof image);
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    found[100] ^= 1;
    CU_ASSERT_EQUAL_FATAL(cmus_file_write(path, bytes, size), CMUS_OK);
    cmus_free(bytes);
}

/* Memory for all images at once, and for a few. */
static const double MUCH = 0x1p30, LITTLE = 0x1.02p28;

/* What every test needs: the data set on the disk, opened, and a small network. */
typedef struct setting {
    cmus_config config;
    cmus_net *net;
    cmus_dataset *dataset;
} setting;

static setting open_setting(int side, double memory_bytes) {
    setting s = {.net = NULL};
    cmus_config_defaults(&s.config);
    s.config.max_tem = MAX_TEM;
    cmus_net_config *net = &s.config.net;
    net->embed_dim = 8;
    net->image_size = side;
    net->classes = 2;
    net->fusion_hidden = 8;
    net->drop_path = 0.5;
    for (int stage = 0; stage < CMUS_STAGES; stage++) {
        net->depths[stage] = 2;
        net->heads[stage] = 1;
    }
    net->memory_bytes = memory_bytes;
    CU_ASSERT_EQUAL_FATAL(cmus_dataset_open(files.folder, &s.dataset), CMUS_OK);
    CU_ASSERT_EQUAL_FATAL(cmus_net_create(net, false, &s.net), CMUS_OK);
    return s;
}

static void close_setting(setting *s) {
    cmus_net_free(s->net);
    cmus_dataset_close(s->dataset);
}

/* Groups as a trainer queues them: an update, another one, an evaluation of 20 cases, an update of the next epoch. */
typedef struct group {
    int first, count, epoch;
} group;
static const group groups[] = {{0, 3, 0}, {3, 1, 0}, {2, 20, -1}, {0, 3, 1}};
enum { GROUPS = sizeof groups / sizeof groups[0] };

static int order[CASES]; /* not that of the data set */

static void make_order(void) {
    for (int i = 0; i < CASES; i++)
        order[i] = (i * 7 + 5) % CASES;
}

static void add_groups(cmus_prefetch *prefetch) {
    for (int i = 0; i < GROUPS; i++)
        cmus_prefetch_add(prefetch, order + groups[i].first, groups[i].count, groups[i].epoch);
}

static bool same_floats(const float *a, const float *b, size_t count) {
    return a && b ? memcmp(a, b, count * sizeof *a) == 0 : a == b;
}

static bool same_wave(const cmus_wave *a, const cmus_wave *b) {
    if (a->epoch != b->epoch || a->count != b->count || a->last != b->last || a->keep != b->keep)
        return false;
    size_t count = (size_t)a->count;
    if (memcmp(a->indices, b->indices, count * sizeof *a->indices) != 0 ||
        memcmp(a->owner, b->owner, count * sizeof *a->owner) != 0 ||
        memcmp(a->first, b->first, (count + 1) * sizeof *a->first) != 0)
        return false;
    for (int i = 0; i < a->first[count]; i++) {
        const cmus_wave_image *x = &a->images[i], *y = &b->images[i];
        if (x->position != y->position || x->modality != y->modality || x->number != y->number || x->rank != y->rank)
            return false;
    }
    return true;
}

static bool same_images(const setting *s, const cmus_share *a, const cmus_share *b) {
    size_t pixels = 3 * (size_t)s->config.net.image_size * (size_t)s->config.net.image_size;
    size_t factors = 2 * (size_t)cmus_net_blocks(s->net);
    bool same = a->image_count == b->image_count;
    for (int i = 0; same && i < a->image_count; i++)
        same = a->places[i] == b->places[i] && a->images[i].modality == b->images[i].modality &&
               same_floats(a->images[i].pixels, b->images[i].pixels, pixels) &&
               same_floats(a->images[i].depth, b->images[i].depth, factors);
    return same;
}

static bool same_case(const setting *s, const cmus_case *a, const cmus_case *b) {
    size_t pixels = 3 * (size_t)s->config.net.image_size * (size_t)s->config.net.image_size;
    size_t factors = 2 * (size_t)cmus_net_blocks(s->net);
    bool same = a->tem_count == b->tem_count && a->label == b->label &&
                same_floats(a->dropout, b->dropout, (size_t)s->config.net.fusion_hidden);
    for (int m = 0; same && m < CMUS_MODALITIES; m++) { /* NULL where other ranks have images */
        size_t count = m == CMUS_TEM ? (size_t)a->tem_count : 1;
        same = same_floats(a->images[m], b->images[m], count * pixels) &&
               same_floats(a->depth[m], b->depth[m], count * factors);
    }
    return same;
}

/* What every portion of one rank should be: the waves that are planned, loaded directly. */
typedef struct expected {
    int count;
    cmus_wave *waves[MOST_PORTIONS];
    cmus_batch *batch[MOST_PORTIONS];
} expected;

static expected expect_groups(const setting *s, cmus_communicator communicator) {
    expected e = {0};
    for (int g = 0; g < GROUPS; g++) {
        cmus_wave **waves;
        int count = cmus_wave_plan(s->net, s->dataset, &s->config, communicator.ranks, order + groups[g].first,
                                   groups[g].count, groups[g].epoch, &waves);
        CU_ASSERT_FATAL(e.count + count <= MOST_PORTIONS);
        for (int i = 0; i < count; i++, e.count++) {
            e.waves[e.count] = waves[i];
            e.batch[e.count] = cmus_batch_create(s->net, s->dataset, &s->config);
            CU_ASSERT_EQUAL_FATAL(cmus_batch_load(e.batch[e.count], waves[i], communicator.rank), CMUS_OK);
        }
        cmus_free(waves);
    }
    return e;
}

static void free_expected(expected *e) {
    for (int n = 0; n < e->count; n++) {
        cmus_wave_free(e->waves[n]);
        cmus_batch_free(e->batch[n]);
    }
}

static void take_and_compare(cmus_prefetch *prefetch, const setting *s, const expected *e) {
    for (int n = 0; n < e->count; n++) {
        cmus_portion portion;
        CU_ASSERT_EQUAL_FATAL(cmus_prefetch_next(prefetch, &portion), CMUS_OK);
        CU_ASSERT_FATAL(same_wave(portion.wave, e->waves[n]));
        cmus_share share = cmus_batch_share(e->batch[n]);
        CU_ASSERT(same_images(s, &portion.share, &share));
        CU_ASSERT_EQUAL_FATAL(portion.share.case_count, share.case_count);
        for (int i = 0; i < share.case_count; i++) {
            CU_ASSERT_EQUAL(portion.share.positions[i], share.positions[i]);
            CU_ASSERT(same_case(s, &portion.share.cases[i], &share.cases[i]));
            const cmus_case_result *result = &portion.share.results[i];
            for (int k = 0; k < share.cases[i].tem_count; k++) { /* room for results, written while others load */
                result->tem_weight[k] = result->tem_distance[k] = NAN;
                result->tem_kept[k] = true;
            }
        }
    }
}

/* Portions of one rank; how many images and cases they were is added up. */
static int compare_rank(const setting *s, cmus_communicator communicator, int *images, int *cases) {
    expected e = expect_groups(s, communicator); /* before the thread begins: it alone may read then */
    cmus_prefetch *prefetch = cmus_prefetch_create(&communicator, s->net, s->dataset, &s->config);
    add_groups(prefetch);
    take_and_compare(prefetch, s, &e);
    CU_ASSERT(cmus_prefetch_waited(prefetch) > 0);
    add_groups(prefetch); /* after it was empty */
    take_and_compare(prefetch, s, &e);
    cmus_prefetch_free(prefetch);
    for (int n = 0; n < e.count; n++) {
        *images += cmus_batch_share(e.batch[n]).image_count;
        *cases += cmus_batch_share(e.batch[n]).case_count;
    }
    int portions = e.count;
    free_expected(&e);
    return portions;
}

static void portions_are_as_loaded_directly(void) {
    write_dataset(32);
    make_order();
    int all_images = 0, all_cases = 0;
    for (int little = 0; little < 2; little++) {
        setting s = open_setting(32, little ? LITTLE : MUCH);
        for (int g = 0; !little && g < GROUPS; g++) {
            all_cases += groups[g].count;
            for (int i = 0; i < groups[g].count; i++)
                all_images += cmus_case_images(s.dataset, &s.config, order[groups[g].first + i]);
        }
        for (int ranks = 1; ranks <= 3; ranks++) {
            int images = 0, cases = 0;
            for (int rank = 0; rank < ranks; rank++) {
                int portions = compare_rank(&s, (cmus_communicator){.rank = rank, .ranks = ranks}, &images, &cases);
                if (ranks == 1) /* groups in several waves, or one wave a group */
                    CU_ASSERT(little ? portions > GROUPS : portions == GROUPS);
            }
            CU_ASSERT_EQUAL(images, all_images);
            CU_ASSERT_EQUAL(cases, all_cases);
        }
        close_setting(&s);
    }
    cmus_folder_remove(files.folder);
}

/* The images of this data set are more pixels than a wave may have, with few ranks. */
static void large_images_make_small_waves(void) {
    enum { SIDE = 288 };
    static const int expected_portions[] = {2, 1}; /* 120 images, at most 67 at once on a rank */
    write_dataset(SIDE);
    make_order();
    setting s = open_setting(SIDE, 16 * MUCH);
    for (int ranks = 1; ranks <= 2; ranks++) {
        const cmus_communicator communicator = {.rank = 0, .ranks = ranks};
        cmus_prefetch *prefetch = cmus_prefetch_create(&communicator, s.net, s.dataset, &s.config);
        cmus_prefetch_add(prefetch, order, CASES, -1);
        int cases = 0, portions = 0;
        cmus_portion portion;
        do {
            CU_ASSERT_EQUAL_FATAL(cmus_prefetch_next(prefetch, &portion), CMUS_OK);
            for (int i = 0; i < portion.wave->count; i++)
                CU_ASSERT_EQUAL(portion.wave->indices[i], order[cases + i]);
            size_t images = (size_t)portion.share.image_count;
            CU_ASSERT(images * 3 * SIDE * SIDE * sizeof(float) <= CMUS_WAVE_PIXEL_BYTES);
            CU_ASSERT(portion.wave->count > 0);
            cases += portion.wave->count;
            portions++;
        } while (!portion.wave->last);
        CU_ASSERT_EQUAL(cases, CASES);
        CU_ASSERT_EQUAL(portions, expected_portions[ranks - 1]);
        cmus_prefetch_free(prefetch);
    }
    close_setting(&s);
    cmus_folder_remove(files.folder);
}

/* A group without cases, and more ranks than images: there is a portion all the same. */
static void idle_ranks_get_portions(void) {
    write_dataset(32);
    setting s = open_setting(32, MUCH);
    const cmus_communicator last = {.rank = 15, .ranks = 16};
    cmus_prefetch *prefetch = cmus_prefetch_create(&last, s.net, s.dataset, &s.config);
    cmus_prefetch_add(prefetch, NULL, 0, -1);
    cmus_prefetch_add(prefetch, (int[]){0}, 1, 0);
    for (int i = 0; i < 2; i++) {
        cmus_portion portion;
        CU_ASSERT_EQUAL_FATAL(cmus_prefetch_next(prefetch, &portion), CMUS_OK);
        CU_ASSERT(portion.wave->count == i && portion.wave->last);
        CU_ASSERT(portion.share.image_count == 0 && portion.share.case_count == 0);
    }
    cmus_prefetch_free(prefetch);
    close_setting(&s);
    cmus_folder_remove(files.folder);
}

static void errors_come_with_their_portion(void) {
    enum { BAD = 6 };
    static const int cases[] = {0, 3, BAD, 4, 5, BAD, 1}; /* good ones through both batches after a bad one */
    enum { COUNT = sizeof cases / sizeof cases[0] };
    char message[4096];
    write_dataset(32);
    damage(BAD);
    setting s = open_setting(32, MUCH);
    cmus_batch *batch = cmus_batch_create(s.net, s.dataset, &s.config);
    cmus_wave *wave = cmus_wave_whole(s.net, s.dataset, &s.config, &cases[2], 1, 0);
    CU_ASSERT_EQUAL(cmus_batch_load(batch, wave, 0), CMUS_ERROR_CHECKSUM);
    snprintf(message, sizeof message, "%s", cmus_last_error());
    CU_ASSERT_PTR_NOT_NULL(strstr(message, files.case_ids[BAD]));
    cmus_wave_free(wave);
    cmus_batch_free(batch);
    const cmus_communicator alone = {0, 1};
    cmus_prefetch *prefetch = cmus_prefetch_create(&alone, s.net, s.dataset, &s.config);
    for (int i = 0; i < COUNT; i++)
        cmus_prefetch_add(prefetch, &cases[i], 1, 0);
    for (int i = 0; i < COUNT; i++) {
        cmus_portion portion;
        cmus_fail(CMUS_ERROR_IO, "another message");
        cmus_status status = cmus_prefetch_next(prefetch, &portion);
        CU_ASSERT_EQUAL(status, cases[i] == BAD ? CMUS_ERROR_CHECKSUM : CMUS_OK);
        CU_ASSERT_STRING_EQUAL(cmus_last_error(), cases[i] == BAD ? message : "another message");
        CU_ASSERT_EQUAL(portion.wave->indices[0], cases[i]);
    }
    cmus_prefetch_free(prefetch);
    close_setting(&s);
    cmus_folder_remove(files.folder);
}

static void it_ends_at_any_time(void) {
    write_dataset(32);
    damage(6);
    make_order();
    setting s = open_setting(32, LITTLE);
    const cmus_communicator alone = {0, 1};
    cmus_prefetch_free(NULL);
    for (int taken = -1; taken < 5; taken++) { /* -1: nothing was queued */
        cmus_prefetch *prefetch = cmus_prefetch_create(&alone, s.net, s.dataset, &s.config);
        if (taken >= 0)
            add_groups(prefetch);
        cmus_portion portion;
        for (int i = 0; i < taken; i++)
            cmus_prefetch_next(prefetch, &portion);
        cmus_prefetch_free(prefetch);
    }
    close_setting(&s);
    cmus_folder_remove(files.folder);
}

int main(void) {
    static const unit_test tests[] = {
        {"portions are as loaded directly", portions_are_as_loaded_directly},
        {"large images make small waves", large_images_make_small_waves},
        {"idle ranks get portions", idle_ranks_get_portions},
        {"errors come with their portion", errors_come_with_their_portion},
        {"it ends at any time", it_ends_at_any_time},
    };
    return unit_main("prefetch", tests, sizeof tests / sizeof tests[0]);
}
