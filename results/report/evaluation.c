#include "report/evaluation.h"

#include <math.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/utf8.h"
#include "report/bootstrap.h"
#include "report/report_text.h"

static void pool_folds(report_evaluation *evaluation) {
    size_t classes = evaluation->classes, at = 0;
    evaluation->labels = cmus_allocate(evaluation->cases, sizeof(int));
    for (int head = 0; head < REPORT_HEADS; head++)
        if (evaluation->heads[head].present)
            evaluation->heads[head].probabilities = cmus_allocate_raw(evaluation->cases * classes, sizeof(double));
    for (size_t i = 0; i < evaluation->folds; i++) {
        const report_predictions *predictions = &evaluation->used[i]->predictions;
        memcpy(evaluation->labels + at, predictions->labels, predictions->cases * sizeof(int));
        for (int head = 0; head < REPORT_HEADS; head++)
            if (evaluation->heads[head].present)
                memcpy(evaluation->heads[head].probabilities + at * classes, predictions->probabilities[head],
                       predictions->cases * classes * sizeof(double));
        at += predictions->cases;
    }
}

/* `pooled` is the table of all folds' predictions. */
static void evaluate_head(report_evaluation *evaluation, report_head head, const report_table *pooled) {
    report_head_results *results = &evaluation->heads[head];
    size_t classes = evaluation->classes, folds = evaluation->folds, count = report_metric_count(classes);
    report_table_summarize(pooled, &results->pooled);
    results->folds = cmus_allocate(folds, sizeof(report_metrics));
#pragma omp parallel for schedule(dynamic)
    for (size_t i = 0; i < folds; i++) {
        const report_predictions *predictions = &evaluation->used[i]->predictions;
        report_metrics_compute(predictions->probabilities[head], predictions->labels, predictions->cases, classes,
                               &results->folds[i]);
    }
    results->mean = cmus_allocate(count, sizeof(double));
    results->deviation = cmus_allocate(count, sizeof(double));
    double *values = cmus_allocate(folds, sizeof(double));
    for (size_t value = 0; value < count; value++) {
        for (size_t i = 0; i < folds; i++)
            values[i] = results->folds[i].values[value];
        report_mean_and_deviation(values, folds, &results->mean[value], &results->deviation[value]);
    }
    cmus_free(values);
}

/* Patients of all cases in the order of the pooled predictions; the ids belong to the folds. Free with cmus_free(). */
static const char **pooled_patients(const report_evaluation *evaluation) {
    const char **ids = cmus_allocate(evaluation->cases, sizeof *ids);
    size_t at = 0;
    for (size_t i = 0; i < evaluation->folds; i++)
        for (size_t row = 0; row < evaluation->used[i]->predictions.cases; row++)
            ids[at++] = evaluation->used[i]->predictions.patient_ids[row];
    return ids;
}

/* Metrics of all heads in each draw: `values` [heads][metrics][draws], nothing for heads that are not there. */
static void draw_values(const report_evaluation *evaluation, const report_draws *draws, report_table *const *tables,
                        double *values) {
    size_t count = report_metric_count(evaluation->classes), number = report_draws_count(draws);
#pragma omp parallel
    {
        uint32_t *weights = cmus_allocate(evaluation->cases, sizeof *weights);
        double *own = cmus_allocate(count, sizeof *own);
#pragma omp for schedule(static)
        for (size_t draw = 0; draw < number; draw++) {
            report_draws_weights(draws, draw, weights);
            for (size_t head = 0; head < REPORT_HEADS; head++) {
                if (!tables[head])
                    continue;
                report_table_metrics(tables[head], weights, own);
                for (size_t i = 0; i < count; i++)
                    values[(head * count + i) * number + draw] = own[i];
            }
        }
        cmus_free(own);
        cmus_free(weights);
    }
}

static void find_intervals(report_head_results *results, size_t count, double *values, size_t draws) {
    results->low = cmus_allocate(count, sizeof(double));
    results->high = cmus_allocate(count, sizeof(double));
    results->undefined_draws = cmus_allocate(count, sizeof(size_t));
    for (size_t i = 0; i < count; i++) {
        report_interval(values + i * draws, draws, REPORT_INTERVAL_LEVEL, &results->low[i], &results->high[i],
                        &results->undefined_draws[i]);
        if (isnan(results->pooled.values[i]))
            results->low[i] = results->high[i] = NAN;
    }
}

static void add_intervals(report_evaluation *evaluation, report_table *const *tables) {
    size_t count = report_metric_count(evaluation->classes);
    evaluation->draws = report_draw_count(evaluation->cases, count);
    const char **patients = pooled_patients(evaluation);
    report_draws *draws = report_draws_create(patients, evaluation->cases, evaluation->draws, REPORT_BOOTSTRAP_SEED);
    cmus_free(patients);
    double *values = cmus_allocate_raw(REPORT_HEADS * count * evaluation->draws, sizeof *values);
    draw_values(evaluation, draws, tables, values);
    for (size_t head = 0; head < REPORT_HEADS; head++)
        if (tables[head])
            find_intervals(&evaluation->heads[head], count, values + head * count * evaluation->draws,
                           evaluation->draws);
    cmus_free(values);
    report_draws_free(draws);
}

/* All numbers, from the pooled probabilities and those of each fold. */
static void evaluate_heads(report_evaluation *evaluation) {
    report_table *tables[REPORT_HEADS] = {NULL};
#pragma omp parallel for schedule(dynamic)
    for (int head = 0; head < REPORT_HEADS; head++)
        if (evaluation->heads[head].present)
            tables[head] = report_table_create(evaluation->heads[head].probabilities, evaluation->labels,
                                               evaluation->cases, evaluation->classes);
    for (int head = 0; head < REPORT_HEADS; head++)
        if (evaluation->heads[head].present)
            evaluate_head(evaluation, head, tables[head]);
    add_intervals(evaluation, tables);
    for (int head = 0; head < REPORT_HEADS; head++)
        report_table_free(tables[head]);
}

void report_evaluate(const report_run *run, report_evaluation *evaluation) {
    const report_predictions *first = &report_first_fold(run)->predictions;
    *evaluation = (report_evaluation){.run = run, .classes = first->classes, .partial = run->problem_count > 0};
    evaluation->class_names = cmus_allocate(first->classes, sizeof(char *));
    for (size_t i = 0; i < first->classes; i++)
        evaluation->class_names[i] = cmus_utf8_valid(first->class_names[i]);
    evaluation->used = cmus_allocate(run->count, sizeof(report_fold *));
    for (size_t i = 0; i < run->count; i++)
        if (run->folds[i].usable) {
            evaluation->used[evaluation->folds++] = &run->folds[i];
            evaluation->cases += run->folds[i].predictions.cases;
        }
    evaluation->patients = report_count_patients(run);
    evaluation->different_cases = report_count_cases(run);
    for (int head = 0; head < REPORT_HEADS; head++)
        evaluation->heads[head].present = first->probabilities[head] != NULL;
    pool_folds(evaluation);
    evaluate_heads(evaluation);
}

void report_evaluation_free(report_evaluation *evaluation) {
    for (int head = 0; head < REPORT_HEADS; head++) {
        report_head_results *results = &evaluation->heads[head];
        for (size_t i = 0; results->folds && i < evaluation->folds; i++)
            report_metrics_free(&results->folds[i]);
        report_metrics_free(&results->pooled);
        cmus_free(results->folds);
        cmus_free(results->probabilities);
        cmus_free(results->mean);
        cmus_free(results->deviation);
        cmus_free(results->low);
        cmus_free(results->high);
        cmus_free(results->undefined_draws);
    }
    for (size_t i = 0; i < evaluation->classes; i++)
        cmus_free(evaluation->class_names[i]);
    cmus_free(evaluation->class_names);
    cmus_free(evaluation->used);
    cmus_free(evaluation->labels);
    *evaluation = (report_evaluation){0};
}

char *report_folds_text(const report_evaluation *evaluation) {
    size_t expected = evaluation->run->expected;
    if (evaluation->run->external) {
        char *networks = report_networks_text(evaluation->run->external);
        char *text = cmus_format_string("external test set, %s", networks);
        cmus_free(networks);
        return text;
    }
    return evaluation->folds == expected ? cmus_format_string("%zu folds", expected)
                                         : cmus_format_string("%zu of %zu folds", evaluation->folds, expected);
}

char *report_undefined_folds(const report_evaluation *evaluation, report_head head, size_t value_index) {
    char *list = NULL;
    for (size_t i = 0; i < evaluation->folds; i++) {
        if (!isnan(evaluation->heads[head].folds[i].values[value_index]))
            continue;
        char *name = report_fold_name(evaluation->run, evaluation->used[i]);
        char *longer = cmus_format_string("%s%s%s", list ? list : "", list ? ", " : "", name);
        cmus_free(name);
        cmus_free(list);
        list = longer;
    }
    return list;
}
