/* The lines of a manifest before they become cases (manifest.h): their cells, their files, and which of the files are
 * the same. */
#ifndef CMUS_MANIFEST_TABLE_H
#define CMUS_MANIFEST_TABLE_H

#include "case_row.h"
#include "cmus/csv.h"

typedef struct cmus_manifest_line {
    cmus_case_row row; /* its texts are those below */
    char *case_id, *patient_id, *class_name;
    char *place; /* "NAME, line N" */
    char *rejected, *spoilt;
    size_t capacity[CMUS_IMAGE_KINDS];
} cmus_manifest_line;

typedef struct cmus_manifest_table {
    const char *name, *folder; /* as for cmus_manifest_parse() */
    const cmus_scan_options *options;
    cmus_findings *findings;
    cmus_csv csv;
    cmus_manifest_line *lines; /* without those that are empty */
    size_t count;
    size_t file_count; /* different files, once they are numbered */
} cmus_manifest_table;

/* Reads text into lines and checks their ids. FORMAT. Free by cmus_manifest_table_free(), also after a failure. */
cmus_status cmus_manifest_table_parse(cmus_manifest_table *table, const char *text, size_t size);
void cmus_manifest_table_free(cmus_manifest_table *table);

/* Cuts the cell into the files of a modality. */
void cmus_manifest_add_files(cmus_manifest_table *table, cmus_manifest_line *line, cmus_image_kind kind, char *cell);
/* Looks for the files, numbers them, and reports those that are not there or stand where they can't. */
void cmus_manifest_check_files(cmus_manifest_table *table);

/* A defect of the line; its case is rejected. whole: its images are not to be listed either. */
void cmus_manifest_reject(cmus_manifest_table *table, cmus_manifest_line *line, bool whole, const char *kind,
                          const char *what);

#endif
