/* Intervals by drawing patients with replacement, and the metrics of such a draw (metric_table.h).
 *
 * A draw takes as many patients as there are, each any number of times, with all their cases: cases of one patient are
 * no independent ones. Draw i of a seed is the same on every machine, thread and day, and depends on the set of patient
 * ids only, not on the order or number of cases: runs on the same patients get the same draws, so that their
 * differences are paired.
 */
#ifndef CMUS_REPORT_BOOTSTRAP_H
#define CMUS_REPORT_BOOTSTRAP_H

#include <stddef.h>
#include <stdint.h>

#include "report/metric_table.h"

/* The seed of all draws of cmus-report. */
enum { REPORT_BOOTSTRAP_SEED = 20240601 };

typedef struct report_draws report_draws;

/* `patient_ids` [cases] are read here and not kept. Free with report_draws_free(). */
report_draws *report_draws_create(const char *const *patient_ids, size_t cases, size_t draws, uint64_t seed);
void report_draws_free(report_draws *draws);

/* How many draws there are, and how many patients. */
size_t report_draws_count(const report_draws *draws);
size_t report_draws_patients(const report_draws *draws);

/* How often the patient of each case is drawn, into `weights` [cases]; draw < report_draws_count(). Any number of
 * threads may use one object. */
void report_draws_weights(const report_draws *draws, size_t draw, uint32_t *weights);

/* How many draws are made for so many cases and values of a head: 10,000 up to 20,000 cases, above it fewer, so that
 * draws x cases stays at 2 * 10^8; never more than 2^24 values are kept, which hundreds of classes would; 100 at least.
 */
size_t report_draw_count(size_t cases, size_t values);

/* Percentile interval of the draws' values [count]: the quantiles (1 - level) / 2 and (1 + level) / 2 of those that are
 * defined, with linear interpolation as numpy.quantile has it. `values` is sorted in place, undefined ones last;
 * `undefined` (may be NULL) says how many these are. Both ends are undefined if all values are. */
void report_interval(double *values, size_t count, double level, double *low, double *high, size_t *undefined);

#endif
