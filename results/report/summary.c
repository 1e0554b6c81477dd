#include "report/summary.h"

#include <math.h>
#include <stdlib.h>

#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/program.h"
#include "cmus/utf8.h"
#include "report/bootstrap.h"
#include "report/report_text.h"

/* A number in full precision; undefined is null. */
static json_t *number(double value) {
    return isnan(value) ? json_null() : json_real(value);
}

static json_t *text(const char *bytes) {
    char *valid = cmus_utf8_valid(bytes);
    json_t *string = json_string(valid);
    cmus_free(valid);
    return string;
}

static json_t *count(size_t value) {
    return json_integer((json_int_t)value);
}

/* The value with this index as JSON. */
typedef json_t *(*value_of)(const void *values, size_t index);

static json_t *number_at(const void *values, size_t index) {
    return number(((const double *)values)[index]);
}

static json_t *count_at(const void *values, size_t index) {
    return count(((const size_t *)values)[index]);
}

/* Values in the order of report_metrics.values as an object. */
static json_t *values_object(const report_evaluation *evaluation, const void *values, value_of value_at) {
    json_t *object = json_object(), *classes = json_object();
    for (size_t i = 0; i < REPORT_METRICS; i++)
        json_object_set_new(object, report_metric_names[i].key, value_at(values, i));
    for (size_t i = 0; i < evaluation->classes; i++) {
        json_t *one = json_object();
        for (int j = 0; j < REPORT_CLASS_METRICS; j++)
            json_object_set_new(one, report_class_metric_names[j].key,
                                value_at(values, report_class_metric_index(i, (report_class_metric)j)));
        json_object_set_new(classes, evaluation->class_names[i], one);
    }
    json_object_set_new(object, "classes", classes);
    return object;
}

static json_t *metrics_object(const report_evaluation *evaluation, const report_metrics *metrics) {
    json_t *object = values_object(evaluation, metrics->values, number_at), *rows = json_array();
    for (size_t i = 0; i < metrics->classes; i++) {
        json_t *row = json_array();
        for (size_t j = 0; j < metrics->classes; j++)
            json_array_append_new(row, count(metrics->confusion[i * metrics->classes + j]));
        json_array_append_new(rows, row);
    }
    json_object_set_new(object, "cases", count(metrics->cases));
    json_object_set_new(object, "confusion", rows);
    return object;
}

static void add_folds(json_t *object, const report_evaluation *evaluation, const report_head_results *results) {
    json_t *folds = json_array();
    json_object_set_new(object, "mean", values_object(evaluation, results->mean, number_at));
    json_object_set_new(object, "sd", values_object(evaluation, results->deviation, number_at));
    for (size_t i = 0; i < evaluation->folds; i++) {
        json_t *fold = metrics_object(evaluation, &results->folds[i]);
        json_object_set_new(fold, "fold", json_integer(evaluation->used[i]->fold));
        json_object_set_new(fold, "repeat", json_integer(evaluation->used[i]->repeat));
        json_array_append_new(folds, fold);
    }
    json_object_set_new(object, "folds", folds);
}

static json_t *head_object(const report_evaluation *evaluation, const report_head_results *results) {
    json_t *object = json_object();
    json_object_set_new(object, "pooled", metrics_object(evaluation, &results->pooled));
    json_object_set_new(object, "low", values_object(evaluation, results->low, number_at));
    json_object_set_new(object, "high", values_object(evaluation, results->high, number_at));
    json_object_set_new(object, "undefined_draws", values_object(evaluation, results->undefined_draws, count_at));
    if (!evaluation->run->external)
        add_folds(object, evaluation, results);
    return object;
}

/* A text that may not be known. */
static json_t *text_or_null(const char *bytes) {
    return bytes ? text(bytes) : json_null();
}

static json_t *text_list(char *const *texts, size_t number) {
    json_t *list = json_array();
    for (size_t i = 0; i < number; i++)
        json_array_append_new(list, text(texts[i]));
    return list;
}

static json_t *models_list(const report_external *external) {
    json_t *list = json_array();
    for (size_t i = 0; i < external->model_count; i++) {
        const report_model *model = &external->models[i];
        json_t *one = json_object();
        json_object_set_new(one, "path", text(model->path));
        json_object_set_new(one, "sha256", text(model->sha256));
        json_object_set_new(one, "config_hash", text_or_null(model->config_hash));
        json_object_set_new(one, "dataset_hash", text_or_null(model->dataset_hash));
        json_object_set_new(one, "fold", text_or_null(model->fold));
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *incomplete_list(const report_coverage *coverage) {
    json_t *list = json_array();
    for (size_t i = 0; i < coverage->incomplete_count; i++) {
        const report_incomplete *incomplete = &coverage->incomplete[i];
        json_t *one = json_object();
        json_object_set_new(one, "case_id", text(incomplete->case_id));
        json_object_set_new(one, "label", text(incomplete->label));
        json_object_set_new(one, "missing", text(incomplete->missing));
        json_object_set_new(one, "predicted", text(incomplete->predicted));
        json_array_append_new(list, one);
    }
    return list;
}

/* Which networks saw which cases; null for the folds of cmus-train. */
static json_t *external_object(const report_external *external) {
    if (!external)
        return json_null();
    json_t *object = json_object(), *source = json_object();
    json_object_set_new(source, "kind", text_or_null(external->source_kind));
    json_object_set_new(source, "paths", text_list(external->source_paths, external->source_path_count));
    json_object_set_new(source, "fold", text_or_null(external->source_fold));
    json_object_set_new(object, "models", models_list(external));
    json_object_set_new(object, "source", source);
    json_object_set_new(object, "cases_predicted", count(external->coverage.cases));
    json_object_set_new(object, "cases_without_label", count(external->coverage.unlabelled));
    json_object_set_new(object, "cases_incomplete", incomplete_list(&external->coverage));
    json_object_set_new(object, "notes", text_list(external->notes, external->note_count));
    return object;
}

/* How the intervals were made. */
static json_t *bootstrap_object(const report_evaluation *evaluation) {
    json_t *object = json_object();
    json_object_set_new(object, "draws", count(evaluation->draws));
    json_object_set_new(object, "seed", count(REPORT_BOOTSTRAP_SEED));
    json_object_set_new(object, "level", number(REPORT_INTERVAL_LEVEL));
    return object;
}

static json_t *run_object(const report_evaluation *evaluation) {
    const report_run *run = evaluation->run;
    json_t *object = json_object(), *classes = json_array(), *heads = json_object();
    for (size_t i = 0; i < evaluation->classes; i++)
        json_array_append_new(classes, json_string(evaluation->class_names[i]));
    for (int head = 0; head < REPORT_HEADS; head++)
        if (evaluation->heads[head].present)
            json_object_set_new(heads, report_head_keys[head], head_object(evaluation, &evaluation->heads[head]));
    json_object_set_new(object, "name", text(run->name));
    json_object_set_new(object, "path", text(run->path));
    json_object_set_new(object, "partial", json_boolean(evaluation->partial));
    json_object_set_new(object, "problems", text_list(run->problems, run->problem_count));
    json_object_set_new(object, "dataset_hash", text_or_null(evaluation->used[0]->dataset_hash));
    json_object_set_new(object, "external", external_object(run->external));
    json_object_set_new(object, "folds_expected", count(run->external ? 0 : run->expected));
    json_object_set_new(object, "folds_used", count(run->external ? 0 : evaluation->folds));
    json_object_set_new(object, "cases", count(evaluation->different_cases));
    json_object_set_new(object, "patients", count(evaluation->patients));
    json_object_set_new(object, "classes", classes);
    json_object_set_new(object, "bootstrap", bootstrap_object(evaluation));
    json_object_set_new(object, "heads", heads);
    return object;
}

cmus_status report_summary_json(const char *path, const report_evaluation *evaluations, size_t runs) {
    json_t *object = json_object(), *list = json_array();
    bool partial = false;
    for (size_t i = 0; i < runs; i++) {
        json_array_append_new(list, run_object(&evaluations[i]));
        partial = partial || evaluations[i].partial;
    }
    json_object_set_new(object, "format", json_string(REPORT_SUMMARY_FORMAT));
    json_object_set_new(object, "version", json_string(cmus_version()));
    json_object_set_new(object, "git_revision", json_string(cmus_git_revision()));
    json_object_set_new(object, "partial", json_boolean(partial));
    json_object_set_new(object, "external", json_boolean(evaluations[0].run->external));
    json_object_set_new(object, "runs", list);
    char *content = json_dumps(object, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    json_decref(object);
    if (!content)
        cmus_fatal("%s: the summary can't be put into JSON", path);
    cmus_file_writer *writer;
    cmus_status status = cmus_file_writer_open(path, &writer);
    if (status == CMUS_OK) {
        cmus_file_writer_print(writer, "%s\n", content);
        status = cmus_file_writer_commit(writer);
    }
    free(content); /* jansson took it from malloc */
    return status;
}

/* What the rows of one table of numbers begin with. */
typedef struct csv_scope {
    cmus_file_writer *writer;
    const report_evaluation *evaluation;
    const char *run, *head, *scope;
} csv_scope;

static void begin_row(const csv_scope *scope, const char *class_name, const char *predicted, const char *metric) {
    const char *const cells[] = {scope->run, scope->head, scope->scope, class_name, predicted, metric};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        cmus_file_writer_csv(scope->writer, cells[i]);
        cmus_file_writer_print(scope->writer, ",");
    }
}

static void write_value(const csv_scope *scope, const char *class_name, const char *metric, double value) {
    begin_row(scope, class_name, "", metric);
    if (isnan(value))
        cmus_file_writer_print(scope->writer, "undefined\n");
    else
        cmus_file_writer_print(scope->writer, "%.17g\n", value);
}

static void write_values(const csv_scope *scope, const double *values) {
    for (size_t i = 0; i < report_metric_count(scope->evaluation->classes); i++) {
        const char *name =
            i < REPORT_METRICS ? "" : scope->evaluation->class_names[(i - REPORT_METRICS) / REPORT_CLASS_METRICS];
        write_value(scope, name, report_metric_of(i)->key, values[i]);
    }
}

static void write_metrics(const csv_scope *scope, const report_metrics *metrics) {
    write_values(scope, metrics->values);
    char *const *names = scope->evaluation->class_names;
    for (size_t i = 0; i < metrics->classes; i++)
        for (size_t j = 0; j < metrics->classes; j++) {
            begin_row(scope, names[i], names[j], "cases");
            cmus_file_writer_print(scope->writer, "%zu\n", metrics->confusion[i * metrics->classes + j]);
        }
}

static void write_head(cmus_file_writer *writer, const report_evaluation *evaluation, report_head head) {
    const report_head_results *results = &evaluation->heads[head];
    csv_scope scope = {writer, evaluation, evaluation->run->name, report_head_keys[head], "pooled"};
    write_metrics(&scope, &results->pooled);
    scope.scope = "low";
    write_values(&scope, results->low);
    scope.scope = "high";
    write_values(&scope, results->high);
    if (evaluation->run->external)
        return;
    scope.scope = "mean";
    write_values(&scope, results->mean);
    scope.scope = "sd";
    write_values(&scope, results->deviation);
    for (size_t i = 0; i < evaluation->folds; i++) {
        char *name = report_fold_name(evaluation->run, evaluation->used[i]);
        scope.scope = name;
        write_metrics(&scope, &results->folds[i]);
        cmus_free(name);
    }
}

cmus_status report_summary_csv(const char *path, const report_evaluation *evaluations, size_t runs) {
    cmus_file_writer *writer;
    CMUS_TRY(cmus_file_writer_open(path, &writer));
    cmus_file_writer_print(writer, "run,head,scope,class,predicted,metric,value\n");
    for (size_t i = 0; i < runs; i++)
        for (int head = 0; head < REPORT_HEADS; head++)
            if (evaluations[i].heads[head].present)
                write_head(writer, &evaluations[i], head);
    return cmus_file_writer_commit(writer);
}
