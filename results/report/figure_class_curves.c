/* ROC and precision-recall curves of a head: each class pooled over the folds (thick), every fold (thin), mean ± SD of
 * the folds (band). */
#include <math.h>
#include <stdbool.h>

#include "cmus/memory.h"
#include "cmus/utf8.h"
#include "report/figures.h"
#include "report/precision_recall.h"
#include "report/report_roc.h"
#include "report/report_text.h"

enum { BAND_STEPS = 100 };
enum { MOST_BELOW = 8 }; /* classes whose key fits below the axis; of more, the folds would hide each other */

/* What ROC and precision-recall do not share. */
typedef struct curve_kind {
    const char *title, *x_label, *y_label, *style;
    void (*compute)(const double *probabilities, const int *labels, size_t cases, size_t classes, size_t class_index,
                    report_class_curve *curve);
    double (*at)(const report_class_curve *curve, double x);
    bool is_roc;
} curve_kind;

static const curve_kind roc_kind = {"ROC, %s, AUC in %%%s", "1 − specificity", "Sensitivity", "lines",
                                    report_roc_compute,     report_roc_at,     true};
/* fsteps: between two recalls the precision is that of the threshold that reaches the higher one. */
static const curve_kind precision_recall_kind = {"Precision-recall, %s, AP in %%%s",
                                                 "Recall",
                                                 "Precision",
                                                 "fsteps",
                                                 report_precision_recall_compute,
                                                 report_precision_at,
                                                 false};

/* Rows "x y"; a step curve begins at x = 0. */
static void write_points(report_plot *plot, const curve_kind *kind, const report_class_curve *curve) {
    if (curve->points && !kind->is_roc)
        cmus_file_writer_print(plot->script, "0 %.5g\n", curve->y[0]);
    for (size_t i = 0; i < curve->points; i++)
        cmus_file_writer_print(plot->script, "%.5g %.5g\n", curve->x[i], curve->y[i]);
}

/* "x low high" of the band, mean ± SD of the folds. */
static void write_band(report_plot *plot, const curve_kind *kind, const report_class_curve *curves, size_t folds) {
    double *values = cmus_allocate(folds, sizeof *values);
    for (int step = 0; step <= BAND_STEPS; step++) {
        double x = (double)step / BAND_STEPS, mean, deviation;
        for (size_t i = 0; i < folds; i++)
            values[i] = kind->at(&curves[i], x);
        report_mean_and_deviation(values, folds, &mean, &deviation);
        cmus_file_writer_print(plot->script, "%.5g %.5g %.5g\n", x, fmax(mean - deviation, 0),
                               fmin(mean + deviation, 1));
    }
    cmus_free(values);
}

/* What there is to draw of a class, and the number of its key over the folds. */
typedef struct class_drawing {
    bool drawn, has_folds, has_band;
    double mean, deviation, share; /* share: of the class among all cases */
} class_drawing;

/* The data blocks $folds_CLASS, with an empty line between folds, and $band_CLASS. A fold in which the class is absent
 * has no curve, and then there is no band: it would be a mean over fewer folds than it seems. */
static void write_folds(report_plot *plot, const curve_kind *kind, const report_evaluation *evaluation,
                        report_head head, size_t class_index, class_drawing *drawing) {
    size_t folds = evaluation->folds, area = report_class_metric_index(class_index, REPORT_CLASS_AUC);
    report_class_curve *curves = cmus_allocate(folds, sizeof *curves);
    double *areas = cmus_allocate(folds, sizeof *areas);
    bool complete = true, shown = folds > 1 && evaluation->classes <= MOST_BELOW;
    cmus_file_writer_print(plot->script, "$folds_%zu << END_OF_DATA\n", class_index);
    for (size_t i = 0; i < folds; i++) {
        const report_predictions *fold = &evaluation->used[i]->predictions;
        kind->compute(fold->probabilities[head], fold->labels, fold->cases, fold->classes, class_index, &curves[i]);
        areas[i] = kind->is_roc ? evaluation->heads[head].folds[i].values[area] : curves[i].area;
        complete = complete && curves[i].points;
        drawing->has_folds = shown && folds <= REPORT_MOST_FOLD_CURVES;
        if (drawing->has_folds)
            write_points(plot, kind, &curves[i]);
        cmus_file_writer_print(plot->script, "\n");
    }
    cmus_file_writer_print(plot->script, "END_OF_DATA\n$band_%zu << END_OF_DATA\n", class_index);
    drawing->has_band = shown && complete;
    if (drawing->has_band)
        write_band(plot, kind, curves, folds);
    cmus_file_writer_print(plot->script, "END_OF_DATA\n");
    report_mean_and_deviation(areas, folds, &drawing->mean, &drawing->deviation);
    for (size_t i = 0; i < folds; i++)
        report_class_curve_free(&curves[i]);
    cmus_free(curves);
    cmus_free(areas);
}

static class_drawing write_class(report_plot *plot, const curve_kind *kind, const report_evaluation *evaluation,
                                 report_head head, size_t class_index) {
    const report_head_results *results = &evaluation->heads[head];
    report_class_curve pooled;
    kind->compute(results->probabilities, evaluation->labels, evaluation->cases, evaluation->classes, class_index,
                  &pooled);
    class_drawing drawing = {.drawn = pooled.points > 0};
    drawing.share = (double)report_metrics_support(&results->pooled, class_index) / (double)evaluation->cases;
    cmus_file_writer_print(plot->script, "$pooled_%zu << END_OF_DATA\n", class_index);
    write_points(plot, kind, &pooled);
    cmus_file_writer_print(plot->script, "END_OF_DATA\n");
    report_class_curve_free(&pooled);
    if (drawing.drawn)
        write_folds(plot, kind, evaluation, head, class_index, &drawing);
    return drawing;
}

/* "MN  95.37 ± 2.41" */
static void write_key(report_plot *plot, const char *class_name, const class_drawing *drawing) {
    char *spread = report_percent_spread(drawing->mean, drawing->deviation);
    char *name = cmus_utf8_shorten(class_name, 16), *key = cmus_format_string("%s   %s", name, spread);
    report_plot_text(plot, key);
    cmus_free(spread);
    cmus_free(name);
    cmus_free(key);
}

/* What a network that has learned nothing would show: the diagonal, or each class's share of the cases. */
static void write_chance(report_plot *plot, const curve_kind *kind, const report_evaluation *evaluation,
                         const class_drawing *drawings) {
    cmus_file_writer_print(plot->script, "plot %s with lines linecolor rgb '#888888' dashtype 2 notitle",
                           kind->is_roc ? "$chance" : "NaN");
    for (size_t i = 0; !kind->is_roc && evaluation->classes <= MOST_BELOW && i < evaluation->classes; i++)
        if (drawings[i].drawn)
            cmus_file_writer_print(plot->script,
                                   ", \\\n %.5g with lines linecolor rgb '%s' dashtype 3 linewidth 0.8 notitle",
                                   drawings[i].share, report_colour(i));
}

static void write_plot_command(report_plot *plot, const curve_kind *kind, const report_evaluation *evaluation,
                               const class_drawing *drawings) {
    write_chance(plot, kind, evaluation, drawings);
    for (size_t i = 0; i < evaluation->classes; i++)
        if (drawings[i].has_band)
            cmus_file_writer_print(plot->script,
                                   ", \\\n $band_%zu using 1:2:3 with filledcurves fillcolor rgb '%s' "
                                   "fillstyle transparent solid 0.12 noborder notitle",
                                   i, report_colour(i));
    for (size_t i = 0; i < evaluation->classes; i++)
        if (drawings[i].has_folds)
            cmus_file_writer_print(plot->script,
                                   ", \\\n $folds_%zu with %s linecolor rgb '#99%s' linewidth 0.8 notitle", i,
                                   kind->style, report_colour(i) + 1);
    for (size_t i = 0; i < evaluation->classes; i++)
        if (drawings[i].drawn) {
            cmus_file_writer_print(plot->script,
                                   ", \\\n $pooled_%zu with %s linecolor rgb '%s' dashtype %zu linewidth 2.2 title ", i,
                                   kind->style, report_colour(i), 1 + i / REPORT_COLOURS);
            write_key(plot, evaluation->class_names[i], &drawings[i]);
        }
    cmus_file_writer_print(plot->script, "\n");
}

static cmus_status draw_curves(const curve_kind *kind, const report_evaluation *evaluation, report_head head,
                               const char *folder, const char *name) {
    bool below = evaluation->classes <= MOST_BELOW;
    int height = below ? 415 + 16 * (int)evaluation->classes : 420;
    report_plot plot;
    CMUS_TRY(report_plot_begin(folder, name, below ? 440 : 680, height, &plot));
    char *title = cmus_format_string(kind->title, report_head_labels[head], evaluation->folds > 1 ? ": mean ± SD" : "");
    report_plot_title(&plot, evaluation, title);
    cmus_free(title);
    cmus_file_writer_print(plot.script,
                           "set size square\nset xrange [0:1]\nset yrange [0:1.005]\n"
                           "set xtics 0.2\nset ytics 0.2\n"
                           "set xlabel \"%s\\n \"\nset ylabel '%s'\n"
                           "set key %s Left reverse samplen 2\n",
                           kind->x_label, kind->y_label, below ? "below center vertical maxcols 1" : "outside right");
    cmus_file_writer_print(plot.script, "$chance << END_OF_DATA\n0 0\n1 1\nEND_OF_DATA\n");
    class_drawing *drawings = cmus_allocate(evaluation->classes, sizeof *drawings);
    for (size_t i = 0; i < evaluation->classes; i++)
        drawings[i] = write_class(&plot, kind, evaluation, head, i);
    write_plot_command(&plot, kind, evaluation, drawings);
    cmus_free(drawings);
    return report_plot_end(&plot);
}

cmus_status report_draw_roc(const report_evaluation *evaluation, report_head head, const char *folder,
                            const char *name) {
    return draw_curves(&roc_kind, evaluation, head, folder, name);
}

cmus_status report_draw_precision_recall(const report_evaluation *evaluation, report_head head, const char *folder,
                                         const char *name) {
    return draw_curves(&precision_recall_kind, evaluation, head, folder, name);
}
