#include "report/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/memory.h"
#include "report/bootstrap.h"
#include "report/compare_cases.h"

/* What the numbers of one head are computed from. */
typedef struct head_tables {
    double **probabilities; /* [runs]: [predictions][classes] in the common order; NULL without the head */
    double **means;         /* [runs]: [cases][classes], averaged over the repeats */
    int *mean_labels;       /* [cases] */
} head_tables;

static double *take_rows(const report_evaluation *evaluation, report_head head, const size_t *rows, size_t count) {
    size_t classes = evaluation->classes;
    double *taken = cmus_allocate_raw(count * classes, sizeof *taken);
    for (size_t i = 0; i < count; i++)
        memcpy(taken + i * classes, evaluation->heads[head].probabilities + rows[i] * classes, classes * sizeof *taken);
    return taken;
}

static double *average_repeats(const double *probabilities, const report_aligned *aligned, size_t classes) {
    double *means = cmus_allocate(aligned->cases * classes, sizeof *means);
    for (size_t begin = 0, end; begin < aligned->count; begin = end) {
        double *mean = means + aligned->case_index[begin] * classes;
        for (end = begin; end < aligned->count && aligned->case_index[end] == aligned->case_index[begin]; end++)
            for (size_t j = 0; j < classes; j++)
                mean[j] += probabilities[end * classes + j];
        for (size_t j = 0; j < classes; j++)
            mean[j] /= (double)(end - begin);
    }
    return means;
}

static head_tables make_tables(const report_comparison *comparison, const report_aligned *aligned, report_head head) {
    head_tables tables = {cmus_allocate(comparison->runs, sizeof(double *)),
                          cmus_allocate(comparison->runs, sizeof(double *)),
                          cmus_allocate(aligned->cases, sizeof(int))};
    for (size_t i = 0; i < aligned->count; i++)
        tables.mean_labels[aligned->case_index[i]] = aligned->labels[i];
    for (size_t i = 0; i < comparison->runs; i++) {
        const report_evaluation *evaluation = &comparison->evaluations[i];
        if (!evaluation->heads[head].present)
            continue;
        tables.probabilities[i] = take_rows(evaluation, head, aligned->rows[i], aligned->count);
        tables.means[i] = average_repeats(tables.probabilities[i], aligned, comparison->classes);
    }
    return tables;
}

static void free_tables(head_tables *tables, size_t runs) {
    for (size_t i = 0; i < runs; i++) {
        cmus_free(tables->probabilities[i]);
        cmus_free(tables->means[i]);
    }
    cmus_free(tables->probabilities);
    cmus_free(tables->means);
    cmus_free(tables->mean_labels);
}

static report_head_comparison *compared(const report_comparison *comparison, size_t other, report_head head) {
    return &comparison->heads[(other - 1) * REPORT_HEADS + (size_t)head];
}

const report_head_comparison *report_head_compared(const report_comparison *comparison, size_t other,
                                                   report_head head) {
    return compared(comparison, other, head);
}

/* The differences of every draw: drawn[(other - 1) * values + value][draw]. */
static double *draw_differences(const report_comparison *comparison, report_head head, report_table *const *tables,
                                const report_draws *draws) {
    size_t values = report_metric_count(comparison->classes), runs = comparison->runs, count = comparison->draws;
    double *drawn = cmus_allocate_raw((runs - 1) * values * count, sizeof *drawn);
#pragma omp parallel
    {
        uint32_t *weights = cmus_allocate_raw(comparison->predictions, sizeof *weights);
        double *base = cmus_allocate(values, sizeof *base), *other = cmus_allocate(values, sizeof *other);
#pragma omp for schedule(static)
        for (size_t draw = 0; draw < count; draw++) {
            report_draws_weights(draws, draw, weights);
            report_table_metrics(tables[0], weights, base);
            for (size_t i = 1; i < runs; i++) {
                if (!compared(comparison, i, head)->present)
                    continue;
                report_table_metrics(tables[i], weights, other);
                for (size_t value = 0; value < values; value++)
                    drawn[((i - 1) * values + value) * count + draw] = other[value] - base[value];
            }
        }
        cmus_free(weights);
        cmus_free(base);
        cmus_free(other);
    }
    return drawn;
}

/* Differences of all values with their intervals. */
static void compare_values(report_comparison *comparison, report_head head, const head_tables *head_data,
                           const report_aligned *aligned, const report_draws *draws) {
    size_t values = report_metric_count(comparison->classes), runs = comparison->runs;
    report_table **tables = cmus_allocate(runs, sizeof(report_table *));
    for (size_t i = 0; i < runs; i++)
        if (head_data->probabilities[i])
            tables[i] =
                report_table_create(head_data->probabilities[i], aligned->labels, aligned->count, comparison->classes);
    double *drawn = draw_differences(comparison, head, tables, draws);
    double *base = cmus_allocate(values, sizeof *base), *other = cmus_allocate(values, sizeof *other);
    report_table_metrics(tables[0], NULL, base);
    for (size_t i = 1; i < runs; i++) {
        report_head_comparison *result = compared(comparison, i, head);
        if (!result->present)
            continue;
        report_table_metrics(tables[i], NULL, other);
        result->values = cmus_allocate(values, sizeof *result->values);
        for (size_t value = 0; value < values; value++) {
            report_difference *one = &result->values[value];
            *one = (report_difference){.base = base[value], .other = other[value]};
            one->difference = one->other - one->base;
            report_interval(drawn + ((i - 1) * values + value) * comparison->draws, comparison->draws,
                            REPORT_INTERVAL_LEVEL, &one->low, &one->high, &one->undefined);
            if (isnan(one->difference))
                one->low = one->high = NAN;
        }
    }
    for (size_t i = 0; i < runs; i++)
        report_table_free(tables[i]);
    cmus_free(tables);
    cmus_free(drawn);
    cmus_free(base);
    cmus_free(other);
}

/* Holm's p of the areas `first` ... `end - 1` of all runs with this head, taken together. */
static void correct_areas(report_comparison *comparison, report_head head, size_t first, size_t end) {
    size_t most = (comparison->runs - 1) * (end - first), count = 0;
    double *p = cmus_allocate(most, sizeof *p), *adjusted = cmus_allocate(most, sizeof *adjusted);
    for (size_t i = 1; i < comparison->runs; i++)
        for (size_t area = first; compared(comparison, i, head)->present && area < end; area++)
            p[count++] = compared(comparison, i, head)->areas[area].p;
    report_holm(p, count, adjusted);
    count = 0;
    for (size_t i = 1; i < comparison->runs; i++)
        for (size_t area = first; compared(comparison, i, head)->present && area < end; area++)
            compared(comparison, i, head)->area_holm[area] = adjusted[count++];
    cmus_free(p);
    cmus_free(adjusted);
}

static void compare_areas(report_comparison *comparison, report_head head, const head_tables *tables) {
    size_t classes = comparison->classes;
    for (size_t i = 1; i < comparison->runs; i++) {
        report_head_comparison *result = compared(comparison, i, head);
        if (!result->present)
            continue;
        result->areas = cmus_allocate(classes + 1, sizeof *result->areas);
        result->area_holm = cmus_allocate(classes + 1, sizeof *result->area_holm);
        report_delong_test(tables->means[0], tables->means[i], tables->mean_labels, comparison->cases, classes,
                           result->areas);
    }
    correct_areas(comparison, head, 0, classes);
    correct_areas(comparison, head, classes, classes + 1);
}

/* Over all predictions, as in the other tables: repeats are not averaged. */
static double accuracy_of(const double *probabilities, const report_aligned *aligned, size_t classes) {
    size_t right = 0;
    for (size_t i = 0; i < aligned->count; i++)
        right += report_argmax(probabilities + i * classes, classes) == (size_t)aligned->labels[i];
    return (double)right / (double)aligned->count;
}

static void compare_right_and_wrong(report_comparison *comparison, report_head head, const report_aligned *aligned,
                                    const head_tables *tables) {
    double *p = cmus_allocate(comparison->pair_count, sizeof *p);
    double *adjusted = cmus_allocate(comparison->pair_count, sizeof *adjusted);
    for (size_t i = 0; i < comparison->pair_count; i++) {
        report_pair *pair = &comparison->pairs[i];
        p[i] = NAN;
        pair->present[head] = tables->means[pair->base] && tables->means[pair->other];
        if (!pair->present[head])
            continue;
        pair->mcnemar[head] = report_mcnemar_cases(tables->means[pair->base], tables->means[pair->other],
                                                   tables->mean_labels, comparison->cases, comparison->classes);
        pair->accuracy_difference[head] =
            accuracy_of(tables->probabilities[pair->other], aligned, comparison->classes) -
            accuracy_of(tables->probabilities[pair->base], aligned, comparison->classes);
        p[i] = pair->mcnemar[head].p;
    }
    report_holm(p, comparison->pair_count, adjusted);
    for (size_t i = 0; i < comparison->pair_count; i++)
        comparison->pairs[i].holm[head] = adjusted[i];
    cmus_free(p);
    cmus_free(adjusted);
}

static void make_pairs(report_comparison *comparison) {
    size_t runs = comparison->runs;
    comparison->pair_count = runs * (runs - 1) / 2;
    comparison->pairs = cmus_allocate(comparison->pair_count, sizeof(report_pair));
    size_t at = 0;
    for (size_t i = 0; i < runs; i++)
        for (size_t j = i + 1; j < runs; j++) {
            comparison->pairs[at].base = i;
            comparison->pairs[at++].other = j;
        }
}

static void compare_head(report_comparison *comparison, report_head head, const report_aligned *aligned,
                         const report_draws *draws) {
    head_tables tables = make_tables(comparison, aligned, head);
    bool any = false;
    for (size_t i = 1; i < comparison->runs; i++) {
        bool present = tables.means[0] && tables.means[i];
        compared(comparison, i, head)->present = present;
        any = any || present;
    }
    if (any) {
        compare_values(comparison, head, &tables, aligned, draws);
        compare_areas(comparison, head, &tables);
    }
    compare_right_and_wrong(comparison, head, aligned, &tables);
    free_tables(&tables, comparison->runs);
}

cmus_status report_compare(const report_evaluation *evaluations, size_t runs, bool partial,
                           report_comparison *comparison) {
    *comparison = (report_comparison){.evaluations = evaluations, .runs = runs, .classes = evaluations[0].classes};
    report_aligned aligned;
    cmus_status status = report_align(evaluations, runs, partial, &aligned);
    if (status == CMUS_OK) {
        comparison->predictions = aligned.count;
        comparison->cases = aligned.cases;
        comparison->left_out = aligned.left_out;
        comparison->draws = report_draw_count(aligned.count, (runs - 1) * report_metric_count(comparison->classes));
        comparison->heads = cmus_allocate((runs - 1) * REPORT_HEADS, sizeof(report_head_comparison));
        make_pairs(comparison);
        report_draws *draws =
            report_draws_create(aligned.patient_ids, aligned.count, comparison->draws, REPORT_BOOTSTRAP_SEED);
        comparison->patients = report_draws_patients(draws);
        for (int head = 0; head < REPORT_HEADS; head++)
            compare_head(comparison, head, &aligned, draws);
        report_draws_free(draws);
    }
    report_aligned_free(&aligned);
    return status;
}

void report_comparison_free(report_comparison *comparison) {
    for (size_t i = 0; comparison->heads && i < (comparison->runs - 1) * REPORT_HEADS; i++) {
        cmus_free(comparison->heads[i].values);
        cmus_free(comparison->heads[i].areas);
        cmus_free(comparison->heads[i].area_holm);
    }
    cmus_free(comparison->heads);
    cmus_free(comparison->pairs);
    *comparison = (report_comparison){0};
}
