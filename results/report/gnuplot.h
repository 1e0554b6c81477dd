/* Pictures by gnuplot, which runs as a child process on a script file. */
#ifndef CMUS_REPORT_GNUPLOT_H
#define CMUS_REPORT_GNUPLOT_H

#include "cmus/file.h"
#include "cmus/status.h"

/* NOT_FOUND, saying what to install, if there is no gnuplot with the terminals svg and pngcairo. `folder` is for
 * temporary files. */
cmus_status report_gnuplot_check(const char *folder);

/* A picture being described: commands and data go to `script`. */
typedef struct report_plot {
    cmus_file_writer *script;
    char *folder, *name;
    int width, height; /* of the SVG in pixels; the PNG has twice as many */
} report_plot;

/* Begins FOLDER/NAME.svg and .png (NAME: letters, digits, '-') with the frame that all pictures share: fonts, colours
 * of axes and text, UTF-8. */
cmus_status report_plot_begin(const char *folder, const char *name, int width, int height, report_plot *plot);

/* Adds text in single quotes: gnuplot takes nothing in it for a command. */
void report_plot_text(report_plot *plot, const char *text);

/* Draws it, in both forms, and removes the script. The plot is gone afterwards, also after a failure. */
cmus_status report_plot_end(report_plot *plot);

#endif
