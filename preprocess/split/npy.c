#include "npy.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cmus/file.h"
#include "cmus/memory.h"

static const size_t FILE_LIMIT = (size_t)256 << 20;
enum { HEADER_LIMIT = 65535, TYPE_SIZE = 32 };

/* The header: a dictionary of Python such as {'descr': '<i8', 'fortran_order': False, 'shape': (38,), } */
typedef struct cursor {
    const char *name, *at, *end;
} cursor;

typedef struct header {
    char type[TYPE_SIZE];
    bool fortran;
    uint64_t length;
    bool has_type, has_order, has_shape;
} header;

static void skip_blanks(cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n'))
        c->at++;
}

/* Takes this text, after blanks, if it is next. */
static bool take(cursor *c, const char *text) {
    skip_blanks(c);
    size_t length = strlen(text);
    if ((size_t)(c->end - c->at) < length || memcmp(c->at, text, length) != 0)
        return false;
    c->at += length;
    return true;
}

static cmus_status bad_header(const cursor *c, const char *what) {
    return cmus_fail(CMUS_ERROR_FORMAT, "%s: not a .npy file as NumPy writes it: %s", c->name, what);
}

/* A quoted text without escapes. */
static cmus_status read_text(cursor *c, char *text, size_t size) {
    skip_blanks(c);
    if (c->at >= c->end || (*c->at != '\'' && *c->at != '"'))
        return bad_header(c, "its header has no text where one should be");
    char quote = *c->at++;
    size_t length = 0;
    for (; c->at < c->end && *c->at != quote; c->at++) {
        if (*c->at < 32 || *c->at > 126 || *c->at == '\\' || length + 1 >= size)
            return bad_header(c, "its header has a text that is too long or strange");
        text[length++] = *c->at;
    }
    text[length] = 0;
    if (c->at >= c->end)
        return bad_header(c, "a quote in its header is not closed");
    c->at++;
    return CMUS_OK;
}

static cmus_status read_type(cursor *c, header *found) {
    skip_blanks(c);
    if (c->at < c->end && *c->at == '[')
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: holds records (a structured array), not plain whole numbers", c->name);
    return read_text(c, found->type, sizeof found->type);
}

static cmus_status read_order(cursor *c, header *found) {
    found->fortran = take(c, "True");
    if (!found->fortran && !take(c, "False"))
        return bad_header(c, "fortran_order is neither True nor False");
    return CMUS_OK;
}

/* (N,) */
static cmus_status read_shape(cursor *c, header *found) {
    if (!take(c, "("))
        return bad_header(c, "the shape is no tuple");
    skip_blanks(c);
    const char *first = c->at;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        if (found->length > UINT64_MAX / 10 - 1)
            return cmus_fail(CMUS_ERROR_FORMAT, "%s: its header tells of more numbers than any file can hold", c->name);
        found->length = found->length * 10 + (uint64_t)(*c->at - '0');
    }
    bool empty = c->at == first;
    if (!empty && take(c, ",") && take(c, ")"))
        return CMUS_OK;
    if (take(c, "-"))
        return bad_header(c, "a size is negative");
    return cmus_fail(CMUS_ERROR_FORMAT, "%s: is not an array of one dimension", c->name);
}

static cmus_status read_entry(cursor *c, header *found) {
    char key[TYPE_SIZE];
    CMUS_TRY(read_text(c, key, sizeof key));
    if (!take(c, ":"))
        return bad_header(c, "a colon is missing in its header");
    bool *has = strcmp(key, "descr") == 0           ? &found->has_type
                : strcmp(key, "fortran_order") == 0 ? &found->has_order
                : strcmp(key, "shape") == 0         ? &found->has_shape
                                                    : NULL;
    if (!has || *has)
        return bad_header(c, has ? "its header has an entry twice" : "its header has an unknown entry");
    *has = true;
    return has == &found->has_type    ? read_type(c, found)
           : has == &found->has_order ? read_order(c, found)
                                      : read_shape(c, found);
}

static cmus_status read_header(cursor *c, header *found) {
    if (!take(c, "{"))
        return bad_header(c, "its header is no dictionary");
    while (!take(c, "}")) {
        CMUS_TRY(read_entry(c, found));
        if (take(c, ","))
            continue;
        if (!take(c, "}"))
            return bad_header(c, "a comma is missing in its header");
        break;
    }
    skip_blanks(c);
    if (c->at != c->end || c->end[-1] != '\n')
        return bad_header(c, "its header does not end as it should");
    if (!found->has_type || !found->has_order || !found->has_shape)
        return bad_header(c, "its header lacks descr, fortran_order or shape");
    if (found->fortran)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: is in Fortran's order; save a plain array of one dimension", c->name);
    return CMUS_OK;
}

/* How a number lies in the file. */
typedef struct layout {
    int bytes;
    bool is_signed, big;
} layout;

static cmus_status find_layout(const char *name, const char *type, layout *found) {
    static const struct {
        const char *type;
        layout as;
    } known[] = {
        {"<i4", {4, true, false}},  {">i4", {4, true, true}},  {"<i8", {8, true, false}},  {">i8", {8, true, true}},
        {"<u4", {4, false, false}}, {">u4", {4, false, true}}, {"<u8", {8, false, false}}, {">u8", {8, false, true}},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(type, known[i].type) == 0) {
            *found = known[i].as;
            return CMUS_OK;
        }
    char kind = type[0] ? type[1] : 0;
    if (kind == 'O')
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: holds Python objects (a pickle), which are never read; save int64",
                         name);
    return cmus_fail(CMUS_ERROR_FORMAT,
                     "%s: its numbers are of the type '%s' (%s); int32, int64, uint32 or uint64 is "
                     "wanted",
                     name, type,
                     kind == 'f'                  ? "floating point"
                     : kind == 'b'                ? "truth values, such as a mask"
                     : kind == 'c'                ? "complex"
                     : kind == 'U' || kind == 'S' ? "texts"
                     : kind == 'i' || kind == 'u' ? "another size of whole numbers"
                                                  : "none of whole numbers");
}

static cmus_status convert(const char *name, const unsigned char *from, layout as, size_t count, int64_t *to) {
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = 0;
        for (int b = 0; b < as.bytes; b++)
            bits = bits << 8 | from[i * (size_t)as.bytes + (size_t)(as.big ? b : as.bytes - 1 - b)];
        if (!as.is_signed && bits > INT64_MAX)
            return cmus_fail(CMUS_ERROR_LIMIT, "%s: number %zu (from 0) is %llu, beyond any position", name, i,
                             (unsigned long long)bits);
        to[i] = as.is_signed && as.bytes == 4 ? (int32_t)(uint32_t)bits : (int64_t)bits;
    }
    return CMUS_OK;
}

/* The header's text and what is behind it. */
static cmus_status find_header(const char *bytes, size_t size, const char *name, cursor *text) {
    static const char magic[6] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};
    *text = (cursor){name, bytes, bytes};
    if (size < 10 || memcmp(bytes, magic, sizeof magic) != 0)
        return bad_header(text, "it does not begin with NumPy's mark");
    const unsigned char *b = (const unsigned char *)bytes;
    if (b[6] < 1 || b[6] > 3 || b[7] != 0)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: is of the .npy format %d.%d; 1.0, 2.0 and 3.0 are known", name, b[6],
                         b[7]);
    size_t begin = b[6] == 1 ? 10 : 12;
    if (size < begin)
        return bad_header(text, "it breaks off");
    uint32_t length = (uint32_t)b[8] | (uint32_t)b[9] << 8;
    if (b[6] > 1)
        length |= (uint32_t)b[10] << 16 | (uint32_t)b[11] << 24;
    if (length == 0 || length > HEADER_LIMIT || length > size - begin)
        return bad_header(text, "it breaks off in its header, or the header is too long");
    text->at = bytes + begin;
    text->end = text->at + length;
    return CMUS_OK;
}

cmus_status cmus_npy_parse(const char *bytes, size_t size, const char *name, int64_t **values, size_t *count) {
    *values = NULL;
    *count = 0;
    cursor text;
    header found = {0};
    layout as = {0};
    CMUS_TRY(find_header(bytes, size, name, &text));
    CMUS_TRY(read_header(&text, &found));
    CMUS_TRY(find_layout(name, found.type, &as));
    size_t left = size - (size_t)(text.end - bytes);
    if (found.length > left / (size_t)as.bytes || found.length * (uint64_t)as.bytes != left)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: should hold %llu numbers of %d bytes, but has %zu bytes for them",
                         name, (unsigned long long)found.length, as.bytes, left);
    int64_t *read = cmus_allocate_raw((size_t)found.length, sizeof *read);
    cmus_status status = convert(name, (const unsigned char *)text.end, as, (size_t)found.length, read);
    if (status != CMUS_OK) {
        cmus_free(read);
        return status;
    }
    *values = read;
    *count = (size_t)found.length;
    return CMUS_OK;
}

cmus_status cmus_npy_read(const char *path, int64_t **values, size_t *count) {
    *values = NULL;
    *count = 0;
    char *bytes;
    size_t size;
    CMUS_TRY(cmus_file_read(path, FILE_LIMIT, &bytes, &size));
    cmus_status status = cmus_npy_parse(bytes, size, path, values, count);
    cmus_free(bytes);
    return status;
}
