/* Training curves: a quantity in training and on the held-out fold over the epochs, every fold thin, their mean thick.
 */
#include <limits.h>
#include <math.h>
#include <stdbool.h>

#include "cmus/memory.h"
#include "report/figures.h"

/* The value of a fold in an epoch, or NaN; epochs are in order. */
static double value_at(const report_training *training, report_curve curve, long epoch) {
    size_t begin = 0, end = training->epochs;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (training->epoch[middle] < epoch)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin < training->epochs && training->epoch[begin] == epoch ? training->values[curve][begin] : NAN;
}

/* Rows "epoch value" of every fold, an empty line between folds, as $folds_CURVE, and their mean as $mean_CURVE: only
 * in epochs that every fold has. Returns the number of values. */
static size_t write_curve(report_plot *plot, const report_evaluation *evaluation, report_curve curve) {
    size_t values = 0;
    cmus_file_writer_print(plot->script, "$folds_%d << END_OF_DATA\n", (int)curve);
    for (size_t i = 0; i < evaluation->folds; i++) {
        const report_training *training = &evaluation->used[i]->training;
        for (size_t j = 0; j < training->epochs; j++)
            if (!isnan(training->values[curve][j])) {
                cmus_file_writer_print(plot->script, "%ld %.6g\n", training->epoch[j], training->values[curve][j]);
                values++;
            }
        cmus_file_writer_print(plot->script, "\n");
    }
    cmus_file_writer_print(plot->script, "END_OF_DATA\n$mean_%d << END_OF_DATA\n", (int)curve);
    const report_training *first = &evaluation->used[0]->training;
    for (size_t j = 0; j < first->epochs; j++) {
        double sum = 0;
        for (size_t i = 0; i < evaluation->folds; i++)
            sum += value_at(&evaluation->used[i]->training, curve, first->epoch[j]);
        if (!isnan(sum))
            cmus_file_writer_print(plot->script, "%ld %.6g\n", first->epoch[j], sum / (double)evaluation->folds);
    }
    cmus_file_writer_print(plot->script, "END_OF_DATA\n");
    return values;
}

static void write_plot_command(report_plot *plot, const report_evaluation *evaluation, report_curve curve,
                               const char *title, const char *colour, bool *first) {
    const char *begin = *first ? "plot" : ", \\\n";
    *first = false;
    if (evaluation->folds > 1) {
        cmus_file_writer_print(plot->script, "%s $folds_%d with lines linecolor rgb '#88%s' linewidth 0.8 notitle",
                               begin, (int)curve, colour + 1);
        begin = ", \\\n";
    }
    cmus_file_writer_print(plot->script,
                           "%s $mean_%d with linespoints linecolor rgb '%s' linewidth 2.2 pointtype 7 "
                           "pointsize 0.35 title '%s'",
                           begin, (int)curve, colour, title);
}

/* The axis from the first to the last epoch of all folds, at least one wide, without fractions. */
static char *epoch_axis(const report_evaluation *evaluation) {
    enum { MOST_TICS = 10 };
    long first = LONG_MAX, last = LONG_MIN;
    for (size_t i = 0; i < evaluation->folds; i++) {
        const report_training *training = &evaluation->used[i]->training;
        if (!training->epochs)
            continue;
        long begin = training->epoch[0], end = training->epoch[training->epochs - 1];
        first = begin < first ? begin : first;
        last = end > last ? end : last;
    }
    if (first > last)
        first = last = 0;
    last += last == first;
    return cmus_format_string("set xrange [%ld:%ld]%s", first, last, last - first <= MOST_TICS ? "\nset xtics 1" : "");
}

cmus_status report_draw_curves(const report_evaluation *evaluation, report_curve training, report_curve held_out,
                               const char *label, const char *folder, const char *name) {
    report_plot plot;
    CMUS_TRY(report_plot_begin(folder, name, 440, 355, &plot));
    char *title = cmus_format_string("%s%s", label, evaluation->folds > 1 ? ": mean (thick) and every fold" : "");
    report_plot_title(&plot, evaluation, title);
    cmus_free(title);
    char *epochs = epoch_axis(evaluation);
    cmus_file_writer_print(plot.script,
                           "set xlabel \"Epoch\\n \"\nset ylabel '%s'\nset yrange [0:%s]\n%s\n"
                           "set key below center horizontal Left reverse samplen 2\n",
                           label, training == REPORT_TRAIN_ACCURACY ? "1.005" : "*", epochs);
    cmus_free(epochs);
    size_t trained = write_curve(&plot, evaluation, training), evaluated = write_curve(&plot, evaluation, held_out);
    bool first = true;
    if (trained)
        write_plot_command(&plot, evaluation, training, "training", report_colour(0), &first);
    if (evaluated)
        write_plot_command(&plot, evaluation, held_out, "held-out fold", report_colour(1), &first);
    cmus_file_writer_print(plot.script, first ? "set yrange [0:1]\nplot NaN notitle\n" : "\n");
    return report_plot_end(&plot);
}
