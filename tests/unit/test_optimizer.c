/* The optimizer under 1, 2, 3 and 4 ranks against Adam on one rank with the sum of all gradients. Every rank can draw
 * what every rank gave. */
#include <math.h>
#include <string.h>

#include "cmus/adam.h"
#include "cmus/exact_sum.h"
#include "cmus/memory.h"
#include "cmus/optimizer.h"
#include "cmus/random.h"
#include "trainer_internal.h"
#include "unit.h"

enum { STEPS = 3 };
static const double LR = 1e-3;

static cmus_communicator world;

typedef enum wire { FLOATS, BFLOATS, FIXED } wire;

/* A tiny network with its optimizer, and the weights and moments of the serial twin. */
typedef struct setup {
    cmus_config config;
    cmus_net *net;
    cmus_optimizer *optimizer;
    size_t size;
    float *weights, *gradient, *moments[CMUS_MOMENTS];
} setup;

static void make(setup *s, wire w, bool shard) {
    *s = (setup){.net = NULL};
    cmus_config_defaults(&s->config);
    s->config.shard_optimizer = shard;
    s->config.bucket_mb = 1;
    s->config.allreduce_precision = w == BFLOATS ? CMUS_PRECISION_BF16 : CMUS_PRECISION_FP32;
    cmus_net_config *net = &s->config.net;
    net->memory_bytes = 0x1p30;
    net->embed_dim = 12; /* two buckets of 1 MiB */
    net->image_size = 32;
    net->classes = 2;
    net->fusion_hidden = 8;
    net->exact_sums = w == FIXED;
    for (int stage = 0; stage < CMUS_STAGES; stage++) {
        net->depths[stage] = 1;
        net->heads[stage] = 1;
    }
    CU_ASSERT_EQUAL_FATAL(cmus_net_create(net, true, &s->net), CMUS_OK);
    s->size = cmus_net_parameters(s->net)->size;
    cmus_parameters_initialize(cmus_net_parameters(s->net), 1, cmus_net_weights(s->net));
    CU_ASSERT(s->size * sizeof(float) > (size_t)s->config.bucket_mb << 20);
    s->optimizer = cmus_optimizer_create(&world, s->net, &s->config);
    s->weights = cmus_allocate(s->size, sizeof(float));
    s->gradient = cmus_allocate(s->size, sizeof(float));
    for (int m = 0; m < CMUS_MOMENTS; m++)
        s->moments[m] = cmus_allocate(s->size, sizeof(float));
    memcpy(s->weights, cmus_net_weights(s->net), s->size * sizeof(float));
}

static void drop(setup *s) {
    cmus_optimizer_free(s->optimizer);
    cmus_net_free(s->net);
    cmus_free(s->weights);
    cmus_free(s->gradient);
    for (int m = 0; m < CMUS_MOMENTS; m++)
        cmus_free(s->moments[m]);
}

/* A gradient of rank `rank`; magnitudes over several powers of two, so that the order of a sum shows. */
static float given(int rank, int step, size_t i) {
    uint64_t bits = cmus_random_at((uint64_t)(1000 * step + rank + 1), i);
    return ((float)(bits & 0xffff) / 32768.0f - 1.0f) / (float)(1 << (bits >> 32 & 7));
}

static void give(const setup *s, int step) {
    float *gradient = cmus_net_gradient(s->net);
    for (size_t i = 0; i < s->size; i++)
        gradient[i] = given(world.rank, step, i);
    if (cmus_net_exact_sums(s->net))
        CU_ASSERT_TRUE(cmus_exact_add(cmus_net_exact_sums(s->net), gradient, s->size));
}

/* A sum, announced piece by piece as a backward pass does. */
static double sum(const setup *s, int step) {
    const cmus_passage *passage = cmus_optimizer_passage(s->optimizer);
    for (int part = 1; part <= 4 && step > 1; part++) /* weights arrive while the next pass reads them */
        passage->need(passage->context, s->size * (size_t)part / 4);
    give(s, step);
    cmus_optimizer_begin(s->optimizer);
    for (size_t part = 1; part < 9; part++)
        passage->ready(passage->context, s->size - s->size * part / 9);
    return cmus_optimizer_finish(s->optimizer);
}

/* The same by itself: the sum in the order of the ranks. Returns its sum of squares. */
static double serial_sum(const setup *s, int step) {
    for (size_t i = 0; i < s->size; i++) {
        s->gradient[i] = given(0, step, i);
        for (int rank = 1; rank < world.ranks; rank++)
            s->gradient[i] += given(rank, step, i);
    }
    double norm = cmus_norm(s->gradient, s->size);
    return norm * norm;
}

static void serial_step(const setup *s, int step) {
    cmus_adam adam = cmus_adam_published();
    adam.lr = LR;
    adam.weight_decay = s->config.weight_decay;
    cmus_adam_update(&adam, step, s->size, s->weights, s->gradient, s->moments[0], s->moments[1], s->moments[2]);
}

static bool all_zero(const setup *s) {
    size_t left = 0;
    for (size_t i = 0; i < s->size; i++)
        left +=
            cmus_net_gradient(s->net)[i] != 0 || (cmus_net_exact_sums(s->net) && cmus_net_exact_sums(s->net)[i] != 0);
    return left == 0;
}

static void run_steps(setup *s, double tolerance) {
    for (int step = 1; step <= STEPS; step++) {
        double expected = serial_sum(s, step);
        CU_ASSERT_DOUBLE_EQUAL(sum(s, step), expected, expected * (tolerance > 0 ? 0.02 : 1e-6));
        cmus_optimizer_step(s->optimizer, LR, step);
        cmus_optimizer_spread(s->optimizer);
        serial_step(s, step);
        CU_ASSERT(all_zero(s));
    }
    cmus_optimizer_settle(s->optimizer);
    double off = 0;
    for (size_t i = 0; i < s->size; i++)
        off = fmax(off, fabs((double)cmus_net_weights(s->net)[i] - (double)s->weights[i]));
    CU_ASSERT(off <= tolerance);
}

static void weights_are_those_of_one_rank(void) {
    for (int shard = 0; shard < 2; shard++) {
        setup s;
        make(&s, FLOATS, shard);
        run_steps(&s, 0); /* bit for bit */
        CU_ASSERT_EQUAL(memcmp(s.weights, cmus_net_weights(s.net), s.size * sizeof(float)), 0);
        drop(&s);
        make(&s, BFLOATS, shard);
        run_steps(&s, 2 * STEPS * LR); /* a step is LR at most, whose sign may turn where the sum is near 0 */
        double mean = 0;
        for (size_t i = 0; i < s.size; i++)
            mean += fabs((double)cmus_net_weights(s.net)[i] - (double)s.weights[i]) / (double)s.size;
        CU_ASSERT(mean < 0.02 * LR);
        CU_ASSERT(world.ranks == 1 || mean > 0); /* it was rounded */
        drop(&s);
        make(&s, FIXED, shard);
        run_steps(&s, 1e-3 * LR);
        drop(&s);
    }
}

/* What rank 0 gets and sets in odd ranges. */
typedef struct moments_test {
    const setup *s;
    size_t wrong;
    float factor;
} moments_test;

static cmus_status double_moments(const cmus_moments *moments, void *data) {
    moments_test *test = data;
    float values[1000];
    for (int m = 0; m < CMUS_MOMENTS; m++)
        for (size_t begin = 0, count; begin < test->s->size; begin += count) {
            count = test->s->size - begin < 1000 ? test->s->size - begin : 1000;
            moments->get(moments->context, m, begin, count, values);
            for (size_t i = 0; i < count; i++) {
                test->wrong += values[i] != test->factor * test->s->moments[m][begin + i];
                values[i] *= 2;
            }
            moments->set(moments->context, m, begin, count, values);
        }
    return test->factor > 1 ? cmus_fail(CMUS_ERROR_IO, "no space") : CMUS_OK;
}

static void moments_come_and_go(void) {
    for (int shard = 0; shard < 2; shard++) {
        setup s;
        make(&s, FLOATS, shard);
        run_steps(&s, 0);
        moments_test test = {.s = &s, .factor = 1};
        CU_ASSERT_EQUAL(cmus_optimizer_moments(s.optimizer, double_moments, &test), CMUS_OK);
        test.factor = 2;
        cmus_status failed = cmus_optimizer_moments(s.optimizer, double_moments, &test);
        CU_ASSERT_EQUAL(failed, world.rank == 0 ? CMUS_ERROR_IO : CMUS_OK);
        CU_ASSERT_EQUAL(test.wrong, 0);
        for (int m = 0; m < CMUS_MOMENTS; m++) /* what was set is what the next step uses */
            for (size_t i = 0; i < s.size; i++)
                s.moments[m][i] *= 4;
        serial_sum(&s, STEPS + 1);
        sum(&s, STEPS + 1);
        cmus_optimizer_step(s.optimizer, LR, STEPS + 1);
        cmus_optimizer_spread(s.optimizer);
        serial_step(&s, STEPS + 1);
        cmus_optimizer_settle(s.optimizer);
        CU_ASSERT_EQUAL(memcmp(s.weights, cmus_net_weights(s.net), s.size * sizeof(float)), 0);
        drop(&s);
    }
}

/* A case of images that are not numbers: exact sums find what they can't hold in the backward pass. */
static void backward_of_nothing(const setup *s) {
    static float pixels[3 * 32 * 32];
    for (size_t i = 0; i < sizeof pixels / sizeof pixels[0]; i++)
        pixels[i] = NAN;
    cmus_case one = {.images = {pixels, pixels, pixels}, .tem_count = 1};
    cmus_case_result result = {0};
    cmus_net_gradients(s->net, &one, 1, 1, &result);
}

/* A value that is no number, or too large for exact sums, on one rank: NaN on all, and nothing happens. */
static void bad_updates_are_skipped(void) {
    for (int w = 0; w < 3; w++)
        for (int shard = 0; shard < 2; shard++)
            for (int bad = 0; bad < world.ranks; bad++) {
                setup s;
                make(&s, (wire)w, shard);
                give(&s, 1);
                if (world.rank == bad && w == FIXED)
                    backward_of_nothing(&s);
                else if (world.rank == bad)
                    cmus_net_gradient(s.net)[s.size / 2] = bad % 2 ? INFINITY : NAN;
                cmus_optimizer_begin(s.optimizer);
                double squares = cmus_optimizer_finish(s.optimizer);
                CU_ASSERT(isnan(squares));
                cmus_optimizer_skip(s.optimizer);
                CU_ASSERT(all_zero(&s));
                CU_ASSERT_EQUAL(memcmp(s.weights, cmus_net_weights(s.net), s.size * sizeof(float)), 0);
                if (w == FLOATS && bad == 0)
                    run_steps(&s, 0); /* as if it had never been */
                drop(&s);
            }
}

/* One weight of one rank that is not the others': found on all ranks. */
static void different_weights_are_found(void) {
    setup s;
    make(&s, FLOATS, true);
    cmus_trainer trainer = {.communicator = &world, .net = s.net, .optimizer = s.optimizer};
    CU_ASSERT_EQUAL(cmus_trainer_compare_weights(&trainer, "the hash of the weights"), CMUS_OK);
    for (int rank = 1; rank < world.ranks; rank++) {
        if (world.rank == rank)
            cmus_net_weights(s.net)[s.size - 1] += 1e-6f;
        CU_ASSERT_EQUAL(cmus_trainer_compare_weights(&trainer, "the hash of the weights"), CMUS_ERROR_MISMATCH);
        char expected[64];
        snprintf(expected, sizeof expected, "the hash of the weights differs: rank %d on host ", rank);
        CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), expected));
        if (world.rank == rank)
            cmus_net_weights(s.net)[s.size - 1] = s.weights[s.size - 1];
    }
    drop(&s);
}

int main(int argc, char **argv) {
    static const unit_test tests[] = {
        {"weights are those of one rank", weights_are_those_of_one_rank},
        {"moments come and go", moments_come_and_go},
        {"bad updates are skipped", bad_updates_are_skipped},
        {"different weights are found", different_weights_are_found},
    };
    world = cmus_communicator_begin(&argc, &argv, "test_optimizer");
    int failed = unit_main("optimizer", tests, sizeof tests / sizeof tests[0]);
    cmus_communicator_end();
    return failed;
}
