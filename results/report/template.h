/* Text templates: {{name}} stands for what a function writes. */
#ifndef CMUS_REPORT_TEMPLATE_H
#define CMUS_REPORT_TEMPLATE_H

#include <stddef.h>

#include "cmus/file.h"

typedef struct report_field {
    const char *name;
    void (*write)(cmus_file_writer *writer, const void *context);
} report_field;

/* Writes the template with its fields filled in. A name that is not in the table is fatal: the templates are built in.
 */
void report_template_write(cmus_file_writer *writer, const char *template_text, const report_field *fields,
                           size_t count, const void *context);

#endif
