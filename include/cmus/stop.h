/* Being asked to stop: a scheduler's warning before a time limit (SIGUSR1), a preemption or a user (SIGTERM,
 * SIGINT).
 *
 * The program goes on; whoever does long work asks between two steps, and ends in order with CMUS_STOPPED.
 */
#ifndef CMUS_STOP_H
#define CMUS_STOP_H

#include "cmus/status.h"

/* From now on SIGUSR1 and SIGTERM are only taken down. Once, at the start of a program, before any thread. */
void cmus_stop_listen(void);
/* The same for Ctrl-C (SIGINT), for programs that are watched; a second Ctrl-C ends at once. */
void cmus_stop_listen_interrupt(void);

/* OK, or STOPPED with a message that names the signal. Not collective: signals reach ranks at different times. */
cmus_status cmus_stop_check(void);

#endif
