#include "case_list_file.h"

#include <stdbool.h>
#include <string.h>

#include "cmus/csv.h"
#include "cmus/file.h"
#include "cmus/memory.h"

static const size_t FILE_LIMIT = (size_t)256 << 20;

typedef struct id_line {
    const char *id; /* in the text or the table */
    size_t line;    /* of the file, from 1 */
} id_line;

typedef struct id_list {
    id_line *lines; /* [count] */
    size_t count, capacity;
    char *text;
    cmus_csv table;
} id_list;

static void free_list(id_list *list) {
    cmus_free(list->lines);
    cmus_free(list->text);
    cmus_csv_free(&list->table);
}

static void add(id_list *list, const char *id, size_t line) {
    list->lines = cmus_grow(list->lines, &list->capacity, list->count + 1, sizeof *list->lines);
    list->lines[list->count++] = (id_line){id, line};
}

/* Whether the first line is that of a table with a column case_id. */
static bool has_header(const char *text, const char *name) {
    cmus_csv first;
    size_t column;
    if (cmus_csv_parse(text, strcspn(text, "\n"), name, true, &first) != CMUS_OK)
        return false;
    bool has = cmus_csv_column(&first, "case_id", &column) == CMUS_OK;
    cmus_csv_free(&first);
    return has;
}

static cmus_status read_table(const char *path, size_t size, id_list *list) {
    size_t column;
    CMUS_TRY(cmus_csv_parse(list->text, size, path, true, &list->table));
    CMUS_TRY(cmus_csv_column(&list->table, "case_id", &column));
    for (size_t row = 0; row < list->table.rows; row++)
        add(list, cmus_csv_cell(&list->table, row, column), list->table.lines[row]);
    return CMUS_OK;
}

/* Empty lines at the end are none; elsewhere nobody could say whether they count as a position. */
static cmus_status read_lines(const char *path, char *text, id_list *list) {
    if (strncmp(text, "\xEF\xBB\xBF", 3) == 0)
        text += 3; /* the byte order mark that editors write */
    size_t line = 0, empty = 0;
    while (*text) {
        char *end = text + strcspn(text, "\n");
        bool last = !*end;
        *end = 0;
        if (end > text && end[-1] == '\r')
            end[-1] = 0;
        line++;
        if (*text && empty)
            return cmus_fail(CMUS_ERROR_FORMAT, "%s, line %zu: is empty; each line is a case", path, empty);
        if (*text)
            add(list, text, line);
        else if (!empty)
            empty = line;
        text = last ? end : end + 1;
    }
    return CMUS_OK;
}

static cmus_status read_list(const char *path, id_list *list) {
    size_t size;
    CMUS_TRY(cmus_file_read(path, FILE_LIMIT, &list->text, &size));
    if (memchr(list->text, 0, size))
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: holds a zero byte, so it is no text", path);
    return has_header(list->text, path) ? read_table(path, size, list) : read_lines(path, list->text, list);
}

cmus_status cmus_case_list_file_read(const char *path, const cmus_dataset *dataset, int *case_of,
                                     cmus_splits_faults *faults) {
    id_list list = {0};
    cmus_status status = read_list(path, &list);
    int cases = cmus_dataset_case_count(dataset), found = 0;
    size_t *line_of = cmus_allocate((size_t)cases, sizeof *line_of); /* [cases]; 0: not in the list */
    size_t before = faults->count;
    for (size_t i = 0; status == CMUS_OK && i < list.count; i++) {
        id_line at = list.lines[i];
        int index = cmus_dataset_find(dataset, at.id);
        if (index < 0)
            cmus_splits_fault(faults, "%s, line %zu: the case %s is not in the data set", path, at.line, at.id);
        else if (line_of[index])
            cmus_splits_fault(faults, "%s, line %zu: the case %s is in line %zu already", path, at.line, at.id,
                              line_of[index]);
        else {
            line_of[index] = at.line;
            case_of[found++] = index;
        }
    }
    for (int i = 0; status == CMUS_OK && i < cases; i++)
        if (!line_of[i])
            cmus_splits_fault(faults, "%s: the case %s of the data set is not in it", path,
                              cmus_dataset_case(dataset, i).case_id);
    if (status == CMUS_OK && faults->count > before)
        status = cmus_fail(CMUS_ERROR_MISMATCH, "%s: must have each case of the data set once, and no other", path);
    cmus_free(line_of);
    free_list(&list);
    return status;
}
