#include "cmus/csv.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/file.h"
#include "cmus/memory.h"

typedef struct parser {
    const char *path;
    char *at, *end;
    size_t line;
    bool hand_made;
    bool row_ended; /* the field just read was the last of its row */
} parser;

/* Cuts the next field out of the text in place; its quotes are taken off. */
static cmus_status next_field(parser *p, char **field) {
    char *out = p->at;
    *field = out;
    bool quoted = p->at < p->end && *p->at == '"';
    size_t began = p->line;
    if (quoted) {
        p->at++;
        for (;;) {
            if (p->at >= p->end)
                return cmus_fail(CMUS_ERROR_FORMAT, "%s, line %zu: a quote is not closed", p->path, began);
            if (*p->at == '"') {
                if (p->at + 1 < p->end && p->at[1] == '"') {
                    *out++ = '"';
                    p->at += 2;
                    continue;
                }
                p->at++;
                break;
            }
            if (*p->at == '\n')
                p->line++;
            *out++ = *p->at++;
        }
    } else {
        while (p->at < p->end && *p->at != ',' && *p->at != '\n' && *p->at != '\r')
            *out++ = *p->at++;
    }
    if (p->at < p->end && *p->at == '\r')
        p->at++;
    if (p->at >= p->end) {
        p->row_ended = p->hand_made;
        *out = 0; /* at most on the zero byte behind the text */
        return p->hand_made
                   ? CMUS_OK
                   : cmus_fail(CMUS_ERROR_FORMAT, "%s, line %zu: the file breaks off: the last line has no line end",
                               p->path, p->line);
    }
    if (*p->at != ',' && *p->at != '\n')
        return cmus_fail(CMUS_ERROR_FORMAT, "%s, line %zu: text after a closing quote or a bare carriage return",
                         p->path, p->line);
    p->row_ended = *p->at == '\n';
    p->at++;
    *out = 0; /* at most on the separator, which is behind us */
    return CMUS_OK;
}

/* Steps over lines with nothing in them, but for blanks. */
static void skip_empty_lines(parser *p) {
    for (;;) {
        char *at = p->at;
        while (at < p->end && (*at == ' ' || *at == '\t' || *at == '\r'))
            at++;
        if (at < p->end && *at != '\n')
            return;
        p->at = at < p->end ? at + 1 : at;
        p->line++;
        if (p->at >= p->end)
            return;
    }
}

static cmus_status parse_rows(parser *p, cmus_csv *table) {
    size_t header_capacity = 0, cell_capacity = 0, line_capacity = 0;
    do {
        table->header = cmus_grow(table->header, &header_capacity, table->columns + 1, sizeof(char *));
        CMUS_TRY(next_field(p, &table->header[table->columns]));
        table->columns++;
    } while (!p->row_ended);
    p->line++;
    for (;;) {
        if (p->hand_made)
            skip_empty_lines(p);
        if (p->at >= p->end)
            return CMUS_OK;
        size_t began = p->line, found = 0;
        table->cells = cmus_grow(table->cells, &cell_capacity, (table->rows + 1) * table->columns, sizeof(char *));
        table->lines = cmus_grow(table->lines, &line_capacity, table->rows + 1, sizeof(size_t));
        do {
            char *field;
            CMUS_TRY(next_field(p, &field));
            if (found < table->columns)
                table->cells[table->rows * table->columns + found] = field;
            found++;
        } while (!p->row_ended);
        if (found != table->columns)
            return cmus_fail(CMUS_ERROR_FORMAT, "%s, line %zu: %zu fields, but the header has %zu", p->path, began,
                             found, table->columns);
        table->lines[table->rows++] = began;
        p->line++;
    }
}

/* table->text holds the text and a zero byte. */
static cmus_status parse_text(size_t size, const char *name, bool hand_made, cmus_csv *table) {
    table->path = cmus_copy_string(name);
    parser p = {.path = table->path, .at = table->text, .end = table->text + size, .line = 1, .hand_made = hand_made};
    if (size >= 3 && memcmp(p.at, "\xEF\xBB\xBF", 3) == 0)
        p.at += 3; /* the byte order mark that spreadsheets write */
    cmus_status status = CMUS_OK;
    if (p.at == p.end)
        status = cmus_fail(CMUS_ERROR_FORMAT, "%s: empty file", name);
    else if (memchr(table->text, 0, size))
        status = cmus_fail(CMUS_ERROR_FORMAT, "%s: holds a zero byte, so it is no text", name);
    else
        status = parse_rows(&p, table);
    if (status != CMUS_OK)
        cmus_csv_free(table);
    return status;
}

cmus_status cmus_csv_read(const char *path, size_t limit, cmus_csv *table) {
    *table = (cmus_csv){0};
    size_t size;
    CMUS_TRY(cmus_file_read(path, limit, &table->text, &size));
    return parse_text(size, path, false, table);
}

cmus_status cmus_csv_parse(const char *text, size_t size, const char *name, bool hand_made, cmus_csv *table) {
    *table = (cmus_csv){.text = cmus_allocate_raw(size + 1, 1)};
    memcpy(table->text, text, size);
    table->text[size] = 0;
    return parse_text(size, name, hand_made, table);
}

void cmus_csv_free(cmus_csv *table) {
    cmus_free(table->path);
    cmus_free(table->header);
    cmus_free(table->cells);
    cmus_free(table->lines);
    cmus_free(table->text);
    *table = (cmus_csv){0};
}

cmus_status cmus_csv_column(const cmus_csv *table, const char *name, size_t *column) {
    for (size_t i = 0; i < table->columns; i++)
        if (strcmp(table->header[i], name) == 0) {
            *column = i;
            return CMUS_OK;
        }
    return cmus_fail(CMUS_ERROR_FORMAT, "%s: there is no column '%s'", table->path, name);
}

const char *cmus_csv_cell(const cmus_csv *table, size_t row, size_t column) {
    return table->cells[row * table->columns + column];
}

cmus_status cmus_csv_number(const cmus_csv *table, size_t row, size_t column, double *value) {
    const char *text = cmus_csv_cell(table, row, column);
    char *end;
    errno = 0;
    *value = strtod(text, &end);
    if (end == text || *end || !isfinite(*value))
        return cmus_fail(CMUS_ERROR_FORMAT, "%s, line %zu, column '%s': '%s' is not a number", table->path,
                         table->lines[row], table->header[column], text);
    return CMUS_OK;
}

cmus_status cmus_csv_integer(const cmus_csv *table, size_t row, size_t column, long *value) {
    const char *text = cmus_csv_cell(table, row, column);
    char *end;
    errno = 0;
    *value = strtol(text, &end, 10);
    if (end == text || *end || errno)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s, line %zu, column '%s': '%s' is not a whole number", table->path,
                         table->lines[row], table->header[column], text);
    return CMUS_OK;
}
