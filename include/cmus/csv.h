/* CSV files by RFC 4180: quoted fields, UTF-8, a header line. Writing is in file.h (cmus_file_writer_csv). */
#ifndef CMUS_CSV_H
#define CMUS_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "cmus/status.h"

/* A parsed table. Cells are texts in one buffer; rows do not count the header. */
typedef struct cmus_csv {
    char *path;
    size_t columns, rows;
    char **header; /* [columns] */
    char **cells;  /* [rows][columns] */
    size_t *lines; /* [rows]: line of the file on which the row begins, from 1 */
    char *text;    /* what the pointers point into */
} cmus_csv;

/* Reads a table of at most `limit` bytes. A row with another number of fields than the header, an open quote, a zero
 * byte or a last line without its line end is FORMAT with file and line. The caller frees it by cmus_csv_free(). */
cmus_status cmus_csv_read(const char *path, size_t limit, cmus_csv *table);

/* The same from memory; `name` stands for the path in messages. hand_made: such as people and spreadsheets write it,
 * whose last line may lack its line end and which may have empty lines; these are no rows. (A file of this project
 * without its last line end breaks off.) */
cmus_status cmus_csv_parse(const char *text, size_t size, const char *name, bool hand_made, cmus_csv *table);
void cmus_csv_free(cmus_csv *table);

/* Index of the named column in *column, or FORMAT that names file and column. */
cmus_status cmus_csv_column(const cmus_csv *table, const char *name, size_t *column);

const char *cmus_csv_cell(const cmus_csv *table, size_t row, size_t column);

/* A whole cell as a finite number or as an integer; FORMAT names file, line and column. */
cmus_status cmus_csv_number(const cmus_csv *table, size_t row, size_t column, double *value);
cmus_status cmus_csv_integer(const cmus_csv *table, size_t row, size_t column, long *value);

#endif
