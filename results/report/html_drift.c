/* The page's section for --compare-to: the numbers of now beside those of an earlier report. */
#include <math.h>
#include <string.h>

#include "cmus/memory.h"
#include "report/comparison_rows.h"
#include "report/drift.h"
#include "report/html.h"
#include "report/metric_text.h"
#include "report/report_text.h"

/* The old value, the new one, the difference: of one scope. */
static void write_scope(cmus_file_writer *writer, const report_metric_name *metric, report_earlier then, double now) {
    char *new_text = report_metric_text(metric, now), *old_text, *difference;
    old_text = then.known ? report_metric_text(metric, then.value) : cmus_copy_string("–");
    difference = then.known ? report_difference_text(metric, now - then.value) : cmus_copy_string("–");
    cmus_file_writer_print(writer, "<td>%s</td><td>%s</td><td>%s</td>", old_text, new_text, difference);
    cmus_free(new_text);
    cmus_free(old_text);
    cmus_free(difference);
}

static void write_value_row(cmus_file_writer *writer, const report_page *page, size_t run, report_head head,
                            size_t value, const char *name) {
    const report_evaluation *evaluation = &page->evaluations[run];
    const report_head_results *results = &evaluation->heads[head];
    const report_metric_name *metric = report_metric_of(value);
    cmus_file_writer_print(writer, "<tr><th scope=\"row\" class=\"text\">");
    cmus_file_writer_html(writer, name);
    cmus_file_writer_print(writer, "</th>");
    if (report_drift_scopes(evaluation) == REPORT_SCOPES)
        write_scope(writer, metric, report_drift_value(page->drift, evaluation, run, head, REPORT_SCOPE_MEAN, value),
                    results->mean[value]);
    report_earlier then = report_drift_value(page->drift, evaluation, run, head, REPORT_SCOPE_POOLED, value);
    write_scope(writer, metric, then, results->pooled.values[value]);
    bool outside = then.known && (then.value < results->low[value] || then.value > results->high[value]);
    cmus_file_writer_print(writer, "<td class=\"text\">%s</td></tr>\n", outside ? "outside" : "");
}

static void write_head(cmus_file_writer *writer, const report_page *page, size_t run, report_head head) {
    const report_evaluation *evaluation = &page->evaluations[run];
    cmus_file_writer_print(writer,
                           "<div class=\"scroll\"><table class=\"wide\">\n<thead><tr><th rowspan=\"2\" "
                           "scope=\"col\">%s head</th>%s</th><th rowspan=\"2\" scope=\"col\" class=\"text\">"
                           "Old value and<br>new %g %% interval</th></tr><tr>",
                           report_head_labels[head],
                           evaluation->run->external ? "<th class=\"group\" colspan=\"3\">External test set"
                                                     : "<th class=\"group\" colspan=\"3\">Mean over the folds</th>"
                                                       "<th class=\"group\" colspan=\"3\">All folds pooled",
                           100 * REPORT_INTERVAL_LEVEL);
    for (int scope = 0; scope < report_drift_scopes(evaluation); scope++)
        cmus_file_writer_print(writer,
                               "<th scope=\"col\">Old</th><th scope=\"col\">New</th><th scope=\"col\">Difference</th>");
    cmus_file_writer_print(writer, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < report_row_count(evaluation->classes); i++) {
        char *name = report_row_name(evaluation, i);
        write_value_row(writer, page, run, head, report_row_value(i), name);
        cmus_free(name);
    }
    cmus_file_writer_print(writer, "</tbody></table></div>\n");
}

static void write_run(cmus_file_writer *writer, const report_page *page, size_t run) {
    const report_evaluation *evaluation = &page->evaluations[run];
    const char *hash = evaluation->used[0]->dataset_hash;
    bool known = hash && *report_drift_text(page->drift, run, "dataset_hash");
    bool same = known && strcmp(report_drift_text(page->drift, run, "dataset_hash"), hash) == 0;
    cmus_file_writer_print(writer, "<h3>");
    cmus_file_writer_html(writer, evaluation->run->name);
    cmus_file_writer_print(writer, " against the earlier ");
    cmus_file_writer_html(writer, report_drift_text(page->drift, run, "name"));
    cmus_file_writer_print(writer, "</h3>\n<p class=\"note\">%s</p>\n",
                           same    ? "Of the same data set."
                           : known ? "Of another data set: the cases are not the same."
                                   : "Whether the cases are the same is not known.");
    for (int head = 0; head < REPORT_HEADS; head++) {
        if (!evaluation->heads[head].present)
            continue;
        if (head != REPORT_FUSION)
            cmus_file_writer_print(writer, "<details><summary>%s head</summary>\n", report_head_labels[head]);
        write_head(writer, page, run, head);
        if (head != REPORT_FUSION)
            cmus_file_writer_print(writer, "</details>\n");
    }
}

void report_html_drift(cmus_file_writer *writer, const report_page *page) {
    if (!page->drift)
        return;
    cmus_file_writer_print(writer, "<section><h2>Drift</h2>\n<p class=\"note\">Numbers of this report and of the "
                                   "earlier <code>");
    cmus_file_writer_html(writer, page->drift->path);
    cmus_file_writer_print(writer, "</code>. A difference is new minus old; nothing is tested, but “outside” marks an "
                                   "old pooled value that lies outside the new one's interval. A dash: the earlier "
                                   "report has no such number. In full precision: <code>drift.csv</code>.</p>\n");
    for (size_t i = 0; i < page->drift->run_count; i++)
        if (page->drift->runs[i])
            write_run(writer, page, i);
    cmus_file_writer_print(writer, "</section>\n");
}
