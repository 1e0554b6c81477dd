/* Failures of MPI end the job: after one of them no rank can rely on any other. */
#ifndef CMUS_MPI_CHECK_H
#define CMUS_MPI_CHECK_H

/* Fatal, with MPI's own text, unless `code` is MPI_SUCCESS. `call` names what failed. */
void cmus_mpi_check(int code, const char *call);

#endif
