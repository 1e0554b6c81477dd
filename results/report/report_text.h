/* Texts from files made safe for pages, pictures and JSON. */
#ifndef CMUS_REPORT_TEXT_H
#define CMUS_REPORT_TEXT_H

#include <stddef.h>

#include "cmus/file.h"

/* A copy that is valid UTF-8 without control characters: each offending byte becomes U+FFFD. Free with cmus_free(). */
char *report_valid_text(const char *text);

/* The same cut to at most `most` characters, the last of them an ellipsis if something was cut off. */
char *report_short_text(const char *text, size_t most);

/* Writes text between tags or in a quoted attribute of HTML: made valid, and & < > " ' escaped. */
void report_write_html(cmus_file_writer *writer, const char *text);

/* A metric in percent, "95.37", or "undefined". Free with cmus_free(). */
char *report_percent(double value);

/* "95.37 ± 2.41"; "95.37" where there is a mean but no SD (one fold); "undefined". */
char *report_percent_spread(double mean, double deviation);

#endif
