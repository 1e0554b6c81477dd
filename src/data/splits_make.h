/* Parts of making folds that splits_make.c and splits_improve.c share; not for others. */
#ifndef CMUS_DATA_SPLITS_MAKE_H
#define CMUS_DATA_SPLITS_MAKE_H

#include <stdbool.h>

/* The cases of each patient. */
typedef struct cmus_patient_counts {
    int count, classes;
    int *counts; /* [count][classes]: cases */
    int *sizes;  /* [count]: cases in all; 0: no patient of that number */
    int *totals; /* [classes] */
} cmus_patient_counts;

/* The folds that patients are put into. */
typedef struct cmus_fold_plan {
    int folds;
    const double *shares; /* [folds]: of the cases, in sum 1 */
    const bool *held;     /* [patients]: these stay as they are and do not count */
    bool each_class;      /* each class should be in each fold, before anything else */
} cmus_fold_plan;

/* Moves patients, and swaps two of different folds, as long as that makes the folds more even in the measure of
 * splits_make.c, always the best such step; among equals the first. Folds that no step makes better stay as they are.
 * Depends on its arguments only. fold_of [patients]: of those that are not held. */
void cmus_splits_improve(const cmus_patient_counts *all, const cmus_fold_plan *plan, int *fold_of);

#endif
