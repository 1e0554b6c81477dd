#include "names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/file.h"
#include "cmus/memory.h"
#include "cmus/utf8.h"

bool cmus_name_is_utf8(const char *text) {
    while (*text) {
        size_t length = isascii(*text) ? 1 : cmus_utf8_length(text);
        if (length == 0 && (text[0] != '\xC2' || ((unsigned char)text[1] & 0xC0) != 0x80))
            return false;
        if (length == 0)
            length = 2; /* a control character of the second block */
        text += length;
    }
    return true;
}

char *cmus_name_escape(const char *name) {
    static const char digits[] = "0123456789abcdef";
    char *escaped = cmus_allocate(4 * strlen(name) + 1, 1), *out = escaped;
    while (*name) {
        size_t length = cmus_utf8_length(name);
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

/* The small letter of ASCII for a Latin letter with an accent that the text begins with (U+00C0 to U+01FF, U+1E00 to
 * U+1EFF); 0 if it begins with none, or with one that has no such letter. So a name folds alike whether its accents are
 * parts of the letters (NFC) or characters of their own (NFD, as some disks and copying programs make of it). */
static char bare_letter(const char *text) {
    static const char first[] = "aaaaaaaceeeeiiiidnooooo.ouuuuytsaaaaaaaceeeeiiiidnooooo.ouuuuyty"
                                "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllll"
                                "lllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs"
                                "................................oo.............uu..............."
                                ".............aaiioouuuuuuuuuu.aaaa....ggkkoooo..j...gg..nnaa....";
    static const char second[] = "aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmm"
                                 "mmmmnnnnnnnnoooooooopppprrrrrrrrssssssssssttttttttuuuuuuuuuuvvvv"
                                 "wwwwwwwwwwxxxxyyzzzzzzhtwy......aaaaaaaaaaaaaaaaaaaaaaaaeeeeeeee"
                                 "eeeeeeeeiiiioooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyy......";
    const unsigned char *c = (const unsigned char *)text;
    char letter = '.';
    if (c[0] >= 0xC3 && c[0] <= 0xC7 && (c[1] & 0xC0) == 0x80)
        letter = first[(c[0] - 0xC3) * 64 + (c[1] & 0x3F)];
    else if (c[0] == 0xE1 && c[1] >= 0xB8 && c[1] <= 0xBB && (c[2] & 0xC0) == 0x80)
        letter = second[(c[1] - 0xB8) * 64 + (c[2] & 0x3F)];
    return letter == '.' ? 0 : letter;
}

/* Whether the text begins with an accent that is a character of its own (U+0300 to U+036F): two bytes. */
static bool is_accent(const char *text) {
    const unsigned char *c = (const unsigned char *)text;
    return (c[0] == 0xCC && (c[1] & 0xC0) == 0x80) || (c[0] == 0xCD && c[1] >= 0x80 && c[1] <= 0xAF);
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

/* The name with all that people write now so, now so taken away. */
static char *fold_name(const char *name) {
    char *folded = cmus_allocate(strlen(name) + 1, 1), *out = folded;
    while (*name) {
        size_t blank = is_accent(name) ? 2 : blank_at(name);
        char plain = plain_letter(name), bare = bare_letter(name);
        if (!blank)
            *out++ = plain ? (char)tolower(plain) : bare ? bare : isascii(*name) ? (char)tolower(*name) : *name;
        name += blank ? blank : plain ? 3 : bare ? (*name == '\xE1' ? 3 : 2) : 1;
    }
    drop_leading_zeros(folded);
    return folded;
}

typedef struct folded_name {
    char *folded;
    cmus_placed_name name;
} folded_name;

static int compare_folded(const void *a, const void *b) {
    const folded_name *x = a, *y = b;
    int order = strcmp(x->folded, y->folded);
    if (!order)
        order = strcmp(x->name.name, y->name.name);
    return order ? order : cmus_compare_natural(x->name.place, y->name.place);
}

/* Calls `report` for each name that folds like an earlier one, but is not equal to it. */
static void find_similar(const cmus_placed_name *names, size_t count, cmus_identity *identity, cmus_findings *findings,
                         void (*report)(const cmus_placed_name *first, const cmus_placed_name *other,
                                        cmus_identity *identity, cmus_findings *findings)) {
    folded_name *folded = cmus_allocate(count, sizeof *folded);
    for (size_t i = 0; i < count; i++)
        folded[i] = (folded_name){fold_name(names[i].name), names[i]};
    if (count)
        qsort(folded, count, sizeof *folded, compare_folded);
    size_t first = 0; /* of those that fold alike */
    for (size_t i = 1; i < count; i++)
        if (strcmp(folded[i].folded, folded[first].folded) != 0)
            first = i;
        else if (strcmp(folded[i].name.name, folded[i - 1].name.name) != 0)
            report(&folded[first].name, &folded[i].name, identity, findings);
    for (size_t i = 0; i < count; i++)
        cmus_free(folded[i].folded);
    cmus_free(folded);
}

static void report_patients(const cmus_placed_name *first, const cmus_placed_name *other, cmus_identity *identity,
                            cmus_findings *findings) {
    char *a = cmus_identity_patient(identity, first->name), *b = cmus_identity_patient(identity, other->name);
    cmus_findings_add(
        findings, CMUS_WARNING, NULL, other->place,
        "the patient id '%s' is '%s' (%s) but for case, blanks, accents or leading zeros; if they are one patient, "
        "write both alike, else folds share a patient",
        b, a, first->place);
    cmus_free(a);
    cmus_free(b);
}

void cmus_names_report_similar_patients(const cmus_placed_name *names, size_t count, cmus_identity *identity,
                                        cmus_findings *findings) {
    find_similar(names, count, identity, findings, report_patients);
}

static void report_classes(const cmus_placed_name *first, const cmus_placed_name *other, cmus_identity *identity,
                           cmus_findings *findings) {
    char *a = cmus_name_of_path(identity, first->name), *b = cmus_name_of_path(identity, other->name);
    cmus_findings_add(findings, CMUS_WARNING, NULL, b,
                      "the class '%s' is '%s' but for case, blanks, accents or leading zeros; they are taken for two",
                      b, a);
    cmus_free(a);
    cmus_free(b);
}

void cmus_names_report_similar_classes(const char *const *classes, size_t count, cmus_identity *identity,
                                       cmus_findings *findings) {
    cmus_placed_name *names = cmus_allocate(count, sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = (cmus_placed_name){classes[i], classes[i]};
    find_similar(names, count, identity, findings, report_classes);
    cmus_free(names);
}
