/* Comparison of a run's folds: what does not belong together becomes a problem of the fold that differs. */
#include <stdlib.h>
#include <string.h>

#include "cmus/memory.h"
#include "report/report_run.h"

enum { MOST_NAMED = 20 }; /* missing folds that are listed one by one */

/* What all folds must share, as a text. */
typedef const char *(*shared_text)(const report_fold *fold);

/* Keys about the machine, such as the file of a timeline, may differ between folds. */
static const char *config_of(const report_fold *fold) {
    return fold->config_hash;
}

static const char *hash_of(const report_fold *fold) {
    return fold->dataset_hash;
}

/* The usable fold whose text most others share, the first on a tie: so one stray fold does not put all others aside. */
static const report_fold *most_common(const report_run *run, shared_text text_of) {
    const report_fold *best = NULL;
    size_t best_count = 0;
    for (size_t i = 0; i < run->count; i++) {
        size_t count = 0;
        for (size_t j = 0; run->folds[i].usable && j < run->count; j++)
            count += run->folds[j].usable && strcmp(text_of(&run->folds[i]), text_of(&run->folds[j])) == 0;
        if (count > best_count) {
            best = &run->folds[i];
            best_count = count;
        }
    }
    return best;
}

/* Points behind the part of whole lines that both texts share; returns that part's number of lines. */
static size_t skip_common_lines(const char **a, const char **b) {
    size_t lines = 0;
    for (const char *x = *a, *y = *b; *x && *x == *y; x++, y++)
        if (*x == '\n') {
            lines++;
            *a = x + 1;
            *b = y + 1;
        }
    return lines;
}

static void compare_configs(report_run *run) {
    const report_fold *common = most_common(run, config_of);
    for (size_t i = 0; i < run->count; i++) {
        report_fold *fold = &run->folds[i];
        if (!fold->usable || strcmp(fold->config_hash, common->config_hash) == 0)
            continue;
        const char *own = fold->config, *other = common->config;
        size_t line = skip_common_lines(&own, &other) + 1;
        report_problem(run, fold, "config.yaml, line %zu: '%.*s', but %s has '%.*s': folds of different configurations",
                       line, (int)strcspn(own, "\r\n"), own, common->folder, (int)strcspn(other, "\r\n"), other);
    }
}

static void compare_hashes(report_run *run) {
    const report_fold *common = most_common(run, hash_of);
    for (size_t i = 0; i < run->count; i++) {
        report_fold *fold = &run->folds[i];
        if (fold->usable && strcmp(fold->dataset_hash, common->dataset_hash) != 0)
            report_problem(run, fold, "run.json: the data set's hash is %s, but %s has %s: trained on another data set",
                           fold->dataset_hash, common->folder, common->dataset_hash);
    }
}

/* Whether both have the same classes in the same order, and the same heads. */
static bool same_columns(const report_predictions *a, const report_predictions *b) {
    if (a->classes != b->classes)
        return false;
    for (size_t i = 0; i < a->classes; i++)
        if (strcmp(a->class_names[i], b->class_names[i]) != 0)
            return false;
    for (int head = 0; head < REPORT_HEADS; head++)
        if (!a->probabilities[head] != !b->probabilities[head])
            return false;
    return true;
}

static void compare_columns(report_run *run) {
    const report_fold *first = report_first_fold(run);
    for (size_t i = 0; i < run->count; i++) {
        report_fold *fold = &run->folds[i];
        if (fold->usable && !same_columns(&fold->predictions, &first->predictions))
            report_problem(run, fold, "predictions.csv, line 1: other classes or heads than in %s", first->folder);
    }
}

static int by_value(const void *a, const void *b) {
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

/* The different repeats that the usable folds belong to, rising; {0} if there is none. Free with cmus_free(). */
static long *find_repeats(const report_run *run, size_t *count) {
    long *repeats = cmus_allocate(run->count + 1, sizeof *repeats);
    size_t all = 0;
    for (size_t i = 0; i < run->count; i++)
        if (run->folds[i].usable)
            repeats[all++] = run->folds[i].repeat;
    qsort(repeats, all, sizeof *repeats, by_value);
    *count = 1;
    for (size_t i = 1; i < all; i++)
        if (repeats[i] != repeats[*count - 1])
            repeats[(*count)++] = repeats[i];
    return repeats;
}

/* Folds of one repeat: what most run.json say that could be read; 0 if none could. */
static size_t folds_of_repeat(const report_run *run) {
    size_t best = 0, best_count = 0;
    for (size_t i = 0; i < run->count; i++) {
        size_t count = 0;
        for (size_t j = 0; j < run->count; j++)
            count += run->folds[j].folds == run->folds[i].folds;
        if (run->folds[i].folds > 0 && count > best_count) {
            best = (size_t)run->folds[i].folds;
            best_count = count;
        }
    }
    return best;
}

/* Where a fold belongs among all folds of all repeats: one that could be read by what it says, another by its name. */
static size_t place_of(const report_fold *fold, size_t folds, const long *repeats) {
    if (!fold->usable)
        return (size_t)fold->number;
    size_t rank = 0;
    while (repeats[rank] != fold->repeat)
        rank++;
    return rank * folds + (size_t)fold->fold;
}

static void name_missing(report_run *run, report_fold *const *place) {
    size_t missing = 0;
    for (size_t i = 0; i < run->expected; i++) {
        missing += !place[i];
        if (!place[i] && missing <= MOST_NAMED)
            report_problem(run, NULL, "fold-%zu is missing: the run has %zu folds", i, run->expected);
    }
    if (missing > MOST_NAMED)
        report_problem(run, NULL, "%zu more folds are missing", missing - MOST_NAMED);
}

static void find_missing(report_run *run) {
    size_t folds = folds_of_repeat(run), repeat_count;
    long *repeats = find_repeats(run, &repeat_count);
    run->expected = folds ? folds * repeat_count : run->count;
    report_fold **place = cmus_allocate(run->expected, sizeof *place);
    for (size_t i = 0; i < run->count; i++) {
        report_fold *fold = &run->folds[i];
        size_t at = place_of(fold, folds, repeats);
        if (fold->usable && (size_t)fold->folds != folds)
            report_problem(run, fold, "run.json: is one of %ld folds, but most others of %zu", fold->folds, folds);
        else if (at >= run->expected)
            report_problem(run, fold, "the run has only %zu folds", run->expected);
        else if (place[at])
            report_problem(run, fold, "the same fold as %s", place[at]->folder);
        else
            place[at] = fold;
    }
    name_missing(run, place);
    cmus_free(place);
    cmus_free(repeats);
}

/* An id of a case or patient with the place that it came from. */
typedef struct placed_id {
    const char *id;
    long repeat;
    size_t fold;
} placed_id;

static int by_place(const void *a, const void *b) {
    const placed_id *x = a, *y = b;
    if (x->repeat != y->repeat)
        return x->repeat < y->repeat ? -1 : 1;
    int order = strcmp(x->id, y->id);
    return order ? order : (x->fold > y->fold) - (x->fold < y->fold);
}

/* Case or patient ids of all usable folds, sorted by repeat, id, fold. Free with cmus_free(). */
static placed_id *sorted_ids(const report_run *run, bool patients, size_t *count) {
    *count = 0;
    for (size_t i = 0; i < run->count; i++)
        *count += run->folds[i].usable ? run->folds[i].predictions.cases : 0;
    placed_id *ids = cmus_allocate(*count, sizeof *ids);
    size_t at = 0;
    for (size_t i = 0; i < run->count; i++) {
        const report_fold *fold = &run->folds[i];
        for (size_t row = 0; fold->usable && row < fold->predictions.cases; row++)
            ids[at++] = (placed_id){patients ? fold->predictions.patient_ids[row] : fold->predictions.case_ids[row],
                                    fold->repeat, i};
    }
    qsort(ids, *count, sizeof *ids, by_place);
    return ids;
}

/* Ids that are in two folds of one repeat are a problem of the later fold. */
static void find_shared(report_run *run, bool patients) {
    size_t count;
    placed_id *ids = sorted_ids(run, patients, &count);
    size_t *shared = cmus_allocate(run->count, sizeof *shared);
    const placed_id **example = cmus_allocate(run->count, sizeof *example);
    for (size_t i = 1; i < count; i++)
        if (ids[i].repeat == ids[i - 1].repeat && ids[i].fold != ids[i - 1].fold &&
            strcmp(ids[i].id, ids[i - 1].id) == 0 && shared[ids[i].fold]++ == 0)
            example[ids[i].fold] = &ids[i - 1];
    for (size_t i = 0; i < run->count; i++)
        if (shared[i])
            report_problem(run, &run->folds[i], "%zu of its %s are in other folds too, such as '%s' in %s", shared[i],
                           patients ? "patients" : "cases", example[i]->id, run->folds[example[i]->fold].folder);
    cmus_free(example);
    cmus_free(shared);
    cmus_free(ids);
}

void report_prove(report_run *run) {
    find_missing(run);
    compare_configs(run);
    compare_hashes(run);
    compare_columns(run);
    find_shared(run, false);
    find_shared(run, true);
}

/* Different ids, however many repeats they are in. */
static size_t count_different(const report_run *run, bool patients) {
    size_t count, different = 0;
    placed_id *ids = sorted_ids(run, patients, &count);
    for (size_t i = 0; i < count; i++)
        ids[i].repeat = 0;
    qsort(ids, count, sizeof *ids, by_place);
    for (size_t i = 0; i < count; i++)
        different += i == 0 || strcmp(ids[i].id, ids[i - 1].id) != 0;
    cmus_free(ids);
    return different;
}

size_t report_count_cases(const report_run *run) {
    return count_different(run, false);
}

size_t report_count_patients(const report_run *run) {
    return count_different(run, true);
}
