/* splits.csv: written in the order of the data set, and proved against it when it is read. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/csv.h"
#include "cmus/file.h"
#include "cmus/memory.h"
#include "cmus/splits.h"

enum { MOST_FOLDS = 1000, MOST_REPEATS = 10000, UNSEEN = -2 };
static const size_t FILE_LIMIT = (size_t)1 << 30;

/* The number of all offenders and a text of the first ones. */
typedef struct offenders {
    int count;
    size_t used;
    char text[2048];
} offenders;

static void offend(offenders *list, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void offend(offenders *list, const char *format, ...) {
    list->count++;
    if (list->used > sizeof list->text / 2)
        return;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(list->text + list->used, sizeof list->text - list->used, format, arguments);
    va_end(arguments);
    if (length > 0)
        list->used = strlen(list->text);
}

static cmus_status verdict(const offenders *list, cmus_status status, const char *path) {
    if (list->count == 0)
        return CMUS_OK;
    return cmus_fail(status, "%s: does not fit the data set (%d faults):%s", path, list->count, list->text);
}

typedef struct columns {
    size_t case_id, patient_id, class, repeat, fold;
} columns;

static cmus_status find_columns(const cmus_csv *table, columns *found) {
    CMUS_TRY(cmus_csv_column(table, "case_id", &found->case_id));
    CMUS_TRY(cmus_csv_column(table, "patient_id", &found->patient_id));
    CMUS_TRY(cmus_csv_column(table, "class", &found->class));
    CMUS_TRY(cmus_csv_column(table, "repeat", &found->repeat));
    return cmus_csv_column(table, "fold", &found->fold);
}

static cmus_status read_number(const cmus_csv *table, size_t row, size_t column, int most, int *number) {
    long value;
    CMUS_TRY(cmus_csv_integer(table, row, column, &value));
    if (value < 0 || value >= most)
        return cmus_fail(CMUS_ERROR_LIMIT, "%s, line %zu: the %s %ld is not from 0 to %d", table->path,
                         table->lines[row], table->header[column], value, most - 1);
    *number = (int)value;
    return CMUS_OK;
}

static cmus_status read_fold(const cmus_csv *table, size_t row, const columns *at, int *fold) {
    *fold = CMUS_FOLD_HOLDOUT;
    if (strcmp(cmus_csv_cell(table, row, at->fold), "holdout") == 0)
        return CMUS_OK;
    return read_number(table, row, at->fold, MOST_FOLDS, fold);
}

/* The numbers of folds and repeats; then the table of folds, all unseen. */
static cmus_status measure(const cmus_csv *table, const columns *at, const cmus_dataset *dataset, cmus_splits *splits) {
    int cases = cmus_dataset_case_count(dataset), folds = 0, repeats = 0;
    for (size_t row = 0; row < table->rows; row++) {
        int fold = 0, repeat = 0;
        CMUS_TRY(read_fold(table, row, at, &fold));
        CMUS_TRY(read_number(table, row, at->repeat, MOST_REPEATS, &repeat));
        folds = fold >= folds ? fold + 1 : folds;
        repeats = repeat >= repeats ? repeat + 1 : repeats;
    }
    if (folds < 2)
        return cmus_fail(CMUS_ERROR_DATA, "%s: has %d folds; cross-validation needs two or more", table->path, folds);
    if ((size_t)repeats > table->rows)
        return cmus_fail(CMUS_ERROR_DATA, "%s: has %d repeats in %zu lines", table->path, repeats, table->rows);
    size_t size = (size_t)repeats * (size_t)cases;
    *splits = (cmus_splits){folds, repeats, cases, cmus_allocate_raw(size, sizeof *splits->fold)};
    for (size_t i = 0; i < size; i++)
        splits->fold[i] = UNSEEN;
    return CMUS_OK;
}

static void place_row(const cmus_csv *table, size_t row, const columns *at, const cmus_dataset *dataset, int repeat,
                      int fold, cmus_splits *splits, offenders *list) {
    const char *id = cmus_csv_cell(table, row, at->case_id);
    size_t line = table->lines[row];
    int index = cmus_dataset_find(dataset, id);
    if (index < 0) {
        offend(list, " line %zu: the case %s is not in the data set;", line, id);
        return;
    }
    cmus_case_info info = cmus_dataset_case(dataset, index);
    if (strcmp(info.patient_id, cmus_csv_cell(table, row, at->patient_id)) != 0)
        offend(list, " line %zu: the patient of %s is %s in the data set;", line, id, info.patient_id);
    if (strcmp(cmus_dataset_class_name(dataset, info.label), cmus_csv_cell(table, row, at->class)) != 0)
        offend(list, " line %zu: the class of %s is %s in the data set;", line, id,
               cmus_dataset_class_name(dataset, info.label));
    int *place = &splits->fold[(size_t)repeat * (size_t)splits->cases + (size_t)index];
    if (*place != UNSEEN)
        offend(list, " line %zu: %s is there twice in repeat %d;", line, id, repeat);
    *place = fold;
}

static cmus_status place_rows(const cmus_csv *table, const columns *at, const cmus_dataset *dataset,
                              cmus_splits *splits) {
    offenders list = {0};
    for (size_t row = 0; row < table->rows; row++) {
        int fold = 0, repeat = 0;
        CMUS_TRY(read_fold(table, row, at, &fold));
        CMUS_TRY(read_number(table, row, at->repeat, MOST_REPEATS, &repeat));
        place_row(table, row, at, dataset, repeat, fold, splits, &list);
    }
    for (int r = 0; r < splits->repeats; r++)
        for (int i = 0; i < splits->cases; i++)
            if (splits->fold[(size_t)r * (size_t)splits->cases + (size_t)i] == UNSEEN)
                offend(&list, " %s has no line for repeat %d;", cmus_dataset_case(dataset, i).case_id, r);
    return verdict(&list, CMUS_ERROR_MISMATCH, table->path);
}

/* No patient in two folds, no empty fold. */
static cmus_status check_folds(const char *path, const cmus_dataset *dataset, const cmus_splits *splits) {
    offenders list = {0};
    int *patient = cmus_allocate((size_t)splits->cases, sizeof *patient);
    int patients = cmus_splits_patients(dataset, patient);
    int *fold_of = cmus_allocate((size_t)patients, sizeof *fold_of);
    int *sizes = cmus_allocate((size_t)splits->folds, sizeof *sizes);
    for (int r = 0; r < splits->repeats; r++) {
        const int *fold = splits->fold + (size_t)r * (size_t)splits->cases;
        for (int p = 0; p < patients; p++)
            fold_of[p] = UNSEEN;
        memset(sizes, 0, (size_t)splits->folds * sizeof *sizes);
        for (int i = 0; i < splits->cases; i++) {
            int *first = &fold_of[patient[i]];
            if (*first != UNSEEN && *first != fold[i])
                offend(&list, " the patient %s is in two folds of repeat %d;", cmus_dataset_case(dataset, i).patient_id,
                       r);
            *first = fold[i];
            if (fold[i] >= 0)
                sizes[fold[i]]++;
        }
        for (int f = 0; f < splits->folds; f++)
            if (sizes[f] == 0)
                offend(&list, " fold %d of repeat %d is empty;", f, r);
    }
    cmus_free(patient);
    cmus_free(fold_of);
    cmus_free(sizes);
    return verdict(&list, CMUS_ERROR_DATA, path);
}

cmus_status cmus_splits_read(const char *path, const cmus_dataset *dataset, cmus_splits *splits) {
    memset(splits, 0, sizeof *splits);
    cmus_csv table;
    CMUS_TRY(cmus_csv_read(path, FILE_LIMIT, &table));
    columns at;
    cmus_status status = find_columns(&table, &at);
    if (status == CMUS_OK)
        status = measure(&table, &at, dataset, splits);
    if (status == CMUS_OK)
        status = place_rows(&table, &at, dataset, splits);
    if (status == CMUS_OK)
        status = check_folds(path, dataset, splits);
    cmus_csv_free(&table);
    if (status != CMUS_OK)
        cmus_splits_free(splits);
    return status;
}

cmus_status cmus_splits_check_classes(const cmus_splits *splits, const cmus_dataset *dataset) {
    offenders list = {0};
    int classes = cmus_dataset_class_count(dataset);
    int *counts = cmus_allocate((size_t)splits->folds * (size_t)classes, sizeof *counts);
    for (int r = 0; r < splits->repeats; r++) {
        memset(counts, 0, (size_t)splits->folds * (size_t)classes * sizeof *counts);
        for (int i = 0; i < splits->cases; i++) {
            int fold = splits->fold[(size_t)r * (size_t)splits->cases + (size_t)i];
            if (fold >= 0)
                counts[fold * classes + cmus_dataset_case(dataset, i).label]++;
        }
        for (int f = 0; f < splits->folds; f++)
            for (int c = 0; c < classes; c++)
                if (counts[f * classes + c] == 0)
                    offend(&list, " fold %d of repeat %d has no case of the class %s;", f, r,
                           cmus_dataset_class_name(dataset, c));
    }
    cmus_free(counts);
    if (list.count == 0)
        return CMUS_OK;
    return cmus_fail(CMUS_ERROR_DATA, "%d classes are missing in folds:%s ask for fewer folds", list.count, list.text);
}

cmus_status cmus_splits_write(const char *path, const cmus_dataset *dataset, const cmus_splits *splits) {
    cmus_file_writer *writer;
    CMUS_TRY(cmus_file_writer_open(path, &writer));
    cmus_file_writer_print(writer, "case_id,patient_id,class,repeat,fold\n");
    for (int r = 0; r < splits->repeats; r++)
        for (int i = 0; i < splits->cases; i++) {
            cmus_case_info info = cmus_dataset_case(dataset, i);
            int fold = splits->fold[(size_t)r * (size_t)splits->cases + (size_t)i];
            cmus_file_writer_csv(writer, info.case_id);
            cmus_file_writer_add(writer, ",", 1);
            cmus_file_writer_csv(writer, info.patient_id);
            cmus_file_writer_add(writer, ",", 1);
            cmus_file_writer_csv(writer, cmus_dataset_class_name(dataset, info.label));
            if (fold == CMUS_FOLD_HOLDOUT)
                cmus_file_writer_print(writer, ",%d,holdout\n", r);
            else
                cmus_file_writer_print(writer, ",%d,%d\n", r, fold);
        }
    return cmus_file_writer_commit(writer);
}

/* The cases in the order of their patients' ids. */
static int compare_patients(const void *a, const void *b, void *data) {
    const cmus_dataset *dataset = data;
    int x = *(const int *)a, y = *(const int *)b;
    int order = strcmp(cmus_dataset_case(dataset, x).patient_id, cmus_dataset_case(dataset, y).patient_id);
    return order ? order : x - y;
}

int cmus_splits_patients(const cmus_dataset *dataset, int *patient) {
    int cases = cmus_dataset_case_count(dataset), patients = 0;
    int *order = cmus_allocate((size_t)cases, sizeof *order);
    int *first = cmus_allocate((size_t)cases, sizeof *first);
    for (int i = 0; i < cases; i++)
        order[i] = i;
    qsort_r(order, (size_t)cases, sizeof *order, compare_patients, (void *)dataset);
    for (int i = 0; i < cases; i++) {
        bool same = i > 0 && strcmp(cmus_dataset_case(dataset, order[i]).patient_id,
                                    cmus_dataset_case(dataset, order[i - 1]).patient_id) == 0;
        first[order[i]] = same ? first[order[i - 1]] : order[i];
    }
    for (int i = 0; i < cases; i++)
        patient[i] = first[i] == i ? patients++ : patient[first[i]];
    cmus_free(order);
    cmus_free(first);
    return patients;
}
