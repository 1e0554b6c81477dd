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

typedef struct settings {
    const char *folder;
    int folds, repeats;
    unsigned long long seed;
    double holdout;
    bool check, force;
} settings;

enum { HOLDOUT = 1000 };

static const struct argp_option options[] = {
    {"folds", 'k', "K", 0, "Number of folds (5)", 0},
    {"seed", 's', "S", 0, "Seed of the random choices (0)", 0},
    {"repeats", 'r', "R", 0, "Repeated cross-validation (1)", 0},
    {"holdout", HOLDOUT, "SHARE", 0, "Keep about this share of each class apart, as fold 'holdout' (0)", 0},
    {"check", 'c', NULL, 0, "Only prove the splits.csv that is there", 0},
    {"force", 'f', NULL, 0, "Replace a splits.csv that is there", 0},
    {0}};

static const char description[] =
    "Writes DIR/splits.csv: patient-grouped, class-stratified folds of a packed data set.\v"
    "No patient is in two folds. Prints the cases of each class in each fold. The same arguments give the same folds. "
    "--check fails unless every case is there once a repeat, no patient is in two folds and each fold has every class.";

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

static error_t parse(int key, char *argument, struct argp_state *state) {
    settings *set = state->input;
    switch (key) {
    case 'k':
        set->folds = (int)parse_whole(state, "folds", argument, 2, 1000);
        return 0;
    case 's':
        set->seed = (unsigned long long)parse_whole(state, "seed", argument, 0, 9007199254740992);
        return 0;
    case 'r':
        set->repeats = (int)parse_whole(state, "repeats", argument, 1, 1000);
        return 0;
    case HOLDOUT:
        set->holdout = parse_share(state, argument);
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
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Cases and classes of one fold of one repeat. */
static void print_fold(const cmus_dataset *dataset, const cmus_splits *splits, int repeat, int fold) {
    int classes = cmus_dataset_class_count(dataset), total = 0;
    int *counts = cmus_allocate((size_t)classes, sizeof *counts);
    for (int i = 0; i < splits->cases; i++)
        if (splits->fold[(size_t)repeat * (size_t)splits->cases + (size_t)i] == fold) {
            counts[cmus_dataset_case(dataset, i).label]++;
            total++;
        }
    if (fold == CMUS_FOLD_HOLDOUT)
        printf("%6d  holdout  %6d", repeat, total);
    else
        printf("%6d  %7d  %6d", repeat, fold, total);
    for (int c = 0; c < classes; c++)
        printf("  %10d", counts[c]);
    printf("\n");
    cmus_free(counts);
}

static void print_table(const cmus_dataset *dataset, const cmus_splits *splits) {
    bool holdout = false;
    for (int i = 0; i < splits->cases; i++)
        holdout = holdout || splits->fold[i] == CMUS_FOLD_HOLDOUT;
    printf("repeat     fold   cases");
    for (int c = 0; c < cmus_dataset_class_count(dataset); c++)
        printf("  %10s", cmus_dataset_class_name(dataset, c));
    printf("\n");
    for (int r = 0; r < splits->repeats; r++) {
        for (int f = 0; f < splits->folds; f++)
            print_fold(dataset, splits, r, f);
        if (holdout)
            print_fold(dataset, splits, r, CMUS_FOLD_HOLDOUT);
    }
}

static cmus_status check(const settings *set, const cmus_dataset *dataset, const char *path) {
    cmus_splits splits;
    CMUS_TRY(cmus_splits_read(path, dataset, &splits));
    print_table(dataset, &splits);
    cmus_status status = cmus_splits_check_classes(&splits, dataset);
    cmus_splits_free(&splits);
    if (status != CMUS_OK)
        return cmus_fail_in(status, "%s", path);
    cmus_info("%s: fits %s", path, set->folder);
    return CMUS_OK;
}

static cmus_status make(const settings *set, const cmus_dataset *dataset, const char *path) {
    if (cmus_file_exists(path) && !set->force)
        return cmus_fail(CMUS_ERROR_ARGUMENT, "%s: is there already, and results may depend on it; --force replaces it",
                         path);
    int cases = cmus_dataset_case_count(dataset);
    int *patient = cmus_allocate((size_t)cases, sizeof *patient), *label = cmus_allocate((size_t)cases, sizeof *label);
    cmus_splits_patients(dataset, patient);
    for (int i = 0; i < cases; i++)
        label[i] = cmus_dataset_case(dataset, i).label;
    cmus_splits splits;
    cmus_status status = cmus_splits_make_holdout(cases, patient, label, cmus_dataset_class_count(dataset), set->folds,
                                                  set->repeats, set->holdout, set->seed, &splits);
    cmus_free(patient);
    cmus_free(label);
    if (status != CMUS_OK)
        return cmus_fail_in(status, "%s", set->folder);
    print_table(dataset, &splits);
    if (cmus_splits_check_classes(&splits, dataset) != CMUS_OK)
        cmus_warn("%s: %s", path, cmus_last_error());
    status = cmus_splits_write(path, dataset, &splits);
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
        status = set.check ? check(&set, dataset, path) : make(&set, dataset, path);
        cmus_free(path);
        cmus_dataset_close(dataset);
    }
    return cmus_program_end(status);
}
