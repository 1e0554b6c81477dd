#include "cmus/stop.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t asked; /* the first signal's number */

static void take_down(int number) {
    if (!asked)
        asked = number;
}

void cmus_stop_listen(void) {
    struct sigaction action = {.sa_handler = take_down, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void cmus_stop_listen_interrupt(void) {
    struct sigaction action = {.sa_handler = take_down, .sa_flags = SA_RESTART | (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

cmus_status cmus_stop_check(void) {
    if (!asked)
        return CMUS_OK;
    return cmus_fail(CMUS_STOPPED, "stopped by %s",
                     asked == SIGUSR1  ? "SIGUSR1"
                     : asked == SIGINT ? "SIGINT"
                                       : "SIGTERM");
}
