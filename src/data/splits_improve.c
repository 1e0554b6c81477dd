/* Folds made more even by moves and swaps of patients.
 *
 * Patients with the same numbers of cases are of one kind, and it does not matter which of them moves. So a step is a
 * kind of one fold against a kind of another, or against nobody, and there are few of them: the kinds are as many as
 * there are ways to have a few cases. Most data sets need a handful of steps.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/memory.h"
#include "splits_make.h"

/* Steps looked at in all: where patients are of thousands of kinds the search ends with what it has. */
static const int64_t MOST_LOOKS = 50000000;
/* In the scale of `weights`, where the least change of equal folds is above 1. */
static const double LEAST_GAIN = 1e-3;

typedef struct search {
    const cmus_patient_counts *all;
    const cmus_fold_plan *plan;
    int kinds;       /* without nobody, who is the last */
    int *kind_of;    /* [patients]; -1: held out */
    int *cases;      /* [kinds + 1][classes]: of one patient of the kind */
    int *there;      /* [folds][kinds + 1]: patients */
    int *counts;     /* [folds][classes]: cases */
    double *weights; /* [classes]: (cases of the largest class / cases of the class)^2 */
    int64_t looks;
} search;

/* One patient of a kind of one fold for one of a kind of another. */
typedef struct step {
    int from, to; /* folds */
    int kind, other;
    int missing; /* how many more pairs of fold and class have no case */
    double change;
} step;

typedef struct by_counts {
    const int *counts;
    int classes, patient;
} by_counts;

static int compare_counts(const void *a, const void *b) {
    const by_counts *x = a, *y = b;
    for (int c = 0; c < x->classes; c++)
        if (x->counts[c] != y->counts[c])
            return y->counts[c] - x->counts[c];
    return x->patient - y->patient;
}

static void find_kinds(search *s) {
    const cmus_patient_counts *all = s->all;
    size_t classes = (size_t)all->classes;
    by_counts *order = cmus_allocate((size_t)all->count, sizeof *order);
    int count = 0;
    for (int p = 0; p < all->count; p++) {
        s->kind_of[p] = -1;
        if (all->sizes[p] > 0 && !s->plan->held[p])
            order[count++] = (by_counts){all->counts + (size_t)p * classes, all->classes, p};
    }
    qsort(order, (size_t)count, sizeof *order, compare_counts);
    s->cases = cmus_allocate((size_t)count + 1, classes * sizeof *s->cases);
    for (int i = 0; i < count; i++) {
        if (i == 0 || memcmp(order[i].counts, order[i - 1].counts, classes * sizeof(int)) != 0)
            memcpy(s->cases + (size_t)s->kinds++ * classes, order[i].counts, classes * sizeof(int));
        s->kind_of[order[i].patient] = s->kinds - 1;
    }
    cmus_free(order);
}

static void begin(search *s, const int *fold_of) {
    const cmus_patient_counts *all = s->all;
    size_t folds = (size_t)s->plan->folds, classes = (size_t)all->classes;
    s->kind_of = cmus_allocate((size_t)all->count, sizeof *s->kind_of);
    find_kinds(s);
    s->there = cmus_allocate(folds * ((size_t)s->kinds + 1), sizeof *s->there);
    s->counts = cmus_allocate(folds * classes, sizeof *s->counts);
    s->weights = cmus_allocate(classes, sizeof *s->weights);
    for (int p = 0; p < all->count; p++) {
        if (s->kind_of[p] < 0)
            continue;
        s->there[(size_t)fold_of[p] * ((size_t)s->kinds + 1) + (size_t)s->kind_of[p]]++;
        for (size_t c = 0; c < classes; c++)
            s->counts[(size_t)fold_of[p] * classes + c] += all->counts[(size_t)p * classes + c];
    }
    for (size_t f = 0; f < folds; f++)
        s->there[f * ((size_t)s->kinds + 1) + (size_t)s->kinds] = 1;
    double largest = 1;
    for (size_t c = 0; c < classes; c++)
        largest = fmax(largest, all->totals[c]);
    for (size_t c = 0; c < classes; c++)
        s->weights[c] = all->totals[c] ? pow(largest / all->totals[c], 2) : 0;
}

static void end(search *s) {
    cmus_free(s->kind_of);
    cmus_free(s->cases);
    cmus_free(s->there);
    cmus_free(s->counts);
    cmus_free(s->weights);
}

/* Fills in what the step would change. */
static void look(search *s, step *at) {
    int classes = s->all->classes;
    const int *from = s->counts + at->from * classes, *to = s->counts + at->to * classes;
    const int *gone = s->cases + at->kind * classes, *come = s->cases + at->other * classes;
    double share_from = s->plan->shares[at->from], share_to = s->plan->shares[at->to];
    at->missing = 0;
    at->change = 0;
    for (int c = 0; c < classes; c++) {
        int more = come[c] - gone[c]; /* in `from`, and as many fewer in `to` */
        if (more == 0)
            continue;
        double here = from[c], there = to[c];
        at->change += s->weights[c] * ((2 * here + more) * more / share_from + (more - 2 * there) * more / share_to);
        at->missing += (from[c] + more == 0) - (from[c] == 0) + (to[c] == more) - (to[c] == 0);
    }
    if (!s->plan->each_class)
        at->missing = 0;
    s->looks++;
}

static bool is_better(const step *one, const step *other) {
    return one->missing != other->missing ? one->missing < other->missing : one->change < other->change - LEAST_GAIN;
}

static void look_at_folds(search *s, int from, int to, step *best) {
    const int *here = s->there + from * (s->kinds + 1), *there = s->there + to * (s->kinds + 1);
    for (int kind = 0; kind <= s->kinds; kind++)
        for (int other = 0; here[kind] > 0 && other <= s->kinds; other++)
            if (there[other] > 0 && kind != other) {
                step at = {.from = from, .to = to, .kind = kind, .other = other};
                look(s, &at);
                if (is_better(&at, best))
                    *best = at;
            }
}

/* Puts one patient of the kind from fold `from` into `to`. */
static void move(search *s, int kind, int from, int to, int *fold_of) {
    if (kind == s->kinds)
        return;
    int patient = 0;
    while (s->kind_of[patient] != kind || fold_of[patient] != from)
        patient++;
    fold_of[patient] = to;
    s->there[from * (s->kinds + 1) + kind]--;
    s->there[to * (s->kinds + 1) + kind]++;
    for (int c = 0; c < s->all->classes; c++) {
        s->counts[from * s->all->classes + c] -= s->cases[kind * s->all->classes + c];
        s->counts[to * s->all->classes + c] += s->cases[kind * s->all->classes + c];
    }
}

void cmus_splits_improve(const cmus_patient_counts *all, const cmus_fold_plan *plan, int *fold_of) {
    search s = {.all = all, .plan = plan};
    begin(&s, fold_of);
    while (s.looks < MOST_LOOKS) {
        step best = {.from = -1};
        for (int from = 0; from < plan->folds; from++)
            for (int to = from + 1; to < plan->folds && s.looks < MOST_LOOKS; to++)
                look_at_folds(&s, from, to, &best);
        if (best.from < 0)
            break;
        int from = best.from, to = best.to;
        move(&s, best.kind, from, to, fold_of);
        move(&s, best.other, to, from, fold_of);
    }
    end(&s);
}
