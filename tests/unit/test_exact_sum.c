/* Exact sums: the order does not matter, the rounding is bounded, what can't be held is reported; the same bits in
 * every kernel family. */
#include <math.h>
#include <string.h>

#include "cmus/exact_sum.h"
#include "cmus/memory.h"
#include "cmus/random.h"
#include "unit_family.h"

enum { SIZE = 40007, VECTORS = 60 }; /* of values: more than a block, no multiple of one; given one after another */
static const double STEP = 0x1p-40;

/* Value i of vector v: magnitudes over many powers of two, so that the order of a sum of floats shows in its bits. */
static float given(int v, size_t i) {
    uint64_t bits = cmus_random_at(cmus_random_key(3, "vector", (uint64_t[]){(uint64_t)v}, 1), i);
    return ldexpf((float)(bits & 0xffffff) / 8388608.0f - 1.0f, 12 - (int)(bits >> 32 & 63));
}

static void fill(float *values, int v) {
    for (size_t i = 0; i < SIZE; i++)
        values[i] = given(v, i);
}

/* Adds the vectors [begin, end) in a shuffled order. */
static void add_shuffled(int64_t *sums, int begin, int end, uint64_t seed) {
    float *values = cmus_allocate(SIZE, sizeof *values);
    int order[VECTORS], wrong = 0;
    cmus_random random = cmus_random_begin(seed, "order", NULL, 0);
    for (int i = begin; i < end; i++)
        order[i] = i;
    cmus_random_shuffle(&random, order + begin, end - begin);
    for (int i = begin; i < end; i++) {
        fill(values, order[i]);
        wrong += !cmus_exact_add(sums, values, SIZE);
        for (size_t k = 0; k < SIZE; k++)
            wrong += values[k] != 0;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    cmus_free(values);
}

static void order_does_not_matter(void) {
    int64_t *whole = cmus_allocate(SIZE, sizeof *whole), *other = cmus_allocate(SIZE, sizeof *other);
    int64_t *part = cmus_allocate(SIZE, sizeof *part);
    add_shuffled(whole, 0, VECTORS, 1);
    for (uint64_t seed = 2; seed < 5; seed++) {
        memset(other, 0, SIZE * sizeof *other);
        add_shuffled(other, 0, VECTORS, seed);
        CU_ASSERT_EQUAL(memcmp(whole, other, SIZE * sizeof *whole), 0);
    }
    for (int parts = 2; parts <= 7; parts += 5) { /* as ranks share them */
        memset(other, 0, SIZE * sizeof *other);
        for (int p = parts - 1; p >= 0; p--) {
            memset(part, 0, SIZE * sizeof *part);
            add_shuffled(part, VECTORS * p / parts, VECTORS * (p + 1) / parts, (uint64_t)(10 * parts + p));
            for (size_t i = 0; i < SIZE; i++)
                other[i] += part[i];
        }
        CU_ASSERT_EQUAL(memcmp(whole, other, SIZE * sizeof *whole), 0);
    }
    cmus_free(whole);
    cmus_free(other);
    cmus_free(part);
}

/* Half a step a value, and half a unit of the sum's last place; taking leaves 0. */
static void rounding_is_bounded(void) {
    int64_t *sums = cmus_allocate(SIZE, sizeof *sums);
    float *values = cmus_allocate(SIZE, sizeof *values);
    add_shuffled(sums, 0, VECTORS, 1);
    cmus_exact_take(values, sums, SIZE);
    int wrong = 0, left = 0;
    for (size_t i = 0; i < SIZE; i++) {
        long double sum = 0;
        for (int v = 0; v < VECTORS; v++)
            sum += (long double)given(v, i);
        long double error = fabsl((long double)values[i] - sum);
        wrong += error > VECTORS * STEP / 2 + fabsl(sum) * 0x1.001p-24L;
        left += sums[i] != 0;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(left, 0);
    cmus_free(sums);
    cmus_free(values);
}

/* Values that a sum holds as they are, and how halves of a step are rounded: to even. */
static void steps_are_those_of_the_format(void) {
    static const struct {
        float value;
        int64_t sum;
    } known[] = {{0x1p-40f, 1},
                 {-0x1p-40f, -1},
                 {0x1p-41f, 0},
                 {0x1.8p-40f, 2},
                 {0x1.4p-39f, 2},
                 {0x1p-42f, 0},
                 {-0.0f, 0},
                 {1e-45f, 0},
                 {1.5f, 3LL << 39},
                 {CMUS_EXACT_LIMIT, 1LL << 53},
                 {-CMUS_EXACT_LIMIT, -(1LL << 53)}};
    enum { KNOWN = sizeof known / sizeof known[0] };
    float values[KNOWN], taken[KNOWN];
    int64_t sums[KNOWN] = {0};
    for (int i = 0; i < KNOWN; i++)
        values[i] = known[i].value;
    CU_ASSERT_TRUE(cmus_exact_add(sums, values, KNOWN));
    for (int i = 0; i < KNOWN; i++)
        CU_ASSERT_EQUAL(sums[i], known[i].sum);
    cmus_exact_take(taken, sums, KNOWN);
    for (int i = 0; i < KNOWN; i++)
        CU_ASSERT_EQUAL(taken[i], ldexpf((float)known[i].sum, -40));
    CU_ASSERT_TRUE(cmus_exact_add(sums, values, 0));
}

/* As many of the largest values as the header promises. */
static void largest_values_do_not_overflow(void) {
    enum { MOST = 1023 };
    int64_t sums[2] = {0};
    for (int i = 0; i < MOST; i++) {
        float values[2] = {CMUS_EXACT_LIMIT, -CMUS_EXACT_LIMIT};
        CU_ASSERT_TRUE(cmus_exact_add(sums, values, 2));
    }
    CU_ASSERT_EQUAL(sums[0], (int64_t)MOST << 53);
    float taken[2];
    cmus_exact_take(taken, sums, 2);
    CU_ASSERT(taken[0] == MOST * CMUS_EXACT_LIMIT && taken[1] == -MOST * CMUS_EXACT_LIMIT);
}

/* Wherever it is, in the first value or in the last one of the last block; the values around it are added. */
static void what_does_not_fit_is_reported(void) {
    static const float bad[] = {NAN, INFINITY, -INFINITY, 3e38f, 8192.001f, -8192.001f};
    static const size_t places[] = {0, 1, 16, 16383, 16384, SIZE - 1};
    int64_t *sums = cmus_allocate(SIZE, sizeof *sums);
    float *values = cmus_allocate(SIZE, sizeof *values);
    for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++)
        for (size_t p = 0; p < sizeof places / sizeof places[0]; p++) {
            for (size_t i = 0; i < SIZE; i++) {
                values[i] = 1;
                sums[i] = 0;
            }
            values[places[p]] = bad[b];
            CU_ASSERT_FALSE(cmus_exact_add(sums, values, SIZE));
            int wrong = 0;
            for (size_t i = 0; i < SIZE; i++)
                wrong += values[i] != 0 || (i != places[p] && sums[i] != 1LL << 40);
            CU_ASSERT_EQUAL(wrong, 0);
            CU_ASSERT_TRUE(cmus_exact_add(sums, values, SIZE)); /* it is not remembered */
        }
    cmus_free(sums);
    cmus_free(values);
}

/* Each family that this processor has, against the picked one; at odd addresses and lengths too. */
static void families_give_the_same_bits(void) {
    static const char *const names[] = {"generic", "avx2", "avx512"};
    const cmus_kernels *picked = cmus_kernels_pick();
    float values[2][99], taken[2][99];
    int64_t sums[2][99];
    int compared = 0;
    for (size_t n = 0; n < 3; n++) {
        const cmus_kernels *other = cmus_kernels_named(names[n]);
        for (size_t begin = 0; other && begin < 3; begin++)
            for (size_t count = 0; count + begin < 99; count++, compared++) {
                bool fits[2];
                for (int k = 0; k < 2; k++) {
                    const cmus_kernels *kernels = k ? other : picked;
                    for (size_t i = 0; i < 99; i++) {
                        values[k][i] = given(1, i) * (count % 7 == 3 && i == 50 ? 1e9f : 1);
                        sums[k][i] = (int64_t)cmus_random_at(9, i) >> 2;
                        taken[k][i] = 0;
                    }
                    fits[k] = kernels->exact_add(sums[k] + begin, values[k] + begin, count);
                    if (count % 2)
                        kernels->exact_take(taken[k] + begin, sums[k] + begin, count);
                }
                CU_ASSERT_EQUAL(fits[0], fits[1]);
                CU_ASSERT(memcmp(values[0], values[1], sizeof values[0]) == 0 &&
                          memcmp(sums[0], sums[1], sizeof sums[0]) == 0 &&
                          memcmp(taken[0], taken[1], sizeof taken[0]) == 0);
            }
    }
    CU_ASSERT(compared > 0);
}

int main(void) {
    static const unit_test tests[] = {
        {"the order does not matter", order_does_not_matter},
        {"the rounding is bounded", rounding_is_bounded},
        {"steps are those of the format", steps_are_those_of_the_format},
        {"the largest values do not overflow", largest_values_do_not_overflow},
        {"what does not fit is reported", what_does_not_fit_is_reported},
        {"families give the same bits", families_give_the_same_bits},
    };
    return unit_family_main("math: exact sums", tests, sizeof tests / sizeof tests[0]);
}
