/* Cross-validation folds: splits.csv with the columns case_id,patient_id,class,repeat,fold (fold may be "holdout").
 *
 * No patient may be in two folds of a repeat. Folds are made by cmus-split, once, and read by everything else. Not
 * collective.
 */
#ifndef CMUS_SPLITS_H
#define CMUS_SPLITS_H

#include <stdint.h>

#include "cmus/dataset.h"
#include "cmus/status.h"

enum { CMUS_FOLD_HOLDOUT = -1 };

typedef struct cmus_splits {
    int folds, repeats, cases;
    int *fold; /* [repeats][cases of the data set]: 0 ... folds - 1 or CMUS_FOLD_HOLDOUT */
} cmus_splits;

/* Makes `folds` folds of `cases` cases: patients stay together, classes are balanced as well as that allows. Depends on
 * its arguments only. patient [cases]: number of the patient, from 0 and below `cases`; label [cases]. DATA if there
 * are fewer patients than folds. */
cmus_status cmus_splits_make(int cases, const int *patient, const int *label, int classes, int folds, int repeats,
                             uint64_t seed, cmus_splits *splits);

/* The same after keeping about `holdout` (0 <= holdout < 1) of each class apart, whole patients, the same in every
 * repeat. DATA also if the hold-out takes nobody or leaves fewer patients than folds. */
cmus_status cmus_splits_make_holdout(int cases, const int *patient, const int *label, int classes, int folds,
                                     int repeats, double holdout, uint64_t seed, cmus_splits *splits);

/* The number of each case's patient, by the order in which the patients appear: patient [cases]. Returns the number of
 * patients. */
int cmus_splits_patients(const cmus_dataset *dataset, int *patient);

/* DATA if a class has no case in a fold of a repeat; the message lists them. */
cmus_status cmus_splits_check_classes(const cmus_splits *splits, const cmus_dataset *dataset);

/* Reads a file and proves it against the data set: every case once a repeat, its class and patient as in the data set,
 * no patient in two folds, at least two folds, no empty one. DATA or MISMATCH lists the offenders. */
cmus_status cmus_splits_read(const char *path, const cmus_dataset *dataset, cmus_splits *splits);
cmus_status cmus_splits_write(const char *path, const cmus_dataset *dataset, const cmus_splits *splits);
void cmus_splits_free(cmus_splits *splits);

#endif
