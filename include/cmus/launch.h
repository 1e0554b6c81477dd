/* What is wrong with how a job was started, said before it costs an hour. */
#ifndef CMUS_LAUNCH_H
#define CMUS_LAUNCH_H

#include <stdbool.h>

#include "cmus/communicator.h"
#include "cmus/status.h"

/* Not collective, for programs that also work without MPI: whether a launcher says that it started several processes.
 * Then MPI must be started. */
bool cmus_launched_as_several(void);

/* Collective, after MPI was started. From now on OpenMP has all threads that this rank may have, unless OMP_NUM_THREADS
 * says otherwise. */
void cmus_launch_threads(void);

/* Collective. Begins a program that also works without MPI: starts it only for *several ranks, and sets their threads.
 * Alone, the program is a communicator of one rank; cmus_communicator_end() is for several only. */
cmus_communicator cmus_launch_begin(int *argc, char ***argv, const char *program, bool *several);

/* Collective. `threads`: of this rank.
 *
 * ARGUMENT if a launcher started several processes that do not know of each other (the environment of srun, of another
 * MPI's mpirun or mpiexec says more than one, MPI says 1): the message gives the right command. One process that an
 * `mpirun -np 1` of this MPI started is what was asked for, whatever surrounds it. One that was started plainly, not
 * by srun, in a Slurm job with several tasks works, and leaves the other tasks idle: a warning.
 *
 * MISMATCH if the program on a rank is not that of rank 0 (SHA-256 of /proc/self/exe): it names ranks and hosts. IO if
 * it can't be read.
 *
 * Warns on rank 0, with numbers, if the ranks' threads on a host are more than the cores that they may use, or a rank
 * may use fewer cores than it has threads. */
cmus_status cmus_launch_check(const cmus_communicator *communicator, int threads);

/* Collective. MISMATCH if `text` is not the same on every rank, such as a hash of the configuration, of the data set,
 * or of the weights: "NAME differs: rank 3 on host b has ..., rank 0 on host a has ...". `what` names it in messages.
 */
cmus_status cmus_launch_same(const cmus_communicator *communicator, const char *what, const char *text);

/* Collective. One line for the log on rank 0 (NULL on others; free with cmus_free()): hosts with their ranks, threads a
 * rank, cores that they may use. Such as "2 hosts (n1: ranks 0-1, n2: ranks 2-3), 4 ranks x 8 threads on 32 cores". */
char *cmus_launch_description(const cmus_communicator *communicator, int threads);

#endif
