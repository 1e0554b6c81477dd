/* Names as disks, spreadsheets and people give them: which can be ids, how any bytes are shown, which look alike. */
#ifndef CMUS_NAMES_H
#define CMUS_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "findings.h"
#include "identity.h"

/* Whether the text is UTF-8, with or without control characters. */
bool cmus_name_is_utf8(const char *text);

/* The text with each byte that is no clean UTF-8 (utf8.h) as \xNN, so that it can be shown and stored anywhere. Free it
 * by cmus_free(). */
char *cmus_name_escape(const char *name);

/* How a file or folder is shown: escaped, and by its hash if there is an identity. Free it by cmus_free(). */
char *cmus_name_of_path(cmus_identity *identity, const char *path);

/* Takes blanks off both ends in place, also those that Chinese text has (U+3000) and that do not break (U+00A0).
 * Returns where the rest begins. */
char *cmus_name_trim(char *text);

/* A patient's id, or a class, and where it stands. */
typedef struct cmus_placed_name {
    const char *name;  /* raw */
    const char *place; /* as it may be shown */
} cmus_placed_name;

/* Warns of different patient ids that are equal but for case, blanks, accents (composed or not), full-width letters or
 * leading zeros of a number:
 * they may be one patient, whose cases would lie in several folds. */
void cmus_names_report_similar_patients(const cmus_placed_name *names, size_t count, cmus_identity *identity,
                                        cmus_findings *findings);
/* The same of classes. identity: if it is not NULL, their names may be those of patients, and their hashes are shown.
 */
void cmus_names_report_similar_classes(const char *const *classes, size_t count, cmus_identity *identity,
                                       cmus_findings *findings);

#endif
