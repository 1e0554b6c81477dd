#include "report/compare_cases.h"

#include <stdlib.h>
#include <string.h>

#include "cmus/memory.h"

/* One prediction of one run. */
typedef struct placed_prediction {
    const char *case_id, *patient_id;
    long repeat;
    size_t row; /* in the arrays of report_evaluation */
} placed_prediction;

typedef struct sorted_run {
    const report_evaluation *evaluation;
    placed_prediction *list; /* [evaluation->cases] */
} sorted_run;

static int compare_keys(const placed_prediction *x, const placed_prediction *y) {
    int order = strcmp(x->case_id, y->case_id);
    return order ? order : (x->repeat > y->repeat) - (x->repeat < y->repeat);
}

static int by_key(const void *a, const void *b) {
    return compare_keys(a, b);
}

static bool has_repeats(const report_evaluation *evaluation) {
    for (size_t i = 1; i < evaluation->folds; i++)
        if (evaluation->used[i]->repeat != evaluation->used[0]->repeat)
            return true;
    return false;
}

static sorted_run sort_run(const report_evaluation *evaluation) {
    sorted_run run = {evaluation, cmus_allocate(evaluation->cases, sizeof(placed_prediction))};
    bool repeats = has_repeats(evaluation);
    size_t at = 0;
    for (size_t i = 0; i < evaluation->folds; i++) {
        const report_predictions *predictions = &evaluation->used[i]->predictions;
        for (size_t row = 0; row < predictions->cases; row++, at++)
            run.list[at] = (placed_prediction){predictions->case_ids[row], predictions->patient_ids[row],
                                               repeats ? evaluation->used[i]->repeat : 0, at};
    }
    qsort(run.list, evaluation->cases, sizeof *run.list, by_key);
    return run;
}

static cmus_status check_origin(const report_evaluation *base, const report_evaluation *other) {
    const char *own = base->used[0]->dataset_hash, *hash = other->used[0]->dataset_hash;
    /* outside cases may be files, or packed for one network in one size and for another in another */
    if (!base->run->external && strcmp(own, hash) != 0)
        return cmus_fail(CMUS_ERROR_DATA, "%s and %s can't be compared: the data sets' hashes are %s and %s",
                         base->run->path, other->run->path, own, hash);
    bool same = base->classes == other->classes;
    for (size_t i = 0; same && i < base->classes; i++)
        same = strcmp(base->class_names[i], other->class_names[i]) == 0;
    if (!same)
        return cmus_fail(CMUS_ERROR_DATA, "%s and %s can't be compared: other classes or another order of them",
                         base->run->path, other->run->path);
    return CMUS_OK;
}

/* Counts the predictions of `run` that `other` lacks, and gives the first one. */
static size_t count_missing(const sorted_run *run, const sorted_run *other, const placed_prediction **first) {
    size_t missing = 0, j = 0;
    for (size_t i = 0; i < run->evaluation->cases; i++) {
        while (j < other->evaluation->cases && compare_keys(&other->list[j], &run->list[i]) < 0)
            j++;
        if (j < other->evaluation->cases && compare_keys(&other->list[j], &run->list[i]) == 0)
            continue;
        if (!missing++)
            *first = &run->list[i];
    }
    return missing;
}

static cmus_status check_same_cases(const sorted_run *run, const sorted_run *other) {
    const placed_prediction *first = NULL;
    size_t missing = count_missing(run, other, &first);
    if (!missing)
        return CMUS_OK;
    char *repeat = has_repeats(run->evaluation) ? cmus_format_string(" of repeat %ld", first->repeat) : NULL;
    cmus_status status = cmus_fail(
        CMUS_ERROR_DATA,
        "%s and %s can't be compared: %zu of the %zu predictions of the first are not in the second, such as the case "
        "'%s'%s; --partial compares what both have",
        run->evaluation->run->path, other->evaluation->run->path, missing, run->evaluation->cases, first->case_id,
        repeat ? repeat : "");
    cmus_free(repeat);
    return status;
}

static cmus_status check_prediction(const sorted_run *base, const placed_prediction *own, const sorted_run *other,
                                    const placed_prediction *theirs) {
    int label = base->evaluation->labels[own->row], other_label = other->evaluation->labels[theirs->row];
    if (label != other_label)
        return cmus_fail(CMUS_ERROR_DATA, "%s and %s can't be compared: the case '%s' has the labels '%s' and '%s'",
                         base->evaluation->run->path, other->evaluation->run->path, own->case_id,
                         base->evaluation->class_names[label], base->evaluation->class_names[other_label]);
    if (strcmp(own->patient_id, theirs->patient_id) != 0)
        return cmus_fail(CMUS_ERROR_DATA, "%s and %s can't be compared: the case '%s' is of the patients '%s' and '%s'",
                         base->evaluation->run->path, other->evaluation->run->path, own->case_id, own->patient_id,
                         theirs->patient_id);
    return CMUS_OK;
}

static void add_prediction(report_aligned *aligned, const sorted_run *runs, const size_t *at) {
    const placed_prediction *own = &runs[0].list[at[0]];
    size_t row = aligned->count++;
    for (size_t i = 0; i < aligned->runs; i++)
        aligned->rows[i][row] = runs[i].list[at[i]].row;
    aligned->labels[row] = runs[0].evaluation->labels[own->row];
    aligned->case_ids[row] = own->case_id;
    aligned->patient_ids[row] = own->patient_id;
    bool new_case = row == 0 || strcmp(aligned->case_ids[row - 1], own->case_id) != 0;
    aligned->cases += new_case;
    aligned->case_index[row] = aligned->cases - 1;
}

/* Walks through all sorted runs at once. */
static cmus_status find_common(const sorted_run *runs, report_aligned *aligned) {
    size_t *at = cmus_allocate(aligned->runs, sizeof *at);
    cmus_status status = CMUS_OK;
    for (; status == CMUS_OK && at[0] < runs[0].evaluation->cases; at[0]++) {
        const placed_prediction *own = &runs[0].list[at[0]];
        bool common = true;
        for (size_t i = 1; i < aligned->runs; i++) {
            const sorted_run *run = &runs[i];
            while (at[i] < run->evaluation->cases && compare_keys(&run->list[at[i]], own) < 0)
                at[i]++;
            bool found = at[i] < run->evaluation->cases && compare_keys(&run->list[at[i]], own) == 0;
            if (found && status == CMUS_OK)
                status = check_prediction(&runs[0], own, run, &run->list[at[i]]);
            common = common && found;
        }
        if (common && status == CMUS_OK)
            add_prediction(aligned, runs, at);
    }
    cmus_free(at);
    return status;
}

/* Predictions that are in some run but not in all. With sorted lists: all different keys but the common ones. */
static size_t count_left_out(const sorted_run *runs, const report_aligned *aligned) {
    size_t all = 0, different = 0;
    for (size_t i = 0; i < aligned->runs; i++)
        all += runs[i].evaluation->cases;
    placed_prediction *keys = cmus_allocate(all, sizeof *keys);
    size_t at = 0;
    for (size_t i = 0; i < aligned->runs; i++) {
        memcpy(keys + at, runs[i].list, runs[i].evaluation->cases * sizeof *keys);
        at += runs[i].evaluation->cases;
    }
    qsort(keys, all, sizeof *keys, by_key);
    for (size_t i = 0; i < all; i++)
        different += i == 0 || compare_keys(&keys[i], &keys[i - 1]) != 0;
    cmus_free(keys);
    return different - aligned->count;
}

static cmus_status align_sorted(const sorted_run *runs, bool partial, report_aligned *aligned) {
    for (size_t i = 1; i < aligned->runs && !partial; i++) {
        CMUS_TRY(check_same_cases(&runs[0], &runs[i]));
        CMUS_TRY(check_same_cases(&runs[i], &runs[0]));
    }
    CMUS_TRY(find_common(runs, aligned));
    aligned->left_out = partial ? count_left_out(runs, aligned) : 0;
    if (!aligned->count)
        return cmus_fail(CMUS_ERROR_DATA, "the runs can't be compared: no case is predicted by all of them");
    return CMUS_OK;
}

cmus_status report_align(const report_evaluation *evaluations, size_t runs, bool partial, report_aligned *aligned) {
    size_t cases = evaluations[0].cases;
    *aligned = (report_aligned){.runs = runs};
    for (size_t i = 1; i < runs; i++)
        CMUS_TRY(check_origin(&evaluations[0], &evaluations[i]));
    aligned->rows = cmus_allocate(runs, sizeof(size_t *));
    for (size_t i = 0; i < runs; i++)
        aligned->rows[i] = cmus_allocate(cases, sizeof(size_t));
    aligned->labels = cmus_allocate(cases, sizeof(int));
    aligned->case_ids = cmus_allocate(cases, sizeof(char *));
    aligned->patient_ids = cmus_allocate(cases, sizeof(char *));
    aligned->case_index = cmus_allocate(cases, sizeof(size_t));
    sorted_run *sorted = cmus_allocate(runs, sizeof *sorted);
    for (size_t i = 0; i < runs; i++)
        sorted[i] = sort_run(&evaluations[i]);
    cmus_status status = align_sorted(sorted, partial, aligned);
    for (size_t i = 0; i < runs; i++)
        cmus_free(sorted[i].list);
    cmus_free(sorted);
    return status;
}

void report_aligned_free(report_aligned *aligned) {
    for (size_t i = 0; aligned->rows && i < aligned->runs; i++)
        cmus_free(aligned->rows[i]);
    cmus_free(aligned->rows);
    cmus_free(aligned->labels);
    cmus_free(aligned->case_ids);
    cmus_free(aligned->patient_ids);
    cmus_free(aligned->case_index);
    *aligned = (report_aligned){0};
}
