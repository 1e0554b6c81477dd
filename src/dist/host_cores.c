/* Cores by affinity (taskset, mpirun's binding, cpusets) and by the time that control groups allow (containers). */
#include "host_cores.h"

#include <limits.h>
#include <mpi.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmus/communicator.h"
#include "mpi_check.h"

enum { PATH_SIZE = 4096 };

/* Whole cores in a file "QUOTA PERIOD" (cpu.max, "max" for no limit), or with the period in a file of its own (control
 * groups of version 1, -1 for no limit); INT_MAX if it does not say. */
static int quota_in(const char *path, const char *period_path) {
    double quota = 0, period = 0;
    FILE *file = fopen(path, "r");
    bool known = file && fscanf(file, "%lf", &quota) == 1;
    if (file && !period_path)
        known = known && fscanf(file, "%lf", &period) == 1;
    if (file)
        fclose(file);
    file = known && period_path ? fopen(period_path, "r") : NULL;
    if (file) {
        known = fscanf(file, "%lf", &period) == 1;
        fclose(file);
    }
    if (!known || quota <= 0 || period <= 0 || quota / period >= INT_MAX)
        return INT_MAX;
    int cores = (int)(quota / period + 0.999);
    return cores > 0 ? cores : 1;
}

/* The least of a control group and all above it. */
static int quota_of_group(const char *root, char *group, bool unified) {
    int least = INT_MAX;
    for (;;) {
        char path[2 * PATH_SIZE], period[2 * PATH_SIZE];
        snprintf(path, sizeof path, "%s%s/%s", root, group, unified ? "cpu.max" : "cpu.cfs_quota_us");
        snprintf(period, sizeof period, "%s%s/cpu.cfs_period_us", root, group);
        int here = quota_in(path, unified ? NULL : period);
        least = here < least ? here : least;
        char *slash = strrchr(group, '/');
        if (!slash)
            return least;
        *slash = 0;
    }
}

/* Cores' worth of time that this process gets, by its control groups; INT_MAX without a limit. Lines of
 * /proc/self/cgroup are NUMBER:CONTROLLERS:GROUP, with no controllers for version 2 (man 7 cgroups). */
static int quota(void) {
    FILE *groups = fopen("/proc/self/cgroup", "r");
    int least = INT_MAX;
    char line[PATH_SIZE];
    while (groups && fgets(line, sizeof line, groups)) {
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = 0;
        int here = INT_MAX;
        if (!controllers[1])
            here = quota_of_group("/sys/fs/cgroup", group, true);
        else if (strcmp(controllers + 1, "cpu") == 0 || strncmp(controllers + 1, "cpu,", 4) == 0)
            here = quota_of_group("/sys/fs/cgroup/cpu", group, false);
        least = here < least ? here : least;
    }
    if (groups)
        fclose(groups);
    return least;
}

cmus_host_cores cmus_host_cores_find(void) {
    cpu_set_t own, together;
    CPU_ZERO(&own);
    CPU_ZERO(&together);
    bool known = sched_getaffinity(0, sizeof own, &own) == 0;
    cmus_host_cores cores = {.own = known && CPU_COUNT(&own) > 0 ? CPU_COUNT(&own) : 1};
    int paid = quota();
    MPI_Comm host;
    cmus_mpi_check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host),
                   "MPI_Comm_split_type");
    cmus_mpi_check(MPI_Allreduce(&cores.own, &cores.bound, 1, MPI_INT, MPI_SUM, host), "MPI_Allreduce");
    cmus_mpi_check(MPI_Allreduce(&own, &together, sizeof own, MPI_BYTE, MPI_BOR, host), "MPI_Allreduce");
    cmus_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &paid, 1, MPI_INT, MPI_MAX, host), "MPI_Allreduce");
    MPI_Comm_free(&host);
    cores.together = CPU_COUNT(&together) > 0 ? CPU_COUNT(&together) : 1;
    if (cores.together > paid)
        cores.together = paid;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    cores.online = online > 0 && online < INT_MAX ? (int)online : 1;
    return cores;
}

int cmus_threads_per_rank(void) {
    cmus_host_cores cores = cmus_host_cores_find();
    /* bound ranks: bound = together, so each keeps its own; unbound: each counts all, and gets an even share */
    int threads = (int)((long)cores.own * cores.together / cores.bound);
    return threads > 0 ? threads : 1;
}
