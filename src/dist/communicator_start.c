/* Start and end of MPI, and what a rank knows of its place: host, processors, version. */
#include <mpi.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmus/communicator.h"
#include "cmus/log.h"
#include "host_cores.h"
#include "mpi_check.h"

static atomic_bool running;

void cmus_mpi_check(int code, const char *call) {
    if (code == MPI_SUCCESS)
        return;
    char text[MPI_MAX_ERROR_STRING] = "unknown error";
    int length = 0;
    MPI_Error_string(code, text, &length);
    cmus_fatal("%s failed: %s; the job's output of the other ranks may say more", call, text);
}

/* exit() inside argp (--help, wrong usage) must not leave MPI open: mpirun would call that a crash. */
static void finish_at_exit(void) {
    if (atomic_exchange(&running, false))
        MPI_Finalize();
}

/* On the thread that failed, whatever the others do. If mpirun can't be reached, MPI_Abort does not return, and log.h
 * has this process killed; a rank that mpirun does not end then is ended by its own watchdog (watchdog.h). */
static void abort_all(int code) {
    running = false;
    MPI_Abort(MPI_COMM_WORLD, code);
    _exit(code);
}

cmus_communicator cmus_communicator_begin(int *argc, char ***argv, const char *program) {
    int provided = 0;
    if (MPI_Init_thread(argc, argv, MPI_THREAD_MULTIPLE, &provided) != MPI_SUCCESS)
        cmus_fatal("MPI can't start; start %s by itself or under the mpirun of the MPI it was built with", program);
    cmus_set_fatal_exit(abort_all);
    running = true;
    atexit(finish_at_exit);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    cmus_communicator communicator = {0, 1};
    cmus_mpi_check(MPI_Comm_rank(MPI_COMM_WORLD, &communicator.rank), "MPI_Comm_rank");
    cmus_mpi_check(MPI_Comm_size(MPI_COMM_WORLD, &communicator.ranks), "MPI_Comm_size");
    cmus_log_begin(program, communicator.rank, communicator.ranks);
    if (provided < MPI_THREAD_MULTIPLE)
        cmus_fatal("this MPI allows only one thread to call it, and gradients travel on a thread of their own; use a "
                   "build of MPI with MPI_THREAD_MULTIPLE");
    return communicator;
}

void cmus_communicator_end(void) {
    finish_at_exit();
}

const char *cmus_host_name(void) {
    static char name[256];
    if (!name[0] && gethostname(name, sizeof name - 1) != 0)
        snprintf(name, sizeof name, "unknown");
    return name;
}

const char *cmus_mpi_version(void) {
    static char text[MPI_MAX_LIBRARY_VERSION_STRING + 1];
    int length = 0;
    if (MPI_Get_library_version(text, &length) != MPI_SUCCESS)
        return "unknown";
    text[strcspn(text, "\r\n")] = 0;
    return text;
}
