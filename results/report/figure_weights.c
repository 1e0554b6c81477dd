/* The weights that SMIL gives to TEM images, in right and in wrong cases. */
#include <stdbool.h>

#include "report/figures.h"

enum { BINS = 20, SMALLEST_BAG = 3 }; /* smaller bags are not weighed: each image has weight 1 */

/* Counts of images, in the cases that the fusion head predicts rightly or wrongly. */
typedef struct weight_counts {
    size_t bins[BINS], left_out, images;
} weight_counts;

/* Adds a bag without its central image, which has distance 0 and weight 1 by definition. */
static void count_bag(const report_predictions *fold, size_t row, weight_counts *counts) {
    bool central = false;
    for (size_t i = fold->tem_offset[row]; i < fold->tem_offset[row + 1]; i++) {
        if (!central && fold->tem_distance[i] == 0) {
            central = true;
            continue;
        }
        size_t bin = (size_t)(fold->tem_weight[i] * BINS);
        counts->images++;
        if (fold->tem_flags[i])
            counts->bins[bin < BINS ? bin : BINS - 1]++;
        else
            counts->left_out++;
    }
}

/* counts[0] of wrong cases, counts[1] of right ones. */
static void count_weights(const report_evaluation *evaluation, weight_counts counts[2]) {
    counts[0] = counts[1] = (weight_counts){0};
    for (size_t i = 0; i < evaluation->folds; i++) {
        const report_predictions *fold = &evaluation->used[i]->predictions;
        for (size_t row = 0; fold->tem_offset && row < fold->cases; row++) {
            const double *p = fold->probabilities[REPORT_FUSION] + row * fold->classes;
            if (fold->tem_images[row] >= SMALLEST_BAG)
                count_bag(fold, row, &counts[report_argmax(p, fold->classes) == (size_t)fold->labels[row]]);
        }
    }
}

const char *report_weights_missing(const report_evaluation *evaluation) {
    if (!evaluation->heads[REPORT_TEM].present)
        return "Weights of TEM images are not shown: the network has no TEM images.";
    weight_counts counts[2];
    count_weights(evaluation, counts);
    return counts[0].images || counts[1].images
               ? NULL
               : "Weights of TEM images are not shown: they are weighed from three images a case on, and no case has "
                 "so many.";
}

/* "middle percent" of every bin; images that were left out of the fusion have a column of their own, left of 0. */
static void write_counts(report_plot *plot, const char *block, const weight_counts *counts) {
    double all = counts->images ? (double)counts->images : 1;
    cmus_file_writer_print(plot->script, "$%s << END_OF_DATA\n-0.14 %.5g\n\n\n", block,
                           100 * (double)counts->left_out / all);
    for (int i = 0; i < BINS; i++)
        cmus_file_writer_print(plot->script, "%.5g %.5g\n", (i + 0.5) / BINS, 100 * (double)counts->bins[i] / all);
    cmus_file_writer_print(plot->script, "END_OF_DATA\n");
}

cmus_status report_draw_weights(const report_evaluation *evaluation, report_head head, const char *folder,
                                const char *name) {
    (void)head;
    report_plot plot;
    CMUS_TRY(report_plot_begin(folder, name, 440, 400, &plot));
    report_plot_title(&plot, evaluation, "Weights of TEM images");
    weight_counts counts[2];
    count_weights(evaluation, counts);
    write_counts(&plot, "wrong", &counts[0]);
    write_counts(&plot, "right", &counts[1]);
    cmus_file_writer_print(plot.script,
                           "set xrange [-0.25:1.02]\nset yrange [0:*]\n"
                           "set xtics ('left out' -0.14, '0' 0, '0.2' 0.2, '0.4' 0.4, '0.6' 0.6, '0.8' 0.8, '1' 1)\n"
                           "set xlabel \"Weight\\n \"\nset ylabel 'Images in %%'\n"
                           "set key below center horizontal Left reverse samplen 2\n"
                           "set style fill transparent solid 0.35 noborder\n"
                           "width = %.9g\n"
                           "plot ",
                           1.0 / BINS);
    for (int right = 1; right >= 0; right--)
        cmus_file_writer_print(
            plot.script,
            "%s$%s index 1 using 1:2:(width) with boxes fillcolor rgb '%s' notitle, \\\n"
            " $%s index 1 using 1:2 with histeps linecolor rgb '%s' linewidth 1.6 notitle, \\\n"
            " $%s index 0 using ($1%s):2:(0.5 * width) with boxes fillcolor rgb '%s' title '%s cases (%zu images)'",
            right ? "" : ", \\\n ", right ? "right" : "wrong", report_colour(!right), right ? "right" : "wrong",
            report_colour(!right), right ? "right" : "wrong", right ? "-0.25*width" : "+0.25*width",
            report_colour(!right), right ? "right" : "wrong", counts[right].images);
    cmus_file_writer_print(plot.script, "\n");
    return report_plot_end(&plot);
}
