/* One line of text about ranks, for messages: what does not fit is cut off. */
#ifndef CMUS_RANK_TEXT_H
#define CMUS_RANK_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "cmus/communicator.h"

enum { CMUS_HOST_SIZE = 64 };

typedef struct cmus_line {
    char text[2048];
    size_t length;
} cmus_line;

void cmus_line_add(cmus_line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds "rank 3" or "ranks 0, 2-5": those r of `ranks` for which group[r] is `number`. */
void cmus_line_add_ranks(cmus_line *line, const int *group, int number, int ranks);

/* Collective. The names of the hosts of all ranks [ranks]; free with cmus_free(). */
char (*cmus_all_hosts(const cmus_communicator *communicator))[CMUS_HOST_SIZE];

#endif
