/* A patient's files as a folder or a line of a manifest has them, made into cases: one, or one for each OM image. */
#ifndef CMUS_CASE_ROW_H
#define CMUS_CASE_ROW_H

#include "case_list.h"
#include "findings.h"

typedef struct cmus_row_file {
    char *path;    /* where it is */
    char *name;    /* how the data set's /source and the cases of single OM images name it */
    size_t number; /* the same for the same file in several rows */
} cmus_row_file;

/* All names are raw, but clean (utf8.h). */
typedef struct cmus_case_row {
    const char *case_id, *patient_id, *class_name;
    const char *place;                      /* as it may be shown */
    int label;                              /* CMUS_LABEL_STRANGE or _UNKNOWN: none */
    const char *rejected;                   /* why, if it is known before; none of its images is listed. Or NULL */
    const char *spoilt;                     /* the same, but its images are listed */
    bool unusable[CMUS_IMAGE_KINDS];        /* there are files, but none of them can be used: not said again */
    cmus_row_file *files[CMUS_IMAGE_KINDS]; /* by cmus_image_kind, in the order of the data set */
    size_t count[CMUS_IMAGE_KINDS];
} cmus_case_row;

/* What the rows of one list share. */
typedef struct cmus_row_adder {
    const cmus_scan_options *options;
    cmus_findings *findings;
    cmus_case_list *list;
    ptrdiff_t *image_of; /* by number of the file, the image in the list or CMUS_NO_IMAGE; NULL: rows share no files */
} cmus_row_adder;

/* Adds the row's cases. A missing modality is a defect; further OM and IM images are reported. */
void cmus_case_row_add(const cmus_row_adder *self, const cmus_case_row *row);

/* Rejects the cases whose id another case has too. rejected: those that are rejected already count as well, as in a
 * manifest, where an id that two lines have tells that one of the lines is wrong. */
void cmus_case_row_report_equal_ids(cmus_findings *findings, cmus_case_list *list, bool rejected);

#endif
