/* What is wrong or odd in the cases: collected, so that all of it is listed before anything is written. */
#ifndef CMUS_FINDINGS_H
#define CMUS_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "cmus/status.h"

typedef enum cmus_severity { CMUS_WARNING, CMUS_DEFECT } cmus_severity;

typedef struct cmus_finding {
    cmus_severity severity;
    char *case_id; /* "": of no case */
    char *place;   /* file or folder */
    char *what;
    size_t kind;      /* number in the list of kinds */
    bool of_rejected; /* a defect that names no case, but all cases that it concerns are rejected */
} cmus_finding;

/* Findings that say the same of different things. */
typedef struct cmus_finding_kind {
    char *name;
    cmus_severity severity;
    size_t count;
} cmus_finding_kind;

typedef struct cmus_findings {
    cmus_finding *list;
    size_t count, capacity, defects;
    cmus_finding_kind *kinds;
    size_t kind_count, kind_capacity;
} cmus_findings;

/* case_id NULL: of no case. All texts are such as may be shown (identity.h); bytes in them that are no clean UTF-8 are
 * shown as \xNN. The format tells the kind of the finding, so that many alike are not all printed: use one format for
 * each kind, and not "%s" for all. */
void cmus_findings_add(cmus_findings *findings, cmus_severity severity, const char *case_id, const char *place,
                       const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The same with a name for the kind, where the format does not tell it. */
void cmus_findings_add_kind(cmus_findings *findings, const char *kind, cmus_severity severity, const char *case_id,
                            const char *place, const char *format, ...) __attribute__((format(printf, 6, 7)));

/* On stderr in the order in which they were added: of each kind the first 20 warnings or 200 defects; of the others
 * their number, and that they are in `file` (NULL: in none). */
void cmus_findings_print(const cmus_findings *findings, const char *file);
/* All of them as a CSV file: severity (error or warning), case, file, what. IO. */
cmus_status cmus_findings_write(const char *path, const cmus_findings *findings);
void cmus_findings_free(cmus_findings *findings);

#endif
