/* Launches that are wrong, by simulated variables of the launchers, bindings and numbers of threads. */
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "cmus/communicator.h"
#include "cmus/launch.h"
#include "cmus/memory.h"
#include "host_cores.h"
#include "unit.h"

static cmus_communicator world;
static const char *const variables[] = {"SLURM_STEP_NUM_TASKS", "SLURM_NTASKS",         "PMI_SIZE",
                                        "MV2_COMM_WORLD_SIZE",  "OMPI_COMM_WORLD_SIZE", "FLUX_JOB_SIZE"};

/* What cmus_launch_check() prints on this rank goes into `text`. */
static cmus_status check(int threads, char *text, size_t size) {
    FILE *file = tmpfile();
    fflush(stderr);
    int kept = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    cmus_status status = cmus_launch_check(&world, threads);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(file);
    text[fread(text, 1, size - 1, file)] = 0;
    fclose(file);
    return status;
}

static void clear(void) {
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        unsetenv(variables[i]);
}

static void singletons_are_found(void) {
    char text[4096], expected[64];
    if (world.ranks > 1)
        return;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        clear();
        setenv(variables[i], "4", 1);
        if (strcmp(variables[i], "SLURM_NTASKS") == 0)
            continue;
        CU_ASSERT_EQUAL(check(1, text, sizeof text), CMUS_ERROR_ARGUMENT);
        snprintf(expected, sizeof expected, "%s=4", variables[i]);
        CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), expected));
        CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "start them with"));
        setenv(variables[i], "1", 1);
        CU_ASSERT_EQUAL(check(1, text, sizeof text), CMUS_OK);
        CU_ASSERT_STRING_EQUAL(text, "");
        setenv(variables[i], "4x", 1);
        CU_ASSERT_EQUAL(check(1, text, sizeof text), CMUS_OK);
    }
    clear();
}

static void one_rank_in_a_larger_job_is_allowed(void) {
    char text[4096];
    if (world.ranks > 1)
        return;
    clear();
    setenv("SLURM_NTASKS", "4", 1); /* plainly, in the script of a job */
    CU_ASSERT_EQUAL(check(1, text, sizeof text), CMUS_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "this Slurm job has 4 tasks"));
    setenv("SLURM_STEP_NUM_TASKS", "1", 1); /* srun -n 1 */
    CU_ASSERT_EQUAL(check(1, text, sizeof text), CMUS_OK);
    CU_ASSERT_STRING_EQUAL(text, "");
    setenv("SLURM_STEP_NUM_TASKS", "2", 1); /* mpirun -np 1, whose daemons Slurm started on two hosts */
    setenv("OMPI_COMM_WORLD_SIZE", "1", 1);
    CU_ASSERT_EQUAL(check(1, text, sizeof text), CMUS_OK);
    CU_ASSERT_STRING_EQUAL(text, "");
    unsetenv("SLURM_STEP_NUM_TASKS"); /* mpirun -np 1 in the script of a job */
    CU_ASSERT_EQUAL(check(1, text, sizeof text), CMUS_OK);
    CU_ASSERT_STRING_EQUAL(text, "");
    clear();
}

/* All ranks of this test are on one host. */
static void too_many_threads_are_warned_about(void) {
    char text[4096], expected[256];
    cmus_host_cores cores = cmus_host_cores_find();
    CU_ASSERT_EQUAL(check(1000, text, sizeof text), CMUS_OK);
    if (world.rank != 0)
        CU_ASSERT_STRING_EQUAL(text, "");
    snprintf(expected, sizeof expected, "%d rank%s on %s have %d threads together, but may use %d core", world.ranks,
             world.ranks > 1 ? "s" : "", cmus_host_name(), 1000 * world.ranks, cores.together);
    if (world.rank == 0)
        CU_ASSERT_PTR_NOT_NULL(strstr(text, expected));
    if (cores.together < world.ranks)
        return;
    CU_ASSERT_EQUAL(check(cores.together / world.ranks, text, sizeof text), CMUS_OK);
    CU_ASSERT_STRING_EQUAL(text, "");
}

/* The last rank is bound to a single core of several. */
static void a_narrow_binding_is_warned_about(void) {
    char text[4096], expected[256];
    cpu_set_t all, one;
    CPU_ZERO(&all);
    CPU_ZERO(&one);
    cmus_host_cores cores = cmus_host_cores_find();
    if (cores.online < 2 || sched_getaffinity(0, sizeof all, &all) != 0)
        return;
    bool last = world.rank == world.ranks - 1;
    int core = 0;
    while (!CPU_ISSET(core, &all))
        core++;
    CPU_SET(core, &one);
    if (last)
        sched_setaffinity(0, sizeof one, &one);
    if (last)
        CU_ASSERT_EQUAL(cmus_host_cores_find().own, 1);
    if (!last)
        (void)cmus_host_cores_find();
    CU_ASSERT_EQUAL(check(2, text, sizeof text), CMUS_OK);
    snprintf(expected, sizeof expected, "rank %d (rank %d on %s has 2 threads and may use 1 of the host's %d cores)",
             world.ranks - 1, world.ranks - 1, cmus_host_name(), cores.online);
    if (world.rank == 0)
        CU_ASSERT_PTR_NOT_NULL(strstr(text, expected));
    CU_ASSERT_EQUAL(check(1, text, sizeof text), CMUS_OK); /* enough for one thread */
    CU_ASSERT_PTR_NULL(strstr(text, "too few cores"));
    sched_setaffinity(0, sizeof all, &all);
}

static void differences_are_found(void) {
    char expected[512];
    CU_ASSERT_EQUAL(cmus_launch_same(&world, "the configuration", "abc"), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_launch_same(&world, "the configuration", ""), CMUS_OK);
    if (world.ranks == 1)
        return;
    bool last = world.rank == world.ranks - 1;
    CU_ASSERT_EQUAL(cmus_launch_same(&world, "the configuration", last ? "abcd" : "abc"), CMUS_ERROR_MISMATCH);
    snprintf(expected, sizeof expected,
             "the configuration differs: rank %d on host %s has abcd, rank 0 on host %s has abc; all ranks",
             world.ranks - 1, cmus_host_name(), cmus_host_name());
    CU_ASSERT_EQUAL(strncmp(cmus_last_error(), expected, strlen(expected)), 0);
    CU_ASSERT_EQUAL(cmus_launch_same(&world, "the data", world.rank ? "" : "x"), CMUS_ERROR_MISMATCH);
    snprintf(expected, sizeof expected, "ranks 1-%d differ from rank 0", world.ranks - 1);
    if (world.ranks > 2)
        CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), expected));
}

static void one_line_describes_the_job(void) {
    char expected[256], group[32] = "rank 0";
    cmus_host_cores cores = cmus_host_cores_find();
    if (world.ranks > 1)
        snprintf(group, sizeof group, "ranks 0-%d", world.ranks - 1);
    char *text = cmus_launch_description(&world, 3);
    snprintf(expected, sizeof expected, "1 host (%s: %s), %d rank%s x 3 threads on %d core%s", cmus_host_name(), group,
             world.ranks, world.ranks > 1 ? "s" : "", cores.together, cores.together > 1 ? "s" : "");
    if (world.rank == 0)
        CU_ASSERT_STRING_EQUAL(text, expected);
    if (world.rank != 0)
        CU_ASSERT_PTR_NULL(text);
    cmus_free(text);
    text = cmus_launch_description(&world, 1 + world.rank);
    if (world.rank == 0 && world.ranks == 4)
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "4 ranks with 1 to 4 threads (10 in all) on"));
    cmus_free(text);
}

int main(int argc, char **argv) {
    static const unit_test tests[] = {
        {"singletons are found", singletons_are_found},
        {"one rank in a larger job is allowed", one_rank_in_a_larger_job_is_allowed},
        {"too many threads are warned about", too_many_threads_are_warned_about},
        {"a narrow binding is warned about", a_narrow_binding_is_warned_about},
        {"differences are found", differences_are_found},
        {"one line describes the job", one_line_describes_the_job},
    };
    world = cmus_communicator_begin(&argc, &argv, "test_launch");
    int code = unit_main("launch", tests, sizeof tests / sizeof tests[0]);
    cmus_communicator_end();
    return code;
}
