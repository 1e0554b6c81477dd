#include "report/config_text.h"

#include <string.h>

#include "cmus/memory.h"

static const char blanks[] = " \t\r";

/* The value from behind the colon to the end of the line. A comment begins with a '#' behind a blank, not in quotes. */
static char *value_of(const char *text, size_t length) {
    size_t begin = 0, end = 0;
    char quote = 0;
    while (begin < length && strchr(blanks, text[begin]))
        begin++;
    for (end = begin; end < length; end++) {
        if (quote ? text[end] == quote : text[end] == '"' || text[end] == '\'')
            quote = quote ? 0 : text[end];
        else if (!quote && text[end] == '#' && (end == begin || strchr(blanks, text[end - 1])))
            break;
    }
    while (end > begin && strchr(blanks, text[end - 1]))
        end--;
    if (end - begin >= 2 && text[begin] == text[end - 1] && (text[begin] == '"' || text[begin] == '\'')) {
        begin++;
        end--;
    }
    return cmus_format_string("%.*s", (int)(end - begin), text + begin);
}

char *report_config_value(const char *config, const char *key) {
    size_t length = strlen(key);
    for (const char *line = config; *line;) {
        size_t size = strcspn(line, "\n");
        if (size > length && strncmp(line, key, length) == 0 && line[length] == ':')
            return value_of(line + length + 1, size - length - 1);
        line += size + (line[size] == '\n');
    }
    return NULL;
}

bool report_config_is(const char *config, const char *key, const char *value) {
    char *own = report_config_value(config, key);
    bool same = own && strcmp(own, value) == 0;
    cmus_free(own);
    return same;
}
