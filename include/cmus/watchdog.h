/* Watches that the ranks get on: says which do not, and ends the job rather than let it hang.
 *
 * Each rank says where it is (cmus_watchdog_at). A thread of its own, on a communicator of its own, passes that to two
 * ranks (0 and 1), which print after `report_seconds` without a step which ranks have not reached which step. A rank
 * whose own step has not changed for `stall_seconds` ends the job by the fatal path: also where the network is cut and
 * no message comes through, so that every rank of a job ends.
 */
#ifndef CMUS_WATCHDOG_H
#define CMUS_WATCHDOG_H

#include <stdint.h>

#include "cmus/communicator.h"

typedef struct cmus_watchdog cmus_watchdog;

/* Collective. Seconds of 0: no report; never ends the job. */
cmus_watchdog *cmus_watchdog_start(const cmus_communicator *communicator, double report_seconds, double stall_seconds);
/* Not collective. This rank begins to do `what` (a literal, such as "waiting for the gradients") of step `step`. Costs
 * next to nothing. Every call counts as getting on. */
void cmus_watchdog_at(cmus_watchdog *watchdog, const char *what, int64_t step);
/* Collective. NULL is allowed. */
void cmus_watchdog_stop(cmus_watchdog *watchdog);

#endif
