/* Training curves: quantities of training and of the held-out fold over the epochs, every fold thin, their mean thick.
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

/* One quantity of a picture. */
typedef struct series {
    report_curve curve;
    const char *title;
    size_t colour; /* of report_colour() */
} series;

static void write_series(report_plot *plot, const report_evaluation *evaluation, const series *drawn, bool *first) {
    const char *begin = *first ? "plot" : ", \\\n", *colour = report_colour(drawn->colour);
    *first = false;
    if (evaluation->folds > 1 && evaluation->folds <= REPORT_MOST_FOLD_CURVES) {
        cmus_file_writer_print(plot->script, "%s $folds_%d with lines linecolor rgb '#88%s' linewidth 0.8 notitle",
                               begin, (int)drawn->curve, colour + 1);
        begin = ", \\\n";
    }
    cmus_file_writer_print(plot->script,
                           "%s $mean_%d with linespoints linecolor rgb '%s' linewidth 2.2 pointtype 7 "
                           "pointsize 0.35 title '%s'",
                           begin, (int)drawn->curve, colour, drawn->title);
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

/* A picture of some quantities; `range` is that of the y axis. */
static cmus_status draw_series(const report_evaluation *evaluation, const char *title, const char *label,
                               const char *range, const series *drawn, size_t count, const char *folder,
                               const char *name) {
    report_plot plot;
    CMUS_TRY(report_plot_begin(folder, name, 440, 355, &plot));
    const char *folds = evaluation->folds < 2                          ? ""
                        : evaluation->folds <= REPORT_MOST_FOLD_CURVES ? ": mean and every fold"
                                                                       : ": mean of the folds";
    char *whole = cmus_format_string("%s%s", title, folds);
    report_plot_title(&plot, evaluation, whole);
    cmus_free(whole);
    char *epochs = epoch_axis(evaluation);
    cmus_file_writer_print(plot.script,
                           "set xlabel \"Epoch\\n \"\nset ylabel '%s'\nset yrange [%s]\n%s\n"
                           "set key below center horizontal Left reverse samplen 2\n",
                           label, range, epochs);
    cmus_free(epochs);
    bool *has_values = cmus_allocate(count, sizeof *has_values), first = true;
    for (size_t i = 0; i < count; i++)
        has_values[i] = write_curve(&plot, evaluation, drawn[i].curve) > 0;
    for (size_t i = 0; i < count; i++)
        if (has_values[i])
            write_series(&plot, evaluation, &drawn[i], &first);
    cmus_free(has_values);
    cmus_file_writer_print(plot.script, first ? "set yrange [0:1]\nplot NaN notitle\n" : "\n");
    return report_plot_end(&plot);
}

const char *report_training_missing(const report_evaluation *evaluation) {
    return evaluation->run->external ? "Training is not shown: it is not known of an external test set." : NULL;
}

cmus_status report_draw_loss(const report_evaluation *evaluation, report_head head, const char *folder,
                             const char *name) {
    static const series drawn[] = {{REPORT_TRAIN_LOSS, "training", 0}, {REPORT_VAL_LOSS, "held-out fold", 1}};
    (void)head;
    return draw_series(evaluation, "Loss", "Loss", "0:*", drawn, 2, folder, name);
}

cmus_status report_draw_accuracy(const report_evaluation *evaluation, report_head head, const char *folder,
                                 const char *name) {
    static const series drawn[] = {{REPORT_TRAIN_ACCURACY, "training", 0}, {REPORT_VAL_ACCURACY, "held-out fold", 1}};
    (void)head;
    return draw_series(evaluation, "Accuracy", "Accuracy", "0:1.005", drawn, 2, folder, name);
}

static bool has_curve(const report_evaluation *evaluation, report_curve curve) {
    for (size_t i = 0; i < evaluation->folds; i++)
        for (size_t j = 0; j < evaluation->used[i]->training.epochs; j++)
            if (!isnan(evaluation->used[i]->training.values[curve][j]))
                return true;
    return false;
}

/* The curves of the heads begin at `fusion` and have the order of report_head. */
static cmus_status draw_heads(const report_evaluation *evaluation, report_curve fusion, const char *title,
                              const char *folder, const char *name) {
    series drawn[REPORT_HEADS];
    size_t count = 0;
    for (size_t head = 0; head < REPORT_HEADS; head++)
        if (evaluation->heads[head].present)
            drawn[count++] = (series){fusion + head, report_head_labels[head], head};
    return draw_series(evaluation, title, "Loss", "0:*", drawn, count, folder, name);
}

const char *report_head_train_loss_missing(const report_evaluation *evaluation) {
    return has_curve(evaluation, REPORT_TRAIN_LOSS_FUSION)
               ? NULL
               : "The training loss of each head is not shown: train.csv does not have it.";
}

cmus_status report_draw_head_train_loss(const report_evaluation *evaluation, report_head head, const char *folder,
                                        const char *name) {
    (void)head;
    return draw_heads(evaluation, REPORT_TRAIN_LOSS_FUSION, "Training loss of each head", folder, name);
}

const char *report_head_val_loss_missing(const report_evaluation *evaluation) {
    return has_curve(evaluation, REPORT_VAL_LOSS_FUSION)
               ? NULL
               : "The held-out loss of each head is not shown: train.csv does not have it.";
}

cmus_status report_draw_head_val_loss(const report_evaluation *evaluation, report_head head, const char *folder,
                                      const char *name) {
    (void)head;
    return draw_heads(evaluation, REPORT_VAL_LOSS_FUSION, "Held-out loss of each head", folder, name);
}

const char *report_distance_missing(const report_evaluation *evaluation) {
    if (!evaluation->heads[REPORT_TEM].present)
        return "The mean distance is not shown: the network has no TEM images.";
    return has_curve(evaluation, REPORT_TRAIN_DISTANCE) || has_curve(evaluation, REPORT_VAL_DISTANCE)
               ? NULL
               : "The mean distance over the epochs is not shown: train.csv does not have it, as it comes from an "
                 "older version of cmus-train.";
}

cmus_status report_draw_distance(const report_evaluation *evaluation, report_head head, const char *folder,
                                 const char *name) {
    static const series drawn[] = {{REPORT_TRAIN_DISTANCE, "training", 0}, {REPORT_VAL_DISTANCE, "held-out fold", 1}};
    (void)head;
    return draw_series(evaluation, "Distance of TEM images", "Mean distance", "*:*", drawn, 2, folder, name);
}
