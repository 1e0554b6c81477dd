#include "cmus/launch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "host_cores.h"
#include "rank_text.h"

enum { SHOWN_HOSTS = 8, SHOWN_TEXT = 200 };

/* Variables in which launchers tell a process how many were started with it. */
static const struct {
    const char *name, *launcher, *advice;
} launchers[] = {
    {"SLURM_STEP_NUM_TASKS", "srun",
     "start them with `srun --mpi=pmix` (`srun --mpi=list` shows whether this Slurm has it), or with mpirun and "
     "without srun"},
    {"OMPI_COMM_WORLD_SIZE", "the mpirun of another Open MPI", "start them with the mpirun of the MPI named here"},
    {"PMI_SIZE", "the mpiexec of another MPI (MPICH, Intel MPI) or srun --mpi=pmi2",
     "start them with the mpirun of the MPI named here"},
    {"MV2_COMM_WORLD_SIZE", "the mpirun of MVAPICH2", "start them with the mpirun of the MPI named here"},
    {"FLUX_JOB_SIZE", "flux run", "start them with `flux run -o pmi=pmix`, or with mpirun inside `flux alloc`"},
};

/* A whole number in the environment; 0 if it is not there or none. */
static long number_in(const char *name) {
    const char *text = getenv(name);
    if (!text || !*text)
        return 0;
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    return *end || errno ? 0 : value;
}

bool cmus_launched_as_several(void) {
    for (size_t i = 0; i < sizeof launchers / sizeof launchers[0]; i++)
        if (number_in(launchers[i].name) > 1)
            return true;
    return false;
}

static cmus_status check_singleton(void) {
    if (number_in("OMPI_COMM_WORLD_SIZE") == 1)
        return CMUS_OK;
    for (size_t i = 0; i < sizeof launchers / sizeof launchers[0]; i++) {
        long processes = number_in(launchers[i].name);
        if (processes > 1)
            return cmus_fail(
                CMUS_ERROR_ARGUMENT,
                "%ld processes were started by %s (%s=%ld), but each is alone for this program's MPI (%s), "
                "so each would do the whole work; %s. For runs that are to be independent, put `mpirun "
                "-np 1` in front of each",
                processes, launchers[i].launcher, launchers[i].name, processes, cmus_mpi_version(),
                launchers[i].advice);
    }
    long tasks = number_in("SLURM_NTASKS");
    if (tasks > 1 && !getenv("SLURM_STEP_NUM_TASKS"))
        cmus_warn("this Slurm job has %ld tasks (SLURM_NTASKS), but this is a single rank and the others' cores stay "
                  "idle; start it with `mpirun` or `srun --mpi=pmix` for %ld ranks, or with `mpirun -np 1` if one is "
                  "meant",
                  tasks, tasks);
    return CMUS_OK;
}

/* What rank 0 learns of each rank. */
typedef struct place {
    int threads;
    cmus_host_cores cores;
} place;

typedef struct layout {
    int ranks, hosts;
    place *places;                 /* [ranks] */
    char (*names)[CMUS_HOST_SIZE]; /* [ranks] */
    int *host;                     /* [ranks]: number of its host, in the order of the hosts' lowest ranks */
    int *first;                    /* [hosts]: lowest rank */
} layout;

/* Collective. Filled on rank 0 only: false on others. */
static bool find_layout(const cmus_communicator *communicator, int threads, layout *found) {
    place own = {threads, cmus_host_cores_find()};
    char *all;
    int ranks = communicator->ranks;
    size_t *sizes = cmus_allocate((size_t)ranks, sizeof *sizes);
    cmus_gather_bytes(communicator, &own, sizeof own, &all, sizes);
    cmus_free(sizes);
    *found = (layout){.ranks = ranks, .names = cmus_all_hosts(communicator)};
    if (communicator->rank != 0) {
        cmus_free(found->names);
        return false;
    }
    found->places = (place *)(void *)all;
    found->host = cmus_allocate((size_t)ranks, sizeof(int));
    found->first = cmus_allocate((size_t)ranks, sizeof(int));
    for (int rank = 0; rank < ranks; rank++) {
        int host = 0;
        while (host < found->hosts && strcmp(found->names[found->first[host]], found->names[rank]) != 0)
            host++;
        if (host == found->hosts)
            found->first[found->hosts++] = rank;
        found->host[rank] = host;
    }
    return true;
}

static void free_layout(layout *found) {
    cmus_free(found->places);
    cmus_free(found->names);
    cmus_free(found->host);
    cmus_free(found->first);
}

static const char *plural(int count) {
    return count == 1 ? "" : "s";
}

/* A rank with fewer cores than threads, though its host has more: bound to them. */
static bool warn_of_binding(const layout *found) {
    int *bound = cmus_allocate((size_t)found->ranks, sizeof(int)), first = -1;
    for (int rank = 0; rank < found->ranks; rank++) {
        const place *p = &found->places[rank];
        bound[rank] = p->threads > p->cores.own && p->cores.own < p->cores.online;
        if (bound[rank] && first < 0)
            first = rank;
    }
    if (first >= 0) {
        const place *p = &found->places[first];
        cmus_line line = {0};
        cmus_line_add_ranks(&line, bound, 1, found->ranks);
        cmus_warn("too few cores for the threads: %s (rank %d on %s has %d threads and may use %d of the host's %d "
                  "cores); give mpirun `--bind-to none` or `--map-by slot:PE=%d` (srun: `--cpus-per-task=%d`), or set "
                  "OMP_NUM_THREADS=%d",
                  line.text, first, found->names[first], p->threads, p->cores.own, p->cores.online, p->threads,
                  p->threads, p->cores.own);
    }
    cmus_free(bound);
    return first >= 0;
}

/* More threads on a host than its ranks may use cores. The first such host is described, the others are counted. */
static void warn_of_crowding(const layout *found) {
    int *ranks = cmus_allocate((size_t)found->hosts, sizeof(int));
    int *threads = cmus_allocate((size_t)found->hosts, sizeof(int));
    for (int rank = 0; rank < found->ranks; rank++) {
        ranks[found->host[rank]]++;
        threads[found->host[rank]] += found->places[rank].threads;
    }
    int crowded = 0, worst = -1;
    for (int host = 0; host < found->hosts; host++) {
        if (threads[host] <= found->places[found->first[host]].cores.together)
            continue;
        crowded++;
        if (worst < 0)
            worst = host;
    }
    if (crowded) {
        int cores = found->places[found->first[worst]].cores.together, each = cores / ranks[worst];
        cmus_line others = {0};
        if (crowded > 1)
            cmus_line_add(&others, " (and so on %d more hosts)", crowded - 1);
        char advice[80];
        if (each > 0)
            snprintf(advice, sizeof advice, "set OMP_NUM_THREADS=%d or start fewer ranks a host", each);
        else
            snprintf(advice, sizeof advice, "start at most %d rank%s a host", cores, plural(cores));
        cmus_warn(
            "%d rank%s on %s%s have %d threads together, but may use %d core%s, so they take each other's time; %s",
            ranks[worst], plural(ranks[worst]), found->names[found->first[worst]], others.text, threads[worst], cores,
            plural(cores), advice);
    }
    cmus_free(ranks);
    cmus_free(threads);
}

cmus_status cmus_launch_check(const cmus_communicator *communicator, int threads) {
    if (communicator->ranks == 1)
        CMUS_TRY(check_singleton());
    char hash[CMUS_SHA256_TEXT] = "";
    CMUS_TRY(cmus_agree(communicator, cmus_sha256_file("/proc/self/exe", hash)));
    CMUS_TRY(cmus_launch_same(communicator, "the program (SHA-256)", hash));
    layout found;
    if (!find_layout(communicator, threads, &found))
        return CMUS_OK;
    if (!warn_of_binding(&found)) /* which is the more precise one, where both are true */
        warn_of_crowding(&found);
    free_layout(&found);
    return CMUS_OK;
}

/* On rank 0: `texts` are those of the ranks that differ, one after another, of the given sizes. */
static cmus_status differs(const char *what, const char *own, int ranks, const char *texts, const size_t *sizes,
                           char (*hosts)[CMUS_HOST_SIZE]) {
    int *different = cmus_allocate((size_t)ranks, sizeof(int)), first = -1, count = 0;
    for (int rank = 0; rank < ranks; rank++) {
        different[rank] = sizes[rank] > 0;
        count += different[rank];
        if (different[rank] && first < 0)
            first = rank;
    }
    cmus_line others = {0};
    if (count > 1) {
        cmus_line_add(&others, "; ");
        cmus_line_add_ranks(&others, different, 1, ranks);
        cmus_line_add(&others, " differ from rank 0");
    }
    cmus_free(different);
    return cmus_fail(CMUS_ERROR_MISMATCH,
                     "%s differs: rank %d on host %s has %.*s, rank 0 on host %s has %.*s%s; all ranks must be given "
                     "the same",
                     what, first, hosts[first], SHOWN_TEXT, texts, hosts[0], SHOWN_TEXT, own, others.text);
}

cmus_status cmus_launch_same(const cmus_communicator *communicator, const char *what, const char *text) {
    if (communicator->ranks == 1)
        return CMUS_OK;
    size_t length = strlen(text) + 1;
    cmus_broadcast(communicator, &length, sizeof length, 0);
    char *first = cmus_allocate(length, 1);
    if (communicator->rank == 0)
        memcpy(first, text, length);
    cmus_broadcast(communicator, first, length, 0);
    bool same = strcmp(first, text) == 0;
    cmus_free(first);
    double different = !same;
    cmus_maximum_double(communicator, &different);
    if (different == 0)
        return CMUS_OK;
    char(*hosts)[CMUS_HOST_SIZE] = cmus_all_hosts(communicator), *texts;
    size_t *sizes = cmus_allocate((size_t)communicator->ranks, sizeof *sizes);
    cmus_gather_bytes(communicator, text, same ? 0 : strlen(text) + 1, &texts, sizes);
    cmus_status status = CMUS_OK;
    if (communicator->rank == 0)
        status = differs(what, text, communicator->ranks, texts, sizes, hosts);
    cmus_free(hosts);
    cmus_free(sizes);
    cmus_free(texts);
    return cmus_agree(communicator, status);
}

/* "n1: ranks 0-1, n2: ranks 2-3", with the middle left out where there are many hosts. */
static void add_hosts(cmus_line *line, const layout *found) {
    for (int host = 0; host < found->hosts; host++) {
        if (found->hosts > SHOWN_HOSTS && host == SHOWN_HOSTS - 1) {
            cmus_line_add(line, ", ...");
            host = found->hosts - 1;
        }
        cmus_line_add(line, "%s%s: ", host ? ", " : "", found->names[found->first[host]]);
        cmus_line_add_ranks(line, found->host, host, found->ranks);
    }
}

char *cmus_launch_description(const cmus_communicator *communicator, int threads) {
    layout found;
    if (!find_layout(communicator, threads, &found))
        return NULL;
    int cores = 0, sum = 0, least = threads, most = threads;
    for (int host = 0; host < found.hosts; host++)
        cores += found.places[found.first[host]].cores.together;
    for (int rank = 0; rank < found.ranks; rank++) {
        int own = found.places[rank].threads;
        sum += own;
        least = own < least ? own : least;
        most = own > most ? own : most;
    }
    cmus_line line = {0};
    cmus_line_add(&line, "%d host%s (", found.hosts, plural(found.hosts));
    add_hosts(&line, &found);
    cmus_line_add(&line, "), %d rank%s ", found.ranks, plural(found.ranks));
    if (least == most)
        cmus_line_add(&line, "x %d thread%s", most, plural(most));
    else
        cmus_line_add(&line, "with %d to %d threads (%d in all)", least, most, sum);
    cmus_line_add(&line, " on %d core%s", cores, plural(cores));
    free_layout(&found);
    return cmus_copy_string(line.text);
}
