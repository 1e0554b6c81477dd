/* The comparison of two runs as rows of a table: what the page, the Markdown and the LaTeX file show alike. */
#ifndef CMUS_REPORT_COMPARISON_ROWS_H
#define CMUS_REPORT_COMPARISON_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "report/compare.h"

/* Texts for people, in percent or plain as the metric wants it; "undefined" where there is no number. */
typedef struct report_comparison_row {
    char *name;               /* report_row_name() */
    char *base, *other;       /* "93.33" */
    char *difference;         /* "+1.23" */
    char *interval;           /* "[-0.40, 2.90]" */
    bool beyond_zero;         /* the interval does not hold 0 */
    const char *test;         /* "McNemar, exact", "McNemar", "DeLong"; "" where there is none */
    double p, holm;           /* undefined without a test */
    char *p_text, *holm_text; /* "0.021", "<0.001"; "" where there is no test */
} report_comparison_row;

/* Rows are the metrics of the whole table, then the AUC of each class: how many for so many classes, the value that a
 * row shows (as in report_metrics.values), and its name: "Macro F1, %", "AUC of IgAN, %", "Log loss (smaller is
 * better)". Free the name with cmus_free(). */
size_t report_row_count(size_t classes);
size_t report_row_value(size_t row);
char *report_row_name(const report_evaluation *evaluation, size_t row);

/* Row of run `other` (1 ... runs - 1) against the base. The head must be present in both. Free with
 * report_comparison_row_free(). */
void report_comparison_row_make(const report_comparison *comparison, size_t other, report_head head, size_t row,
                                report_comparison_row *made);
void report_comparison_row_free(report_comparison_row *row);

/* "0.021", "<0.001", "undefined". Free with cmus_free(). */
char *report_p_text(double p);

/* "+1.23", in the unit of the metric. Free with cmus_free(). */
char *report_difference_text(const report_metric_name *metric, double difference);

/* "300 predictions of 300 cases of 150 patients that both runs have": how the comparison was made, in sentences.
 * Free with cmus_free(). */
char *report_comparison_note(const report_comparison *comparison);

#endif
