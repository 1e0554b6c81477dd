/* What the held-out cases of a run are: counts of each class. */
#ifndef CMUS_REPORT_DATA_SUMMARY_H
#define CMUS_REPORT_DATA_SUMMARY_H

#include <stddef.h>

#include "report/evaluation.h"

/* Of one class; cases that several repeats predict count once. A patient with cases of two classes counts in both. */
typedef struct report_class_summary {
    size_t cases, patients;
    size_t tem_images, tem_fewest, tem_most; /* of all cases; of one case. 0 without TEM */
} report_class_summary;

/* Fills `classes` [evaluation->classes]. */
void report_data_summary(const report_evaluation *evaluation, report_class_summary *classes);

#endif
