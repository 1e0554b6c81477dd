#include "cmus/utf8.h"

#include <string.h>

#include "cmus/memory.h"

size_t cmus_utf8_length(const char *from) {
    const unsigned char *text = (const unsigned char *)from;
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

bool cmus_utf8_is_clean(const char *text) {
    while (*text) {
        size_t length = cmus_utf8_length(text);
        if (!length)
            return false;
        text += length;
    }
    return true;
}

char *cmus_utf8_valid(const char *text) {
    static const char replacement[] = "\xEF\xBF\xBD";
    char *valid = cmus_allocate(strlen(text) * 3 + 1, 1), *to = valid;
    for (size_t length; *text; text += length ? length : 1) {
        length = cmus_utf8_length(text);
        to = length ? (char *)mempcpy(to, text, length) : stpcpy(to, replacement);
    }
    return valid;
}

char *cmus_utf8_shorten(const char *text, size_t most) {
    char *valid = cmus_utf8_valid(text), *at = valid, *cut = valid;
    for (size_t count = 0; *at; count++) {
        if (count + 1 == most)
            cut = at;
        if (count == most) {
            char *shortened = cmus_format_string("%.*s…", (int)(cut - valid), valid);
            cmus_free(valid);
            return shortened;
        }
        at += cmus_utf8_length(at);
    }
    return valid;
}
