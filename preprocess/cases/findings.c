#include "findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmus/log.h"
#include "cmus/memory.h"

void cmus_findings_add(cmus_findings *findings, cmus_severity severity, const char *case_id, const char *place,
                       const char *format, ...) {
    char what[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    findings->list = cmus_grow(findings->list, &findings->capacity, findings->count + 1, sizeof *findings->list);
    findings->list[findings->count++] = (cmus_finding){.severity = severity,
                                                       .case_id = cmus_copy_string(case_id ? case_id : ""),
                                                       .place = cmus_copy_string(place),
                                                       .what = cmus_copy_string(what)};
    findings->defects += severity == CMUS_DEFECT;
}

void cmus_findings_print(const cmus_findings *findings) {
    for (size_t i = 0; i < findings->count; i++) {
        const cmus_finding *finding = &findings->list[i];
        if (finding->severity == CMUS_DEFECT)
            cmus_error("%s: %s", finding->place, finding->what);
        else
            cmus_warn("%s: %s", finding->place, finding->what);
    }
}

void cmus_findings_free(cmus_findings *findings) {
    for (size_t i = 0; i < findings->count; i++) {
        cmus_free(findings->list[i].case_id);
        cmus_free(findings->list[i].place);
        cmus_free(findings->list[i].what);
    }
    cmus_free(findings->list);
    memset(findings, 0, sizeof *findings);
}
