/* How a run was made: its data, what run.json tells, the configuration, and the commands to make it again. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "report/bootstrap.h"
#include "report/data_summary.h"
#include "report/html.h"
#include "report/report_text.h"
#include "report/run_facts.h"

/* A JSON value as people read it: texts without quotes. */
static void write_value(cmus_file_writer *writer, const json_t *value) {
    if (json_is_string(value)) {
        cmus_file_writer_html(writer, json_string_value(value));
        return;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    if (!text)
        cmus_fatal("out of memory");
    cmus_file_writer_html(writer, text);
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

/* Counts of each class, and their sum. */
static void write_data(cmus_file_writer *writer, const report_evaluation *evaluation) {
    report_class_summary *classes = cmus_allocate(evaluation->classes, sizeof *classes);
    report_data_summary(evaluation, classes);
    bool tem = evaluation->heads[REPORT_TEM].present;
    size_t images = 0;
    cmus_file_writer_print(writer,
                           "<h4>Data set</h4>\n<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Class"
                           "</th><th scope=\"col\">Cases</th><th scope=\"col\">Patients</th>%s</tr></thead>"
                           "<tbody>\n",
                           tem ? "<th scope=\"col\">TEM images</th><th scope=\"col\">a case</th>" : "");
    for (size_t i = 0; i < evaluation->classes; i++) {
        const report_class_summary *own = &classes[i];
        images += own->tem_images;
        cmus_file_writer_print(writer, "<tr><th scope=\"row\" class=\"id\">");
        cmus_file_writer_html(writer, evaluation->class_names[i]);
        cmus_file_writer_print(writer, "</th><td>%zu</td><td>%zu</td>", own->cases, own->patients);
        if (tem)
            cmus_file_writer_print(writer, "<td>%zu</td><td>%zu to %zu</td>", own->tem_images, own->tem_fewest,
                                   own->tem_most);
        cmus_file_writer_print(writer, "</tr>\n");
    }
    cmus_file_writer_print(writer, "<tr class=\"strong\"><th scope=\"row\">all</th><td>%zu</td><td>%zu</td>",
                           evaluation->different_cases, evaluation->patients);
    if (tem)
        cmus_file_writer_print(writer, "<td>%zu</td><td>mean %.2f</td>", images,
                               (double)images / (double)evaluation->different_cases);
    cmus_file_writer_print(writer, "</tr>\n</tbody></table></div>\n");
    cmus_free(classes);
}

static void write_hosts(cmus_file_writer *writer, const report_run_facts *facts) {
    enum { MOST_HOSTS = 20 };
    cmus_file_writer_print(writer, "<tr><th scope=\"row\">hosts</th><td>%zu: ", facts->host_count);
    for (size_t i = 0; i < facts->host_count && i < MOST_HOSTS; i++) {
        cmus_file_writer_print(writer, "%s", i ? ", " : "");
        cmus_file_writer_html(writer, facts->hosts[i]);
    }
    cmus_file_writer_print(writer, "%s</td></tr>\n", facts->host_count > MOST_HOSTS ? ", ..." : "");
}

/* Hours, energy and seeds of all folds together. */
static void write_facts(cmus_file_writer *writer, const report_evaluation *evaluation) {
    report_run_facts facts;
    report_run_facts_read(evaluation, &facts);
    cmus_file_writer_print(writer, "<h4>Computing</h4>\n<div class=\"scroll\"><table class=\"keys\"><tbody>\n");
    if (facts.host_count)
        write_hosts(writer, &facts);
    if (!isnan(facts.hours)) {
        char *all = report_hours_text(facts.hours), *fewest = report_hours_text(facts.fewest_hours);
        char *most = report_hours_text(facts.most_hours);
        cmus_file_writer_print(writer,
                               "<tr><th scope=\"row\">time</th><td>%s in all, %s to %s a fold, from start to end, "
                               "pauses included</td></tr>\n",
                               all, fewest, most);
        cmus_free(all);
        cmus_free(fewest);
        cmus_free(most);
    }
    if (!isnan(facts.core_hours))
        cmus_file_writer_print(writer, "<tr><th scope=\"row\">thread hours</th><td>%.2f</td></tr>\n", facts.core_hours);
    cmus_file_writer_print(writer, "<tr><th scope=\"row\">energy</th><td>");
    if (isnan(facts.kilowatt_hours))
        cmus_file_writer_print(writer, "not told by the machine");
    else
        cmus_file_writer_print(writer, "%.3g kWh of processors and memory", facts.kilowatt_hours);
    cmus_file_writer_print(writer,
                           "</td></tr>\n<tr><th scope=\"row\">bootstrap</th><td>%zu draws of patients, seed %d"
                           "</td></tr>\n</tbody></table></div>\n",
                           evaluation->draws, REPORT_BOOTSTRAP_SEED);
    report_run_facts_free(&facts);
}

static void write_common(cmus_file_writer *writer, const report_evaluation *evaluation) {
    cmus_file_writer_print(writer,
                           "<h4>run.json of every fold</h4>\n<div class=\"scroll\"><table class=\"keys\"><tbody>\n");
    const char *key;
    json_t *value;
    json_object_foreach(evaluation->used[0]->information, key, value) {
        if (!is_common(evaluation, key) || is_shown_elsewhere(key))
            continue;
        cmus_file_writer_print(writer, "<tr><th scope=\"row\">");
        cmus_file_writer_html(writer, key);
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
        cmus_file_writer_html(writer, key);
        cmus_file_writer_print(writer, "</th>");
    }
    cmus_file_writer_print(writer, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < evaluation->folds; i++) {
        const report_fold *fold = evaluation->used[i];
        cmus_file_writer_print(writer, "<tr><th scope=\"row\">");
        cmus_file_writer_html(writer, fold->folder);
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

/* The configuration line by line: cmus_file_writer_html() takes no line ends. */
static void write_config(cmus_file_writer *writer, const char *config) {
    char *copy = cmus_copy_string(config), *rest = NULL;
    cmus_file_writer_print(writer, "<h4>config.yaml of every fold</h4>\n<pre>");
    for (char *line = strtok_r(copy, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest)) {
        cmus_file_writer_html(writer, line);
        cmus_file_writer_print(writer, "\n");
    }
    cmus_file_writer_print(writer, "</pre>\n");
    cmus_free(copy);
}

/* A word of a shell command, in quotes where it needs them. */
static void write_word(cmus_file_writer *writer, const char *word) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%";
    if (*word && word[strspn(word, plain)] == 0) {
        cmus_file_writer_html(writer, word);
        return;
    }
    cmus_file_writer_print(writer, "&#39;");
    for (const char *at = word; *at;) {
        size_t length = strcspn(at, "'");
        char *part = cmus_format_string("%.*s", (int)length, at);
        cmus_file_writer_html(writer, part);
        cmus_free(part);
        at += length;
        if (*at) {
            cmus_file_writer_print(writer, "&#39;\\&#39;&#39;");
            at++;
        }
    }
    cmus_file_writer_print(writer, "&#39;");
}

static void write_training_command(cmus_file_writer *writer, const report_evaluation *evaluation) {
    const report_fold *first = evaluation->used[0];
    const char *data = report_run_text(evaluation, "data"), *init = report_run_text(evaluation, "init");
    report_run_facts facts;
    report_run_facts_read(evaluation, &facts);
    size_t repeats = first->folds > 0 ? evaluation->run->expected / (size_t)first->folds : 1;
    if (facts.threads)
        cmus_file_writer_print(writer, "export OMP_NUM_THREADS=%ld\n", facts.threads);
    const char *indent = repeats > 1 ? "    " : "  ";
    if (repeats > 1)
        cmus_file_writer_print(writer, "for repeat in $(seq 0 %zu); do\n  ", repeats - 1);
    cmus_file_writer_print(writer, "for fold in $(seq 0 %ld); do\n%smpirun -np %ld cmus-train ", first->folds - 1,
                           indent, facts.ranks ? facts.ranks : 1);
    char *config = cmus_path_join(first->folder, "config.yaml");
    write_word(writer, config);
    cmus_free(config);
    cmus_file_writer_print(writer, " --data ");
    write_word(writer, data ? data : "DATA");
    if (init) {
        cmus_file_writer_print(writer, " --init ");
        write_word(writer, init);
    }
    cmus_file_writer_print(writer, " --fold $fold%s --out again\n%sdone\n%s", repeats > 1 ? " --repeat $repeat" : "",
                           repeats > 1 ? "  " : "", repeats > 1 ? "done\n" : "");
    report_run_facts_free(&facts);
}

static void write_commands(cmus_file_writer *writer, const report_evaluation *evaluation) {
    const char *revision = report_run_text(evaluation, "git_revision");
    cmus_file_writer_print(writer, "<h4>To make it again</h4>\n<pre class=\"commands\">");
    if (revision) {
        cmus_file_writer_print(writer, "# cmus-train of git revision ");
        cmus_file_writer_html(writer, revision);
        cmus_file_writer_print(writer, "; the data set&#39;s hash must be ");
        cmus_file_writer_html(writer, evaluation->used[0]->dataset_hash);
        cmus_file_writer_print(writer, "\n");
    }
    write_training_command(writer, evaluation);
    cmus_file_writer_print(writer, "cmus-report again --out again/report\n</pre>\n");
}

void report_html_made(cmus_file_writer *writer, const report_evaluation *evaluation) {
    write_data(writer, evaluation);
    if (evaluation->run->external) {
        report_html_predicted(writer, evaluation);
        return;
    }
    write_facts(writer, evaluation);
    write_commands(writer, evaluation);
    cmus_file_writer_print(writer, "<details><summary>Everything that the folds recorded</summary>\n");
    write_common(writer, evaluation);
    if (evaluation->folds > 1)
        write_different(writer, evaluation);
    write_config(writer, evaluation->used[0]->config);
    cmus_file_writer_print(writer, "</details>\n");
}
