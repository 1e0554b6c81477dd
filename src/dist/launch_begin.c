/* The begin of programs that several ranks run (launch.h). */
#include <omp.h>
#include <stdlib.h>

#include "cmus/launch.h"

void cmus_launch_threads(void) {
    int threads = cmus_threads_per_rank();
    if (!getenv("OMP_NUM_THREADS"))
        omp_set_num_threads(threads);
}

cmus_communicator cmus_launch_begin(int *argc, char ***argv, const char *program, bool *several) {
    *several = cmus_launched_as_several();
    if (!*several)
        return (cmus_communicator){.rank = 0, .ranks = 1};
    cmus_communicator communicator = cmus_communicator_begin(argc, argv, program);
    cmus_launch_threads();
    return communicator;
}
