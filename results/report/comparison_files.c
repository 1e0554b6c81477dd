#include "report/comparison_files.h"

#include <math.h>
#include <string.h>

#include "cmus/file.h"
#include "cmus/memory.h"
#include "cmus/utf8.h"
#include "report/comparison_rows.h"
#include "report/report_text.h"

static const char *run_name(const report_comparison *comparison, size_t run) {
    return comparison->evaluations[run].run->name;
}

static void csv_text(cmus_file_writer *writer, const char *text) {
    char *valid = cmus_utf8_valid(text);
    cmus_file_writer_csv(writer, valid);
    cmus_file_writer_print(writer, ",");
    cmus_free(valid);
}

static void csv_number(cmus_file_writer *writer, double value) {
    if (isnan(value))
        cmus_file_writer_print(writer, "undefined,");
    else
        cmus_file_writer_print(writer, "%.17g,", value);
}

/* test,base_only,other_only,statistic,p,p_holm of McNemar's test; the exact one has no statistic. */
static void csv_mcnemar(cmus_file_writer *writer, const report_pair *pair, report_head head) {
    const report_mcnemar *test = &pair->mcnemar[head];
    cmus_file_writer_print(writer, "%s,%zu,%zu,", test->exact ? "mcnemar_exact" : "mcnemar", test->base_only,
                           test->other_only);
    if (test->exact)
        cmus_file_writer_print(writer, ",");
    else
        csv_number(writer, test->statistic);
    csv_number(writer, test->p);
    cmus_file_writer_print(writer, "%.17g\n", pair->holm[head]);
}

static void csv_delong(cmus_file_writer *writer, const report_area_test *test, double holm) {
    cmus_file_writer_print(writer, "delong,,,");
    csv_number(writer, test->z);
    csv_number(writer, test->p);
    if (isnan(holm))
        cmus_file_writer_print(writer, "undefined\n");
    else
        cmus_file_writer_print(writer, "%.17g\n", holm);
}

static void csv_begin(cmus_file_writer *writer, const report_comparison *comparison, report_head head, size_t value,
                      size_t base, size_t other) {
    const char *class_name =
        value < REPORT_METRICS ? ""
                               : comparison->evaluations->class_names[(value - REPORT_METRICS) / REPORT_CLASS_METRICS];
    csv_text(writer, report_head_keys[head]);
    csv_text(writer, class_name);
    csv_text(writer, report_metric_of(value)->key);
    csv_text(writer, run_name(comparison, base));
    csv_text(writer, run_name(comparison, other));
}

static void csv_value(cmus_file_writer *writer, const report_comparison *comparison, size_t other, report_head head,
                      size_t value) {
    const report_head_comparison *result = report_head_compared(comparison, other, head);
    const report_difference *one = &result->values[value];
    csv_begin(writer, comparison, head, value, 0, other);
    csv_number(writer, one->base);
    csv_number(writer, one->other);
    csv_number(writer, one->difference);
    csv_number(writer, one->low);
    csv_number(writer, one->high);
    cmus_file_writer_print(writer, "%zu,", one->undefined);
    size_t classes = comparison->classes;
    if (value == REPORT_METRIC_ACCURACY)
        csv_mcnemar(writer, &comparison->pairs[other - 1], head);
    else if (value == REPORT_METRIC_MACRO_AUC)
        csv_delong(writer, &result->areas[classes], result->area_holm[classes]);
    else if (value >= REPORT_METRICS && (value - REPORT_METRICS) % REPORT_CLASS_METRICS == REPORT_CLASS_AUC) {
        size_t area = (value - REPORT_METRICS) / REPORT_CLASS_METRICS;
        csv_delong(writer, &result->areas[area], result->area_holm[area]);
    } else
        cmus_file_writer_print(writer, ",,,,,\n");
}

cmus_status report_comparison_csv(const char *path, const report_comparison *comparison) {
    cmus_file_writer *writer;
    CMUS_TRY(cmus_file_writer_open(path, &writer));
    cmus_file_writer_print(writer, "head,class,metric,base,other,base_value,other_value,difference,low,high,"
                                   "undefined_draws,test,base_only,other_only,statistic,p,p_holm\n");
    for (size_t other = 1; other < comparison->runs; other++)
        for (int head = 0; head < REPORT_HEADS; head++)
            for (size_t value = 0; report_head_compared(comparison, other, head)->present &&
                                   value < report_metric_count(comparison->classes);
                 value++)
                csv_value(writer, comparison, other, head, value);
    for (size_t i = comparison->runs - 1; i < comparison->pair_count; i++)
        for (int head = 0; head < REPORT_HEADS; head++) {
            const report_pair *pair = &comparison->pairs[i];
            if (!pair->present[head])
                continue;
            csv_begin(writer, comparison, head, REPORT_METRIC_ACCURACY, pair->base, pair->other);
            cmus_file_writer_print(writer, ",,%.17g,,,,", pair->accuracy_difference[head]);
            csv_mcnemar(writer, pair, head);
        }
    return cmus_file_writer_commit(writer);
}

/* How a format writes the cells and rows of a table. */
typedef struct table_format {
    void (*text)(cmus_file_writer *writer, const char *text);
    void (*number)(cmus_file_writer *writer, const char *number); /* "+1.23", "[-0.10, +0.20]", "undefined" */
    const char *row_begin, *separator, *row_end;
} table_format;

typedef struct table_cell {
    const char *text;
    bool is_number;
} table_cell;

static void markdown_text(cmus_file_writer *writer, const char *text) {
    char *valid = cmus_utf8_valid(text);
    for (const char *at = valid; *at; at++) {
        if (*at == '<' || *at == '&')
            cmus_file_writer_print(writer, "&#%d;", *at);
        else
            cmus_file_writer_print(writer, strchr("\\|*_`[]#~", *at) ? "\\%c" : "%c", *at);
    }
    cmus_free(valid);
}

static void latex_text(cmus_file_writer *writer, const char *text) {
    static const char special[] = "\\~^<>|\"", plain[] = "{}$&#_%";
    static const char *const names[] = {"textbackslash", "textasciitilde", "textasciicircum", "textless",
                                        "textgreater",   "textbar",        "textquotedbl"};
    char *valid = cmus_utf8_valid(text);
    for (const char *at = valid; *at; at++) {
        const char *found = strchr(special, *at);
        if (found)
            cmus_file_writer_print(writer, "\\%s{}", names[found - special]);
        else
            cmus_file_writer_print(writer, strchr(plain, *at) ? "\\%c" : "%c", *at);
    }
    cmus_free(valid);
}

static void markdown_number(cmus_file_writer *writer, const char *number) {
    cmus_file_writer_print(writer, "%s", number);
}

/* Numbers in mathematics, so that a minus sign is one. */
static void latex_number(cmus_file_writer *writer, const char *number) {
    cmus_file_writer_print(writer, !*number || strcmp(number, "undefined") == 0 ? "%s" : "$%s$", number);
}

static const table_format markdown = {markdown_text, markdown_number, "| ", " | ", " |\n"};
static const table_format latex = {latex_text, latex_number, "", " & ", " \\\\\n"};

static void write_row(cmus_file_writer *writer, const table_format *format, const table_cell *cells, size_t count) {
    for (size_t i = 0; i < count; i++) {
        cmus_file_writer_print(writer, "%s", i ? format->separator : format->row_begin);
        (cells[i].is_number ? format->number : format->text)(writer, cells[i].text);
    }
    cmus_file_writer_print(writer, "%s", format->row_end);
}

static void write_rows(cmus_file_writer *writer, const table_format *format, const report_comparison *comparison,
                       size_t other, report_head head) {
    for (size_t i = 0; i < report_row_count(comparison->classes); i++) {
        report_comparison_row row;
        report_comparison_row_make(comparison, other, head, i, &row);
        const table_cell cells[] = {{row.name, false},      {row.base, true},     {row.other, true},
                                    {row.difference, true}, {row.interval, true}, {row.p_text, true},
                                    {row.holm_text, true},  {row.test, false}};
        write_row(writer, format, cells, sizeof cells / sizeof *cells);
        report_comparison_row_free(&row);
    }
}

/* Rows of McNemar's tests of one head: the runs, the discordant cases, the difference of the accuracies, p. */
static void write_pairs(cmus_file_writer *writer, const table_format *format, const report_comparison *comparison,
                        report_head head) {
    for (size_t i = 0; i < comparison->pair_count; i++) {
        const report_pair *pair = &comparison->pairs[i];
        if (!pair->present[head])
            continue;
        char *base_only = cmus_format_string("%zu", pair->mcnemar[head].base_only);
        char *other_only = cmus_format_string("%zu", pair->mcnemar[head].other_only);
        char *difference =
            report_difference_text(&report_metric_names[REPORT_METRIC_ACCURACY], pair->accuracy_difference[head]);
        char *p = report_p_text(pair->mcnemar[head].p), *holm = report_p_text(pair->holm[head]);
        const table_cell cells[] = {{report_head_labels[head], false},
                                    {run_name(comparison, pair->base), false},
                                    {run_name(comparison, pair->other), false},
                                    {base_only, true},
                                    {other_only, true},
                                    {difference, true},
                                    {p, true},
                                    {holm, true}};
        write_row(writer, format, cells, sizeof cells / sizeof *cells);
        cmus_free(base_only);
        cmus_free(other_only);
        cmus_free(difference);
        cmus_free(p);
        cmus_free(holm);
    }
}

static void markdown_table(cmus_file_writer *writer, const report_comparison *comparison, size_t other,
                           report_head head) {
    cmus_file_writer_print(writer, "\n## %s: ", report_head_labels[head]);
    markdown_text(writer, run_name(comparison, other));
    cmus_file_writer_print(writer, " against ");
    markdown_text(writer, run_name(comparison, 0));
    cmus_file_writer_print(writer, "\n\n| Metric | ");
    markdown_text(writer, run_name(comparison, 0));
    cmus_file_writer_print(writer, " | ");
    markdown_text(writer, run_name(comparison, other));
    cmus_file_writer_print(writer,
                           " | Difference | %g %% interval | p | p (Holm) | Test |\n"
                           "|---|---:|---:|---:|---:|---:|---:|---|\n",
                           100 * REPORT_INTERVAL_LEVEL);
    write_rows(writer, &markdown, comparison, other, head);
}

cmus_status report_comparison_markdown(const char *path, const report_comparison *comparison) {
    cmus_file_writer *writer;
    CMUS_TRY(cmus_file_writer_open(path, &writer));
    char *note = report_comparison_note(comparison);
    cmus_file_writer_print(writer, "# Comparison of runs\n\n%s\n", note);
    cmus_free(note);
    for (size_t other = 1; other < comparison->runs; other++)
        for (int head = 0; head < REPORT_HEADS; head++)
            if (report_head_compared(comparison, other, head)->present)
                markdown_table(writer, comparison, other, head);
    if (comparison->runs > 2) {
        cmus_file_writer_print(writer,
                               "\n## All pairs of runs, McNemar's test\n\n"
                               "| Head | Run A | Run B | Only A right | Only B right | B - A, accuracy, %% | p | "
                               "p (Holm) |\n|---|---|---|---:|---:|---:|---:|---:|\n");
        for (int head = 0; head < REPORT_HEADS; head++)
            write_pairs(writer, &markdown, comparison, head);
    }
    return cmus_file_writer_commit(writer);
}

static void latex_table(cmus_file_writer *writer, const report_comparison *comparison, size_t other, report_head head) {
    cmus_file_writer_print(writer, "\n\\begin{table}\n\\centering\n\\caption{%s head: ", report_head_labels[head]);
    latex_text(writer, run_name(comparison, other));
    cmus_file_writer_print(writer, " against ");
    latex_text(writer, run_name(comparison, 0));
    cmus_file_writer_print(writer, ".}\n\\begin{tabular}{lrrrrrrl}\n\\toprule\nMetric & ");
    latex_text(writer, run_name(comparison, 0));
    cmus_file_writer_print(writer, " & ");
    latex_text(writer, run_name(comparison, other));
    cmus_file_writer_print(writer, " & Difference & %g\\,\\%% interval & $p$ & $p$ (Holm) & Test \\\\\n\\midrule\n",
                           100 * REPORT_INTERVAL_LEVEL);
    write_rows(writer, &latex, comparison, other, head);
    cmus_file_writer_print(writer, "\\bottomrule\n\\end{tabular}\n\\end{table}\n");
}

cmus_status report_comparison_latex(const char *path, const report_comparison *comparison) {
    cmus_file_writer *writer;
    CMUS_TRY(cmus_file_writer_open(path, &writer));
    char *note = report_comparison_note(comparison);
    cmus_file_writer_print(writer, "%% Needs \\usepackage{booktabs}.\n%% %s\n", note);
    cmus_free(note);
    for (size_t other = 1; other < comparison->runs; other++)
        for (int head = 0; head < REPORT_HEADS; head++)
            if (report_head_compared(comparison, other, head)->present)
                latex_table(writer, comparison, other, head);
    if (comparison->runs > 2) {
        cmus_file_writer_print(writer, "\n\\begin{table}\n\\centering\n\\caption{All pairs of runs, McNemar's test.}\n"
                                       "\\begin{tabular}{lllrrrrr}\n\\toprule\nHead & Run A & Run B & Only A right & "
                                       "Only B right & $B - A$, \\%% & $p$ & $p$ (Holm) \\\\\n\\midrule\n");
        for (int head = 0; head < REPORT_HEADS; head++)
            write_pairs(writer, &latex, comparison, head);
        cmus_file_writer_print(writer, "\\bottomrule\n\\end{tabular}\n\\end{table}\n");
    }
    return cmus_file_writer_commit(writer);
}
