/* Texts from files made safe for pages, pictures and JSON. */
#ifndef CMUS_REPORT_TEXT_H
#define CMUS_REPORT_TEXT_H

#include <stddef.h>

#include "cmus/file.h"

/* A metric in percent, "95.37", or "undefined". Free with cmus_free(). */
char *report_percent(double value);

/* "95.37 ± 2.41"; "95.37" where there is a mean but no SD (one fold); "undefined". */
char *report_percent_spread(double mean, double deviation);

#endif
