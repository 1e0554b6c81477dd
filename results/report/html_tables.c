/* Tables of metrics, and the cards with the main numbers. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "cmus/memory.h"
#include "report/html.h"
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
    char *text = report_percent_spread(results->mean[value], results->deviation[value]);
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

static void write_percent(cmus_file_writer *writer, double value) {
    char *text = report_percent(value);
    cmus_file_writer_print(writer, isnan(value) ? "<span class=\"undefined\">%s</span>" : "%s", text);
    cmus_free(text);
}

/* Whether this head's pooled value is the best of all heads. */
static bool is_best(const report_evaluation *evaluation, report_head head, int metric) {
    double own = evaluation->heads[head].pooled.values[metric];
    for (int other = 0; other < REPORT_HEADS; other++)
        if (evaluation->heads[other].present && evaluation->heads[other].pooled.values[metric] > own)
            return false;
    return !isnan(own);
}

static void write_head_name(cmus_file_writer *writer, report_head head) {
    cmus_file_writer_print(
        writer, "<th scope=\"row\" class=\"text\"><span class=\"dot\" style=\"background:%s\"></span>%s</th>",
        colour_of_head(head), report_head_labels[head]);
}

void report_html_heads(cmus_file_writer *writer, const report_evaluation *evaluation) {
    begin_table(writer, "wide");
    cmus_file_writer_print(writer,
                           "<thead><tr><th rowspan=\"2\" scope=\"col\">Head</th>"
                           "<th class=\"group\" colspan=\"%d\">Mean ± SD over the folds</th>"
                           "<th class=\"group\" colspan=\"%d\">All folds pooled</th></tr><tr>",
                           REPORT_METRICS, REPORT_METRICS);
    for (int i = 0; i < 2 * REPORT_METRICS; i++)
        cmus_file_writer_print(writer, "<th scope=\"col\">%s</th>", report_metric_names[i % REPORT_METRICS].label);
    cmus_file_writer_print(writer, "</tr></thead><tbody>\n");
    for (int head = 0; head < REPORT_HEADS; head++) {
        if (!evaluation->heads[head].present)
            continue;
        cmus_file_writer_print(writer, "<tr>");
        write_head_name(writer, head);
        for (int i = 0; i < REPORT_METRICS; i++) {
            cmus_file_writer_print(writer, "<td>");
            write_spread(writer, evaluation, head, (size_t)i);
            cmus_file_writer_print(writer, "</td>");
        }
        for (int i = 0; i < REPORT_METRICS; i++) {
            cmus_file_writer_print(writer, "<td%s>", is_best(evaluation, head, i) ? " class=\"best\"" : "");
            write_percent(writer, evaluation->heads[head].pooled.values[i]);
            cmus_file_writer_print(writer, "</td>");
        }
        cmus_file_writer_print(writer, "</tr>\n");
    }
    end_table(writer);
}

/* One head's row of a class; the class's name stands once beside all its heads. */
static void write_class_row(cmus_file_writer *writer, const report_evaluation *evaluation, report_head head,
                            size_t class_index) {
    const report_metrics *pooled = &evaluation->heads[head].pooled;
    write_head_name(writer, head);
    for (int i = 0; i < REPORT_CLASS_METRICS; i++) {
        size_t value = report_class_metric_index(class_index, (report_class_metric)i);
        cmus_file_writer_print(writer, "<td>");
        write_spread(writer, evaluation, head, value);
        cmus_file_writer_print(writer, "<span class=\"pooled\">");
        write_percent(writer, pooled->values[value]);
        cmus_file_writer_print(writer, "</span></td>");
    }
    cmus_file_writer_print(writer, "</tr>\n");
}

static void write_class(cmus_file_writer *writer, const report_evaluation *evaluation, size_t class_index) {
    int heads = 0;
    for (int head = 0; head < REPORT_HEADS; head++)
        heads += evaluation->heads[head].present;
    cmus_file_writer_print(writer, "<tbody class=\"block\"><tr><th scope=\"rowgroup\" rowspan=\"%d\">", heads);
    report_write_html(writer, evaluation->class_names[class_index]);
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

/* "best other head: IM 80.12" */
static void write_best_other(cmus_file_writer *writer, const report_evaluation *evaluation, int metric) {
    int best = 0;
    for (int head = REPORT_FUSION + 1; head < REPORT_HEADS; head++) {
        const report_head_results *results = &evaluation->heads[head];
        if (results->present && !isnan(results->pooled.values[metric]) &&
            (!best || results->pooled.values[metric] > evaluation->heads[best].pooled.values[metric]))
            best = head;
    }
    if (best)
        cmus_file_writer_print(writer, ", best single head %s %.2f", report_head_labels[best],
                               100 * evaluation->heads[best].pooled.values[metric]);
}

void report_html_cards(cmus_file_writer *writer, const report_evaluation *evaluation) {
    static const char *const labels[REPORT_METRICS] = {
        [REPORT_METRIC_ACCURACY] = "Accuracy",
        [REPORT_METRIC_MACRO_AUC] = "Macro AUC",
        [REPORT_METRIC_MACRO_F1] = "Macro F1",
    };
    const report_head_results *fusion = &evaluation->heads[REPORT_FUSION];
    for (int i = 0; i < REPORT_METRICS; i++) {
        cmus_file_writer_print(writer, "<div class=\"card\"><div class=\"label\">%s, %%</div><div class=\"value\">",
                               labels[i]);
        write_percent(writer, fusion->mean[i]);
        if (!isnan(fusion->deviation[i]))
            cmus_file_writer_print(writer, " <small>± %.2f</small>", 100 * fusion->deviation[i]);
        cmus_file_writer_print(writer, "</div><div class=\"more\">pooled ");
        write_percent(writer, fusion->pooled.values[i]);
        write_best_other(writer, evaluation, i);
        cmus_file_writer_print(writer, "</div></div>\n");
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
        for (int j = 0; j < REPORT_METRICS; j++) {
            cmus_file_writer_print(writer, "<td>");
            write_percent(writer, fusion->folds[i].values[j]);
            cmus_file_writer_print(writer, "</td>");
        }
        cmus_file_writer_print(writer, "</tr>\n");
        cmus_free(name);
    }
    cmus_file_writer_print(writer, "<tr class=\"strong\"><th scope=\"row\">mean ± SD</th><td></td>");
    for (int j = 0; j < REPORT_METRICS; j++) {
        cmus_file_writer_print(writer, "<td>");
        write_spread(writer, evaluation, REPORT_FUSION, (size_t)j);
        cmus_file_writer_print(writer, "</td>");
    }
    cmus_file_writer_print(writer, "</tr>\n");
    end_table(writer);
}

static void write_comparison_row(cmus_file_writer *writer, const report_evaluation *evaluation, report_head head) {
    cmus_file_writer_print(writer, "<tr>");
    if (head == REPORT_FUSION) {
        cmus_file_writer_print(writer, "<th scope=\"row\" class=\"id\">");
        report_write_html(writer, evaluation->run->name);
        cmus_file_writer_print(writer, "</th>");
    } else {
        cmus_file_writer_print(writer, "<th></th>");
    }
    cmus_file_writer_print(writer, "<td class=\"text\">%s</td><td>%zu</td><td>%zu</td>", report_head_labels[head],
                           evaluation->folds, evaluation->different_cases);
    for (int i = 0; i < REPORT_METRICS; i++) {
        cmus_file_writer_print(writer, "<td>");
        write_spread(writer, evaluation, head, (size_t)i);
        cmus_file_writer_print(writer, "<span class=\"pooled\">");
        write_percent(writer, evaluation->heads[head].pooled.values[i]);
        cmus_file_writer_print(writer, "</span></td>");
    }
    cmus_file_writer_print(writer, "</tr>\n");
}

void report_html_comparison(cmus_file_writer *writer, const report_page *page) {
    if (page->runs < 2)
        return;
    cmus_file_writer_print(writer,
                           "<section><h2>Comparison</h2>\n<p class=\"note\">Mean ± SD over the folds in %%, below it "
                           "the pooled value.</p>\n");
    begin_table(writer, "wide");
    cmus_file_writer_print(writer, "<thead><tr><th scope=\"col\">Run</th><th scope=\"col\" class=\"text\">Head</th>"
                                   "<th scope=\"col\">Folds</th><th scope=\"col\">Cases</th>");
    for (int i = 0; i < REPORT_METRICS; i++)
        cmus_file_writer_print(writer, "<th scope=\"col\">%s</th>", report_metric_names[i].label);
    cmus_file_writer_print(writer, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < page->runs; i++)
        for (int head = 0; head < REPORT_HEADS; head++)
            if (page->evaluations[i].heads[head].present)
                write_comparison_row(writer, &page->evaluations[i], head);
    end_table(writer);
    cmus_file_writer_print(writer, "</section>\n");
}
