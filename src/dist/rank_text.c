#include "rank_text.h"

#include <mpi.h>
#include <stdarg.h>
#include <stdio.h>

#include "cmus/memory.h"
#include "mpi_check.h"

void cmus_line_add(cmus_line *line, const char *format, ...) {
    size_t room = sizeof line->text - line->length;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line->text + line->length, room, format, arguments);
    va_end(arguments);
    if (length > 0)
        line->length += (size_t)length < room ? (size_t)length : room - 1;
}

void cmus_line_add_ranks(cmus_line *line, const int *group, int number, int ranks) {
    int count = 0;
    for (int rank = 0; rank < ranks; rank++)
        count += group[rank] == number;
    cmus_line_add(line, count == 1 ? "rank" : "ranks");
    const char *between = " ";
    for (int rank = 0; rank < ranks; rank++) {
        if (group[rank] != number)
            continue;
        int last = rank;
        while (last + 1 < ranks && group[last + 1] == number)
            last++;
        if (last == rank)
            cmus_line_add(line, "%s%d", between, rank);
        else
            cmus_line_add(line, "%s%d-%d", between, rank, last);
        between = ", ";
        rank = last;
    }
}

char (*cmus_all_hosts(const cmus_communicator *communicator))[CMUS_HOST_SIZE] {
    char own[CMUS_HOST_SIZE] = "";
    snprintf(own, sizeof own, "%s", cmus_host_name());
    char(*hosts)[CMUS_HOST_SIZE] = cmus_allocate((size_t)communicator->ranks, sizeof *hosts);
    cmus_mpi_check(MPI_Allgather(own, CMUS_HOST_SIZE, MPI_BYTE, hosts, CMUS_HOST_SIZE, MPI_BYTE, MPI_COMM_WORLD),
                   "MPI_Allgather");
    return hosts;
}
