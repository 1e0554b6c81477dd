/* What cmus-split prints of folds on stdout: the cases of each class in each fold, and how far they are from even. */
#ifndef CMUS_SPLIT_TABLE_H
#define CMUS_SPLIT_TABLE_H

#include "cmus/splits.h"

/* holdout: the share that should be held out; below 0 if it is not known. For each repeat and class the least and the
 * most cases of a fold, the mean of the folds (the ideal) and the largest distance from it; then whether any folds,
 * also of single cases without regard to patients, could be more even: they could be if a class has two folds whose
 * counts differ by more than one. */
void cmus_split_print_table(const cmus_dataset *dataset, const cmus_splits *splits, double holdout);

#endif
