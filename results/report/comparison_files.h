/* The comparison of runs as files: everything as CSV, tables for a paper as Markdown and LaTeX. */
#ifndef CMUS_REPORT_COMPARISON_FILES_H
#define CMUS_REPORT_COMPARISON_FILES_H

#include "cmus/status.h"
#include "report/compare.h"

/* Rows head,class,metric,base,other,base_value,other_value,difference,low,high,undefined_draws,test,base_only,
 * other_only,statistic,p,p_holm in full precision: every value of every run against the base, then the accuracy of each
 * other pair of runs. Undefined is "undefined"; what does not apply is empty. IO. */
cmus_status report_comparison_csv(const char *path, const report_comparison *comparison);

/* A table for each head and run. The LaTeX tables need the package booktabs. IO. */
cmus_status report_comparison_markdown(const char *path, const report_comparison *comparison);
cmus_status report_comparison_latex(const char *path, const report_comparison *comparison);

#endif
