/* Folds: grouped, balanced, repeatable. */
#include <stdbool.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/random.h"
#include "cmus/splits.h"
#include "unit.h"

enum { MOST_CASES = 400, CLASSES = 3 };

typedef struct cases {
    int count, patients;
    int patient[MOST_CASES], label[MOST_CASES];
} cases;

/* Patients of 1 to 4 cases, each case of a random class; class 2 is rare. */
static cases draw_cases(uint64_t seed) {
    cases drawn = {0};
    cmus_random random = cmus_random_begin(seed, "test", NULL, 0);
    int wanted = 60 + (int)cmus_random_below(&random, 300);
    while (drawn.count < wanted) {
        int more = 1 + (int)cmus_random_below(&random, 4);
        for (int i = 0; i < more && drawn.count < MOST_CASES; i++) {
            drawn.patient[drawn.count] = drawn.patients;
            drawn.label[drawn.count++] = cmus_random_below(&random, 8) == 0 ? 2 : (int)cmus_random_below(&random, 2);
        }
        drawn.patients++;
    }
    return drawn;
}

static bool keeps_patients_together(const cases *all, const int *fold) {
    int first[MOST_CASES];
    for (int p = 0; p < all->patients; p++)
        first[p] = -2;
    for (int i = 0; i < all->count; i++) {
        int *of = &first[all->patient[i]];
        if (*of != -2 && *of != fold[i])
            return false;
        *of = fold[i];
    }
    return true;
}

/* Largest distance of a class count in a fold from its share, in cases; the cases that are held out do not count. */
static double unevenness(const cases *all, const int *fold, int folds) {
    double counts[16][CLASSES] = {{0}}, totals[CLASSES] = {0}, worst = 0;
    for (int i = 0; i < all->count; i++)
        if (fold[i] >= 0) {
            counts[fold[i]][all->label[i]]++;
            totals[all->label[i]]++;
        }
    for (int f = 0; f < folds; f++)
        for (int c = 0; c < CLASSES; c++) {
            double off = counts[f][c] - totals[c] / folds;
            worst = off > worst ? off : -off > worst ? -off : worst;
        }
    return worst;
}

static void folds_are_grouped_and_even(void) {
    for (uint64_t seed = 0; seed < 200; seed++) {
        cases all = draw_cases(seed);
        int folds = 2 + (int)(seed % 9);
        cmus_splits splits;
        CU_ASSERT_EQUAL_FATAL(cmus_splits_make(all.count, all.patient, all.label, CLASSES, folds, 2, seed, &splits),
                              CMUS_OK);
        for (int r = 0; r < 2; r++) {
            const int *fold = splits.fold + r * all.count;
            CU_ASSERT(keeps_patients_together(&all, fold));
            CU_ASSERT(unevenness(&all, fold, folds) <= 4); /* the size of the largest patient */
            for (int i = 0; i < all.count; i++)
                CU_ASSERT(fold[i] >= 0 && fold[i] < folds);
        }
        cmus_splits_free(&splits);
    }
}

/* Without groups, class counts can differ by one case only. */
static void single_cases_are_perfectly_even(void) {
    cases all = draw_cases(1);
    for (int i = 0; i < all.count; i++)
        all.patient[i] = i;
    all.patients = all.count;
    cmus_splits splits;
    CU_ASSERT_EQUAL_FATAL(cmus_splits_make(all.count, all.patient, all.label, CLASSES, 5, 1, 3, &splits), CMUS_OK);
    CU_ASSERT(unevenness(&all, splits.fold, 5) < 1);
    cmus_splits_free(&splits);
}

static void folds_depend_on_the_seed_only(void) {
    cases all = draw_cases(5);
    cmus_splits one, same, other;
    cmus_splits_make(all.count, all.patient, all.label, CLASSES, 5, 2, 9, &one);
    cmus_splits_make(all.count, all.patient, all.label, CLASSES, 5, 2, 9, &same);
    cmus_splits_make(all.count, all.patient, all.label, CLASSES, 5, 2, 10, &other);
    size_t bytes = (size_t)all.count * sizeof *one.fold;
    CU_ASSERT_EQUAL(memcmp(one.fold, same.fold, 2 * bytes), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(one.fold, other.fold, bytes), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(one.fold, one.fold + all.count, bytes), 0); /* repeats differ */
    cmus_splits_free(&one);
    cmus_splits_free(&same);
    cmus_splits_free(&other);
}

static void holdout_takes_its_share(void) {
    for (uint64_t seed = 0; seed < 50; seed++) {
        cases all = draw_cases(seed);
        cmus_splits splits;
        CU_ASSERT_EQUAL_FATAL(
            cmus_splits_make_holdout(all.count, all.patient, all.label, CLASSES, 4, 2, 0.2, seed, &splits), CMUS_OK);
        int held[CLASSES] = {0}, totals[CLASSES] = {0};
        for (int i = 0; i < all.count; i++) {
            totals[all.label[i]]++;
            held[all.label[i]] += splits.fold[i] == CMUS_FOLD_HOLDOUT;
            CU_ASSERT_EQUAL(splits.fold[i] == CMUS_FOLD_HOLDOUT, splits.fold[all.count + i] == CMUS_FOLD_HOLDOUT);
        }
        for (int c = 0; c < CLASSES; c++)
            CU_ASSERT_DOUBLE_EQUAL(held[c], 0.2 * totals[c], 4);
        CU_ASSERT(keeps_patients_together(&all, splits.fold));
        CU_ASSERT(unevenness(&all, splits.fold, 4) <= 4);
        cmus_splits_free(&splits);
    }
}

/* Going one by one leaves the counts of these patients uneven in most cases; moves and swaps almost never. */
static void patients_are_swapped_until_it_is_even(void) {
    int even = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        cases all = draw_cases(seed);
        cmus_splits splits;
        CU_ASSERT_EQUAL_FATAL(cmus_splits_make(all.count, all.patient, all.label, CLASSES, 5, 1, seed, &splits),
                              CMUS_OK);
        even += unevenness(&all, splits.fold, 5) < 1;
        cmus_splits_free(&splits);
    }
    CU_ASSERT(even >= 90);
}

static void impossible_folds_are_refused(void) {
    static const int patient[6] = {0, 0, 1, 1, 2, 2}, label[6] = {0, 1, 0, 1, 0, 1};
    cmus_splits splits;
    CU_ASSERT_EQUAL(cmus_splits_make(6, patient, label, 2, 4, 1, 0, &splits), CMUS_ERROR_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "3 patients"));
    CU_ASSERT_EQUAL(cmus_splits_make(6, patient, label, 2, 3, 1, 0, &splits), CMUS_OK);
    cmus_splits_free(&splits);
    CU_ASSERT_EQUAL(cmus_splits_make(6, patient, label, 2, 1, 1, 0, &splits), CMUS_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(cmus_splits_make_holdout(6, patient, label, 2, 3, 1, 0.3, 0, &splits), CMUS_ERROR_DATA);
    CU_ASSERT_EQUAL(cmus_splits_make_holdout(6, patient, label, 2, 2, 1, 0.01, 0, &splits), CMUS_ERROR_DATA);
}

int main(void) {
    static const unit_test tests[] = {
        {"folds are grouped and even", folds_are_grouped_and_even},
        {"single cases are perfectly even", single_cases_are_perfectly_even},
        {"folds depend on the seed only", folds_depend_on_the_seed_only},
        {"hold-out takes its share", holdout_takes_its_share},
        {"patients are swapped until it is even", patients_are_swapped_until_it_is_even},
        {"impossible folds are refused", impossible_folds_are_refused},
    };
    return unit_main("splits", tests, sizeof tests / sizeof tests[0]);
}
