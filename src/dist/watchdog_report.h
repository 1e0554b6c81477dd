/* What a monitor knows of the ranks, and how it says it. No MPI, no threads. */
#ifndef CMUS_WATCHDOG_REPORT_H
#define CMUS_WATCHDOG_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "rank_text.h"

enum { CMUS_WHAT_SIZE = 64 };

/* Where a rank is, as it says: also the message that it sends. */
typedef struct cmus_rank_state {
    double idle; /* seconds since it got on */
    int64_t step;
    int32_t last; /* 1: its last message, it needs no watching any more */
    char what[CMUS_WHAT_SIZE];
} cmus_rank_state;

typedef struct cmus_rank_watch {
    cmus_rank_state state;
    double silent; /* seconds since it said so */
} cmus_rank_watch;

/* Seconds since the rank got on, as far as is known; 0 after its last message. */
double cmus_rank_stuck(const cmus_rank_watch *rank);

/* Appends which of the ranks [ranks] have reached the highest step, which not, and of which nothing has been heard for
 * `silent_limit` seconds; what each was doing and for how long. hosts [ranks]. */
void cmus_watchdog_describe(cmus_line *line, const cmus_rank_watch *watch, char (*hosts)[CMUS_HOST_SIZE], int ranks,
                            double silent_limit);

#endif
