#include "names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/memory.h"

/* Bytes of the clean character that the text begins with; 0 if it begins with none. A zero byte ends the text. */
static size_t clean_character(const unsigned char *c) {
    if (*c < 0x20 || *c == 0x7F)
        return 0;
    size_t length = *c < 0x80                 ? 1
                    : *c >= 0xC2 && *c < 0xE0 ? 2
                    : *c >= 0xE0 && *c < 0xF0 ? 3
                    : *c >= 0xF0 && *c < 0xF5 ? 4
                                              : 0;
    if ((*c == 0xE0 && c[1] < 0xA0) || (*c == 0xED && c[1] > 0x9F) || (*c == 0xF0 && c[1] < 0x90) ||
        (*c == 0xF4 && c[1] > 0x8F))
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((c[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

bool cmus_name_is_clean(const char *name) {
    while (*name) {
        size_t length = clean_character((const unsigned char *)name);
        if (length == 0)
            return false;
        name += length;
    }
    return true;
}

bool cmus_name_is_utf8(const char *text) {
    while (*text) {
        size_t length = isascii(*text) ? 1 : clean_character((const unsigned char *)text);
        if (length == 0)
            return false;
        text += length;
    }
    return true;
}

char *cmus_name_escape(const char *name) {
    static const char digits[] = "0123456789abcdef";
    char *escaped = cmus_allocate(4 * strlen(name) + 1, 1), *out = escaped;
    while (*name) {
        size_t length = clean_character((const unsigned char *)name);
        if (length == 0) {
            unsigned char byte = (unsigned char)*name++;
            *out++ = '\\';
            *out++ = 'x';
            *out++ = digits[byte >> 4];
            *out++ = digits[byte & 15];
        }
        while (length-- > 0)
            *out++ = *name++;
    }
    return escaped;
}

char *cmus_name_of_path(cmus_identity *identity, const char *path) {
    char *escaped = cmus_name_escape(path), *shown = cmus_identity_path(identity, escaped);
    cmus_free(escaped);
    return shown;
}

/* Bytes of the blank that the text begins with; 0 if it begins with none. */
static size_t blank_at(const char *text) {
    if (*text == ' ' || *text == '\t' || *text == '\r' || *text == '\n')
        return 1;
    return strncmp(text, "\xC2\xA0", 2) == 0 ? 2 : strncmp(text, "\xE3\x80\x80", 3) == 0 ? 3 : 0;
}

char *cmus_name_trim(char *text) {
    for (size_t length; (length = blank_at(text)) > 0;)
        text += length;
    char *end = text; /* behind the last character that is no blank */
    for (char *at = text; *at;) {
        size_t length = blank_at(at);
        at += length ? length : 1;
        if (!length)
            end = at;
    }
    *end = 0;
    return text;
}

/* The plain letter for a full-width one (U+FF01 to U+FF5E) that the text begins with; 0 if it begins with none. */
static char plain_letter(const char *text) {
    const unsigned char *c = (const unsigned char *)text;
    if (c[0] != 0xEF || (c[1] != 0xBC && c[1] != 0xBD) || (c[2] & 0xC0) != 0x80)
        return 0;
    int code = (c[1] - 0xBC) * 64 + (c[2] & 0x3F);
    return code >= 1 && code <= 0x5E ? (char)(0x20 + code) : 0;
}

/* Takes the leading zeros off each number in the text; the last zero of a number stays. */
static void drop_leading_zeros(char *text) {
    bool in_number = false;
    char *out = text;
    for (char *at = text; *at; at++) {
        if (*at == '0' && !in_number && isdigit((unsigned char)at[1]))
            continue;
        in_number = isdigit((unsigned char)*at);
        *out++ = *at;
    }
    *out = 0;
}

/* The id with all that people write now so, now so taken away. */
static char *fold_id(const char *id) {
    char *folded = cmus_allocate(strlen(id) + 1, 1), *out = folded;
    while (*id) {
        size_t blank = blank_at(id);
        char plain = plain_letter(id);
        if (!blank)
            *out++ = plain ? (char)tolower(plain) : isascii(*id) ? (char)tolower(*id) : *id;
        id += blank ? blank : plain ? 3 : 1;
    }
    drop_leading_zeros(folded);
    return folded;
}

typedef struct folded_name {
    char *folded;
    cmus_patient_name name;
} folded_name;

static int compare_folded(const void *a, const void *b) {
    const folded_name *x = a, *y = b;
    int order = strcmp(x->folded, y->folded);
    if (!order)
        order = strcmp(x->name.id, y->name.id);
    return order ? order : strcmp(x->name.place, y->name.place);
}

static void report_pair(const cmus_patient_name *first, const cmus_patient_name *other, cmus_identity *identity,
                        cmus_findings *findings) {
    char *a = cmus_identity_patient(identity, first->id), *b = cmus_identity_patient(identity, other->id);
    cmus_findings_add(
        findings, CMUS_WARNING, NULL, other->place,
        "the patient id '%s' is '%s' (%s) but for case, blanks or leading zeros; if they are one patient, "
        "write both alike, else folds share a patient",
        b, a, first->place);
    cmus_free(a);
    cmus_free(b);
}

void cmus_names_report_similar(const cmus_patient_name *names, size_t count, cmus_identity *identity,
                               cmus_findings *findings) {
    folded_name *folded = cmus_allocate(count, sizeof *folded);
    for (size_t i = 0; i < count; i++)
        folded[i] = (folded_name){fold_id(names[i].id), names[i]};
    if (count)
        qsort(folded, count, sizeof *folded, compare_folded);
    size_t first = 0; /* of those that fold alike */
    for (size_t i = 1; i < count; i++)
        if (strcmp(folded[i].folded, folded[first].folded) != 0)
            first = i;
        else if (strcmp(folded[i].name.id, folded[i - 1].name.id) != 0)
            report_pair(&folded[first].name, &folded[i].name, identity, findings);
    for (size_t i = 0; i < count; i++)
        cmus_free(folded[i].folded);
    cmus_free(folded);
}
