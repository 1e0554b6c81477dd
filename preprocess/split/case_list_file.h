/* The list that gives positions in index files their cases. */
#ifndef CMUS_CASE_LIST_FILE_H
#define CMUS_CASE_LIST_FILE_H

#include "cmus/splits.h"

/* Reads a list of all cases of the data set: a CSV table whose header has the column case_id, else a text with a case
 * id a line. Every case of the data set must be in it once, and nothing else: what breaks that is added to `faults`,
 * and the status is MISMATCH. case_of [cases of the data set]: the case at each position of the list, from 0.
 * NOT_FOUND, IO, FORMAT; the message names the file. */
cmus_status cmus_case_list_file_read(const char *path, const cmus_dataset *dataset, int *case_of,
                                     cmus_splits_faults *faults);

#endif
