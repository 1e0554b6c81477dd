/* report.html: one file with its style and its pictures inside. */
#ifndef CMUS_REPORT_HTML_H
#define CMUS_REPORT_HTML_H

#include <stddef.h>

#include "cmus/file.h"
#include "cmus/status.h"
#include "report/compare.h"
#include "report/drift.h"
#include "report/evaluation.h"
#include "report/figures.h"
#include "report/thumbnails.h"

/* What the fields of the templates are filled from. */
typedef struct report_page {
    const report_evaluation *evaluations; /* [runs] */
    size_t runs;
    const char *const *prefixes;         /* [runs]: of the names of the pictures */
    const report_pictures *pictures;     /* of all runs */
    const report_thumbnails *thumbnails; /* [runs]; NULL without --data */
    const report_comparison *comparison; /* NULL for one run */
    const report_drift *drift;           /* NULL without --compare-to */
} report_page;

/* Writes the page. IO. */
cmus_status report_page_write(const char *path, const report_page *page);

/* Sections with a headline; nothing where there is nothing to compare (html_comparison.c, html_drift.c). */
void report_html_comparison(cmus_file_writer *writer, const report_page *page);
void report_html_drift(cmus_file_writer *writer, const report_page *page);

/* Parts of one run (html_tables.c, html_cases.c, html_thumbnails.c, html_made.c); tables have a scrolling frame. */
void report_html_cards(cmus_file_writer *writer, const report_evaluation *evaluation);
void report_html_heads(cmus_file_writer *writer, const report_evaluation *evaluation);
void report_html_classes(cmus_file_writer *writer, const report_evaluation *evaluation);
void report_html_folds(cmus_file_writer *writer, const report_evaluation *evaluation);
void report_html_cases(cmus_file_writer *writer, const report_evaluation *evaluation);
/* Nothing if `thumbnails` is NULL or empty. */
void report_html_thumbnails(cmus_file_writer *writer, const report_evaluation *evaluation,
                            const report_thumbnails *thumbnails);
void report_html_made(cmus_file_writer *writer, const report_evaluation *evaluation);

/* Parts of an external test set (html_external.c): what a reader must know, and the cases that lack a modality, both
 * nothing if there is none; what was predicted and by which networks. */
void report_html_notes(cmus_file_writer *writer, const report_external *external);
void report_html_incomplete(cmus_file_writer *writer, const report_external *external);
void report_html_predicted(cmus_file_writer *writer, const report_evaluation *evaluation);

#endif
