/* The paragraph "Methods" of a paper, with the numbers of a run filled in. */
#ifndef CMUS_REPORT_METHODS_H
#define CMUS_REPORT_METHODS_H

#include "cmus/file.h"
#include "report/evaluation.h"

/* Writes it as paragraphs of HTML. What configuration and run.json do not tell is left out. */
void report_html_methods(cmus_file_writer *writer, const report_evaluation *evaluation);

#endif
