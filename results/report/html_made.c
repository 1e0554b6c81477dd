/* How a run was made: what run.json tells, and the configuration. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "report/html.h"
#include "report/report_text.h"

/* A JSON value as people read it: texts without quotes. */
static void write_value(cmus_file_writer *writer, const json_t *value) {
    if (json_is_string(value)) {
        report_write_html(writer, json_string_value(value));
        return;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    if (!text)
        cmus_fatal("out of memory");
    report_write_html(writer, text);
    free(text); /* jansson took it from malloc */
}

/* Whether all folds say the same for this key. */
static bool is_common(const report_evaluation *evaluation, const char *key) {
    const json_t *first = json_object_get(evaluation->used[0]->information, key);
    for (size_t i = 1; i < evaluation->folds; i++)
        if (!json_equal(first, json_object_get(evaluation->used[i]->information, key)))
            return false;
    return true;
}

/* The configuration has its own place; an unfinished fold is not here at all. */
static bool is_shown_elsewhere(const char *key) {
    return strcmp(key, "config") == 0 || strcmp(key, "fold_complete") == 0;
}

static void write_common(cmus_file_writer *writer, const report_evaluation *evaluation) {
    cmus_file_writer_print(writer, "<div class=\"scroll\"><table class=\"keys\"><tbody>\n");
    const char *key;
    json_t *value;
    json_object_foreach(evaluation->used[0]->information, key, value) {
        if (!is_common(evaluation, key) || is_shown_elsewhere(key))
            continue;
        cmus_file_writer_print(writer, "<tr><th scope=\"row\">");
        report_write_html(writer, key);
        cmus_file_writer_print(writer, "</th><td>");
        write_value(writer, value);
        cmus_file_writer_print(writer, "</td></tr>\n");
    }
    cmus_file_writer_print(writer, "</tbody></table></div>\n");
}

/* Keys that differ between folds, such as the hours, as a table with a row for each fold. */
static void write_different(cmus_file_writer *writer, const report_evaluation *evaluation) {
    const char *key;
    json_t *value;
    cmus_file_writer_print(writer, "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">Folder</th>");
    json_object_foreach(evaluation->used[0]->information, key, value) {
        if (is_common(evaluation, key))
            continue;
        cmus_file_writer_print(writer, "<th scope=\"col\" class=\"text\">");
        report_write_html(writer, key);
        cmus_file_writer_print(writer, "</th>");
    }
    cmus_file_writer_print(writer, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < evaluation->folds; i++) {
        const report_fold *fold = evaluation->used[i];
        cmus_file_writer_print(writer, "<tr><th scope=\"row\">");
        report_write_html(writer, fold->folder);
        cmus_file_writer_print(writer, "</th>");
        json_object_foreach(evaluation->used[0]->information, key, value) {
            if (is_common(evaluation, key))
                continue;
            cmus_file_writer_print(writer, "<td class=\"text\">");
            const json_t *own = json_object_get(fold->information, key);
            if (own)
                write_value(writer, own);
            cmus_file_writer_print(writer, "</td>");
        }
        cmus_file_writer_print(writer, "</tr>\n");
    }
    cmus_file_writer_print(writer, "</tbody></table></div>\n");
}

/* The configuration line by line: report_write_html() takes no line ends. */
static void write_config(cmus_file_writer *writer, const char *config) {
    char *copy = cmus_copy_string(config), *rest = NULL;
    cmus_file_writer_print(writer, "<h4>config.yaml of every fold</h4>\n<pre>");
    for (char *line = strtok_r(copy, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest)) {
        report_write_html(writer, line);
        cmus_file_writer_print(writer, "\n");
    }
    cmus_file_writer_print(writer, "</pre>\n");
    cmus_free(copy);
}

void report_html_made(cmus_file_writer *writer, const report_evaluation *evaluation) {
    write_common(writer, evaluation);
    if (evaluation->folds > 1)
        write_different(writer, evaluation);
    write_config(writer, evaluation->used[0]->config);
}
