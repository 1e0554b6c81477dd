/* Folds from index files, such as the code of CMUS-Net's authors makes them.
 *
 * FOLDER/NAME_train_index_k=1.npy, ... k=2, ... hold the positions (from 0) of the training cases of a fold in a list
 * of cases; the rest of the list is held out. k counts from 1, folds from 0: k=1 is fold 0.
 */
#ifndef CMUS_INDEX_FOLDS_H
#define CMUS_INDEX_FOLDS_H

#include "cmus/splits.h"

typedef struct cmus_index_folds {
    const char *folder, *prefix; /* where the files are; NAME */
    const char *list;            /* the file that gives positions their cases (case_list_file.h) */
} cmus_index_folds;

/* Reads as many folds as there are, two at least, and proves them by the rules of splits.h. NAME_test_index_k=K.npy and
 * NAME_val_index_k=K.npy, where they are there, must be what the training file leaves out. What breaks a rule is added
 * to `faults` and makes it DATA or MISMATCH. NOT_FOUND, IO, FORMAT, LIMIT. The caller frees splits and faults. */
cmus_status cmus_index_folds_read(const cmus_index_folds *from, const cmus_dataset *dataset, cmus_splits *splits,
                                  cmus_splits_faults *faults);

#endif
