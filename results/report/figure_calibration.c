/* Calibration of a head, all folds pooled: how often the prediction is right by its confidence, and below it how many
 * cases have that confidence. */
#include "cmus/memory.h"
#include "report/calibration.h"
#include "report/figures.h"
#include "report/report_text.h"
#include "report/wilson.h"

/* $bins: "confidence accuracy low high" of the bins that have cases; $counts: "middle cases" of all. */
static void write_bins(report_plot *plot, const report_confidence_bin *bins) {
    cmus_file_writer_print(plot->script, "$bins << END_OF_DATA\n");
    for (int i = 0; i < REPORT_CALIBRATION_BINS; i++)
        if (bins[i].cases) {
            double low, high, cases = (double)bins[i].cases;
            report_wilson(bins[i].right, bins[i].cases, &low, &high);
            cmus_file_writer_print(plot->script, "%.5g %.5g %.5g %.5g\n", bins[i].confidence / cases,
                                   (double)bins[i].right / cases, low, high);
        }
    cmus_file_writer_print(plot->script, "END_OF_DATA\n$counts << END_OF_DATA\n");
    for (int i = 0; i < REPORT_CALIBRATION_BINS; i++)
        cmus_file_writer_print(plot->script, "%.5g %zu\n", (i + 0.5) / REPORT_CALIBRATION_BINS, bins[i].cases);
    cmus_file_writer_print(plot->script, "END_OF_DATA\n");
}

cmus_status report_draw_calibration(const report_evaluation *evaluation, report_head head, const char *folder,
                                    const char *name) {
    report_plot plot;
    CMUS_TRY(report_plot_begin(folder, name, 440, 460, &plot));
    char *error = report_percent(evaluation->heads[head].pooled.values[REPORT_METRIC_ECE]);
    char *title = cmus_format_string("Calibration, %s, ECE in %%: %s", report_head_labels[head], error);
    report_plot_title(&plot, evaluation, title);
    cmus_free(title);
    cmus_free(error);
    report_confidence_bin bins[REPORT_CALIBRATION_BINS];
    report_calibration_compute(evaluation->heads[head].probabilities, evaluation->labels, evaluation->cases,
                               evaluation->classes, bins);
    write_bins(&plot, bins);
    report_plot_two_panels(&plot);
    report_plot_panel(&plot, REPORT_UPPER_PANEL);
    cmus_file_writer_print(plot.script,
                           "set xrange [0:1]\nset xtics 0.2\nset format x ''\n"
                           "set yrange [0:1.005]\nset ytics 0.2\nset ylabel 'Share right, 95 %% interval'\n"
                           "plot x with lines linecolor rgb '#888888' dashtype 2 title 'ideal', \\\n");
    report_plot_intervals(&plot, "bins", 0, report_colour(head));
    cmus_file_writer_print(plot.script,
                           " $bins with linespoints linecolor rgb '%s' linewidth 2.2 pointtype 7 pointsize 0.5 title "
                           "'observed'\n",
                           report_colour(head));
    size_t largest = 0;
    for (int i = 0; i < REPORT_CALIBRATION_BINS; i++)
        largest = bins[i].cases > largest ? bins[i].cases : largest;
    report_plot_panel(&plot, REPORT_LOWER_PANEL);
    report_plot_counts(&plot, largest);
    cmus_file_writer_print(plot.script,
                           "set xlabel 'Confidence (largest probability)'\n"
                           "plot $counts using 1:2:(%.9g) with boxes linecolor rgb '%s' fillstyle transparent solid "
                           "0.5 border notitle\n",
                           0.94 / REPORT_CALIBRATION_BINS, report_colour(head));
    return report_plot_end(&plot);
}
