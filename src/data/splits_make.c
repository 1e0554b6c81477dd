/* Folds: patients, the largest first, go one by one into the fold that keeps the class counts most even; then moves and
 * swaps make them more even where patients with several cases left something to do (splits_improve.c).
 *
 * "Even" is the sum over classes and folds of (cases of the class in the fold / cases of the class)^2 / (share of the
 * fold): the smaller the better. A fold without cases of a patient's classes is therefore always taken first, and none
 * stays empty. Among equal folds the one with the fewest cases is taken; the order of patients of equal size is
 * shuffled by the seed.
 */
#include "splits_make.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/random.h"
#include "cmus/splits.h"

static cmus_patient_counts count_cases(int cases, const int *patient, const int *label, int classes) {
    cmus_patient_counts all = {.classes = classes};
    for (int i = 0; i < cases; i++)
        if (patient[i] >= all.count)
            all.count = patient[i] + 1;
    all.counts = cmus_allocate((size_t)all.count * (size_t)classes, sizeof *all.counts);
    all.sizes = cmus_allocate((size_t)all.count, sizeof *all.sizes);
    all.totals = cmus_allocate((size_t)classes, sizeof *all.totals);
    for (int i = 0; i < cases; i++) {
        all.counts[patient[i] * classes + label[i]]++;
        all.sizes[patient[i]]++;
        all.totals[label[i]]++;
    }
    return all;
}

static void free_patients(cmus_patient_counts *all) {
    cmus_free(all->counts);
    cmus_free(all->sizes);
    cmus_free(all->totals);
}

/* qsort may change the order of equals, so the shuffled place decides among patients of one size. */
typedef struct placed {
    int patient, size, place;
} placed;

static int compare_placed(const void *a, const void *b) {
    const placed *x = a, *y = b;
    return x->size != y->size ? y->size - x->size : x->place - y->place;
}

/* The patients that have cases and are not held out, shuffled, then the largest first. Returns their number. */
static int order_patients(const cmus_patient_counts *all, const bool *held, cmus_random *random, int *order) {
    int count = 0;
    for (int p = 0; p < all->count; p++)
        if (all->sizes[p] > 0 && !held[p])
            order[count++] = p;
    cmus_random_shuffle(random, order, count);
    placed *list = cmus_allocate((size_t)count, sizeof *list);
    for (int i = 0; i < count; i++)
        list[i] = (placed){order[i], all->sizes[order[i]], i};
    qsort(list, (size_t)count, sizeof *list, compare_placed);
    for (int i = 0; i < count; i++)
        order[i] = list[i].patient;
    cmus_free(list);
    return count;
}

/* What the patient adds to the sum of squares if it goes into a fold that has these counts and should get this share of
 * each class. */
static double added_unevenness(const cmus_patient_counts *all, int patient, const int *fold_counts, double share) {
    double added = 0;
    for (int c = 0; c < all->classes; c++) {
        double more = all->counts[patient * all->classes + c], there = fold_counts[c], total = all->totals[c];
        if (more > 0)
            added += (2 * there + more) * more / (total * total * share);
    }
    return added;
}

/* fold_of [patients]: set for those that are not held out. */
static void distribute(const cmus_patient_counts *all, const cmus_fold_plan *plan, cmus_random *random, int *fold_of) {
    int folds = plan->folds;
    int *order = cmus_allocate((size_t)all->count, sizeof *order);
    int *counts = cmus_allocate((size_t)folds * (size_t)all->classes, sizeof *counts);
    int *sizes = cmus_allocate((size_t)folds, sizeof *sizes);
    int count = order_patients(all, plan->held, random, order);
    for (int i = 0; i < count; i++) {
        int best = 0;
        double least = INFINITY;
        for (int f = 0; f < folds; f++) {
            double added = added_unevenness(all, order[i], counts + f * all->classes, plan->shares[f]);
            if (added < least - 1e-12 || (added < least + 1e-12 && sizes[f] < sizes[best])) {
                best = f;
                least = added;
            }
        }
        fold_of[order[i]] = best;
        sizes[best] += all->sizes[order[i]];
        for (int c = 0; c < all->classes; c++)
            counts[best * all->classes + c] += all->counts[order[i] * all->classes + c];
    }
    cmus_free(order);
    cmus_free(counts);
    cmus_free(sizes);
    cmus_splits_improve(all, plan, fold_of);
}

/* The hold-out is one of two unequal folds. held [patients]: all false before. */
static void hold_out(const cmus_patient_counts *all, double share, uint64_t seed, bool *held) {
    cmus_random random = cmus_random_begin(seed, "hold-out", NULL, 0);
    double shares[2] = {1 - share, share};
    int *part = cmus_allocate((size_t)all->count, sizeof *part);
    distribute(all, &(cmus_fold_plan){.folds = 2, .shares = shares, .held = held}, &random, part);
    for (int p = 0; p < all->count; p++)
        held[p] = all->sizes[p] > 0 && part[p] == 1;
    cmus_free(part);
}

static cmus_status check_counts(const cmus_patient_counts *all, const bool *held, int folds, double holdout) {
    int left = 0, kept_apart = 0;
    for (int p = 0; p < all->count; p++) {
        kept_apart += held[p];
        left += all->sizes[p] > 0 && !held[p];
    }
    if (holdout > 0 && kept_apart == 0)
        return cmus_fail(CMUS_ERROR_DATA, "a hold-out of %g would take no patient of %d; ask for a larger share",
                         holdout, left);
    if (left < folds)
        return cmus_fail(CMUS_ERROR_DATA, "%d patients can't make %d folds; ask for fewer folds", left, folds);
    return CMUS_OK;
}

static void make_repeats(const cmus_patient_counts *all, const bool *held, const int *patient, int cases, int folds,
                         int repeats, uint64_t seed, cmus_splits *splits) {
    int *fold_of = cmus_allocate((size_t)all->count, sizeof *fold_of);
    double *shares = cmus_allocate((size_t)folds, sizeof *shares);
    for (int f = 0; f < folds; f++)
        shares[f] = 1.0 / folds;
    cmus_fold_plan plan = {folds, shares, held, true};
    *splits =
        (cmus_splits){folds, repeats, cases, cmus_allocate((size_t)repeats * (size_t)cases, sizeof *splits->fold)};
    for (int r = 0; r < repeats; r++) {
        cmus_random random = cmus_random_begin(seed, "folds", &(uint64_t){(uint64_t)r}, 1);
        distribute(all, &plan, &random, fold_of);
        int *fold = splits->fold + (size_t)r * (size_t)cases;
        for (int i = 0; i < cases; i++)
            fold[i] = held[patient[i]] ? CMUS_FOLD_HOLDOUT : fold_of[patient[i]];
    }
    cmus_free(fold_of);
    cmus_free(shares);
}

cmus_status cmus_splits_make_holdout(int cases, const int *patient, const int *label, int classes, int folds,
                                     int repeats, double holdout, uint64_t seed, cmus_splits *splits) {
    memset(splits, 0, sizeof *splits);
    if (folds < 2 || repeats < 1 || !(holdout >= 0 && holdout < 1))
        return cmus_fail(CMUS_ERROR_ARGUMENT, "folds must be 2 or more, repeats 1 or more, the hold-out from 0 to 1");
    cmus_patient_counts all = count_cases(cases, patient, label, classes);
    bool *held = cmus_allocate((size_t)all.count, sizeof *held);
    if (holdout > 0)
        hold_out(&all, holdout, seed, held);
    cmus_status status = check_counts(&all, held, folds, holdout);
    if (status == CMUS_OK)
        make_repeats(&all, held, patient, cases, folds, repeats, seed, splits);
    cmus_free(held);
    free_patients(&all);
    return status;
}

cmus_status cmus_splits_make(int cases, const int *patient, const int *label, int classes, int folds, int repeats,
                             uint64_t seed, cmus_splits *splits) {
    return cmus_splits_make_holdout(cases, patient, label, classes, folds, repeats, 0, seed, splits);
}

void cmus_splits_free(cmus_splits *splits) {
    cmus_free(splits->fold);
    memset(splits, 0, sizeof *splits);
}
