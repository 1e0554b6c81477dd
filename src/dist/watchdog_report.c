#include "watchdog_report.h"

#include <string.h>

#include "cmus/memory.h"

enum { GROUPS = 12 }; /* in one report; the ranks beyond them are counted */

typedef enum standing { REACHED, BEHIND, SILENT, STANDINGS } standing;

double cmus_rank_stuck(const cmus_rank_watch *rank) {
    return rank->state.last ? 0 : rank->state.idle + rank->silent;
}

static standing standing_of(const cmus_rank_watch *rank, int64_t highest, double silent_limit) {
    if (!rank->state.last && rank->silent >= silent_limit)
        return SILENT;
    return rank->state.step < highest ? BEHIND : REACHED;
}

/* Ranks that are told of together. Where they are is of interest for those that others may wait for. */
static bool alike(const cmus_rank_watch *a, const cmus_rank_watch *b, const char *host_a, const char *host_b,
                  standing both) {
    return a->state.step == b->state.step && strcmp(a->state.what, b->state.what) == 0 &&
           (both == REACHED || strcmp(host_a, host_b) == 0);
}

/* One group: the ranks r with group[r] == first, which is its lowest rank. */
static void describe_group(cmus_line *line, const cmus_rank_watch *watch, const char *host, const int *group, int first,
                           int ranks, standing how) {
    double stuck = 0, silent = 0;
    int members = 0;
    for (int rank = first; rank < ranks; rank++) {
        if (group[rank] != first)
            continue;
        members++;
        stuck = cmus_rank_stuck(&watch[rank]) > stuck ? cmus_rank_stuck(&watch[rank]) : stuck;
        silent = watch[rank].silent > silent ? watch[rank].silent : silent;
    }
    const cmus_rank_state *state = &watch[first].state;
    if (how == SILENT)
        cmus_line_add(line, "nothing has been heard for %.0f s of ", silent);
    cmus_line_add_ranks(line, group, first, ranks);
    if (how != REACHED || members == 1)
        cmus_line_add(line, " on %s", host);
    if (how == BEHIND)
        cmus_line_add(line, " still at step %lld", (long long)state->step);
    if (how == SILENT)
        cmus_line_add(line, ", last at step %lld (%s): paused, ended or cut off", (long long)state->step, state->what);
    else if (state->last)
        cmus_line_add(line, " (%s)", state->what);
    else
        cmus_line_add(line, " (%s for %.0f s)", state->what, stuck);
}

/* Puts ranks of the same standing that are alike into groups, and describes them. */
static void describe_standing(cmus_line *line, const cmus_rank_watch *watch, char (*hosts)[CMUS_HOST_SIZE], int ranks,
                              const standing *standings, standing how) {
    int *group = cmus_allocate((size_t)ranks, sizeof *group), groups = 0, beyond = 0;
    for (int rank = 0; rank < ranks; rank++)
        group[rank] = -1;
    for (int first = 0; first < ranks; first++) {
        if (standings[first] != how || group[first] >= 0)
            continue;
        if (groups == GROUPS) {
            beyond++;
            continue;
        }
        for (int rank = first; rank < ranks; rank++)
            if (standings[rank] == how && group[rank] < 0 &&
                alike(&watch[first], &watch[rank], hosts[first], hosts[rank], how))
                group[rank] = first;
        if (groups++ > 0)
            cmus_line_add(line, ", ");
        describe_group(line, watch, hosts[first], group, first, ranks, how);
    }
    if (beyond)
        cmus_line_add(line, ", and %d more ranks", beyond);
    cmus_free(group);
}

void cmus_watchdog_describe(cmus_line *line, const cmus_rank_watch *watch, char (*hosts)[CMUS_HOST_SIZE], int ranks,
                            double silent_limit) {
    int64_t highest = INT64_MIN;
    for (int rank = 0; rank < ranks; rank++)
        highest = watch[rank].state.step > highest ? watch[rank].state.step : highest;
    standing *standings = cmus_allocate((size_t)ranks, sizeof *standings);
    int counts[STANDINGS] = {0};
    for (int rank = 0; rank < ranks; rank++) {
        standings[rank] = standing_of(&watch[rank], highest, silent_limit);
        counts[standings[rank]]++;
    }
    if (counts[REACHED])
        cmus_line_add(line, "step %lld has been reached by ", (long long)highest);
    const char *between = "";
    for (standing how = 0; how < STANDINGS; how++) {
        if (!counts[how])
            continue;
        cmus_line_add(line, "%s", between);
        describe_standing(line, watch, hosts, ranks, standings, how);
        between = "; ";
    }
    cmus_free(standings);
}
