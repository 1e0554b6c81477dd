/* Texts from outside (names of files, ids, cells of tables) made safe to be shown and stored: UTF-8 by RFC 3629 without
 * control characters. */
#ifndef CMUS_UTF8_H
#define CMUS_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character at `text`, or 0 if it is none or a control character. No overlong forms, no surrogates,
 * nothing above U+10FFFF. */
size_t cmus_utf8_length(const char *text);

/* Whether the whole text is such characters. */
bool cmus_utf8_is_clean(const char *text);

/* A copy in which each offending byte has become U+FFFD. Free with cmus_free(). */
char *cmus_utf8_valid(const char *text);

/* The same cut to at most `most` characters, the last of them an ellipsis if something was cut off. */
char *cmus_utf8_shorten(const char *text, size_t most);

#endif
