/* The numbers as files: summary.json (schema in README.md) and summary.csv. */
#ifndef CMUS_REPORT_SUMMARY_H
#define CMUS_REPORT_SUMMARY_H

#include <stddef.h>

#include "cmus/status.h"
#include "report/evaluation.h"

/* The value of `format`; a file with another one is not read (drift.h). */
#define REPORT_SUMMARY_FORMAT "cmus-report summary 1"

cmus_status report_summary_json(const char *path, const report_evaluation *evaluations, size_t runs);
cmus_status report_summary_csv(const char *path, const report_evaluation *evaluations, size_t runs);

#endif
