#include "report/drift.h"

#include <math.h>
#include <string.h>

#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/utf8.h"
#include "report/report_text.h"
#include "report/summary.h"

static const size_t file_limit = (size_t)256 << 20;

const char *const report_scope_keys[REPORT_SCOPES] = {"pooled", "mean"};

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static cmus_status read_summary(report_drift *drift) {
    char *text;
    size_t size;
    CMUS_TRY(cmus_file_read(drift->path, file_limit, &text, &size));
    json_error_t error;
    drift->summary = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    cmus_free(text);
    if (!drift->summary)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s, line %d: %s", drift->path, error.line, error.text);
    const char *format = text_of(drift->summary, "format");
    if (!*format)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: no summary.json of cmus-report: the key 'format' is missing",
                         drift->path);
    if (strcmp(format, REPORT_SUMMARY_FORMAT) != 0)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: the format is '%s', but this cmus-report reads '%s'", drift->path,
                         format, REPORT_SUMMARY_FORMAT);
    if (!json_array_size(json_object_get(drift->summary, "runs")))
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: the list 'runs' is missing or empty", drift->path);
    return CMUS_OK;
}

static cmus_status check_kind(const report_drift *drift, bool external) {
    static const char *const kinds[] = {"a cross-validation", "an external test set"};
    bool earlier = json_is_true(json_object_get(drift->summary, "external"));
    if (earlier == external)
        return CMUS_OK;
    return cmus_fail(CMUS_ERROR_DATA, "%s: is the report of %s, but this one is of %s", drift->path, kinds[earlier],
                     kinds[external]);
}

/* The only run of the summary, or the one of this name; names there are valid UTF-8. */
static const json_t *find_run(const json_t *list, const char *name) {
    if (json_array_size(list) == 1)
        return json_array_get(list, 0);
    char *valid = cmus_utf8_valid(name);
    const json_t *found = NULL;
    for (size_t i = 0; !found && i < json_array_size(list); i++)
        if (strcmp(text_of(json_array_get(list, i), "name"), valid) == 0)
            found = json_array_get(list, i);
    cmus_free(valid);
    return found;
}

cmus_status report_drift_read(const char *path, const report_evaluation *evaluations, size_t runs,
                              report_drift *drift) {
    *drift = (report_drift){.path = cmus_copy_string(path), .run_count = runs};
    CMUS_TRY(read_summary(drift));
    CMUS_TRY(check_kind(drift, evaluations[0].run->external));
    drift->runs = cmus_allocate(runs, sizeof(json_t *));
    size_t found = 0;
    for (size_t i = 0; i < runs; i++) {
        drift->runs[i] = find_run(json_object_get(drift->summary, "runs"), evaluations[i].run->name);
        if (drift->runs[i])
            found++;
        else
            cmus_warn("%s: has no run '%s'", path, evaluations[i].run->name);
    }
    if (!found)
        return cmus_fail(CMUS_ERROR_DATA, "%s: has several runs, but none of the name of one given here", path);
    return CMUS_OK;
}

void report_drift_free(report_drift *drift) {
    json_decref(drift->summary);
    cmus_free(drift->runs);
    cmus_free(drift->path);
    *drift = (report_drift){0};
}

report_earlier report_drift_value(const report_drift *drift, const report_evaluation *evaluation, size_t run,
                                  report_head head, report_scope scope, size_t value) {
    const json_t *object = json_object_get(drift->runs[run], "heads");
    object = json_object_get(json_object_get(object, report_head_keys[head]), report_scope_keys[scope]);
    if (value >= REPORT_METRICS) {
        const char *name = evaluation->class_names[(value - REPORT_METRICS) / REPORT_CLASS_METRICS];
        object = json_object_get(json_object_get(object, "classes"), name);
    }
    const json_t *number = json_object_get(object, report_metric_of(value)->key);
    if (json_is_number(number))
        return (report_earlier){true, json_number_value(number)};
    return (report_earlier){json_is_null(number), NAN};
}

const char *report_drift_text(const report_drift *drift, size_t run, const char *key) {
    return text_of(drift->runs[run], key);
}

static void write_number(cmus_file_writer *writer, double value, const char *end) {
    if (isnan(value))
        cmus_file_writer_print(writer, "undefined%s", end);
    else
        cmus_file_writer_print(writer, "%.17g%s", value, end);
}

static void write_value(cmus_file_writer *writer, const report_drift *drift, const report_evaluation *evaluation,
                        size_t run, report_head head, report_scope scope, size_t value) {
    const report_head_results *results = &evaluation->heads[head];
    double now = scope == REPORT_SCOPE_POOLED ? results->pooled.values[value] : results->mean[value];
    report_earlier then = report_drift_value(drift, evaluation, run, head, scope, value);
    char *name = cmus_utf8_valid(evaluation->run->name);
    cmus_file_writer_csv(writer, name);
    cmus_file_writer_print(writer, ",%s,%s,", report_head_keys[head], report_scope_keys[scope]);
    cmus_file_writer_csv(
        writer, value < REPORT_METRICS ? "" : evaluation->class_names[(value - REPORT_METRICS) / REPORT_CLASS_METRICS]);
    cmus_file_writer_print(writer, ",%s,", report_metric_of(value)->key);
    if (then.known)
        write_number(writer, then.value, ",");
    else
        cmus_file_writer_print(writer, ",");
    write_number(writer, now, ",");
    if (then.known)
        write_number(writer, now - then.value, "\n");
    else
        cmus_file_writer_print(writer, "\n");
    cmus_free(name);
}

int report_drift_scopes(const report_evaluation *evaluations) {
    return evaluations[0].run->external ? REPORT_SCOPE_POOLED + 1 : REPORT_SCOPES;
}

cmus_status report_drift_csv(const char *path, const report_drift *drift, const report_evaluation *evaluations) {
    cmus_file_writer *writer;
    CMUS_TRY(cmus_file_writer_open(path, &writer));
    cmus_file_writer_print(writer, "run,head,scope,class,metric,old,new,difference\n");
    for (size_t run = 0; run < drift->run_count; run++)
        for (int head = 0; head < REPORT_HEADS; head++)
            for (int scope = 0;
                 drift->runs[run] && evaluations[run].heads[head].present && scope < report_drift_scopes(evaluations);
                 scope++)
                for (size_t value = 0; value < report_metric_count(evaluations[run].classes); value++)
                    write_value(writer, drift, &evaluations[run], run, head, scope, value);
    return cmus_file_writer_commit(writer);
}
