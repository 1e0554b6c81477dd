/* The pooled confusion matrix of a head: counts, row percentages, darker with the share of the row. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/utf8.h"
#include "report/figures.h"
#include "report/report_text.h"

enum { LONGEST_NAME = 16 };

/* One cell; rows go down, so y is counted from the top. The text is white on dark cells. */
static void write_cell(report_plot *plot, const report_metrics *pooled, size_t row, size_t column) {
    size_t count = pooled->confusion[row * pooled->classes + column], support = report_metrics_support(pooled, row);
    double share = support ? (double)count / (double)support : NAN;
    cmus_file_writer_print(plot->script,
                           "set object rectangle center %zu,%zu size 0.98,0.98 fillcolor rgb '#005A9C' "
                           "fillstyle transparent solid %.4f noborder\n",
                           column, row, isnan(share) ? 0 : share);
    const char *colour = share > 0.6 ? "#ffffff" : "black";
    bool large = pooled->classes <= 6, has_share = support && pooled->classes <= 12;
    cmus_file_writer_print(plot->script,
                           "set label '%zu' at %zu,%zu center offset 0,%s textcolor rgb '%s' font ',%d'\n", count,
                           column, row,
                           large       ? "0.5"
                           : has_share ? "0.3"
                                       : "0",
                           colour, large ? 15 : 9);
    if (has_share)
        cmus_file_writer_print(plot->script,
                               "set label '%.*f %%' at %zu,%zu center offset 0,-%s textcolor rgb '%s' font ',%d'\n",
                               large ? 1 : 0, 100 * share, column, row, large ? "0.7" : "0.5", colour, large ? 10 : 7);
}

/* Whether the names do not fit side by side under the columns. */
static bool are_wide(const report_evaluation *evaluation) {
    enum { FITTING = 26, PADDING = 2 }; /* bytes: enough for an estimate */
    size_t widest = 0;
    for (size_t i = 0; i < evaluation->classes; i++) {
        char *name = cmus_utf8_shorten(evaluation->class_names[i], LONGEST_NAME);
        size_t width = strlen(name) + PADDING;
        widest = width > widest ? width : widest;
        cmus_free(name);
    }
    return widest * evaluation->classes > FITTING;
}

/* Class names along an axis, those of the rows with their number of cases. */
static void write_axis(report_plot *plot, const report_evaluation *evaluation, const report_metrics *pooled, bool rows,
                       bool slanted) {
    size_t classes = evaluation->classes;
    cmus_file_writer_print(plot->script, "set %stics scale 0 %stextcolor rgb 'black' (", rows ? "y" : "x",
                           slanted ? "rotate by 45 right " : "");
    for (size_t i = 0; i < classes; i++) {
        char *name = cmus_utf8_shorten(evaluation->class_names[i], LONGEST_NAME);
        char *text =
            rows ? cmus_format_string("%s (%zu)", name, report_metrics_support(pooled, i)) : cmus_copy_string(name);
        cmus_file_writer_print(plot->script, "%s", i ? ", " : "");
        report_plot_text(plot, text);
        cmus_file_writer_print(plot->script, " %zu", i);
        cmus_free(text);
        cmus_free(name);
    }
    cmus_file_writer_print(plot->script, ")\n");
}

cmus_status report_draw_confusion(const report_evaluation *evaluation, report_head head, const char *folder,
                                  const char *name) {
    const report_metrics *pooled = &evaluation->heads[head].pooled;
    size_t classes = evaluation->classes;
    bool wide = are_wide(evaluation); /* then the cells need not be square: names take much of the width and height */
    int side = wide && classes <= 6 ? 560 : classes <= 6 ? 440 : classes <= 16 ? 720 : 1200;
    report_plot plot;
    CMUS_TRY(report_plot_begin(folder, name, side, side - 30, &plot));
    char *title = cmus_format_string("Confusion, %s", report_head_labels[head]);
    report_plot_title(&plot, evaluation, title);
    cmus_free(title);
    cmus_file_writer_print(plot.script,
                           "unset key\nunset grid\nset border 15 linecolor rgb '#888888' linewidth 0.5\n"
                           "set size %s\nset xrange [-0.5:%zu.5]\nset yrange [%zu.5:-0.5]\n"
                           "set xlabel 'Predicted'\nset ylabel 'True (cases)'\n",
                           wide ? "nosquare" : "square", classes - 1, classes - 1);
    write_axis(&plot, evaluation, pooled, false, wide);
    write_axis(&plot, evaluation, pooled, true, false);
    for (size_t row = 0; row < classes; row++)
        for (size_t column = 0; column < classes; column++)
            write_cell(&plot, pooled, row, column);
    cmus_file_writer_print(plot.script, "plot NaN\n"); /* the axes, on which all of the above lies */
    return report_plot_end(&plot);
}
