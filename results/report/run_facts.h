/* What the run.json files of a run's folds tell together: hours, hosts, energy. */
#ifndef CMUS_REPORT_RUN_FACTS_H
#define CMUS_REPORT_RUN_FACTS_H

#include <stddef.h>

#include "report/evaluation.h"

/* What the files do not tell is NaN, 0 or NULL. */
typedef struct report_run_facts {
    double hours, fewest_hours, most_hours; /* from start to end, pauses included: of all folds; of one */
    double core_hours;                      /* hours x ranks x threads */
    double kilowatt_hours;                  /* NaN unless every fold tells its energy */
    long ranks, threads;                    /* 0 if the folds differ */
    char **hosts;                           /* [host_count], each once, sorted */
    size_t host_count;
} report_run_facts;

/* Free with report_run_facts_free(). */
void report_run_facts_read(const report_evaluation *evaluation, report_run_facts *facts);
void report_run_facts_free(report_run_facts *facts);

/* Hours between "2025-01-01T08:00:00Z" and another such text; NaN if one is missing or is no such text. */
double report_hours_between(const char *started, const char *ended);

/* "38 s", "12 min", "7.50 h". Free with cmus_free(). */
char *report_hours_text(double hours);

/* The text of this key that the first fold has; NULL if there is none. Owned by the fold. */
const char *report_run_text(const report_evaluation *evaluation, const char *key);

#endif
