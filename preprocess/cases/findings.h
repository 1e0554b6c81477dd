/* What is wrong or odd in the cases: collected, so that all of it is listed before anything is written. */
#ifndef CMUS_FINDINGS_H
#define CMUS_FINDINGS_H

#include <stddef.h>

typedef enum cmus_severity { CMUS_WARNING, CMUS_DEFECT } cmus_severity;

typedef struct cmus_finding {
    cmus_severity severity;
    char *case_id; /* "": of no case */
    char *place;   /* file or folder */
    char *what;
} cmus_finding;

typedef struct cmus_findings {
    cmus_finding *list;
    size_t count, capacity, defects;
} cmus_findings;

/* case_id NULL: of no case. All texts are such as may be shown (identity.h). */
void cmus_findings_add(cmus_findings *findings, cmus_severity severity, const char *case_id, const char *place,
                       const char *format, ...) __attribute__((format(printf, 5, 6)));
/* One line each on stderr, in the order in which they were added. */
void cmus_findings_print(const cmus_findings *findings);
void cmus_findings_free(cmus_findings *findings);

#endif
