/* SVG files of gnuplot inside a page. */
#ifndef CMUS_REPORT_HTML_PICTURE_H
#define CMUS_REPORT_HTML_PICTURE_H

#include "cmus/file.h"
#include "report/figures.h"

/* Writes <figure><svg ...>: without the file's prolog and tool tips, and with ids that differ between pictures. `label`
 * is HTML. */
void report_html_picture(cmus_file_writer *writer, const report_picture *picture, const char *label);

#endif
