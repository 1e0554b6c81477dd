/* Watches that the ranks get on: says which do not, and ends the job rather than let it hang.
 *
 * Each rank says where it is (cmus_watchdog_at). A thread of its own, on a communicator of its own, passes that to two
 * ranks, the monitors 0 and 1. After `report_seconds` in which a rank has not got on, rank 0 (rank 1, if nothing is
 * heard of rank 0) prints which ranks have not reached which step; again when twice that time is over, and so on. A
 * rank that still answers is told from one of which nothing is heard: paused, ended, or cut off. A rank that has not
 * got on for `stall_seconds` ends the job by the fatal path (log.h): also where the network is cut and no message comes
 * through, so that every rank of a job ends; only a rank that is itself paused has to be killed from outside, which
 * mpirun does when another rank ends the job. Time in which a rank was paused does not count for it: a job that was
 * suspended as a whole goes on.
 */
#ifndef CMUS_WATCHDOG_H
#define CMUS_WATCHDOG_H

#include <stdint.h>

#include "cmus/communicator.h"

typedef struct cmus_watchdog cmus_watchdog;

/* Collective. Seconds of 0: no report; never ends the job. Needs a step's longest part to be shorter than the seconds,
 * as only cmus_watchdog_at() counts as getting on. Free by cmus_watchdog_stop(). */
cmus_watchdog *cmus_watchdog_start(const cmus_communicator *communicator, double report_seconds, double stall_seconds);
/* Not collective; any thread. This rank begins to do `what` (a literal, such as "waiting for the gradients") of step
 * `step`. Costs next to nothing. Every call counts as getting on. A NULL watchdog is allowed. */
void cmus_watchdog_at(cmus_watchdog *watchdog, const char *what, int64_t step);
/* Collective: waits for all ranks, under the watchdog's eyes. NULL is allowed. */
void cmus_watchdog_stop(cmus_watchdog *watchdog);

#endif
