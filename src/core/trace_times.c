#include <assert.h>
#include <stdio.h>

#include "cmus/memory.h"
#include "cmus/trace.h"

static_assert(CMUS_EPOCH_TIMES * sizeof(double) == sizeof(cmus_epoch_times), "doubles only, for sums over the ranks");

static double percent(double part, double whole) {
    return whole > 0 ? 100 * part / whole : 0;
}

/* Of all communication, on the reducer's thread or elsewhere, what computing did not wait for. */
static double hidden_percent(const cmus_epoch_times *times, double communication) {
    double hidden = percent(times->reducer_busy - times->reducer_exposed, communication);
    return hidden < 0 ? 0 : hidden > 100 ? 100 : hidden;
}

char *cmus_epoch_times_text(const cmus_epoch_times *times) {
    const double *activity = times->activity;
    double communication = activity[CMUS_ACTIVITY_COMMUNICATION];
    char hidden[48] = "";
    if (communication > 0)
        snprintf(hidden, sizeof hidden, ", of which %.0f %% hidden", hidden_percent(times, communication));
    return cmus_format_string("compute %.1f %%, waiting %.1f %% (data %.1f, gradients %.1f, weights %.1f), "
                              "communication %.1f %%%s, loading %.1f %%",
                              percent(activity[CMUS_ACTIVITY_COMPUTE], times->wall),
                              percent(activity[CMUS_ACTIVITY_WAITING], times->wall),
                              percent(times->waiting_data, times->wall), percent(times->waiting_gradients, times->wall),
                              percent(times->waiting_weights, times->wall), percent(communication, times->wall), hidden,
                              percent(activity[CMUS_ACTIVITY_LOADING], times->wall));
}
