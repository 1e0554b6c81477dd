#include "report/template.h"

#include <string.h>

#include "cmus/log.h"

static const report_field *find_field(const report_field *fields, size_t count, const char *name, size_t length) {
    for (size_t i = 0; i < count; i++)
        if (strlen(fields[i].name) == length && memcmp(fields[i].name, name, length) == 0)
            return &fields[i];
    cmus_fatal("template: there is no field '%.*s'", (int)length, name);
}

void report_template_write(cmus_file_writer *writer, const char *template_text, const report_field *fields,
                           size_t count, const void *context) {
    const char *at = template_text;
    for (const char *begin; (begin = strstr(at, "{{"));) {
        const char *name = begin + 2, *end = strstr(name, "}}");
        if (!end)
            cmus_fatal("template: '{{' is not closed");
        cmus_file_writer_add(writer, at, (size_t)(begin - at));
        find_field(fields, count, name, (size_t)(end - name))->write(writer, context);
        at = end + 2;
    }
    cmus_file_writer_add(writer, at, strlen(at));
}
