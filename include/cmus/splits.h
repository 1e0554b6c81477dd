/* Cross-validation folds: splits.csv with the columns case_id,patient_id,class,repeat,fold (fold may be "holdout").
 *
 * The rules: every case is there once a repeat, with its class and patient; no patient is in two folds of a repeat (or
 * in a fold and held out); each fold has a case of each class. Folds are made by cmus-split, once, and read by
 * everything else, which refuses what breaks a rule. Not collective.
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

/* Makes `folds` folds of `cases` cases: patients stay together, classes are balanced as well as that allows, and each
 * class is in each fold if a search by moves and swaps of patients finds such folds. Depends on its arguments only.
 * patient [cases]: number of the patient, from 0 and below `cases`; label [cases]. DATA if there are fewer patients
 * than folds. */
cmus_status cmus_splits_make(int cases, const int *patient, const int *label, int classes, int folds, int repeats,
                             uint64_t seed, cmus_splits *splits);

/* The same after keeping about `holdout` (0 <= holdout < 1) of each class apart, whole patients, the same in every
 * repeat. DATA also if the hold-out takes nobody or leaves fewer patients than folds. */
cmus_status cmus_splits_make_holdout(int cases, const int *patient, const int *label, int classes, int folds,
                                     int repeats, double holdout, uint64_t seed, cmus_splits *splits);

/* The number of each case's patient, by the order in which the patients appear: patient [cases]. Returns the number of
 * patients. */
int cmus_splits_patients(const cmus_dataset *dataset, int *patient);

/* What breaks the rules: a text each, without a full stop. Begin with zeros. */
typedef struct cmus_splits_faults {
    char **texts; /* [count] */
    size_t count, capacity;
} cmus_splits_faults;

/* Adds a text; what is no clean UTF-8 in it is replaced. */
void cmus_splits_fault(cmus_splits_faults *faults, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cmus_splits_faults_free(cmus_splits_faults *faults);

/* Adds the patients that are in two folds of a repeat, or in a fold and held out: each once a repeat, with a case of
 * either. Cases with a fold below CMUS_FOLD_HOLDOUT, whose fold is not known, are not looked at. */
void cmus_splits_check_patients(const cmus_splits *splits, const cmus_dataset *dataset, cmus_splits_faults *faults);

/* Adds the folds without a case of a class. */
void cmus_splits_check_classes(const cmus_splits *splits, const cmus_dataset *dataset, cmus_splits_faults *faults);

/* Reads a file and proves it against the data set by all the rules. DATA or MISMATCH if it breaks one: then the message
 * has the first offenders and the number of all, and `faults`, unless NULL, has them all. Other failures (no such file,
 * a damaged table, fewer than two folds) leave it empty. The caller frees both. */
cmus_status cmus_splits_read(const char *path, const cmus_dataset *dataset, cmus_splits *splits,
                             cmus_splits_faults *faults);
cmus_status cmus_splits_write(const char *path, const cmus_dataset *dataset, const cmus_splits *splits);
void cmus_splits_free(cmus_splits *splits);

#endif
