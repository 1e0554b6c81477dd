/* Text files that are built into the program (embed.cmake). */
#ifndef CMUS_REPORT_EMBEDDED_H
#define CMUS_REPORT_EMBEDDED_H

extern const char report_page_html[];     /* the page around the runs */
extern const char report_run_html[];      /* the section of one run */
extern const char report_external_html[]; /* that of an external test set */
extern const char report_style_css[];
extern const char report_page_js[]; /* the script of the page */

#endif
