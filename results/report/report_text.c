#include "report/report_text.h"

#include <math.h>
#include <string.h>

#include "cmus/memory.h"

/* Length of the UTF-8 character at `text`, or 0 if it is none or a control character. By RFC 3629: no overlong forms,
 * no surrogates, nothing above U+10FFFF. */
static size_t character_length(const unsigned char *text) {
    if (text[0] < 0x20 || text[0] == 0x7F)
        return 0;
    if (text[0] < 0x80)
        return 1;
    size_t length = text[0] >= 0xF0 ? 4 : text[0] >= 0xE0 ? 3 : 2;
    if (text[0] < 0xC2 || text[0] > 0xF4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    if ((text[0] == 0xE0 && text[1] < 0xA0) || (text[0] == 0xED && text[1] > 0x9F) ||
        (text[0] == 0xF0 && text[1] < 0x90) || (text[0] == 0xF4 && text[1] > 0x8F) ||
        (text[0] == 0xC2 && text[1] < 0xA0)) /* the second block of control characters */
        return 0;
    return length;
}

char *report_valid_text(const char *text) {
    static const char replacement[] = "\xEF\xBF\xBD";
    char *valid = cmus_allocate(strlen(text) * 3 + 1, 1), *to = valid;
    for (size_t length; *text; text += length ? length : 1) {
        length = character_length((const unsigned char *)text);
        to = length ? (char *)mempcpy(to, text, length) : stpcpy(to, replacement);
    }
    return valid;
}

char *report_short_text(const char *text, size_t most) {
    char *valid = report_valid_text(text), *at = valid, *cut = valid;
    for (size_t count = 0; *at; count++) {
        if (count + 1 == most)
            cut = at;
        if (count == most) {
            char *shortened = cmus_format_string("%.*s…", (int)(cut - valid), valid);
            cmus_free(valid);
            return shortened;
        }
        at += character_length((const unsigned char *)at);
    }
    return valid;
}

void report_write_html(cmus_file_writer *writer, const char *text) {
    char *valid = report_valid_text(text);
    for (const char *at = valid; *at;) {
        size_t plain = strcspn(at, "&<>\"'");
        cmus_file_writer_add(writer, at, plain);
        at += plain;
        if (*at)
            cmus_file_writer_print(writer, "&#%d;", *at++);
    }
    cmus_free(valid);
}

char *report_percent(double value) {
    return isnan(value) ? cmus_copy_string("undefined") : cmus_format_string("%.2f", 100 * value);
}

char *report_percent_spread(double mean, double deviation) {
    if (isnan(mean) || isnan(deviation))
        return report_percent(mean);
    return cmus_format_string("%.2f ± %.2f", 100 * mean, 100 * deviation);
}
