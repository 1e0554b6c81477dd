/* The pictures of a report, each as SVG and as PNG. */
#ifndef CMUS_REPORT_FIGURES_H
#define CMUS_REPORT_FIGURES_H

#include <stddef.h>

#include "cmus/status.h"
#include "report/evaluation.h"
#include "report/gnuplot.h"

/* Okabe and Ito's colours, which colour-blind people can tell apart; the light yellow is left out. "#0072B2"; from
 * the eighth on they come again. */
enum { REPORT_COLOURS = 7 };
const char *report_colour(size_t index);

/* Names of the pictures without ending, with a prefix that tells runs apart; free with cmus_free(). */
char *report_roc_name(const char *prefix, report_head head);
char *report_confusion_name(const char *prefix, report_head head);
char *report_loss_name(const char *prefix);
char *report_accuracy_name(const char *prefix);

/* A picture that was drawn: its name and the text of its SVG. */
typedef struct report_picture {
    char *name, *svg;
} report_picture;

typedef struct report_pictures {
    report_picture *list; /* [count] */
    size_t count;
} report_pictures;

/* Draws all of them into the folder and adds them to the list, which the caller frees by report_pictures_free(), also
 * after a failure. */
cmus_status report_draw_figures(const report_evaluation *evaluation, const char *folder, const char *prefix,
                                report_pictures *pictures);
void report_pictures_free(report_pictures *pictures);

/* One kind each: figure_roc.c, figure_confusion.c, figure_curves.c. */
cmus_status report_draw_roc(const report_evaluation *evaluation, report_head head, const char *folder,
                            const char *name);
cmus_status report_draw_confusion(const report_evaluation *evaluation, report_head head, const char *folder,
                                  const char *name);
cmus_status report_draw_curves(const report_evaluation *evaluation, report_curve training, report_curve held_out,
                               const char *label, const char *folder, const char *name);

/* figure_tsne.c: a picture for each of the first folds with saved features; how many there are, 0 without features. */
size_t report_tsne_pictures(const report_evaluation *evaluation);
char *report_tsne_name(const char *prefix, const report_evaluation *evaluation, size_t picture);
cmus_status report_draw_tsne(const report_evaluation *evaluation, size_t picture, const char *folder, const char *name);
/* What these pictures show and leave out, for people; NULL if there are none. Free with cmus_free(). */
char *report_tsne_note(const report_evaluation *evaluation);

/* Sets the title, and the mark of a partial report. */
void report_plot_title(report_plot *plot, const report_evaluation *evaluation, const char *title);

#endif
