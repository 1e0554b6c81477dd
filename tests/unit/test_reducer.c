/* The reducer under 1, 2, 3 and 4 ranks: every rank can compute what every rank gave, so each sum is held against the
 * sum in the order of the ranks, bit for bit. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/random.h"
#include "cmus/reducer.h"
#include "cmus/trace.h"
#include "unit.h"

enum { LARGE = 100003 };

static cmus_communicator world;

/* What a rank gives in a step: magnitudes over many powers of two, so that the order of a sum shows in its bits. */
static float given(int rank, int step, size_t index) {
    uint64_t bits = cmus_random_at((uint64_t)(1000 * step + rank), index);
    return ((float)(bits & 0xffffff) / 8388608.0f - 1.0f) / (float)(1 << (bits >> 32 & 15));
}

static int64_t given_integer(int rank, int step, size_t index) {
    return (int64_t)cmus_random_at((uint64_t)(1000 * step + rank), index) >> 8;
}

/* To bfloat16 and back, by arithmetic: 8 bits of mantissa, to nearest, ties to even (the mode of rintf). */
static float rounded(float value) {
    int exponent;
    float mantissa = frexpf(value, &exponent);
    return ldexpf(rintf(ldexpf(mantissa, 8)), exponent - 8);
}

static float expected_float(const cmus_reducer_options *options, int step, size_t index) {
    bool narrow = options->wire == CMUS_WIRE_BFLOAT16 && world.ranks > 1;
    float sum = 0;
    for (int rank = 0; rank < world.ranks; rank++) {
        float value = given(rank, step, index), part = narrow ? rounded(value) : value;
        sum = rank == 0 ? part : sum + part;
    }
    return narrow && !options->shard ? rounded(sum) : sum;
}

/* This rank's values [begin, end) of a step. */
static void fill(const cmus_reducer_options *options, int step, void *values, size_t begin, size_t end) {
    for (size_t i = begin; i < end; i++) {
        if (options->wire == CMUS_WIRE_INTEGER64)
            ((int64_t *)values)[i] = given_integer(world.rank, step, i);
        else
            ((float *)values)[i] = given(world.rank, step, i);
    }
}

/* Values of this rank's pieces that are not the sum. */
static size_t wrong_sums(const cmus_reducer *reducer, const cmus_reducer_options *options, int step,
                         const void *values) {
    size_t count, wrong = 0;
    const cmus_piece *pieces = cmus_reducer_pieces(reducer, &count);
    for (size_t piece = 0; piece < count; piece++) {
        for (size_t i = pieces[piece].begin; i < pieces[piece].begin + pieces[piece].count; i++) {
            if (options->wire == CMUS_WIRE_INTEGER64) {
                int64_t sum = 0;
                for (int rank = 0; rank < world.ranks; rank++)
                    sum += given_integer(rank, step, i);
                wrong += ((const int64_t *)values)[i] != sum;
            } else {
                float sum = expected_float(options, step, i);
                wrong += memcmp((const float *)values + i, &sum, sizeof sum) != 0;
            }
        }
    }
    return wrong;
}

static void *new_values(const cmus_reducer_options *options) {
    return cmus_allocate(options->size, sizeof(int64_t)); /* enough for each wire */
}

static void pause_for(double seconds) {
    nanosleep(&(struct timespec){.tv_nsec = (long)(seconds * 1e9)}, NULL);
}

/* The sum of a step, whose values are written just before they are ready, in `parts` parts; the ranks dawdle between
 * them if `delay`, each in its own way. */
static void sum_in_parts(cmus_reducer *reducer, const cmus_reducer_options *options, int step, void *values,
                         size_t parts, double delay) {
    cmus_random random = cmus_random_begin((uint64_t)world.rank, "delay", NULL, 0);
    size_t ready = options->size;
    memset(values, 0xff, options->size * sizeof(int64_t));
    cmus_reducer_begin(reducer, values);
    for (size_t part = 1; part <= parts; part++) {
        size_t from = options->size - options->size * part / parts;
        if (delay > 0)
            pause_for(delay * cmus_random_uniform(&random));
        fill(options, step, values, from, ready);
        ready = from;
        if (part < parts)
            cmus_reducer_ready(reducer, from);
    }
    cmus_reducer_finish(reducer);
}

/* All but the first value of a bucket is ready for a while: the bucket must not go. */
static void nothing_goes_before_it_is_ready(void) {
    cmus_reducer_options options = {1000, 160 * sizeof(float), CMUS_WIRE_FLOAT32, false};
    cmus_reducer *reducer = cmus_reducer_create(&world, &options);
    float *values = cmus_allocate(options.size, sizeof *values);
    fill(&options, 0, values, 849, options.size);
    values[848] = 1e9f;
    cmus_reducer_begin(reducer, values);
    cmus_reducer_ready(reducer, 849);
    pause_for(0.05);
    fill(&options, 0, values, 0, 849);
    cmus_reducer_finish(reducer);
    CU_ASSERT_EQUAL(wrong_sums(reducer, &options, 0, values), 0);
    cmus_reducer_free(reducer);
    cmus_free(values);
}

static const cmus_wire wires[] = {CMUS_WIRE_FLOAT32, CMUS_WIRE_BFLOAT16, CMUS_WIRE_INTEGER64};

static void check_sum(const cmus_reducer_options *options) {
    cmus_reducer *reducer = cmus_reducer_create(&world, options);
    void *values = new_values(options);
    static const size_t parts[] = {1, 7, 100};
    for (int i = 0; i < 3; i++) {
        sum_in_parts(reducer, options, i, values, parts[i], 0);
        CU_ASSERT_EQUAL(wrong_sums(reducer, options, i, values), 0);
    }
    cmus_reducer_free(reducer);
    cmus_free(values);
}

static void sums_are_those_in_the_order_of_ranks(void) {
    static const size_t sizes[] = {0, 1, 15, 17, 64, 1000, LARGE}, buckets[] = {0, 64, 1000, 40000, 1u << 20};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (size_t b = sizes[s] == LARGE ? 2 : 0; b < sizeof buckets / sizeof buckets[0]; b++)
            for (size_t w = 0; w < 3; w++)
                for (int shard = 0; shard < 2; shard++)
                    check_sum(&(cmus_reducer_options){sizes[s], buckets[b], wires[w], shard});
}

static float from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void special_values_go_through(void) {
    float values[] = {0.0f,   -0.0f,   INFINITY,    -INFINITY,  from_bits(0x7fffffff), from_bits(0xff800001),
                      1e-45f, 3.4e38f, 1.00390625f, 1.01171875f};
    enum { COUNT = sizeof values / sizeof values[0] };
    cmus_reducer_options options = {COUNT, 64, CMUS_WIRE_BFLOAT16, false};
    cmus_reducer *reducer = cmus_reducer_create(&world, &options);
    for (int i = 0; i < COUNT && world.rank > 0; i++)
        values[i] = -0.0f;
    cmus_reducer_begin(reducer, values);
    cmus_reducer_finish(reducer);
    CU_ASSERT(values[0] == 0 && !signbit(values[0]));
    CU_ASSERT(values[1] == 0 && signbit(values[1]));
    CU_ASSERT(values[2] == INFINITY && values[3] == -INFINITY);
    CU_ASSERT(isnan(values[4]) && isnan(values[5]));
    if (world.ranks > 1) {
        CU_ASSERT_EQUAL(values[6], 0);
        CU_ASSERT_EQUAL(values[7], INFINITY);
        CU_ASSERT_EQUAL(values[8], 1.0f);      /* a tie, down to even */
        CU_ASSERT_EQUAL(values[9], 1.015625f); /* a tie, up to even */
    }
    cmus_reducer_free(reducer);
}

/* Marks in the pieces of all ranks: each value has one owner, in rising order. */
static void pieces_make_up_the_buffer(void) {
    for (size_t size = 0; size < 300; size += 13) {
        cmus_reducer_options options = {size, 400, CMUS_WIRE_FLOAT32, true};
        cmus_reducer *reducer = cmus_reducer_create(&world, &options);
        size_t count, at = 0;
        const cmus_piece *pieces = cmus_reducer_pieces(reducer, &count);
        double owners[300] = {0};
        for (size_t piece = 0; piece < count; piece++) {
            CU_ASSERT(pieces[piece].begin >= at);
            at = pieces[piece].begin + pieces[piece].count;
            for (size_t i = pieces[piece].begin; i < at; i++)
                owners[i]++;
        }
        CU_ASSERT(at <= size);
        cmus_sum_doubles(&world, owners, size);
        size_t wrong = 0;
        for (size_t i = 0; i < size; i++)
            wrong += owners[i] != 1;
        CU_ASSERT_EQUAL(wrong, 0);
        CU_ASSERT_EQUAL(cmus_reducer_buckets(reducer), (((size + 15) / 16) * 16 + 95) / 96);
        cmus_reducer_free(reducer);
    }
    cmus_reducer_options options = {5000, 1000, CMUS_WIRE_FLOAT32, false};
    cmus_reducer *reducer = cmus_reducer_create(&world, &options);
    size_t count;
    const cmus_piece *pieces = cmus_reducer_pieces(reducer, &count);
    CU_ASSERT(count == 1 && pieces[0].begin == 0 && pieces[0].count == 5000);
    cmus_reducer_free(reducer);
}

static void same_bits_in_every_run(void) {
    cmus_reducer_options options = {LARGE, 30000, CMUS_WIRE_FLOAT32, false};
    float *first = new_values(&options), *second = new_values(&options);
    cmus_reducer *reducer = cmus_reducer_create(&world, &options);
    sum_in_parts(reducer, &options, 5, first, 20, 1e-3);
    cmus_reducer_free(reducer);
    options.bucket_bytes = 7000; /* nor do the buckets matter */
    reducer = cmus_reducer_create(&world, &options);
    sum_in_parts(reducer, &options, 5, second, 1, 0);
    cmus_reducer_free(reducer);
    CU_ASSERT_EQUAL(memcmp(first, second, LARGE * sizeof(float)), 0);
    cmus_free(first);
    cmus_free(second);
}

static float weight(int step, size_t index) {
    return (float)(index % 65536) + 65536.0f * (float)(step % 100);
}

/* As in training: sums, an update of the own pieces, new weights to all while the next sum begins. */
static void training_steps(const cmus_reducer_options *options, int steps, double delay) {
    cmus_reducer *reducer = cmus_reducer_create(&world, options);
    void *gradients = new_values(options);
    float *weights = cmus_allocate(options->size, sizeof *weights);
    size_t count, wrong = 0, size = options->size;
    const cmus_piece *pieces = cmus_reducer_pieces(reducer, &count);
    for (int step = 0; step < steps; step++) {
        for (size_t to = size / 5, seen = 0; step > 0 && to <= size; to += size / 5 + 1) {
            cmus_reducer_need(reducer, to);
            for (; seen < to; seen++)
                wrong += weights[seen] != weight(step - 1, seen);
        }
        sum_in_parts(reducer, options, step, gradients, (size_t)(1 + step % 9), delay);
        wrong += wrong_sums(reducer, options, step, gradients);
        for (size_t piece = 0; piece < count; piece++)
            for (size_t i = pieces[piece].begin; i < pieces[piece].begin + pieces[piece].count; i++)
                weights[i] = weight(step, i);
        cmus_reducer_spread(reducer, weights);
        if (step % 3 == 0)
            cmus_reducer_need(reducer, 0);
    }
    cmus_reducer_need(reducer, size);
    for (size_t i = 0; i < size; i++)
        wrong += weights[i] != weight(steps - 1, i);
    CU_ASSERT_EQUAL(wrong, 0);
    cmus_reducer_free(reducer);
    cmus_free(gradients);
    cmus_free(weights);
}

static void steps_overlap_with_spreads(void) {
    training_steps(&(cmus_reducer_options){20011, 9000, CMUS_WIRE_FLOAT32, true}, 100, 0);
    training_steps(&(cmus_reducer_options){20011, 9000, CMUS_WIRE_FLOAT32, false}, 20, 0);
    training_steps(&(cmus_reducer_options){20011, 300, CMUS_WIRE_BFLOAT16, true}, 10, 0);
    training_steps(&(cmus_reducer_options){LARGE, 100000, CMUS_WIRE_INTEGER64, true}, 5, 0);
}

static void ranks_that_dawdle(void) {
    for (size_t w = 0; w < 3; w++)
        for (int shard = 0; shard < 2; shard++)
            training_steps(&(cmus_reducer_options){LARGE, 40000, wires[w], shard}, 5, 4e-3);
}

static void shards_are_collected_and_distributed(void) {
    enum { SIZE = 5003 };
    for (int shard = 0; shard < 2; shard++) {
        cmus_reducer_options options = {SIZE, 3000, CMUS_WIRE_FLOAT32, shard};
        cmus_reducer *reducer = cmus_reducer_create(&world, &options);
        size_t count, own_size = 0;
        const cmus_piece *pieces = cmus_reducer_pieces(reducer, &count);
        for (size_t piece = 0; piece < count; piece++)
            own_size += pieces[piece].count;
        float *own = cmus_allocate(own_size, sizeof *own), *all = cmus_allocate(SIZE, sizeof *all);
        static const cmus_piece ranges[] = {{0, 700}, {700, 1}, {701, 0}, {701, SIZE - 701}};
        for (int i = 0; i < 4; i++) {
            for (size_t k = 0; k < ranges[i].count; k++)
                all[k] = given(99, 0, ranges[i].begin + k);
            cmus_reducer_distribute(reducer, world.rank == 0 ? all : NULL, ranges[i].begin, ranges[i].count, own);
        }
        size_t at = 0, wrong = 0;
        for (size_t piece = 0; piece < count; piece++)
            for (size_t i = 0; i < pieces[piece].count; i++)
                wrong += own[at++] != given(99, 0, pieces[piece].begin + i);
        CU_ASSERT_EQUAL(wrong, 0);
        cmus_reducer_collect(reducer, own, 333, SIZE - 444, world.rank == 0 ? all : NULL);
        for (size_t i = 0; world.rank == 0 && i < SIZE - 444; i++)
            wrong += all[i] != given(99, 0, 333 + i);
        CU_ASSERT_EQUAL(wrong, 0);
        cmus_reducer_free(reducer);
        cmus_free(own);
        cmus_free(all);
    }
}

static void bytes_are_counted(void) {
    for (size_t w = 0; w < 3; w++)
        for (int shard = 0; shard < 2; shard++) {
            cmus_reducer_options options = {20000, 16000, wires[w], shard};
            cmus_reducer *reducer = cmus_reducer_create(&world, &options);
            void *values = new_values(&options);
            double wire = wires[w] == CMUS_WIRE_BFLOAT16 ? 2 : wires[w] == CMUS_WIRE_INTEGER64 ? 8 : 4;
            double total = cmus_reducer_bytes(reducer), per_way = 20000.0 * (world.ranks - 1);
            cmus_sum_doubles(&world, &total, 1);
            CU_ASSERT_EQUAL(total, per_way * wire + per_way * (shard ? 4 : wire));
            sum_in_parts(reducer, &options, 0, values, 3, 0);
            cmus_reducer_spread(reducer, values);
            cmus_reducer_need(reducer, options.size);
            CU_ASSERT_EQUAL(cmus_reducer_state(reducer).sent_bytes, cmus_reducer_bytes(reducer));
            cmus_reducer_free(reducer);
            cmus_free(values);
        }
}

/* All buckets but the last are ready well before the end: only that one may be waited for. */
static void seconds_tell_hidden_from_exposed(void) {
    cmus_reducer_options options = {LARGE, 40000, CMUS_WIRE_FLOAT32, true};
    cmus_reducer *reducer = cmus_reducer_create(&world, &options);
    float *values = new_values(&options);
    double before = cmus_trace_seconds(CMUS_ACTIVITY_COMMUNICATION), began = cmus_seconds();
    cmus_reducer_begin(reducer, values);
    cmus_reducer_ready(reducer, LARGE / 2);
    pause_for(0.1);
    cmus_reducer_statistics hidden = cmus_reducer_state(reducer);
    CU_ASSERT_EQUAL(hidden.exposed_seconds, 0);
    cmus_barrier(&world);
    if (world.rank == world.ranks - 1)
        pause_for(0.2); /* the others wait for it */
    cmus_reducer_finish(reducer);
    cmus_reducer_statistics all = cmus_reducer_state(reducer);
    double took = cmus_seconds() - began, traced = cmus_trace_seconds(CMUS_ACTIVITY_COMMUNICATION) - before;
    if (world.ranks > 1) {
        CU_ASSERT(hidden.busy_seconds > 0);
        CU_ASSERT(all.busy_seconds >= hidden.busy_seconds + all.exposed_seconds - 1e-9 && all.busy_seconds < took);
        CU_ASSERT(world.rank == world.ranks - 1 || (all.exposed_seconds > 0.15 && all.exposed_seconds < took));
        CU_ASSERT_DOUBLE_EQUAL(traced, all.busy_seconds, 0.02);
    } else {
        CU_ASSERT(all.busy_seconds == 0 && all.exposed_seconds == 0 && all.sent_bytes == 0);
    }
    cmus_reducer_free(reducer);
    cmus_free(values);
}

int main(int argc, char **argv) {
    static const unit_test tests[] = {
        {"pieces make up the buffer", pieces_make_up_the_buffer},
        {"sums are those in the order of ranks", sums_are_those_in_the_order_of_ranks},
        {"special values go through", special_values_go_through},
        {"nothing goes before it is ready", nothing_goes_before_it_is_ready},
        {"same bits in every run", same_bits_in_every_run},
        {"steps overlap with spreads", steps_overlap_with_spreads},
        {"ranks that dawdle", ranks_that_dawdle},
        {"shards are collected and distributed", shards_are_collected_and_distributed},
        {"bytes are counted", bytes_are_counted},
        {"seconds tell hidden from exposed", seconds_tell_hidden_from_exposed},
    };
    world = cmus_communicator_begin(&argc, &argv, "test_reducer");
    int code = unit_main("reducer", tests, sizeof tests / sizeof tests[0]);
    cmus_communicator_end();
    return code;
}
