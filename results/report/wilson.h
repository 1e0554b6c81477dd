/* Confidence interval of a share (Wilson 1927, "Probable inference, the law of succession, and statistical
 * inference"), which unlike mean ± 1.96 SE stays within 0 ... 1 and is right for few cases. */
#ifndef CMUS_REPORT_WILSON_H
#define CMUS_REPORT_WILSON_H

#include <stddef.h>

/* The 95 % interval of `right` of `cases`, at least one. */
void report_wilson(size_t right, size_t cases, double *low, double *high);

#endif
