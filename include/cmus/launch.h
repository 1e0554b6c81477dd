/* What is wrong with how a job was started, said before it costs an hour. */
#ifndef CMUS_LAUNCH_H
#define CMUS_LAUNCH_H

#include "cmus/communicator.h"
#include "cmus/status.h"

/* Collective. ARGUMENT if a launcher started several processes that do not know of each other (SLURM_NTASKS, PMI_SIZE,
 * PMIX and the like say more than one, MPI says 1): the message gives the right command. Warns, with numbers, if the
 * ranks' threads on a host are more than the cores they may use, or a rank is bound to fewer cores than it has threads.
 * MISMATCH if the program on this rank is not that of rank 0 (SHA-256 of /proc/self/exe): it names ranks and hosts. */
cmus_status cmus_launch_check(const cmus_communicator *communicator, int threads);

/* Collective. MISMATCH if `text` is not the same on every rank, such as a hash of the configuration, of the data set,
 * or of the weights: "NAME differs: rank 3 on host b has ..., rank 0 on host a has ...". `what` names it in messages.
 */
cmus_status cmus_launch_same(const cmus_communicator *communicator, const char *what, const char *text);

/* Collective. One line for the log on rank 0 (NULL on others; free with cmus_free()): hosts with their ranks, threads a
 * rank, cores. Such as "2 hosts (n1: ranks 0-1, n2: ranks 2-3), 4 ranks x 8 threads on 32 cores". */
char *cmus_launch_description(const cmus_communicator *communicator, int threads);

#endif
