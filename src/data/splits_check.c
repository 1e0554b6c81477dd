/* The rules for folds that need no file, and the list of what breaks them. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/splits.h"
#include "cmus/utf8.h"

void cmus_splits_fault(cmus_splits_faults *faults, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    faults->texts = cmus_grow(faults->texts, &faults->capacity, faults->count + 1, sizeof *faults->texts);
    faults->texts[faults->count++] = cmus_utf8_valid(text);
}

void cmus_splits_faults_free(cmus_splits_faults *faults) {
    for (size_t i = 0; i < faults->count; i++)
        cmus_free(faults->texts[i]);
    cmus_free(faults->texts);
    *faults = (cmus_splits_faults){0};
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

/* "3" or "holdout". text: at least 16 bytes */
static const char *fold_name(int fold, char *text, size_t size) {
    if (fold == CMUS_FOLD_HOLDOUT)
        return "holdout";
    snprintf(text, size, "%d", fold);
    return text;
}

/* fold [cases] of this repeat; each patient is named once. */
static void check_patients(const cmus_dataset *dataset, int repeat, const int *fold, const int *patient, int patients,
                           cmus_splits_faults *faults) {
    int cases = cmus_dataset_case_count(dataset);
    int *first = cmus_allocate((size_t)patients, sizeof *first); /* case + 1; below 0: named already */
    for (int i = 0; i < cases; i++) {
        int *of = &first[patient[i]];
        if (fold[i] < CMUS_FOLD_HOLDOUT || *of < 0)
            continue;
        if (*of == 0)
            *of = i + 1;
        else if (fold[*of - 1] != fold[i]) {
            cmus_case_info one = cmus_dataset_case(dataset, *of - 1), other = cmus_dataset_case(dataset, i);
            char text[2][16];
            cmus_splits_fault(faults, "the patient %s is in two folds of repeat %d: %s (case %s) and %s (case %s)",
                              one.patient_id, repeat, fold_name(fold[*of - 1], text[0], sizeof text[0]), one.case_id,
                              fold_name(fold[i], text[1], sizeof text[1]), other.case_id);
            *of = -1;
        }
    }
    cmus_free(first);
}

static void check_classes(const cmus_dataset *dataset, int repeat, int folds, const int *fold,
                          cmus_splits_faults *faults) {
    int cases = cmus_dataset_case_count(dataset), classes = cmus_dataset_class_count(dataset);
    int *counts = cmus_allocate((size_t)folds * (size_t)classes, sizeof *counts);
    int *sizes = cmus_allocate((size_t)folds, sizeof *sizes);
    for (int i = 0; i < cases; i++)
        if (fold[i] >= 0) {
            counts[fold[i] * classes + cmus_dataset_case(dataset, i).label]++;
            sizes[fold[i]]++;
        }
    for (int f = 0; f < folds; f++) {
        if (sizes[f] == 0)
            cmus_splits_fault(faults, "fold %d of repeat %d is empty", f, repeat);
        for (int c = 0; sizes[f] > 0 && c < classes; c++)
            if (counts[f * classes + c] == 0)
                cmus_splits_fault(faults, "fold %d of repeat %d has no case of the class %s", f, repeat,
                                  cmus_dataset_class_name(dataset, c));
    }
    cmus_free(counts);
    cmus_free(sizes);
}

void cmus_splits_check_patients(const cmus_splits *splits, const cmus_dataset *dataset, cmus_splits_faults *faults) {
    int *patient = cmus_allocate((size_t)splits->cases, sizeof *patient);
    int patients = cmus_splits_patients(dataset, patient);
    for (int r = 0; r < splits->repeats; r++)
        check_patients(dataset, r, splits->fold + (size_t)r * (size_t)splits->cases, patient, patients, faults);
    cmus_free(patient);
}

void cmus_splits_check_classes(const cmus_splits *splits, const cmus_dataset *dataset, cmus_splits_faults *faults) {
    for (int r = 0; r < splits->repeats; r++)
        check_classes(dataset, r, splits->folds, splits->fold + (size_t)r * (size_t)splits->cases, faults);
}
