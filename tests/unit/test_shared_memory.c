/* Memory that the ranks of a host share: the same program under 1, 2 and 4 ranks of one host. */
#include <stdint.h>
#include <string.h>

#include "cmus/shared_memory.h"
#include "unit.h"

static cmus_communicator world;

static void ranks_of_the_host_are_counted(void) {
    cmus_host_ranks ranks = cmus_host_ranks_of(&world);
    CU_ASSERT_EQUAL(ranks.rank, world.rank);
    CU_ASSERT_EQUAL(ranks.ranks, world.ranks);
    int from = world.rank + 7;
    cmus_host_broadcast(&world, &from, sizeof from);
    CU_ASSERT_EQUAL(from, 7);
}

/* Each rank writes every `ranks`-th number, then reads all: twice, so that old numbers would be noticed. */
static void all_see_what_each_wrote(void) {
    static const size_t counts[] = {1, 1000, 1234567};
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        cmus_shared_memory *memory = NULL;
        CU_ASSERT_EQUAL_FATAL(cmus_shared_memory_create(&world, counts[c] * sizeof(uint32_t), &memory), CMUS_OK);
        uint32_t *numbers = cmus_shared_memory_bytes(memory);
        size_t wrong = 0;
        for (size_t i = 0; i < counts[c]; i++)
            wrong += numbers[i] != 0;
        for (uint32_t turn = 1; turn <= 2; turn++) {
            cmus_shared_memory_settle(memory); /* nobody still reads the last turn's */
            for (size_t i = (size_t)world.rank; i < counts[c]; i += (size_t)world.ranks)
                numbers[i] = turn * (uint32_t)(i + 1);
            cmus_shared_memory_settle(memory);
            for (size_t i = 0; i < counts[c]; i++)
                wrong += numbers[i] != turn * (uint32_t)(i + 1);
        }
        CU_ASSERT_EQUAL(wrong, 0);
        cmus_shared_memory_free(memory);
    }
    cmus_shared_memory_free(NULL);
}

/* Kibibytes of shared memory that this process has in use. */
static long shared_kibibytes(void) {
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long found = 0;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "RssShmem: %ld", &found) == 1)
            break;
    if (file)
        fclose(file);
    return found;
}

/* The pages are there from the beginning, and gone at the end. */
static void room_is_taken_and_given_back(void) {
    enum { SIZE = 32 << 20 };
    long before = shared_kibibytes();
    cmus_shared_memory *memory;
    CU_ASSERT_EQUAL_FATAL(cmus_shared_memory_create(&world, SIZE, &memory), CMUS_OK);
    double taken = (double)(shared_kibibytes() - before);
    cmus_sum_doubles(&world, &taken, 1);
    if (world.ranks > 1)
        CU_ASSERT(taken > 0.95 * SIZE / 1024);
    cmus_shared_memory_free(memory);
    CU_ASSERT(shared_kibibytes() - before < 1024);
}

static void too_much_is_refused_on_every_rank(void) {
    cmus_shared_memory *memory;
    static const size_t sizes[] = {(size_t)1 << 50, SIZE_MAX};
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(cmus_shared_memory_create(&world, sizes[i], &memory), CMUS_ERROR_LIMIT);
        CU_ASSERT_PTR_NULL(memory);
        CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), cmus_host_name()));
        CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "MiB free"));
    }
    CU_ASSERT_EQUAL_FATAL(cmus_shared_memory_create(&world, 10, &memory), CMUS_OK); /* the ranks are still in step */
    cmus_shared_memory_free(memory);
}

int main(int argc, char **argv) {
    static const unit_test tests[] = {
        {"ranks of the host are counted", ranks_of_the_host_are_counted},
        {"all see what each wrote", all_see_what_each_wrote},
        {"room is taken and given back", room_is_taken_and_given_back},
        {"too much is refused on every rank", too_much_is_refused_on_every_rank},
    };
    world = cmus_communicator_begin(&argc, &argv, "test_shared_memory");
    int code = unit_main("shared memory", tests, sizeof tests / sizeof tests[0]);
    cmus_communicator_end();
    return code;
}
