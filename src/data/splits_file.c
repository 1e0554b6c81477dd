/* splits.csv: written in the order of the data set, and proved against it when it is read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/csv.h"
#include "cmus/file.h"
#include "cmus/memory.h"
#include "cmus/splits.h"

enum { MOST_FOLDS = 1000, MOST_REPEATS = 10000, UNSEEN = -2 };
static const size_t FILE_LIMIT = (size_t)1 << 30;

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
                      int fold, cmus_splits *splits, cmus_splits_faults *faults) {
    const char *id = cmus_csv_cell(table, row, at->case_id);
    size_t line = table->lines[row];
    int index = cmus_dataset_find(dataset, id);
    if (index < 0) {
        cmus_splits_fault(faults, "line %zu: the case %s is not in the data set", line, id);
        return;
    }
    cmus_case_info info = cmus_dataset_case(dataset, index);
    if (strcmp(info.patient_id, cmus_csv_cell(table, row, at->patient_id)) != 0)
        cmus_splits_fault(faults, "line %zu: the patient of %s is %s in the data set", line, id, info.patient_id);
    if (strcmp(cmus_dataset_class_name(dataset, info.label), cmus_csv_cell(table, row, at->class)) != 0)
        cmus_splits_fault(faults, "line %zu: the class of %s is %s in the data set", line, id,
                          cmus_dataset_class_name(dataset, info.label));
    int *place = &splits->fold[(size_t)repeat * (size_t)splits->cases + (size_t)index];
    if (*place != UNSEEN)
        cmus_splits_fault(faults, "line %zu: %s is there twice in repeat %d", line, id, repeat);
    *place = fold;
}

static cmus_status place_rows(const cmus_csv *table, const columns *at, const cmus_dataset *dataset,
                              cmus_splits *splits, cmus_splits_faults *faults) {
    for (size_t row = 0; row < table->rows; row++) {
        int fold = 0, repeat = 0;
        CMUS_TRY(read_fold(table, row, at, &fold));
        CMUS_TRY(read_number(table, row, at->repeat, MOST_REPEATS, &repeat));
        place_row(table, row, at, dataset, repeat, fold, splits, faults);
    }
    for (int r = 0; r < splits->repeats; r++)
        for (int i = 0; i < splits->cases; i++)
            if (splits->fold[(size_t)r * (size_t)splits->cases + (size_t)i] == UNSEEN)
                cmus_splits_fault(faults, "%s has no line for repeat %d", cmus_dataset_case(dataset, i).case_id, r);
    return CMUS_OK;
}

/* The first offenders in one message. `misfits` of them are of the file against the data set. */
static cmus_status verdict(const char *path, const cmus_splits_faults *faults, size_t misfits) {
    if (faults->count == 0)
        return CMUS_OK;
    char text[2048];
    size_t used = 0, said = 0;
    while (said < faults->count && used + strlen(faults->texts[said]) + 3 < sizeof text) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s %s", said ? ";" : "", faults->texts[said]);
        said++;
    }
    text[used] = 0;
    char more[80] = "";
    if (said < faults->count)
        snprintf(more, sizeof more, "%s and %zu more; cmus-split --check lists all", said ? ";" : "",
                 faults->count - said);
    return cmus_fail(misfits ? CMUS_ERROR_MISMATCH : CMUS_ERROR_DATA,
                     "%s: does not fit the data set (%zu fault%s):%s%s", path, faults->count,
                     faults->count == 1 ? "" : "s", text, more);
}

/* All that can be said of the file. */
static cmus_status prove(const cmus_csv *table, const cmus_dataset *dataset, cmus_splits *splits,
                         cmus_splits_faults *faults) {
    columns at;
    CMUS_TRY(find_columns(table, &at));
    CMUS_TRY(measure(table, &at, dataset, splits));
    CMUS_TRY(place_rows(table, &at, dataset, splits, faults));
    size_t misfits = faults->count;
    cmus_splits_check_patients(splits, dataset, faults);
    cmus_splits_check_classes(splits, dataset, faults);
    return verdict(table->path, faults, misfits);
}

/* Folds may be made by hand: empty lines and a missing last line end do no harm, as each case must be there. */
static cmus_status read_table(const char *path, cmus_csv *table) {
    char *text;
    size_t size;
    CMUS_TRY(cmus_file_read(path, FILE_LIMIT, &text, &size));
    cmus_status status = cmus_csv_parse(text, size, path, true, table);
    cmus_free(text);
    return status;
}

cmus_status cmus_splits_read(const char *path, const cmus_dataset *dataset, cmus_splits *splits,
                             cmus_splits_faults *faults) {
    memset(splits, 0, sizeof *splits);
    cmus_splits_faults found = {0};
    cmus_csv table;
    CMUS_TRY(read_table(path, &table));
    cmus_status status = prove(&table, dataset, splits, &found);
    cmus_csv_free(&table);
    if (status != CMUS_OK)
        cmus_splits_free(splits);
    if (faults)
        *faults = found;
    else
        cmus_splits_faults_free(&found);
    return status;
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
