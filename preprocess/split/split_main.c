/* cmus-split: folds of a packed data set, made once, before any training starts. */
#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/program.h"
#include "cmus/splits.h"
#include "index_folds.h"
#include "split_table.h"

typedef struct settings {
    const char *folder;
    cmus_index_folds from; /* folder NULL: folds are made */
    int folds, repeats;
    unsigned long long seed;
    double holdout;
    bool check, force;
    const char *making; /* an option that is for making folds */
} settings;

enum { HOLDOUT = 1000, FROM_NPY, PREFIX, CASES };

static const struct argp_option options[] = {
    {"folds", 'k', "K", 0, "Number of folds (5)", 0},
    {"seed", 's', "S", 0, "Seed of the random choices (0)", 0},
    {"repeats", 'r', "R", 0, "Repeated cross-validation (1)", 0},
    {"holdout", HOLDOUT, "SHARE", 0, "Keep about this share of each class apart, as fold 'holdout' (0)", 0},
    {"from-npy", FROM_NPY, "NPYDIR", 0,
     "Take the folds from NPYDIR/NAME_train_index_k=1.npy, ...: positions, from 0, of the training cases in LIST", 0},
    {"prefix", PREFIX, "NAME", 0, "With --from-npy: what the names of its files begin with", 0},
    {"cases", CASES, "LIST", 0, "With --from-npy: a text with a case id a line, or a CSV table with a column case_id",
     0},
    {"check", 'c', NULL, 0, "Only prove the splits.csv that is there", 0},
    {"force", 'f', NULL, 0, "Replace a splits.csv that is there", 0},
    {0}};

static const char description[] =
    "Writes DIR/splits.csv: patient-grouped, class-stratified folds of a packed data set.\v"
    "No patient is in two folds. Prints the cases of each class in each fold. The same arguments give the same folds. "
    "--check fails unless every case is there once a repeat, no patient is in two folds and each fold has every class; "
    "so does --from-npy, which also wants each case of the data set in LIST once, and no other.";

static long parse_whole(struct argp_state *state, const char *name, const char *text, long low, long high) {
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end || value < low || value > high)
        argp_error(state, "--%s is '%s', but should be a whole number from %ld to %ld", name, text, low, high);
    return value;
}

static double parse_share(struct argp_state *state, const char *text) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= 0 && value < 1))
        argp_error(state, "--holdout is '%s', but should be a number from 0 to below 1", text);
    return value;
}

static void check_together(struct argp_state *state, const settings *set) {
    const cmus_index_folds *from = &set->from;
    if (from->folder && (!from->prefix || !from->list))
        argp_error(state, "--from-npy also wants --prefix NAME and --cases LIST");
    if (!from->folder && (from->prefix || from->list))
        argp_error(state, "--prefix and --cases are for --from-npy");
    if (set->making && (from->folder || set->check))
        argp_error(state, "%s is for making folds, not for %s", set->making, set->check ? "--check" : "--from-npy");
    if (set->check && (from->folder || set->force))
        argp_error(state, "--check only looks; give it without %s", set->force ? "--force" : "--from-npy");
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    settings *set = state->input;
    switch (key) {
    case 'k':
        set->making = "--folds";
        set->folds = (int)parse_whole(state, "folds", argument, 2, 1000);
        return 0;
    case 's':
        set->making = "--seed";
        set->seed = (unsigned long long)parse_whole(state, "seed", argument, 0, 9007199254740992);
        return 0;
    case 'r':
        set->making = "--repeats";
        set->repeats = (int)parse_whole(state, "repeats", argument, 1, 1000);
        return 0;
    case HOLDOUT:
        set->making = "--holdout";
        set->holdout = parse_share(state, argument);
        return 0;
    case FROM_NPY:
        set->from.folder = argument;
        return 0;
    case PREFIX:
        set->from.prefix = argument;
        return 0;
    case CASES:
        set->from.list = argument;
        return 0;
    case 'c':
        set->check = true;
        return 0;
    case 'f':
        set->force = true;
        return 0;
    case ARGP_KEY_ARG:
        if (set->folder)
            argp_error(state, "give one DIR, not also '%s'", argument);
        set->folder = argument;
        return 0;
    case ARGP_KEY_END:
        if (!set->folder)
            argp_error(state, "give the DIR that cmus-pack made");
        check_together(state, set);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_faults(const cmus_splits_faults *faults, const char *path) {
    for (size_t i = 0; i < faults->count; i++)
        cmus_error("%s%s%s", path, *path ? ": " : "", faults->texts[i]);
}

/* Cases of the class in the hold-out of this repeat, or in the whole data set (repeat -1). */
static int count_cases(const cmus_dataset *dataset, const cmus_splits *splits, int repeat, int label) {
    int found = 0, cases = cmus_dataset_case_count(dataset);
    for (int i = 0; i < cases; i++)
        found += cmus_dataset_case(dataset, i).label == label &&
                 (repeat < 0 || splits->fold[(size_t)repeat * (size_t)cases + (size_t)i] == CMUS_FOLD_HOLDOUT);
    return found;
}

/* A hold-out without cases of a class can't say how well that class is told. */
static void warn_of_holdout(const cmus_dataset *dataset, const cmus_splits *splits, const char *path) {
    int classes = cmus_dataset_class_count(dataset);
    for (int r = 0; r < splits->repeats; r++) {
        int held = 0;
        for (int c = 0; c < classes; c++)
            held += count_cases(dataset, splits, r, c);
        for (int c = 0; held > 0 && c < classes; c++)
            if (count_cases(dataset, splits, r, c) == 0)
                cmus_warn("%s: the hold-out of repeat %d has no case of the class %s", path, r,
                          cmus_dataset_class_name(dataset, c));
    }
}

static cmus_status check_class_cases(const settings *set, const cmus_dataset *dataset) {
    for (int c = 0; c < cmus_dataset_class_count(dataset); c++)
        if (count_cases(dataset, NULL, -1, c) == 0)
            return cmus_fail(
                CMUS_ERROR_DATA,
                "%s: the class %s has no cases at all, so no folds can have one; pack the cases without it",
                set->folder, cmus_dataset_class_name(dataset, c));
    return CMUS_OK;
}

static cmus_status check(const settings *set, const cmus_dataset *dataset, const char *path) {
    cmus_splits splits;
    cmus_splits_faults faults = {0};
    cmus_status status = cmus_splits_read(path, dataset, &splits, &faults);
    if (faults.count > 0) {
        print_faults(&faults, path);
        status = cmus_fail(status, "%s: does not fit %s: %zu fault%s", path, set->folder, faults.count,
                           faults.count == 1 ? "" : "s");
    }
    cmus_splits_faults_free(&faults);
    CMUS_TRY(status);
    cmus_split_print_table(dataset, &splits, -1);
    warn_of_holdout(dataset, &splits, path);
    cmus_splits_free(&splits);
    cmus_info("%s: fits %s", path, set->folder);
    return CMUS_OK;
}

static cmus_status make(const settings *set, const cmus_dataset *dataset, cmus_splits *splits,
                        cmus_splits_faults *faults) {
    CMUS_TRY(check_class_cases(set, dataset));
    int cases = cmus_dataset_case_count(dataset);
    int *patient = cmus_allocate((size_t)cases, sizeof *patient), *label = cmus_allocate((size_t)cases, sizeof *label);
    cmus_splits_patients(dataset, patient);
    for (int i = 0; i < cases; i++)
        label[i] = cmus_dataset_case(dataset, i).label;
    cmus_status status = cmus_splits_make_holdout(cases, patient, label, cmus_dataset_class_count(dataset), set->folds,
                                                  set->repeats, set->holdout, set->seed, splits);
    cmus_free(patient);
    cmus_free(label);
    if (status != CMUS_OK)
        return cmus_fail_in(status, "%s", set->folder);
    cmus_splits_check_classes(splits, dataset, faults);
    if (faults->count > 0)
        return cmus_fail(CMUS_ERROR_DATA, "%s: has too few patients of a class for %d folds; ask for fewer",
                         set->folder, set->folds);
    return CMUS_OK;
}

/* Makes or imports folds and writes them, unless there are some. */
static cmus_status write_folds(const settings *set, const cmus_dataset *dataset, const char *path) {
    if (cmus_file_exists(path) && !set->force)
        return cmus_fail(CMUS_ERROR_ARGUMENT, "%s: is there already, and results may depend on it; --force replaces it",
                         path);
    cmus_splits splits = {0};
    cmus_splits_faults faults = {0};
    cmus_status status = set->from.folder ? cmus_index_folds_read(&set->from, dataset, &splits, &faults)
                                          : make(set, dataset, &splits, &faults);
    print_faults(&faults, set->from.folder ? "" : set->folder);
    cmus_splits_faults_free(&faults);
    if (status == CMUS_OK) {
        cmus_split_print_table(dataset, &splits, set->from.folder ? -1 : set->holdout);
        warn_of_holdout(dataset, &splits, path);
        status = cmus_splits_write(path, dataset, &splits);
    }
    cmus_splits_free(&splits);
    return status;
}

int main(int argc, char **argv) {
    cmus_program_begin("cmus-split");
    settings set = {.folds = 5, .repeats = 1};
    static const struct argp parser = {options, parse, "DIR", description, NULL, NULL, NULL};
    argp_parse(&parser, argc, argv, 0, NULL, &set);
    cmus_dataset *dataset;
    cmus_status status = cmus_dataset_open(set.folder, &dataset);
    if (status == CMUS_OK) {
        char *path = cmus_path_join(set.folder, "splits.csv");
        status = set.check ? check(&set, dataset, path) : write_folds(&set, dataset, path);
        cmus_free(path);
        cmus_dataset_close(dataset);
    }
    return cmus_program_end(status);
}
