#include "manifest_table.h"

#include <string.h>
#include <strings.h>

#include "cmus/dataset_index.h"
#include "cmus/memory.h"
#include "cmus/utf8.h"
#include "names.h"

typedef enum column { CASE_ID, PATIENT_ID, CLASS, FIRST_FILES, COLUMNS = FIRST_FILES + CMUS_IMAGE_KINDS } column;

static const char *const column_names[] = {"case_id", "patient_id", "class", "om", "im", "tem"};
static const cmus_image_kind file_kinds[] = {CMUS_IMAGE_OM, CMUS_IMAGE_IM, CMUS_IMAGE_TEM};
enum { NOT_THERE = -1 };

/* Such texts would fail as CSV with words that lead nobody to the cause. */
static cmus_status check_encoding(const cmus_manifest_table *table, const char *text, size_t size) {
    if (size >= 2 && (memcmp(text, "\xFF\xFE", 2) == 0 || memcmp(text, "\xFE\xFF", 2) == 0))
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: is UTF-16 text; save it as 'CSV UTF-8 (comma delimited)'",
                         table->name);
    const char *line_end = size ? memchr(text, '\n', size) : NULL;
    size_t first = line_end ? (size_t)(line_end - text) : size;
    if (first == 0 || memchr(text, ',', first))
        return CMUS_OK;
    const char *separator = memchr(text, '\t', first) ? "a tab" : memchr(text, ';', first) ? "';'" : NULL;
    if (separator)
        return cmus_fail(CMUS_ERROR_FORMAT,
                         "%s, line 1: its columns are separated by %s; save it with commas: ';' stands between the "
                         "files of a cell",
                         table->name, separator);
    return CMUS_OK;
}

/* Whether all that is no ASCII could be characters of two bytes in GBK. */
static bool may_be_gbk(const char *text) {
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c < 0x80)
            continue;
        if (*c == 0x80 || *c == 0xFF || c[1] < 0x40 || c[1] == 0x7F || c[1] == 0xFF)
            return false;
        c++;
    }
    return true;
}

static cmus_status check_utf8(const cmus_manifest_table *table, const char *text, size_t line) {
    if (cmus_name_is_utf8(text))
        return CMUS_OK;
    const char *encoding = may_be_gbk(text) ? "GB18030" : "WINDOWS-1252";
    return cmus_fail(CMUS_ERROR_FORMAT,
                     "%s, line %zu: is not UTF-8 text, perhaps %s; save it as 'CSV UTF-8', or convert it: iconv -f %s "
                     "-t UTF-8",
                     table->name, line, encoding, encoding);
}

static cmus_status check_characters(const cmus_manifest_table *table) {
    for (size_t i = 0; i < table->csv.columns; i++)
        CMUS_TRY(check_utf8(table, table->csv.header[i], 1));
    for (size_t i = 0; i < table->csv.rows; i++)
        for (size_t k = 0; k < table->csv.columns; k++)
            CMUS_TRY(check_utf8(table, cmus_csv_cell(&table->csv, i, k), table->csv.lines[i]));
    return CMUS_OK;
}

/* Appends 'name' to a list of names. */
static void append_name(char **list, const char *name) {
    char *longer = cmus_format_string("%s%s'%s'", *list, **list ? ", " : "", name);
    cmus_free(*list);
    *list = longer;
}

static cmus_status check_columns(const cmus_manifest_table *table, const ptrdiff_t place[COLUMNS]) {
    char *missing = cmus_copy_string("");
    for (int i = 0; i < COLUMNS; i++)
        if (place[i] == NOT_THERE && (i < FIRST_FILES || table->options->has[file_kinds[i - FIRST_FILES]]))
            append_name(&missing, column_names[i]);
    cmus_status status = CMUS_OK;
    if (*missing)
        status = cmus_fail(CMUS_ERROR_FORMAT,
                           "%s, line 1: there is no column %s; the first line names the columns: case_id, patient_id, "
                           "class, om, im, tem",
                           table->name, missing);
    cmus_free(missing);
    return status;
}

/* Where the columns are, by the header. Further columns are said once. */
static cmus_status find_columns(const cmus_manifest_table *table, ptrdiff_t place[COLUMNS]) {
    for (int i = 0; i < COLUMNS; i++)
        place[i] = NOT_THERE;
    char *unused = cmus_copy_string("");
    cmus_status status = CMUS_OK;
    for (size_t k = 0; k < table->csv.columns && status == CMUS_OK; k++) {
        const char *name = cmus_name_trim(table->csv.header[k]);
        int i = 0;
        while (i < COLUMNS && strcasecmp(name, column_names[i]) != 0)
            i++;
        if (i == COLUMNS && *name)
            append_name(&unused, name);
        if (i < COLUMNS && place[i] != NOT_THERE)
            status = cmus_fail(CMUS_ERROR_FORMAT, "%s, line 1: the column '%s' is there twice", table->name, name);
        if (i < COLUMNS)
            place[i] = (ptrdiff_t)k;
    }
    if (status == CMUS_OK)
        status = check_columns(table, place);
    if (status == CMUS_OK && *unused)
        cmus_findings_add(table->findings, CMUS_WARNING, NULL, table->name, "the columns %s are not used", unused);
    cmus_free(unused);
    return status;
}

void cmus_manifest_reject(cmus_manifest_table *table, cmus_manifest_line *line, bool whole, const char *kind,
                          const char *what) {
    char *shown = *line->case_id ? cmus_identity_case(table->options->identity, line->case_id) : NULL;
    cmus_findings_add_kind(table->findings, kind, CMUS_DEFECT, shown, line->place, "%s", what);
    table->findings->list[table->findings->count - 1].of_rejected = true; /* also if it has no case id */
    cmus_free(shown);
    char **why = whole ? &line->rejected : &line->spoilt;
    if (!*why)
        *why = cmus_copy_string(what);
    line->row.rejected = line->rejected;
    line->row.spoilt = line->spoilt;
}

/* The text of an id; what can't be one is a defect. */
static char *take_id(cmus_manifest_table *table, cmus_manifest_line *line, const char *cell, const char *name) {
    const char *problem = !*cell                         ? "is empty"
                          : !cmus_utf8_is_clean(cell)    ? "holds control characters, such as a line break"
                          : strlen(cell) > CMUS_ID_BYTES ? "is too long"
                                                         : NULL;
    if (problem) {
        char *what = cmus_format_string("the %s %s", name, problem);
        cmus_manifest_reject(table, line, true, problem, what);
        cmus_free(what);
    }
    return cmus_name_escape(cell);
}

static void read_line(cmus_manifest_table *table, size_t row, const ptrdiff_t place[COLUMNS], size_t unwanted[]) {
    char **cells = table->csv.cells + row * table->csv.columns;
    bool empty = true;
    for (size_t k = 0; k < table->csv.columns; k++) {
        cells[k] = cmus_name_trim(cells[k]);
        empty = empty && !*cells[k];
    }
    if (empty)
        return; /* spreadsheets write such lines behind the last */
    cmus_manifest_line *line = &table->lines[table->count++];
    line->place = cmus_format_string("%s, line %zu", table->name, table->csv.lines[row]);
    line->case_id = cmus_copy_string("");
    char *case_id = take_id(table, line, cells[place[CASE_ID]], column_names[CASE_ID]);
    cmus_free(line->case_id);
    line->case_id = case_id;
    line->patient_id = take_id(table, line, cells[place[PATIENT_ID]], column_names[PATIENT_ID]);
    line->class_name = take_id(table, line, cells[place[CLASS]], column_names[CLASS]);
    line->row.case_id = line->case_id;
    line->row.patient_id = line->patient_id;
    line->row.class_name = line->class_name;
    line->row.place = line->place;
    for (int k = 0; k < CMUS_IMAGE_KINDS; k++) {
        ptrdiff_t at = place[FIRST_FILES + k];
        if (at != NOT_THERE && table->options->has[file_kinds[k]])
            cmus_manifest_add_files(table, line, file_kinds[k], cells[at]);
        else if (at != NOT_THERE && *cells[at])
            unwanted[k]++;
    }
}

cmus_status cmus_manifest_table_parse(cmus_manifest_table *table, const char *text, size_t size) {
    ptrdiff_t place[COLUMNS];
    size_t unwanted[CMUS_IMAGE_KINDS] = {0};
    CMUS_TRY(check_encoding(table, text, size));
    CMUS_TRY(cmus_csv_parse(text, size, table->name, true, &table->csv));
    CMUS_TRY(check_characters(table));
    CMUS_TRY(find_columns(table, place));
    table->lines = cmus_allocate(table->csv.rows, sizeof *table->lines);
    for (size_t i = 0; i < table->csv.rows; i++)
        read_line(table, i, place, unwanted);
    for (int k = 0; k < CMUS_IMAGE_KINDS; k++)
        if (unwanted[k])
            cmus_findings_add(table->findings, CMUS_WARNING, NULL, table->name,
                              "the %s images of %zu lines are not used, as --modalities says",
                              cmus_image_kind_name(file_kinds[k]), unwanted[k]);
    return CMUS_OK;
}

void cmus_manifest_table_free(cmus_manifest_table *table) {
    for (size_t i = 0; i < table->count; i++) {
        cmus_manifest_line *line = &table->lines[i];
        for (int kind = 0; kind < CMUS_IMAGE_KINDS; kind++) {
            for (size_t k = 0; k < line->row.count[kind]; k++) {
                cmus_free(line->row.files[kind][k].path);
                cmus_free(line->row.files[kind][k].name);
            }
            cmus_free(line->row.files[kind]);
        }
        cmus_free(line->case_id);
        cmus_free(line->patient_id);
        cmus_free(line->class_name);
        cmus_free(line->place);
        cmus_free(line->rejected);
        cmus_free(line->spoilt);
    }
    cmus_free(table->lines);
    cmus_csv_free(&table->csv);
}
