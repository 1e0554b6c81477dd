#include "index_folds.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "case_list_file.h"
#include "cmus/file.h"
#include "cmus/memory.h"
#include "npy.h"

enum { MOST_FOLDS = 1000, UNSEEN = CMUS_FOLD_HOLDOUT - 1 };
static const char *const parts[] = {"train", "test", "val"};
enum { TRAIN, PARTS = sizeof parts / sizeof parts[0] };

typedef struct index_import {
    const cmus_index_folds *from;
    const cmus_dataset *dataset;
    int cases;    /* of the data set and the list */
    int *case_of; /* [cases]: the case at each position of the list */
} index_import;

/* FOLDER/NAME_train_index_k=1.npy; free with cmus_free(). */
static char *file_of(const index_import *of, int part, int k) {
    return cmus_format_string("%s/%s_%s_index_k=%d.npy", of->from->folder, of->from->prefix, parts[part], k);
}

/* The k of such a file's name, or 0. */
static int number_of(const char *name, const char *prefix, int part) {
    char *begin = cmus_format_string("%s_%s_index_k=", prefix, parts[part]);
    size_t length = strlen(begin);
    long k = 0;
    if (strncmp(name, begin, length) == 0 && name[length] >= '1' && name[length] <= '9') {
        char *end;
        k = strtol(name + length, &end, 10);
        k = strcmp(end, ".npy") != 0 ? 0 : k > MOST_FOLDS ? MOST_FOLDS + 1 : k;
    }
    cmus_free(begin);
    return (int)k;
}

/* The training files are k=1 to k=*folds, and there are no others of any part. */
static cmus_status count_folds(const index_import *of, int *folds) {
    char **names;
    size_t count;
    CMUS_TRY(cmus_folder_list(of->from->folder, &names, &count));
    bool there[MOST_FOLDS + 2] = {false};
    int largest = 0;
    for (size_t i = 0; i < count; i++)
        for (int part = 0; part < PARTS; part++) {
            int k = number_of(names[i], of->from->prefix, part);
            largest = k > largest ? k : largest;
            there[k] = there[k] || (part == TRAIN && k > 0);
        }
    cmus_names_free(names, count);
    *folds = 0;
    while (*folds < MOST_FOLDS && there[*folds + 1])
        ++*folds;
    char *missing = file_of(of, TRAIN, *folds + 1);
    cmus_status status = CMUS_OK;
    if (largest > MOST_FOLDS)
        status = cmus_fail(CMUS_ERROR_LIMIT, "%s: more than %d folds", of->from->folder, MOST_FOLDS);
    else if (largest > *folds)
        status = cmus_fail(CMUS_ERROR_NOT_FOUND, "%s: is not there, but a file of k=%d is", missing, largest);
    else if (*folds < 2)
        status = cmus_fail(CMUS_ERROR_NOT_FOUND, "%s: is not there; two folds at least are wanted", missing);
    cmus_free(missing);
    return status;
}

/* Reads one file; chosen [cases]: whether each position is in it. */
static cmus_status read_positions(const index_import *of, const char *path, bool *chosen) {
    int64_t *positions;
    size_t count;
    CMUS_TRY(cmus_npy_read(path, &positions, &count));
    memset(chosen, 0, (size_t)of->cases * sizeof *chosen);
    cmus_status status = CMUS_OK;
    for (size_t i = 0; i < count && status == CMUS_OK; i++) {
        if (positions[i] < 0 || positions[i] >= of->cases)
            status = cmus_fail(CMUS_ERROR_MISMATCH, "%s: number %zu (from 0) is %lld, but %s has the positions 0 to %d",
                               path, i, (long long)positions[i], of->from->list, of->cases - 1);
        else if (chosen[positions[i]])
            status = cmus_fail(CMUS_ERROR_DATA, "%s: number %zu (from 0), the position %lld, is there twice", path, i,
                               (long long)positions[i]);
        else
            chosen[positions[i]] = true;
    }
    cmus_free(positions);
    return status;
}

/* The file of another part, if it is there, has exactly the positions that training has not. */
static cmus_status check_rest(const index_import *of, int part, int k, const bool *training, bool *scratch) {
    char *path = file_of(of, part, k);
    cmus_status status = cmus_file_exists(path) ? read_positions(of, path, scratch) : CMUS_ERROR_NOT_FOUND;
    for (int i = 0; status == CMUS_OK && i < of->cases; i++)
        if (scratch[i] == training[i])
            status = cmus_fail(
                CMUS_ERROR_MISMATCH,
                "%s: is not the rest that training leaves: the position %d (case %s) is in %s of the two", path, i,
                cmus_dataset_case(of->dataset, of->case_of[i]).case_id, training[i] ? "both" : "none");
    cmus_free(path);
    return status == CMUS_ERROR_NOT_FOUND ? CMUS_OK : status;
}

static cmus_status read_fold(const index_import *of, int k, int *fold, cmus_splits_faults *faults) {
    bool *training = cmus_allocate((size_t)of->cases, sizeof *training);
    bool *scratch = cmus_allocate((size_t)of->cases, sizeof *scratch);
    char *path = file_of(of, TRAIN, k);
    cmus_status status = read_positions(of, path, training);
    for (int part = TRAIN + 1; part < PARTS && status == CMUS_OK; part++)
        status = check_rest(of, part, k, training, scratch);
    for (int i = 0; i < of->cases && status == CMUS_OK; i++) {
        int *place = &fold[of->case_of[i]];
        if (!training[i] && *place != UNSEEN)
            cmus_splits_fault(faults, "the case %s is held out both by k=%d and by k=%d",
                              cmus_dataset_case(of->dataset, of->case_of[i]).case_id, *place + 1, k);
        else if (!training[i])
            *place = k - 1;
    }
    cmus_free(training);
    cmus_free(scratch);
    cmus_free(path);
    return status;
}

static cmus_status read_folds(const index_import *of, cmus_splits *splits, cmus_splits_faults *faults) {
    const char *folder = of->from->folder;
    CMUS_TRY(count_folds(of, &splits->folds));
    splits->repeats = 1;
    splits->cases = of->cases;
    splits->fold = cmus_allocate_raw((size_t)of->cases, sizeof *splits->fold);
    for (int i = 0; i < of->cases; i++)
        splits->fold[i] = UNSEEN;
    for (int k = 1; k <= splits->folds; k++)
        CMUS_TRY(read_fold(of, k, splits->fold, faults));
    for (int i = 0; i < of->cases; i++)
        if (splits->fold[i] == UNSEEN)
            cmus_splits_fault(faults, "the case %s is held out by no fold", cmus_dataset_case(of->dataset, i).case_id);
    if (faults->count > 0)
        return cmus_fail(CMUS_ERROR_DATA, "%s: each case must be held out by one fold; %zu are not", folder,
                         faults->count);
    cmus_splits_check_patients(splits, of->dataset, faults);
    if (faults->count > 0)
        return cmus_fail(CMUS_ERROR_DATA,
                         "%s: these folds leak: %zu patients have cases both in training and held out, so the network "
                         "is asked about patients it has seen; make folds by patient: cmus-split DIR --folds %d",
                         folder, faults->count, splits->folds);
    cmus_splits_check_classes(splits, of->dataset, faults);
    if (faults->count > 0)
        return cmus_fail(CMUS_ERROR_DATA, "%s: each fold must have a case of each class", folder);
    return CMUS_OK;
}

cmus_status cmus_index_folds_read(const cmus_index_folds *from, const cmus_dataset *dataset, cmus_splits *splits,
                                  cmus_splits_faults *faults) {
    memset(splits, 0, sizeof *splits);
    index_import of = {.from = from, .dataset = dataset, .cases = cmus_dataset_case_count(dataset)};
    of.case_of = cmus_allocate((size_t)of.cases, sizeof *of.case_of);
    cmus_status status = cmus_case_list_file_read(from->list, dataset, of.case_of, faults);
    if (status == CMUS_OK)
        status = read_folds(&of, splits, faults);
    cmus_free(of.case_of);
    if (status != CMUS_OK)
        cmus_splits_free(splits);
    return status;
}
