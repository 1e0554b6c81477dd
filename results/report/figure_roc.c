/* ROC curves of a head: each class pooled over the folds (thick), every fold (thin), mean ± SD of the folds (band). */
#include <math.h>
#include <stdbool.h>

#include "cmus/memory.h"
#include "report/figures.h"
#include "report/report_roc.h"
#include "report/report_text.h"

enum { BAND_STEPS = 100 };
enum { MOST_BELOW = 8 }; /* classes whose key fits below the axis; of more, the folds would hide each other */

/* Rows "x y" as the data block $NAME_CLASS. */
static void write_curve(report_plot *plot, const char *block, size_t class_index, const report_roc *roc) {
    cmus_file_writer_print(plot->script, "$%s_%zu << END_OF_DATA\n", block, class_index);
    for (size_t i = 0; i < roc->points; i++)
        cmus_file_writer_print(plot->script, "%.5g %.5g\n", roc->false_positive_rate[i], roc->true_positive_rate[i]);
    cmus_file_writer_print(plot->script, "END_OF_DATA\n");
}

/* The folds' curves, an empty line between them, and "x low high" of the band. Folds in which the class is absent have
 * no curve, and then there is no band: it would be a mean over fewer folds than it seems. True if there is a band. */
static bool write_folds(report_plot *plot, const report_evaluation *evaluation, report_head head, size_t class_index) {
    size_t folds = evaluation->folds;
    report_roc *curves = cmus_allocate(folds, sizeof *curves);
    double *rates = cmus_allocate(folds, sizeof *rates);
    bool has_band = true;
    cmus_file_writer_print(plot->script, "$folds_%zu << END_OF_DATA\n", class_index);
    for (size_t i = 0; i < folds; i++) {
        const report_predictions *fold = &evaluation->used[i]->predictions;
        report_roc_compute(fold->probabilities[head], fold->labels, fold->cases, fold->classes, class_index,
                           &curves[i]);
        has_band = has_band && curves[i].points;
        for (size_t j = 0; j < curves[i].points; j++)
            cmus_file_writer_print(plot->script, "%.5g %.5g\n", curves[i].false_positive_rate[j],
                                   curves[i].true_positive_rate[j]);
        cmus_file_writer_print(plot->script, "\n");
    }
    cmus_file_writer_print(plot->script, "END_OF_DATA\n$band_%zu << END_OF_DATA\n", class_index);
    for (int step = 0; has_band && step <= BAND_STEPS; step++) {
        double x = (double)step / BAND_STEPS, mean, deviation;
        for (size_t i = 0; i < folds; i++)
            rates[i] = report_roc_at(&curves[i], x);
        report_mean_and_deviation(rates, folds, &mean, &deviation);
        cmus_file_writer_print(plot->script, "%.5g %.5g %.5g\n", x, fmax(mean - deviation, 0),
                               fmin(mean + deviation, 1));
    }
    cmus_file_writer_print(plot->script, "END_OF_DATA\n");
    for (size_t i = 0; i < folds; i++)
        report_roc_free(&curves[i]);
    cmus_free(curves);
    cmus_free(rates);
    return has_band;
}

/* What there is to draw of a class. */
typedef struct class_curves {
    bool drawn, has_folds, has_band;
} class_curves;

static class_curves write_class(report_plot *plot, const report_evaluation *evaluation, report_head head,
                                size_t class_index) {
    report_roc pooled;
    report_roc_compute(evaluation->heads[head].probabilities, evaluation->labels, evaluation->cases,
                       evaluation->classes, class_index, &pooled);
    class_curves curves = {.drawn = pooled.points > 0};
    write_curve(plot, "pooled", class_index, &pooled);
    report_roc_free(&pooled);
    if (curves.drawn && evaluation->folds > 1 && evaluation->classes <= MOST_BELOW)
        curves.has_folds = true;
    if (curves.has_folds)
        curves.has_band = write_folds(plot, evaluation, head, class_index);
    return curves;
}

/* "MN  95.37 ± 2.41" */
static void write_key(report_plot *plot, const report_evaluation *evaluation, report_head head, size_t class_index) {
    size_t value = report_class_metric_index(class_index, REPORT_CLASS_AUC);
    const report_head_results *results = &evaluation->heads[head];
    char *spread = report_percent_spread(results->mean[value], results->deviation[value]);
    char *name = report_short_text(evaluation->class_names[class_index], 16);
    char *key = cmus_format_string("%s   %s", name, spread);
    report_plot_text(plot, key);
    cmus_free(spread);
    cmus_free(name);
    cmus_free(key);
}

static void write_plot_command(report_plot *plot, const report_evaluation *evaluation, report_head head,
                               const class_curves *curves) {
    cmus_file_writer_print(plot->script, "plot $chance with lines linecolor rgb '#888888' dashtype 2 notitle");
    for (size_t i = 0; i < evaluation->classes; i++)
        if (curves[i].has_band)
            cmus_file_writer_print(plot->script,
                                   ", \\\n $band_%zu using 1:2:3 with filledcurves fillcolor rgb '%s' "
                                   "fillstyle transparent solid 0.12 noborder notitle",
                                   i, report_colour(i));
    for (size_t i = 0; i < evaluation->classes; i++)
        if (curves[i].has_folds)
            cmus_file_writer_print(plot->script,
                                   ", \\\n $folds_%zu with lines linecolor rgb '#99%s' linewidth 0.8 notitle", i,
                                   report_colour(i) + 1);
    for (size_t i = 0; i < evaluation->classes; i++)
        if (curves[i].drawn) {
            cmus_file_writer_print(plot->script,
                                   ", \\\n $pooled_%zu with lines linecolor rgb '%s' dashtype %zu linewidth 2.2 title ",
                                   i, report_colour(i), 1 + i / REPORT_COLOURS);
            write_key(plot, evaluation, head, i);
        }
    cmus_file_writer_print(plot->script, "\n");
}

cmus_status report_draw_roc(const report_evaluation *evaluation, report_head head, const char *folder,
                            const char *name) {
    bool below = evaluation->classes <= MOST_BELOW;
    int height = below ? 415 + 16 * (int)evaluation->classes : 420;
    report_plot plot;
    CMUS_TRY(report_plot_begin(folder, name, below ? 440 : 680, height, &plot));
    char *title = cmus_format_string("ROC, %s, AUC in %%%s", report_head_labels[head],
                                     evaluation->folds > 1 ? ": mean ± SD" : "");
    report_plot_title(&plot, evaluation, title);
    cmus_free(title);
    cmus_file_writer_print(plot.script,
                           "set size square\nset xrange [0:1]\nset yrange [0:1.005]\n"
                           "set xtics 0.2\nset ytics 0.2\n"
                           "set xlabel \"1 − specificity\\n \"\nset ylabel 'Sensitivity'\n"
                           "set key %s Left reverse samplen 2\n",
                           below ? "below center vertical maxcols 1" : "outside right");
    cmus_file_writer_print(plot.script, "$chance << END_OF_DATA\n0 0\n1 1\nEND_OF_DATA\n");
    class_curves *curves = cmus_allocate(evaluation->classes, sizeof *curves);
    for (size_t i = 0; i < evaluation->classes; i++)
        curves[i] = write_class(&plot, evaluation, head, i);
    write_plot_command(&plot, evaluation, head, curves);
    cmus_free(curves);
    return report_plot_end(&plot);
}
