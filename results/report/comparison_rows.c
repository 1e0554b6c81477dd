#include "report/comparison_rows.h"

#include <math.h>

#include "cmus/memory.h"
#include "report/metric_text.h"

size_t report_row_count(size_t classes) {
    return REPORT_METRICS + classes;
}

size_t report_row_value(size_t row) {
    return row < REPORT_METRICS ? row : report_class_metric_index(row - REPORT_METRICS, REPORT_CLASS_AUC);
}

char *report_row_name(const report_evaluation *evaluation, size_t row) {
    if (row >= REPORT_METRICS)
        return cmus_format_string("AUC of %s, %%", evaluation->class_names[row - REPORT_METRICS]);
    char *title = report_metric_title(&report_metric_names[row]);
    char *name =
        cmus_format_string("%s%s", title, report_metric_names[row].smaller_is_better ? " (smaller is better)" : "");
    cmus_free(title);
    return name;
}

char *report_p_text(double p) {
    if (isnan(p))
        return cmus_copy_string("undefined");
    return p < 0.001 ? cmus_copy_string("<0.001") : cmus_format_string("%.3f", p);
}

char *report_difference_text(const report_metric_name *metric, double difference) {
    if (isnan(difference))
        return cmus_copy_string("undefined");
    return metric->scale == REPORT_SCALE_PERCENT ? cmus_format_string("%+.2f", 100 * difference)
                                                 : cmus_format_string("%+.4f", difference);
}

static char *interval_text(const report_metric_name *metric, const report_difference *difference) {
    if (isnan(difference->low))
        return cmus_copy_string("undefined");
    char *low = report_difference_text(metric, difference->low);
    char *high = report_difference_text(metric, difference->high);
    char *text = cmus_format_string("[%s, %s]", low, high);
    cmus_free(low);
    cmus_free(high);
    return text;
}

/* McNemar's test of the base and another run. */
static const report_pair *pair_with_base(const report_comparison *comparison, size_t other) {
    return &comparison->pairs[other - 1]; /* those with the base come first */
}

static void add_test(const report_comparison *comparison, size_t other, report_head head, size_t row,
                     report_comparison_row *made) {
    const report_head_comparison *result = report_head_compared(comparison, other, head);
    made->test = "";
    made->p = made->holm = NAN;
    if (row == REPORT_METRIC_ACCURACY) {
        const report_pair *pair = pair_with_base(comparison, other);
        made->test = pair->mcnemar[head].exact ? "McNemar, exact" : "McNemar";
        made->p = pair->mcnemar[head].p;
        made->holm = pair->holm[head];
    } else if (row == REPORT_METRIC_MACRO_AUC || row >= REPORT_METRICS) {
        size_t area = row == REPORT_METRIC_MACRO_AUC ? comparison->classes : row - REPORT_METRICS;
        made->test = "DeLong";
        made->p = result->areas[area].p;
        made->holm = result->area_holm[area];
    }
    made->p_text = *made->test ? report_p_text(made->p) : cmus_copy_string("");
    made->holm_text = *made->test ? report_p_text(made->holm) : cmus_copy_string("");
}

void report_comparison_row_make(const report_comparison *comparison, size_t other, report_head head, size_t row,
                                report_comparison_row *made) {
    size_t value = report_row_value(row);
    const report_metric_name *metric = report_metric_of(value);
    const report_difference *difference = &report_head_compared(comparison, other, head)->values[value];
    *made = (report_comparison_row){
        .name = report_row_name(comparison->evaluations, row),
        .base = report_metric_text(metric, difference->base),
        .other = report_metric_text(metric, difference->other),
        .difference = report_difference_text(metric, difference->difference),
        .interval = interval_text(metric, difference),
        .beyond_zero = difference->low > 0 || difference->high < 0,
    };
    add_test(comparison, other, head, row, made);
}

void report_comparison_row_free(report_comparison_row *row) {
    cmus_free(row->name);
    cmus_free(row->base);
    cmus_free(row->other);
    cmus_free(row->difference);
    cmus_free(row->interval);
    cmus_free(row->p_text);
    cmus_free(row->holm_text);
    *row = (report_comparison_row){0};
}

char *report_comparison_note(const report_comparison *comparison) {
    char *left_out = comparison->left_out ? cmus_format_string(" %zu predictions that not all runs have are left out.",
                                                               comparison->left_out)
                                          : cmus_copy_string("");
    const char *clustered =
        comparison->patients < comparison->cases
            ? " McNemar's and DeLong's tests take cases as independent, but some patients have several: the "
              "intervals take account of that, the p-values do not."
            : "";
    const char *repeated = comparison->cases < comparison->predictions
                               ? " For the tests a case's probabilities are averaged over the repeats."
                               : "";
    char *note = cmus_format_string(
        "%s: %zu predictions of %zu cases of %zu patients, the same for all runs.%s Differences are "
        "percentage points where values are in %%, with %g %% percentile intervals of %zu paired bootstrap draws of "
        "patients. McNemar's test is exact below 25 discordant cases, else with continuity correction; areas by "
        "DeLong's test. p (Holm) is corrected within a head: for accuracy over all pairs of runs, for the macro AUC "
        "over all runs, for the classes' AUCs over all classes and runs.%s%s",
        comparison->evaluations[0].run->external ? "An external test set" : "All folds pooled", comparison->predictions,
        comparison->cases, comparison->patients, left_out, 100 * REPORT_INTERVAL_LEVEL, comparison->draws, repeated,
        clustered);
    cmus_free(left_out);
    return note;
}
