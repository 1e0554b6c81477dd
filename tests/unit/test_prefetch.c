/* Prefetch: portions come in their order with what direct loading gives; errors come with their portion; it ends early.
 */
#include <math.h>
#include <string.h>

#include "cmus/dataset_index.h"
#include "cmus/memory.h"
#include "cmus/prefetch.h"
#include "shard_writer.h"
#include "unit.h"

enum { CASES = 24, MAX_TEM = 4, MOST_PORTIONS = 8 };
static const char folder[] = "prefetch_scratch";
static const char *const classes[2] = {"A", "B"};
static char case_ids[CASES][8];

static int bag_of(int case_index) {
    return 1 + case_index % 6; /* some are larger than MAX_TEM */
}

/* Each image has bytes of its own, so that it can be told apart in the file. */
static cmus_status give_image(void *data, size_t number, int channels, uint8_t *pixels) {
    int side = *(const int *)data;
    for (int i = 0; i < side * side * channels; i++)
        pixels[i] = (uint8_t)((number + 1) * 37 + (size_t)i * (3 + number % 50) + (size_t)i / 251);
    return CMUS_OK;
}

static void write_dataset(int side) {
    int64_t tem_offset[CASES + 1] = {0};
    int32_t label[CASES];
    const char *ids[CASES], *source[CASES * 8];
    for (int i = 0; i < CASES; i++) {
        tem_offset[i + 1] = tem_offset[i] + bag_of(i);
        label[i] = i % 2;
        snprintf(case_ids[i], sizeof case_ids[i], "%s/p%d", classes[i % 2], i);
        ids[i] = case_ids[i];
    }
    int images = 2 * CASES + (int)tem_offset[CASES];
    for (int i = 0; i < images; i++)
        source[i] = "0  file";
    cmus_folder_remove(folder);
    CU_ASSERT_EQUAL_FATAL(cmus_folder_make(folder), CMUS_OK);
    cmus_shard_entry entry = {.file = "shard-00000.h5", .cases = CASES};
    cmus_shard_content content = {side, classes, 2, CASES, tem_offset, label, ids, ids, source, 3, give_image, &side};
    CU_ASSERT_EQUAL_FATAL(cmus_shard_write("prefetch_scratch/shard-00000.h5", &content, entry.sha256), CMUS_OK);
    cmus_dataset_index index = {.tool_version = "1",
                                .image_size = side,
                                .class_count = 2,
                                .classes = (char **)classes,
                                .cases = CASES,
                                .patients = CASES,
                                .images = images,
                                .options = "{}",
                                .shard_count = 1,
                                .shards = &entry};
    CU_ASSERT_EQUAL_FATAL(cmus_dataset_index_write(folder, &index), CMUS_OK);
}

/* Flips a bit in the OM image of a case. */
static void damage(int case_index) {
    static const char path[] = "prefetch_scratch/shard-00000.h5";
    uint8_t image[3 * 32 * 32];
    size_t number = 0, size;
    for (int i = 0; i < case_index; i++)
        number += 2 + (size_t)bag_of(i);
    give_image(&(int){32}, number, 3, image);
    char *bytes;
    CU_ASSERT_EQUAL_FATAL(cmus_file_read(path, 1 << 24, &bytes, &size), CMUS_OK);
    char *found = memmem(bytes, size, image, sizeof image);
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    found[100] ^= 1;
    CU_ASSERT_EQUAL_FATAL(cmus_file_write(path, bytes, size), CMUS_OK);
    cmus_free(bytes);
}

/* What every test needs: the data set on the disk, opened, and a small network. */
typedef struct setting {
    cmus_config config;
    cmus_net *net;
    cmus_dataset *dataset;
} setting;

static setting open_setting(int side) {
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
    net->memory_bytes = 0x1p30;
    CU_ASSERT_EQUAL_FATAL(cmus_dataset_open(folder, &s.dataset), CMUS_OK);
    CU_ASSERT_EQUAL_FATAL(cmus_net_create(net, false, &s.net), CMUS_OK);
    return s;
}

static void close_setting(setting *s) {
    cmus_net_free(s->net);
    cmus_dataset_close(s->dataset);
    cmus_folder_remove(folder);
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

static bool same_case(const setting *s, const cmus_case *a, const cmus_case *b) {
    size_t pixels = 3 * (size_t)s->config.net.image_size * (size_t)s->config.net.image_size;
    size_t factors = 2 * (size_t)cmus_net_blocks(s->net);
    bool same = a->tem_count == b->tem_count && a->label == b->label &&
                same_floats(a->dropout, b->dropout, (size_t)s->config.net.fusion_hidden);
    for (int m = 0; same && m < CMUS_MODALITIES; m++) {
        size_t count = m == CMUS_TEM ? (size_t)a->tem_count : 1;
        same = same_floats(a->images[m], b->images[m], count * pixels) &&
               same_floats(a->depth[m], b->depth[m], count * factors);
    }
    return same;
}

/* What every portion of one rank should be, loaded directly. */
typedef struct expected {
    int count, cases[MOST_PORTIONS], indices[MOST_PORTIONS][CASES];
    bool last[MOST_PORTIONS];
    cmus_batch *batch[MOST_PORTIONS];
} expected;

static void expect_portion(expected *e, const setting *s, const int *indices, int count, int epoch, bool last) {
    int n = e->count++;
    CU_ASSERT_FATAL(n < MOST_PORTIONS);
    memcpy(e->indices[n], indices, (size_t)count * sizeof(int));
    e->cases[n] = count;
    e->last[n] = last;
    e->batch[n] = cmus_batch_create(s->net, s->dataset, &s->config);
    CU_ASSERT_EQUAL_FATAL(cmus_batch_load(e->batch[n], indices, count, epoch), CMUS_OK);
}

static expected expect_groups(const setting *s, cmus_communicator communicator) {
    expected e = {0};
    for (int g = 0; g < GROUPS; g++) {
        int own[CASES], own_count = 0, rank_of[CASES];
        cmus_batch_share(s->dataset, &s->config, order + groups[g].first, groups[g].count, communicator.ranks, rank_of);
        for (int i = 0; i < groups[g].count; i++)
            if (rank_of[i] == communicator.rank)
                own[own_count++] = order[groups[g].first + i];
        int first = own_count < CMUS_CASES_AT_ONCE ? own_count : CMUS_CASES_AT_ONCE;
        expect_portion(&e, s, own, first, groups[g].epoch, first == own_count);
        if (own_count > first)
            expect_portion(&e, s, own + first, own_count - first, groups[g].epoch, true);
    }
    return e;
}

static void take_and_compare(cmus_prefetch *prefetch, const setting *s, const expected *e) {
    for (int n = 0; n < e->count; n++) {
        cmus_portion portion;
        CU_ASSERT_EQUAL_FATAL(cmus_prefetch_next(prefetch, &portion), CMUS_OK);
        CU_ASSERT_EQUAL_FATAL(portion.count, e->cases[n]);
        CU_ASSERT_EQUAL(portion.last, e->last[n]);
        CU_ASSERT_EQUAL(memcmp(portion.indices, e->indices[n], (size_t)portion.count * sizeof(int)), 0);
        for (int i = 0; i < portion.count; i++) {
            CU_ASSERT_TRUE(same_case(s, &portion.cases[i], &cmus_batch_cases(e->batch[n])[i]));
            for (int k = 0; k < portion.cases[i].tem_count; k++) { /* room for results, written while others load */
                portion.results[i].tem_weight[k] = portion.results[i].tem_distance[k] = NAN;
                portion.results[i].tem_kept[k] = true;
            }
        }
    }
}

static void portions_are_as_loaded_directly(void) {
    static const cmus_communicator ranks[] = {{0, 1}, {0, 2}, {1, 2}, {2, 3}};
    static const int portions[] = {5, 4, 4, 4}; /* 20 cases on one rank are 16 + 4 */
    write_dataset(32);
    make_order();
    setting s = open_setting(32);
    for (size_t r = 0; r < sizeof ranks / sizeof ranks[0]; r++) {
        expected e = expect_groups(&s, ranks[r]); /* before the thread begins: it alone may read then */
        CU_ASSERT_EQUAL(e.count, portions[r]);
        cmus_prefetch *prefetch = cmus_prefetch_create(&ranks[r], s.net, s.dataset, &s.config);
        add_groups(prefetch);
        take_and_compare(prefetch, &s, &e);
        CU_ASSERT(cmus_prefetch_waited(prefetch) > 0);
        add_groups(prefetch); /* after it was empty */
        take_and_compare(prefetch, &s, &e);
        cmus_prefetch_free(prefetch);
        for (int n = 0; n < e.count; n++)
            cmus_batch_free(e.batch[n]);
    }
    close_setting(&s);
}

/* 16 cases of this data set have more pixels than a portion may have. */
static void large_images_make_small_portions(void) {
    enum { SIDE = 288 };
    write_dataset(SIDE);
    make_order();
    setting s = open_setting(SIDE);
    const cmus_communicator alone = {0, 1};
    cmus_prefetch *prefetch = cmus_prefetch_create(&alone, s.net, s.dataset, &s.config);
    cmus_prefetch_add(prefetch, order, CASES, 0);
    int cases = 0, portions = 0;
    cmus_portion portion;
    do {
        CU_ASSERT_EQUAL_FATAL(cmus_prefetch_next(prefetch, &portion), CMUS_OK);
        size_t images = 0;
        for (int i = 0; i < portion.count; i++) {
            CU_ASSERT_EQUAL(portion.indices[i], order[cases + i]);
            images += 2 + (size_t)portion.cases[i].tem_count;
        }
        CU_ASSERT(images * 3 * SIDE * SIDE * sizeof(float) <= CMUS_PIXEL_BYTES_AT_ONCE);
        CU_ASSERT(portion.count > 0 && portion.count < CMUS_CASES_AT_ONCE);
        cases += portion.count;
        portions++;
    } while (!portion.last);
    CU_ASSERT_EQUAL(cases, CASES);
    CU_ASSERT_EQUAL(portions, 2); /* 120 images, at most 67 at once */
    cmus_prefetch_free(prefetch);
    close_setting(&s);
}

static void errors_come_with_their_portion(void) {
    enum { BAD = 6 };
    static const int cases[] = {0, 3, BAD, 4, 5, BAD, 1}; /* good ones through both batches after a bad one */
    enum { COUNT = sizeof cases / sizeof cases[0] };
    char message[4096];
    write_dataset(32);
    damage(BAD);
    setting s = open_setting(32);
    cmus_batch *batch = cmus_batch_create(s.net, s.dataset, &s.config);
    CU_ASSERT_EQUAL(cmus_batch_load(batch, &cases[2], 1, 0), CMUS_ERROR_CHECKSUM);
    snprintf(message, sizeof message, "%s", cmus_last_error());
    CU_ASSERT_PTR_NOT_NULL(strstr(message, case_ids[BAD]));
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
        CU_ASSERT_EQUAL(portion.indices[0], cases[i]);
    }
    cmus_prefetch_free(prefetch);
    close_setting(&s);
}

static void it_ends_at_any_time(void) {
    write_dataset(32);
    damage(6);
    make_order();
    setting s = open_setting(32);
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
}

int main(void) {
    static const unit_test tests[] = {
        {"portions are as loaded directly", portions_are_as_loaded_directly},
        {"large images make small portions", large_images_make_small_portions},
        {"errors come with their portion", errors_come_with_their_portion},
        {"it ends at any time", it_ends_at_any_time},
    };
    return unit_main("prefetch", tests, sizeof tests / sizeof tests[0]);
}
