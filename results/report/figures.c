#include "report/figures.h"

#include "cmus/memory.h"

const report_figure_kind report_figure_kinds[REPORT_FIGURES] = {
    [REPORT_FIGURE_CONFUSION] = {"confusion", "Confusion matrix", true, NULL, report_draw_confusion},
    [REPORT_FIGURE_ROC] = {"roc", "ROC curves", true, NULL, report_draw_roc},
    [REPORT_FIGURE_PRECISION_RECALL] = {"precision-recall", "Precision-recall curves", true, NULL,
                                        report_draw_precision_recall},
    [REPORT_FIGURE_CALIBRATION] = {"calibration", "Calibration curve", true, NULL, report_draw_calibration},
    [REPORT_FIGURE_BAG_SIZE] = {"bag-size", "Accuracy by number of TEM images", false, report_bags_missing,
                                report_draw_bag_size},
    [REPORT_FIGURE_WEIGHTS] = {"tem-weights", "Weights of the TEM images", false, report_weights_missing,
                               report_draw_weights},
    [REPORT_FIGURE_LOSS] = {"train-loss", "Loss over the epochs", false, report_training_missing, report_draw_loss},
    [REPORT_FIGURE_ACCURACY] = {"train-accuracy", "Accuracy over the epochs", false, report_training_missing,
                                report_draw_accuracy},
    [REPORT_FIGURE_HEAD_TRAIN_LOSS] = {"train-loss-heads", "Training loss of each head over the epochs", false,
                                       report_head_train_loss_missing, report_draw_head_train_loss},
    [REPORT_FIGURE_HEAD_VAL_LOSS] = {"val-loss-heads", "Held-out loss of each head over the epochs", false,
                                     report_head_val_loss_missing, report_draw_head_val_loss},
    [REPORT_FIGURE_DISTANCE] = {"train-distance", "Mean distance of TEM images over the epochs", false,
                                report_distance_missing, report_draw_distance},
};

const char *report_colour(size_t index) {
    static const char *const colours[REPORT_COLOURS] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                                        "#E69F00", "#56B4E9", "#6E6E6E"};
    return colours[index % REPORT_COLOURS];
}

const char *report_figure_missing(const report_evaluation *evaluation, report_figure figure) {
    const report_figure_kind *kind = &report_figure_kinds[figure];
    return kind->missing ? kind->missing(evaluation) : NULL;
}

char *report_figure_name(const char *prefix, report_figure figure, report_head head) {
    const report_figure_kind *kind = &report_figure_kinds[figure];
    return kind->of_each_head ? cmus_format_string("%s%s-%s", prefix, kind->key, report_head_keys[head])
                              : cmus_format_string("%s%s", prefix, kind->key);
}

void report_plot_title(report_plot *plot, const report_evaluation *evaluation, const char *title) {
    cmus_file_writer_print(plot->script, "set title ");
    report_plot_text(plot, title);
    if (evaluation->partial) {
        char *folds = report_folds_text(evaluation), *mark = cmus_format_string("PARTIAL: %s", folds);
        cmus_file_writer_print(plot->script, ".\"\\n\".");
        report_plot_text(plot, mark);
        cmus_free(mark);
        cmus_free(folds);
    }
    cmus_file_writer_print(plot->script, " textcolor rgb '%s'\n", evaluation->partial ? "#D55E00" : "black");
}

void report_plot_two_panels(report_plot *plot) {
    /* The key is a line between title and panel. */
    cmus_file_writer_print(plot->script, "set multiplot\nset lmargin at screen 0.15\nset rmargin at screen 0.96\n"
                                         "set ylabel offset 0.5,0\nset title offset 0,1.1\n"
                                         "set key at graph 0.5,1.1 center center horizontal Left reverse samplen 2\n");
}

void report_plot_panel(report_plot *plot, report_panel panel) {
    if (panel == REPORT_UPPER_PANEL)
        cmus_file_writer_print(plot->script, "set tmargin at screen 0.84\nset bmargin at screen 0.4\n");
    else
        cmus_file_writer_print(plot->script, "set tmargin at screen 0.35\nset bmargin at screen 0.13\n"
                                             "unset title\nunset key\nset format x\n");
}

void report_plot_intervals(report_plot *plot, const char *block, double shift, const char *colour) {
    /* Not "yerrorbars": gnuplot surrounds their points with white, which shows on a dark page. */
    cmus_file_writer_print(plot->script,
                           " $%s using ($1%+g):3:(0):($4-$3) with vectors nohead linecolor rgb '%s' linewidth 1.2 "
                           "notitle, \\\n",
                           block, shift, colour);
}

void report_plot_counts(report_plot *plot, size_t largest) {
    static const size_t factors[] = {1, 2, 5};
    enum { MOST_STEPS = 4 };
    size_t power = 1, step = 1;
    for (size_t i = 0; step * MOST_STEPS < largest; i++) {
        step = power * factors[i % 3];
        power *= i % 3 == 2 ? 10 : 1;
    }
    cmus_file_writer_print(plot->script, "set yrange [0:%.9g]\nset ytics %zu\nset ylabel 'Cases'\n",
                           1.05 * (double)(largest ? largest : 1), step);
}

/* Adds a picture after it was drawn; takes over the name. */
static cmus_status keep_picture(cmus_status drawn, const char *folder, char *name, report_pictures *pictures) {
    enum { SVG_LIMIT = 256 << 20 };
    char *path = cmus_format_string("%s/%s.svg", folder, name), *svg = NULL;
    size_t size;
    cmus_status status = drawn == CMUS_OK ? cmus_file_read(path, SVG_LIMIT, &svg, &size) : drawn;
    cmus_free(path);
    if (status != CMUS_OK) {
        cmus_free(name);
        return status;
    }
    size_t capacity = pictures->count;
    pictures->list = cmus_grow(pictures->list, &capacity, pictures->count + 1, sizeof(report_picture));
    pictures->list[pictures->count++] = (report_picture){name, svg};
    return CMUS_OK;
}

/* Draws a picture of the table, of every head if each has one. */
static cmus_status draw_figure(const report_evaluation *evaluation, report_figure figure, const char *folder,
                               const char *prefix, report_pictures *pictures) {
    const report_figure_kind *kind = &report_figure_kinds[figure];
    if (report_figure_missing(evaluation, figure))
        return CMUS_OK;
    for (int head = 0; head < (kind->of_each_head ? REPORT_HEADS : 1); head++) {
        if (!evaluation->heads[head].present)
            continue;
        char *name = report_figure_name(prefix, figure, head);
        CMUS_TRY(keep_picture(kind->draw(evaluation, head, folder, name), folder, name, pictures));
    }
    return CMUS_OK;
}

cmus_status report_draw_figures(const report_evaluation *evaluation, const char *folder, const char *prefix,
                                report_pictures *pictures) {
    for (int figure = 0; figure < REPORT_FIGURES; figure++)
        CMUS_TRY(draw_figure(evaluation, figure, folder, prefix, pictures));
    for (size_t i = 0; i < report_tsne_pictures(evaluation); i++) {
        char *name = report_tsne_name(prefix, evaluation, i);
        CMUS_TRY(keep_picture(report_draw_tsne(evaluation, i, folder, name), folder, name, pictures));
    }
    return CMUS_OK;
}

void report_pictures_free(report_pictures *pictures) {
    for (size_t i = 0; i < pictures->count; i++) {
        cmus_free(pictures->list[i].name);
        cmus_free(pictures->list[i].svg);
    }
    cmus_free(pictures->list);
    *pictures = (report_pictures){0};
}
