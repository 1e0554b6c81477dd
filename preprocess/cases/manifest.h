/* Cases listed in a CSV file, so that files may lie anywhere: a line a case, with columns case_id, patient_id, class,
 * om, im and tem in any order. */
#ifndef CMUS_MANIFEST_H
#define CMUS_MANIFEST_H

#include "case_list.h"
#include "cmus/status.h"
#include "findings.h"

/* Reads the manifest. A cell holds several files with ";" between, taken in natural order as those of a folder; they
 * are relative to the manifest's folder, or absolute. Whatever is wrong with single lines becomes a finding that names
 * the line; such a case is in the list and rejected. FORMAT if the file is no UTF-8 table with commas and these columns
 * (but for modalities that are not wanted); LIMIT if it is too large or has too many classes; NOT_FOUND, IO. Free the
 * list by cmus_case_list_free(), also after a failure. */
cmus_status cmus_manifest_read(const char *path, const cmus_scan_options *options, cmus_findings *findings,
                               cmus_case_list *list);

/* The same from memory. name: how the manifest is shown; folder: where its files are, NULL: files are not looked for,
 * and are the same if they are called so. */
cmus_status cmus_manifest_parse(const char *text, size_t size, const char *name, const char *folder,
                                const cmus_scan_options *options, cmus_findings *findings, cmus_case_list *list);

#endif
