/* The classes of cases out of a table that people made. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "case_source_internal.h"
#include "cmus/csv.h"
#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/utf8.h"
#include "names.h"

static const size_t FILE_LIMIT = (size_t)256 << 20;

/* A line of the table. */
typedef struct labelled {
    char *case_id, *class_name;
    size_t line;
    bool used;
} labelled;

/* What was odd, to be said once for all cases. */
typedef struct oddities {
    size_t without_line, changed;
    const cmus_case_entry *first_without, *first_changed;
    char *before; /* the class that the first of the changed ones had */
} oddities;

/* By name, capital or small, with blanks around it; false: there is none. */
static bool find_column(cmus_csv *table, const char *name, size_t *column) {
    for (size_t i = 0; i < table->columns; i++)
        if (strcasecmp(cmus_name_trim(table->header[i]), name) == 0) {
            *column = i;
            return true;
        }
    return false;
}

static int compare_ids(const void *a, const void *b) {
    const labelled *x = a, *y = b;
    int order = strcmp(x->case_id, y->case_id);
    return order ? order : (x->line > y->line) - (x->line < y->line);
}

static cmus_status check_row(const cmus_csv *table, const labelled *row) {
    if (!cmus_utf8_is_clean(row->case_id) || !cmus_utf8_is_clean(row->class_name))
        return cmus_fail(CMUS_ERROR_FORMAT,
                         "%s, line %zu: not UTF-8 without control characters; save the table as 'CSV UTF-8'",
                         table->path, row->line);
    if (!*row->case_id)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s, line %zu: the case id is empty", table->path, row->line);
    return CMUS_OK;
}

/* The table's lines [rows], which point into it, by their ids. */
static cmus_status sort_rows(cmus_csv *table, labelled *rows) {
    size_t id_column, class_column;
    if (!find_column(table, "case_id", &id_column))
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: there is no column 'case_id'", table->path);
    if (!find_column(table, "class", &class_column) && !find_column(table, "label", &class_column))
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: there is no column 'class' or 'label'", table->path);
    for (size_t i = 0; i < table->rows; i++) {
        char **cells = table->cells + i * table->columns;
        rows[i] = (labelled){.case_id = cmus_name_trim(cells[id_column]),
                             .class_name = cmus_name_trim(cells[class_column]),
                             .line = table->lines[i]};
        CMUS_TRY(check_row(table, &rows[i]));
    }
    qsort(rows, table->rows, sizeof *rows, compare_ids);
    for (size_t i = 1; i < table->rows; i++)
        if (strcmp(rows[i - 1].case_id, rows[i].case_id) == 0)
            return cmus_fail(CMUS_ERROR_DATA, "%s: the case %s is there twice, in line %zu and line %zu", table->path,
                             rows[i].case_id, rows[i - 1].line, rows[i].line);
    return CMUS_OK;
}

static void set_class(cmus_case_entry *entry, const char *class_name, oddities *odd) {
    if (entry->class_name && strcmp(entry->class_name, class_name) != 0 && odd->changed++ == 0) {
        odd->first_changed = entry;
        odd->before = cmus_copy_string(entry->class_name);
    }
    cmus_free(entry->class_name);
    entry->facts.class_name = entry->class_name = cmus_copy_string(class_name);
}

/* A comparison of an id with a row's, for bsearch. */
static int compare_id(const void *id, const void *row) {
    return strcmp(id, ((const labelled *)row)->case_id);
}

static void give_classes(cmus_case_source *source, labelled *rows, size_t count, oddities *odd) {
    for (size_t i = 0; i < source->count; i++) {
        cmus_case_entry *entry = &source->entries[i];
        labelled *row = bsearch(entry->facts.case_id, rows, count, sizeof *rows, compare_id);
        if (row)
            row->used = true;
        if (row && *row->class_name)
            set_class(entry, row->class_name, odd);
        else if (!entry->class_name && odd->without_line++ == 0)
            odd->first_without = entry;
    }
}

static void warn(const cmus_case_source *source, const char *path, const labelled *rows, size_t count,
                 const oddities *odd) {
    size_t unused = 0, first = 0;
    for (size_t i = count; i-- > 0;)
        if (!rows[i].used) {
            unused++;
            first = i;
        }
    if (unused)
        cmus_warn("%s: %zu of its %zu cases are not in %s (the first: %s)", path, unused, count, source->name,
                  rows[first].case_id);
    if (odd->without_line)
        cmus_warn("%s: it has no class for %zu of %zu cases, which stay without one (the first: %s)", path,
                  odd->without_line, source->count, odd->first_without->facts.case_id);
    if (odd->changed)
        cmus_warn(
            "%s: it has another class than %s for %zu cases, and is followed (the first: %s is %s there, %s here)",
            path, source->name, odd->changed, odd->first_changed->facts.case_id, odd->before,
            odd->first_changed->class_name);
}

cmus_status cmus_case_labels_read(cmus_case_source *source, const char *path, bool quiet) {
    char *text;
    size_t size;
    cmus_csv table;
    CMUS_TRY(cmus_file_read(path, FILE_LIMIT, &text, &size));
    cmus_status status = cmus_csv_parse(text, size, path, true, &table);
    cmus_free(text);
    CMUS_TRY(status);
    labelled *rows = cmus_allocate(table.rows, sizeof *rows);
    oddities odd = {0};
    status = sort_rows(&table, rows);
    if (status == CMUS_OK) {
        give_classes(source, rows, table.rows, &odd);
        if (!quiet)
            warn(source, path, rows, table.rows, &odd);
    }
    cmus_free(odd.before);
    cmus_free(rows);
    cmus_csv_free(&table);
    return status;
}
