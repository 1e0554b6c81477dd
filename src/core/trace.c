#include "cmus/trace.h"

#include <stdatomic.h>

#include "cmus/log.h"

const char *const cmus_activity_names[CMUS_ACTIVITIES] = {"compute", "communication", "loading", "waiting"};

static _Atomic int64_t nanoseconds[CMUS_ACTIVITIES];

double cmus_trace_begin(void) {
    return cmus_seconds();
}

void cmus_trace_end(cmus_activity activity, const char *name, double began) {
    (void)name;
    atomic_fetch_add(&nanoseconds[activity], (int64_t)((cmus_seconds() - began) * 1e9));
}

double cmus_trace_seconds(cmus_activity activity) {
    return (double)atomic_load(&nanoseconds[activity]) * 1e-9;
}
