/* CSV files that grow by a row now and then (train.csv, steps.csv). Rows are added whole, by one write each; to resume,
 * a file is first cut back to the rows that a checkpoint knows of. Not collective.
 */
#ifndef CMUS_ROW_LOG_H
#define CMUS_ROW_LOG_H

#include <stdint.h>

#include "cmus/status.h"

typedef struct cmus_row_log cmus_row_log;

/* Makes the file anew with its header line, or keeps the first `rows` > 0 rows of the one that is there. FORMAT if it
 * has another header or fewer rows; IO. Close it with cmus_row_log_close(). */
cmus_status cmus_row_log_open(const char *path, const char *header, int64_t rows, cmus_row_log **log);

/* Adds a row, given without its line end. IO: the file is left without the row. */
cmus_status cmus_row_log_add(cmus_row_log *log, const char *row);

/* Flushes the rows to the disk. IO. */
cmus_status cmus_row_log_sync(cmus_row_log *log);
void cmus_row_log_close(cmus_row_log *log);

#endif
