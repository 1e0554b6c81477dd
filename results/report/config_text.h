/* Values of a resolved config.yaml: a key and a value a line, as cmus-train writes it. */
#ifndef CMUS_REPORT_CONFIG_TEXT_H
#define CMUS_REPORT_CONFIG_TEXT_H

#include <stdbool.h>

/* The key's value without a comment, quotes and blanks around it; NULL if the text lacks the key. Free with
 * cmus_free(). */
char *report_config_value(const char *config, const char *key);

/* Whether the key's value is this text. */
bool report_config_is(const char *config, const char *key, const char *value);

#endif
