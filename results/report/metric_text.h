/* Values of metrics as people read them: shares in percent with two decimals, coefficients and losses with four. */
#ifndef CMUS_REPORT_METRIC_TEXT_H
#define CMUS_REPORT_METRIC_TEXT_H

#include "report/report_metrics.h"

/* All of these are to be freed with cmus_free(); undefined values are the text "undefined". */

/* "95.37" or "0.9137" */
char *report_metric_text(const report_metric_name *name, double value);

/* "95.37 ± 2.41"; "95.37" where there is a mean but no SD (one fold) */
char *report_metric_spread(const report_metric_name *name, double mean, double deviation);

/* "95.10 [93.20, 96.81]"; "95.10" where the value has no interval */
char *report_metric_interval(const report_metric_name *name, double value, double low, double high);

/* "[93.20, 96.81]"; "" where there is no interval */
char *report_metric_range(const report_metric_name *name, double low, double high);

/* The name with its unit: "Accuracy, %", "Brier score" */
char *report_metric_title(const report_metric_name *name);

#endif
