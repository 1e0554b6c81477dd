/* The pictures of a report, each as SVG and as PNG. */
#ifndef CMUS_REPORT_FIGURES_H
#define CMUS_REPORT_FIGURES_H

#include <stdbool.h>
#include <stddef.h>

#include "cmus/status.h"
#include "report/evaluation.h"
#include "report/gnuplot.h"

/* Okabe and Ito's colours, which colour-blind people can tell apart; the light yellow is left out. "#0072B2"; from
 * the eighth on they come again. */
enum { REPORT_COLOURS = 7 };
const char *report_colour(size_t index);

/* Above this number of folds their thin curves are left out: nobody could tell them apart. */
enum { REPORT_MOST_FOLD_CURVES = 20 };

/* Every kind of picture but t-SNE, which is drawn of each fold. A new one is a value here, a row of the table in
 * figures.c and a figure_*.c. */
typedef enum report_figure {
    REPORT_FIGURE_CONFUSION,
    REPORT_FIGURE_ROC,
    REPORT_FIGURE_PRECISION_RECALL,
    REPORT_FIGURE_CALIBRATION,
    REPORT_FIGURE_BAG_SIZE,
    REPORT_FIGURE_WEIGHTS,
    REPORT_FIGURE_LOSS,
    REPORT_FIGURE_ACCURACY,
    REPORT_FIGURE_HEAD_TRAIN_LOSS,
    REPORT_FIGURE_HEAD_VAL_LOSS,
    REPORT_FIGURE_DISTANCE,
    REPORT_FIGURES
} report_figure;

typedef struct report_figure_kind {
    const char *key;   /* in file names: "roc" */
    const char *label; /* for people who can't see it: "ROC curves" */
    bool of_each_head;
    /* Why it can't be drawn of these folds, as a sentence for the page, or NULL. Is NULL itself for a picture that
     * always can. */
    const char *(*missing)(const report_evaluation *evaluation);
    /* Draws FOLDER/NAME.svg and .png; the head is REPORT_FUSION for a picture that is not drawn of each head. */
    cmus_status (*draw)(const report_evaluation *evaluation, report_head head, const char *folder, const char *name);
} report_figure_kind;

extern const report_figure_kind report_figure_kinds[REPORT_FIGURES];

/* Why a picture is missing, or NULL. */
const char *report_figure_missing(const report_evaluation *evaluation, report_figure figure);

/* Name of a picture without ending, with a prefix that tells runs apart, "a-roc-fusion"; free with cmus_free(). */
char *report_figure_name(const char *prefix, report_figure figure, report_head head);

/* A picture that was drawn: its name and the text of its SVG. */
typedef struct report_picture {
    char *name, *svg;
} report_picture;

typedef struct report_pictures {
    report_picture *list; /* [count] */
    size_t count;
} report_pictures;

/* Draws all that are not missing into the folder and adds them to the list, which the caller frees by
 * report_pictures_free(), also after a failure. */
cmus_status report_draw_figures(const report_evaluation *evaluation, const char *folder, const char *prefix,
                                report_pictures *pictures);
void report_pictures_free(report_pictures *pictures);

/* The functions of the table, one file each or one for those that look alike. */
cmus_status report_draw_confusion(const report_evaluation *evaluation, report_head head, const char *folder,
                                  const char *name);
cmus_status report_draw_roc(const report_evaluation *evaluation, report_head head, const char *folder,
                            const char *name);
cmus_status report_draw_precision_recall(const report_evaluation *evaluation, report_head head, const char *folder,
                                         const char *name);
cmus_status report_draw_calibration(const report_evaluation *evaluation, report_head head, const char *folder,
                                    const char *name);
const char *report_bags_missing(const report_evaluation *evaluation);
cmus_status report_draw_bag_size(const report_evaluation *evaluation, report_head head, const char *folder,
                                 const char *name);
const char *report_weights_missing(const report_evaluation *evaluation);
cmus_status report_draw_weights(const report_evaluation *evaluation, report_head head, const char *folder,
                                const char *name);
const char *report_training_missing(const report_evaluation *evaluation);
cmus_status report_draw_loss(const report_evaluation *evaluation, report_head head, const char *folder,
                             const char *name);
cmus_status report_draw_accuracy(const report_evaluation *evaluation, report_head head, const char *folder,
                                 const char *name);
const char *report_head_train_loss_missing(const report_evaluation *evaluation);
cmus_status report_draw_head_train_loss(const report_evaluation *evaluation, report_head head, const char *folder,
                                        const char *name);
const char *report_head_val_loss_missing(const report_evaluation *evaluation);
cmus_status report_draw_head_val_loss(const report_evaluation *evaluation, report_head head, const char *folder,
                                      const char *name);
const char *report_distance_missing(const report_evaluation *evaluation);
cmus_status report_draw_distance(const report_evaluation *evaluation, report_head head, const char *folder,
                                 const char *name);

/* t-SNE: a picture for each of the first folds with saved features; how many there are, 0 without features. */
size_t report_tsne_pictures(const report_evaluation *evaluation);
char *report_tsne_name(const char *prefix, const report_evaluation *evaluation, size_t picture);
cmus_status report_draw_tsne(const report_evaluation *evaluation, size_t picture, const char *folder, const char *name);
/* What these pictures show and leave out, for people; NULL if there are none. Free with cmus_free(). */
char *report_tsne_note(const report_evaluation *evaluation);

/* Sets the title, and below it the mark of a partial report. */
void report_plot_title(report_plot *plot, const report_evaluation *evaluation, const char *title);

/* Begins a picture of two panels over one x axis, the lower for counts: the commands of each panel follow
 * report_plot_panel(), those of the lower last. */
void report_plot_two_panels(report_plot *plot);
typedef enum report_panel { REPORT_UPPER_PANEL, REPORT_LOWER_PANEL } report_panel;
void report_plot_panel(report_plot *plot, report_panel panel);

/* Adds vertical intervals to a plot command, and a comma: from rows "x value low high" of the data block, which are
 * moved by `shift` along x. */
void report_plot_intervals(report_plot *plot, const char *block, double shift, const char *colour);

/* The axis of the lower panel, from 0, with at most five tics at round numbers. */
void report_plot_counts(report_plot *plot, size_t largest);

#endif
