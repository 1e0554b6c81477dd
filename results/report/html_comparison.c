/* The page's comparison of runs: side by side, and each against the first with intervals and tests. */
#include <math.h>

#include "cmus/memory.h"
#include "cmus/utf8.h"
#include "report/comparison_rows.h"
#include "report/html.h"
#include "report/metric_text.h"
#include "report/report_text.h"

static const char *run_name(const report_comparison *comparison, size_t run) {
    return comparison->evaluations[run].run->name;
}

/* Mean ± SD over the folds and the pooled value; of an external test set the value and its interval. */
static void write_run_cell(cmus_file_writer *writer, const report_head_results *results, size_t value, bool external) {
    const report_metric_name *metric = &report_metric_names[value];
    double pooled = results->pooled.values[value], low = results->low[value], high = results->high[value];
    double shown = external ? pooled : results->mean[value];
    char *upper = external ? report_metric_text(metric, pooled)
                           : report_metric_spread(metric, results->mean[value], results->deviation[value]);
    char *lower = external ? report_metric_range(metric, low, high) : report_metric_interval(metric, pooled, low, high);
    cmus_file_writer_print(writer, "<td><span%s>%s</span><span class=\"pooled\">%s</span></td>",
                           isnan(shown) ? " class=\"undefined\"" : "", upper, lower);
    cmus_free(upper);
    cmus_free(lower);
}

static void write_run_row(cmus_file_writer *writer, const report_evaluation *evaluation, report_head head) {
    const report_head_results *results = &evaluation->heads[head];
    const report_external *external = evaluation->run->external;
    cmus_file_writer_print(writer, "<tr><th scope=\"row\" class=\"id\">");
    if (head == REPORT_FUSION)
        cmus_file_writer_html(writer, evaluation->run->name);
    cmus_file_writer_print(writer, "</th><td class=\"text\">%s</td><td>%zu</td><td>%zu</td>", report_head_labels[head],
                           external ? external->model_count : evaluation->folds, evaluation->different_cases);
    for (size_t i = 0; i < REPORT_MAIN_METRICS; i++)
        write_run_cell(writer, results, i, external);
    cmus_file_writer_print(writer, "</tr>\n");
}

static void write_side_by_side(cmus_file_writer *writer, const report_page *page) {
    bool external = page->evaluations[0].run->external;
    cmus_file_writer_print(writer,
                           "<p class=\"note\">Each %s its %g %% interval.</p>\n"
                           "<div class=\"scroll\"><table class=\"wide\">\n<thead><tr><th scope=\"col\">%s</th>"
                           "<th scope=\"col\" class=\"text\">Head</th><th scope=\"col\">%s</th>"
                           "<th scope=\"col\">Cases</th>",
                           external ? "by itself, in %: the value, below it"
                                    : "run by itself, in %: mean ± SD over the folds, below it the pooled value with",
                           100 * REPORT_INTERVAL_LEVEL, external ? "Predictions" : "Run",
                           external ? "Networks" : "Folds");
    for (size_t i = 0; i < REPORT_MAIN_METRICS; i++)
        cmus_file_writer_print(writer, "<th scope=\"col\">%s</th>", report_metric_names[i].label);
    cmus_file_writer_print(writer, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < page->runs; i++)
        for (int head = 0; head < REPORT_HEADS; head++)
            if (page->evaluations[i].heads[head].present)
                write_run_row(writer, &page->evaluations[i], head);
    cmus_file_writer_print(writer, "</tbody></table></div>\n");
}

/* The head of a column that is a run's name. */
static void write_run_column(cmus_file_writer *writer, const report_comparison *comparison, size_t run) {
    cmus_file_writer_print(writer, "<th scope=\"col\">");
    char *name = cmus_utf8_shorten(run_name(comparison, run), 24);
    cmus_file_writer_html(writer, name);
    cmus_free(name);
    cmus_file_writer_print(writer, "</th>");
}

static void write_difference_row(cmus_file_writer *writer, const report_comparison_row *row) {
    cmus_file_writer_print(writer, "<tr><th scope=\"row\" class=\"text\">");
    cmus_file_writer_html(writer, row->name);
    cmus_file_writer_print(writer, "</th><td>%s</td><td>%s</td><td%s>%s</td><td>%s</td><td>", row->base, row->other,
                           row->beyond_zero ? " class=\"best\"" : "", row->difference, row->interval);
    cmus_file_writer_html(writer, row->p_text); /* may hold "<" */
    cmus_file_writer_print(writer, "</td><td>");
    cmus_file_writer_html(writer, row->holm_text);
    cmus_file_writer_print(writer, "</td><td class=\"text\">%s</td></tr>\n", row->test);
}

static void write_differences(cmus_file_writer *writer, const report_comparison *comparison, size_t other,
                              report_head head) {
    cmus_file_writer_print(writer,
                           "<div class=\"scroll\"><table class=\"wide\">\n<thead><tr><th scope=\"col\">%s "
                           "head</th>",
                           report_head_labels[head]);
    write_run_column(writer, comparison, 0);
    write_run_column(writer, comparison, other);
    cmus_file_writer_print(writer,
                           "<th scope=\"col\">Difference</th><th scope=\"col\">%g %% interval</th>"
                           "<th scope=\"col\">p</th><th scope=\"col\">p (Holm)</th><th scope=\"col\" "
                           "class=\"text\">Test</th></tr></thead><tbody>\n",
                           100 * REPORT_INTERVAL_LEVEL);
    for (size_t i = 0; i < report_row_count(comparison->classes); i++) {
        report_comparison_row row;
        report_comparison_row_make(comparison, other, head, i, &row);
        write_difference_row(writer, &row);
        report_comparison_row_free(&row);
    }
    cmus_file_writer_print(writer, "</tbody></table></div>\n");
}

/* The fusion head is open, the others are behind their names. */
static void write_against_base(cmus_file_writer *writer, const report_comparison *comparison, size_t other) {
    cmus_file_writer_print(writer, "<h3>");
    cmus_file_writer_html(writer, run_name(comparison, other));
    cmus_file_writer_print(writer, " against ");
    cmus_file_writer_html(writer, run_name(comparison, 0));
    cmus_file_writer_print(writer, "</h3>\n");
    for (int head = 0; head < REPORT_HEADS; head++) {
        if (!report_head_compared(comparison, other, head)->present)
            continue;
        if (head != REPORT_FUSION)
            cmus_file_writer_print(writer, "<details><summary>%s head</summary>\n", report_head_labels[head]);
        write_differences(writer, comparison, other, head);
        if (head != REPORT_FUSION)
            cmus_file_writer_print(writer, "</details>\n");
    }
}

static void write_pair(cmus_file_writer *writer, const report_comparison *comparison, const report_pair *pair,
                       report_head head) {
    const report_mcnemar *test = &pair->mcnemar[head];
    char *difference =
        report_difference_text(&report_metric_names[REPORT_METRIC_ACCURACY], pair->accuracy_difference[head]);
    char *p = report_p_text(test->p), *holm = report_p_text(pair->holm[head]);
    cmus_file_writer_print(writer, "<tr><th scope=\"row\" class=\"text\">%s</th><td class=\"text id\">",
                           report_head_labels[head]);
    cmus_file_writer_html(writer, run_name(comparison, pair->base));
    cmus_file_writer_print(writer, "</td><td class=\"text id\">");
    cmus_file_writer_html(writer, run_name(comparison, pair->other));
    cmus_file_writer_print(writer, "</td><td>%zu</td><td>%zu</td><td>%s</td><td>", test->base_only, test->other_only,
                           difference);
    cmus_file_writer_html(writer, p);
    cmus_file_writer_print(writer, "</td><td>");
    cmus_file_writer_html(writer, holm);
    cmus_file_writer_print(writer, "</td></tr>\n");
    cmus_free(difference);
    cmus_free(p);
    cmus_free(holm);
}

static void write_pairs(cmus_file_writer *writer, const report_comparison *comparison) {
    cmus_file_writer_print(
        writer, "<h3>All pairs of runs</h3>\n<p class=\"note\">McNemar's test of right and wrong cases.</p>\n"
                "<div class=\"scroll\"><table class=\"wide\">\n<thead><tr><th scope=\"col\">Head</th>"
                "<th scope=\"col\" class=\"text\">Run A</th><th scope=\"col\" class=\"text\">Run B</th>"
                "<th scope=\"col\">Only A right</th><th scope=\"col\">Only B right</th>"
                "<th scope=\"col\">B − A, accuracy, %%</th><th scope=\"col\">p</th>"
                "<th scope=\"col\">p (Holm)</th></tr></thead><tbody>\n");
    for (int head = 0; head < REPORT_HEADS; head++)
        for (size_t i = 0; i < comparison->pair_count; i++)
            if (comparison->pairs[i].present[head])
                write_pair(writer, comparison, &comparison->pairs[i], head);
    cmus_file_writer_print(writer, "</tbody></table></div>\n");
}

void report_html_comparison(cmus_file_writer *writer, const report_page *page) {
    const report_comparison *comparison = page->comparison;
    if (!comparison)
        return;
    cmus_file_writer_print(writer, "<section><h2>Comparison</h2>\n");
    write_side_by_side(writer, page);
    char *note = report_comparison_note(comparison);
    cmus_file_writer_print(writer, "<p class=\"note\">");
    cmus_file_writer_html(writer, note);
    cmus_file_writer_print(writer, " Bold: the interval does not hold 0. The same as tables for a paper: "
                                   "<code>comparison.md</code>, <code>comparison.tex</code>; in full precision: "
                                   "<code>comparison.csv</code>.</p>\n");
    cmus_free(note);
    for (size_t other = 1; other < comparison->runs; other++)
        write_against_base(writer, comparison, other);
    if (comparison->runs > 2)
        write_pairs(writer, comparison);
    cmus_file_writer_print(writer, "</section>\n");
}
