/* Tables of metrics, and the cards with the main numbers. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "cmus/memory.h"
#include "report/html.h"
#include "report/metric_text.h"
#include "report/report_text.h"

static const char *colour_of_head(report_head head) {
    return report_colour(head == REPORT_FUSION ? 0 : head == REPORT_OM ? 4 : head == REPORT_IM ? 2 : 3);
}

static void begin_table(cmus_file_writer *writer, const char *css_class) {
    cmus_file_writer_print(writer, "<div class=\"scroll\"><table class=\"%s\">\n", css_class);
}

static void end_table(cmus_file_writer *writer) {
    cmus_file_writer_print(writer, "</tbody></table></div>\n");
}

/* "95.37 ± 2.41" or "undefined", on which a tool tip names the folds. */
static void write_spread(cmus_file_writer *writer, const report_evaluation *evaluation, report_head head,
                         size_t value) {
    const report_head_results *results = &evaluation->heads[head];
    char *text = report_metric_spread(report_metric_of(value), results->mean[value], results->deviation[value]);
    char *folds = report_undefined_folds(evaluation, head, value);
    if (folds)
        cmus_file_writer_print(
            writer, "<span class=\"undefined\" title=\"undefined in %s: a class has no case there\">%s</span>", folds,
            text);
    else
        cmus_file_writer_print(writer, "%s", text);
    cmus_free(folds);
    cmus_free(text);
}

/* The value with this index as text. */
static void write_value(cmus_file_writer *writer, size_t index, double value) {
    char *text = report_metric_text(report_metric_of(index), value);
    cmus_file_writer_print(writer, isnan(value) ? "<span class=\"undefined\">%s</span>" : "%s", text);
    cmus_free(text);
}

/* The pooled value with its interval, or of an external test set the interval; a tool tip says if draws were left out
 * of it. */
static void write_pooled(cmus_file_writer *writer, const report_evaluation *evaluation, report_head head,
                         size_t value) {
    const report_head_results *results = &evaluation->heads[head];
    double pooled = results->pooled.values[value], low = results->low[value], high = results->high[value];
    const report_metric_name *name = report_metric_of(value);
    char *text = evaluation->run->external ? report_metric_range(name, low, high)
                                           : report_metric_interval(name, pooled, low, high);
    cmus_file_writer_print(writer, "<span class=\"pooled%s\"", isnan(pooled) ? " undefined" : "");
    if (results->undefined_draws[value])
        cmus_file_writer_print(writer, " title=\"undefined in %zu of %zu draws, which the interval leaves out\"",
                               results->undefined_draws[value], evaluation->draws);
    cmus_file_writer_print(writer, ">%s</span>", text);
    cmus_free(text);
}

/* A cell: mean and SD of the folds, below them the pooled value with its interval; of an external test set the value,
 * below it its interval. */
static void write_result(cmus_file_writer *writer, const report_evaluation *evaluation, report_head head,
                         size_t value) {
    if (evaluation->run->external)
        write_value(writer, value, evaluation->heads[head].pooled.values[value]);
    else
        write_spread(writer, evaluation, head, value);
    write_pooled(writer, evaluation, head, value);
}

static bool is_better(size_t metric, double value, double than) {
    return report_metric_of(metric)->smaller_is_better ? value < than : value > than;
}

/* Whether this head's pooled value is the best of all heads. */
static bool is_best(const report_evaluation *evaluation, report_head head, size_t metric) {
    double own = evaluation->heads[head].pooled.values[metric];
    for (int other = 0; other < REPORT_HEADS; other++)
        if (evaluation->heads[other].present && is_better(metric, evaluation->heads[other].pooled.values[metric], own))
            return false;
    return !isnan(own);
}

static void write_head_name(cmus_file_writer *writer, report_head head) {
    cmus_file_writer_print(
        writer, "<th scope=\"row\" class=\"text\"><span class=\"dot\" style=\"background:%s\"></span>%s</th>",
        colour_of_head(head), report_head_labels[head]);
}

/* The name of a metric as the head of a row. */
static void write_metric_name(cmus_file_writer *writer, const report_metric_name *name) {
    char *title = report_metric_title(name);
    cmus_file_writer_print(writer, "<tr><th scope=\"row\" title=\"");
    cmus_file_writer_html(writer, name->definition);
    cmus_file_writer_print(writer, "\">");
    cmus_file_writer_html(writer, title);
    cmus_file_writer_print(writer, "%s</th>", name->smaller_is_better ? " ↓" : "");
    cmus_free(title);
}

/* What the numbers mean, to unfold below the table. */
static void write_definitions(cmus_file_writer *writer, const report_evaluation *evaluation) {
    bool external = evaluation->run->external;
    cmus_file_writer_print(writer,
                           "<p class=\"note\">Below: %sthe %g %% interval of %zu draws of patients with replacement "
                           "(percentiles); draws in which the value is undefined are left out, and a tool tip says how "
                           "many. Bold: best %svalue. ↓: smaller is better.</p>\n"
                           "<details class=\"note\"><summary>How the values are defined</summary><ul>\n",
                           external ? "" : "all folds pooled with ", 100 * REPORT_INTERVAL_LEVEL, evaluation->draws,
                           external ? "" : "pooled ");
    for (int i = 0; i < REPORT_METRICS; i++) {
        cmus_file_writer_print(writer, "<li><b>");
        cmus_file_writer_html(writer, report_metric_names[i].title);
        cmus_file_writer_print(writer, "</b>: ");
        cmus_file_writer_html(writer, report_metric_names[i].definition);
        cmus_file_writer_print(writer, "</li>\n");
    }
    cmus_file_writer_print(writer, "</ul></details>\n");
}

void report_html_heads(cmus_file_writer *writer, const report_evaluation *evaluation) {
    begin_table(writer, "wide");
    cmus_file_writer_print(writer, "<thead><tr><th scope=\"col\">Metric</th>");
    for (int head = 0; head < REPORT_HEADS; head++)
        if (evaluation->heads[head].present)
            cmus_file_writer_print(writer,
                                   "<th scope=\"col\"><span class=\"dot\" style=\"background:%s\"></span>%s</th>",
                                   colour_of_head(head), report_head_labels[head]);
    cmus_file_writer_print(writer, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < REPORT_METRICS; i++) {
        write_metric_name(writer, &report_metric_names[i]);
        for (int head = 0; head < REPORT_HEADS; head++) {
            if (!evaluation->heads[head].present)
                continue;
            cmus_file_writer_print(writer, "<td%s>", is_best(evaluation, head, i) ? " class=\"best\"" : "");
            write_result(writer, evaluation, head, i);
            cmus_file_writer_print(writer, "</td>");
        }
        cmus_file_writer_print(writer, "</tr>\n");
    }
    end_table(writer);
    write_definitions(writer, evaluation);
}

/* One head's row of a class; the class's name stands once beside all its heads. */
static void write_class_row(cmus_file_writer *writer, const report_evaluation *evaluation, report_head head,
                            size_t class_index) {
    write_head_name(writer, head);
    for (int i = 0; i < REPORT_CLASS_METRICS; i++) {
        size_t value = report_class_metric_index(class_index, (report_class_metric)i);
        cmus_file_writer_print(writer, "<td>");
        write_result(writer, evaluation, head, value);
        cmus_file_writer_print(writer, "</td>");
    }
    cmus_file_writer_print(writer, "</tr>\n");
}

static void write_class(cmus_file_writer *writer, const report_evaluation *evaluation, size_t class_index) {
    int heads = 0;
    for (int head = 0; head < REPORT_HEADS; head++)
        heads += evaluation->heads[head].present;
    cmus_file_writer_print(writer, "<tbody class=\"block\"><tr><th scope=\"rowgroup\" rowspan=\"%d\">", heads);
    cmus_file_writer_html(writer, evaluation->class_names[class_index]);
    cmus_file_writer_print(writer, "<span class=\"pooled\">%zu cases</span></th>",
                           report_metrics_support(&evaluation->heads[REPORT_FUSION].pooled, class_index));
    for (int head = 0; head < REPORT_HEADS; head++)
        if (evaluation->heads[head].present) {
            cmus_file_writer_print(writer, "%s", head == REPORT_FUSION ? "" : "<tr>");
            write_class_row(writer, evaluation, head, class_index);
        }
    cmus_file_writer_print(writer, "</tbody>\n");
}

void report_html_classes(cmus_file_writer *writer, const report_evaluation *evaluation) {
    begin_table(writer, "wide");
    cmus_file_writer_print(writer, "<thead><tr><th scope=\"col\">Class</th><th scope=\"col\" class=\"text\">Head</th>");
    for (int i = 0; i < REPORT_CLASS_METRICS; i++)
        cmus_file_writer_print(writer, "<th scope=\"col\">%s</th>", report_class_metric_names[i].label);
    cmus_file_writer_print(writer, "</tr></thead>\n");
    for (size_t i = 0; i < evaluation->classes; i++)
        write_class(writer, evaluation, i);
    cmus_file_writer_print(writer, "</table></div>\n");
}

/* ", best single head IM 80.12" */
static void write_best_other(cmus_file_writer *writer, const report_evaluation *evaluation, size_t metric) {
    int best = 0;
    for (int head = REPORT_FUSION + 1; head < REPORT_HEADS; head++) {
        const report_head_results *results = &evaluation->heads[head];
        if (results->present && !isnan(results->pooled.values[metric]) &&
            (!best || is_better(metric, results->pooled.values[metric], evaluation->heads[best].pooled.values[metric])))
            best = head;
    }
    if (!best)
        return;
    cmus_file_writer_print(writer, "<br>best single head: %s ", report_head_labels[best]);
    write_value(writer, metric, evaluation->heads[best].pooled.values[metric]);
}

/* Mean and SD over the folds; the pooled value. */
static void write_fold_card(cmus_file_writer *writer, const report_head_results *fusion, size_t metric) {
    const report_metric_name *name = &report_metric_names[metric];
    write_value(writer, metric, fusion->mean[metric]);
    if (!isnan(fusion->deviation[metric])) {
        char *deviation = report_metric_text(name, fusion->deviation[metric]);
        cmus_file_writer_print(writer, " <small>± %s</small>", deviation);
        cmus_free(deviation);
    }
    char *pooled =
        report_metric_interval(name, fusion->pooled.values[metric], fusion->low[metric], fusion->high[metric]);
    cmus_file_writer_print(writer, "</div><div class=\"more\">pooled %s", pooled);
    cmus_free(pooled);
}

static void write_external_card(cmus_file_writer *writer, const report_head_results *fusion, size_t metric) {
    char *range = report_metric_range(&report_metric_names[metric], fusion->low[metric], fusion->high[metric]);
    write_value(writer, metric, fusion->pooled.values[metric]);
    cmus_file_writer_print(writer, "</div><div class=\"more\">%s", range);
    cmus_free(range);
}

void report_html_cards(cmus_file_writer *writer, const report_evaluation *evaluation) {
    const report_head_results *fusion = &evaluation->heads[REPORT_FUSION];
    for (size_t i = 0; i < REPORT_MAIN_METRICS; i++) {
        const report_metric_name *name = &report_metric_names[i];
        char *title = report_metric_title(name);
        cmus_file_writer_print(writer, "<div class=\"card\"><div class=\"label\">%s</div><div class=\"value\">", title);
        if (evaluation->run->external)
            write_external_card(writer, fusion, i);
        else
            write_fold_card(writer, fusion, i);
        write_best_other(writer, evaluation, i);
        cmus_file_writer_print(writer, "</div></div>\n");
        cmus_free(title);
    }
}

void report_html_folds(cmus_file_writer *writer, const report_evaluation *evaluation) {
    const report_head_results *fusion = &evaluation->heads[REPORT_FUSION];
    begin_table(writer, "");
    cmus_file_writer_print(writer, "<thead><tr><th scope=\"col\">Fold</th><th scope=\"col\">Cases</th>");
    for (int i = 0; i < REPORT_METRICS; i++)
        cmus_file_writer_print(writer, "<th scope=\"col\">%s</th>", report_metric_names[i].label);
    cmus_file_writer_print(writer, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < evaluation->folds; i++) {
        char *name = report_fold_name(evaluation->run, evaluation->used[i]);
        cmus_file_writer_print(writer, "<tr><th scope=\"row\">%s</th><td>%zu</td>", name, fusion->folds[i].cases);
        for (size_t j = 0; j < REPORT_METRICS; j++) {
            cmus_file_writer_print(writer, "<td>");
            write_value(writer, j, fusion->folds[i].values[j]);
            cmus_file_writer_print(writer, "</td>");
        }
        cmus_file_writer_print(writer, "</tr>\n");
        cmus_free(name);
    }
    cmus_file_writer_print(writer, "<tr class=\"strong\"><th scope=\"row\">mean ± SD</th><td></td>");
    for (size_t j = 0; j < REPORT_METRICS; j++) {
        cmus_file_writer_print(writer, "<td>");
        write_spread(writer, evaluation, REPORT_FUSION, j);
        cmus_file_writer_print(writer, "</td>");
    }
    cmus_file_writer_print(writer, "</tr>\n");
    end_table(writer);
}
