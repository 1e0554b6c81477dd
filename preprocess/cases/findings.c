#include "findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "names.h"

enum { WARNINGS_PRINTED = 20, DEFECTS_PRINTED = 200 }; /* of one kind */

/* The number of the kind; a new one if it is not known. There are few. */
static size_t find_kind(cmus_findings *findings, const char *name, cmus_severity severity) {
    for (size_t i = 0; i < findings->kind_count; i++)
        if (findings->kinds[i].severity == severity && strcmp(findings->kinds[i].name, name) == 0)
            return i;
    findings->kinds =
        cmus_grow(findings->kinds, &findings->kind_capacity, findings->kind_count + 1, sizeof *findings->kinds);
    findings->kinds[findings->kind_count] = (cmus_finding_kind){.name = cmus_copy_string(name), .severity = severity};
    return findings->kind_count++;
}

static void add(cmus_findings *findings, const char *kind, cmus_severity severity, const char *case_id,
                const char *place, const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    size_t size = (size_t)vsnprintf(NULL, 0, format, arguments) + 1, number = find_kind(findings, kind, severity);
    char *what = cmus_allocate(size, 1);
    vsnprintf(what, size, format, again);
    va_end(again);
    findings->list = cmus_grow(findings->list, &findings->capacity, findings->count + 1, sizeof *findings->list);
    findings->list[findings->count++] = (cmus_finding){.severity = severity,
                                                       .case_id = cmus_name_escape(case_id ? case_id : ""),
                                                       .place = cmus_name_escape(place),
                                                       .what = cmus_name_escape(what),
                                                       .kind = number};
    findings->kinds[number].count++;
    findings->defects += severity == CMUS_DEFECT;
    cmus_free(what);
}

void cmus_findings_add(cmus_findings *findings, cmus_severity severity, const char *case_id, const char *place,
                       const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    add(findings, format, severity, case_id, place, format, arguments);
    va_end(arguments);
}

void cmus_findings_add_kind(cmus_findings *findings, const char *kind, cmus_severity severity, const char *case_id,
                            const char *place, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    add(findings, kind, severity, case_id, place, format, arguments);
    va_end(arguments);
}

static size_t limit_of(cmus_severity severity) {
    return severity == CMUS_DEFECT ? DEFECTS_PRINTED : WARNINGS_PRINTED;
}

static void print(cmus_severity severity, const char *text) {
    if (severity == CMUS_DEFECT)
        cmus_error("%s", text);
    else
        cmus_warn("%s", text);
}

/* After the last printed finding of a kind, how many more there are of it. */
static void print_rest(const cmus_findings *findings, const cmus_finding *last, const char *file) {
    size_t rest = findings->kinds[last->kind].count - limit_of(last->severity);
    if (rest == 0)
        return;
    char *text = cmus_format_string("%zu more of this kind%s%s", rest, file ? ": see " : "", file ? file : "");
    print(last->severity, text);
    cmus_free(text);
}

void cmus_findings_print(const cmus_findings *findings, const char *file) {
    size_t *printed = cmus_allocate(findings->kind_count, sizeof *printed);
    for (size_t i = 0; i < findings->count; i++) {
        const cmus_finding *finding = &findings->list[i];
        size_t limit = limit_of(finding->severity);
        if (printed[finding->kind] == limit)
            continue;
        char *text = cmus_format_string("%s: %s", finding->place, finding->what);
        print(finding->severity, text);
        cmus_free(text);
        if (++printed[finding->kind] == limit)
            print_rest(findings, finding, file);
    }
    cmus_free(printed);
}

cmus_status cmus_findings_write(const char *path, const cmus_findings *findings) {
    cmus_file_writer *writer;
    CMUS_TRY(cmus_file_writer_open(path, &writer));
    cmus_file_writer_print(writer, "severity,case,file,what\n");
    for (size_t i = 0; i < findings->count; i++) {
        const cmus_finding *finding = &findings->list[i];
        cmus_file_writer_print(writer, "%s,", finding->severity == CMUS_DEFECT ? "error" : "warning");
        cmus_file_writer_csv(writer, finding->case_id);
        cmus_file_writer_add(writer, ",", 1);
        cmus_file_writer_csv(writer, finding->place);
        cmus_file_writer_add(writer, ",", 1);
        cmus_file_writer_csv(writer, finding->what);
        cmus_file_writer_add(writer, "\n", 1);
    }
    return cmus_file_writer_commit(writer);
}

void cmus_findings_free(cmus_findings *findings) {
    for (size_t i = 0; i < findings->count; i++) {
        cmus_free(findings->list[i].case_id);
        cmus_free(findings->list[i].place);
        cmus_free(findings->list[i].what);
    }
    for (size_t i = 0; i < findings->kind_count; i++)
        cmus_free(findings->kinds[i].name);
    cmus_free(findings->list);
    cmus_free(findings->kinds);
    memset(findings, 0, sizeof *findings);
}
