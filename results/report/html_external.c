/* What the page says of an outside test set only: its notes, the cases that were left out, the networks and the source.
 */
#include <string.h>

#include "cmus/memory.h"
#include "report/bootstrap.h"
#include "report/external.h"
#include "report/html.h"

enum { MOST_INCOMPLETE = 1000 };

void report_html_notes(cmus_file_writer *writer, const report_external *external) {
    if (!external->note_count)
        return;
    cmus_file_writer_print(writer, "<div class=\"warning\"><strong>To be known</strong><ul>");
    for (size_t i = 0; i < external->note_count; i++) {
        cmus_file_writer_print(writer, "<li>");
        cmus_file_writer_html(writer, external->notes[i]);
        cmus_file_writer_print(writer, "</li>");
    }
    cmus_file_writer_print(writer, "</ul></div>\n");
}

static void write_cell(cmus_file_writer *writer, const char *text, const char *css_class) {
    cmus_file_writer_print(writer, "<td class=\"text%s\">", css_class);
    cmus_file_writer_html(writer, text);
    cmus_file_writer_print(writer, "</td>");
}

void report_html_incomplete(cmus_file_writer *writer, const report_external *external) {
    const report_coverage *coverage = &external->coverage;
    size_t count = coverage->incomplete_count, shown = count < MOST_INCOMPLETE ? count : MOST_INCOMPLETE, right = 0;
    if (!count)
        return;
    for (size_t i = 0; i < count; i++)
        right += strcmp(coverage->incomplete[i].label, coverage->incomplete[i].predicted) == 0;
    cmus_file_writer_print(writer,
                           "<details><summary>%zu cases that lack images of a modality, of no number above</summary>\n"
                           "<p class=\"note\">The heads that have their images predict %zu of them right%s.</p>\n"
                           "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Case</th><th scope=\"col\" "
                           "class=\"text\">Missing</th><th scope=\"col\" class=\"text\">True</th><th scope=\"col\" "
                           "class=\"text\">Predicted</th></tr></thead><tbody>\n",
                           count, right, shown < count ? "; the first are shown" : "");
    for (size_t i = 0; i < shown; i++) {
        const report_incomplete *one = &coverage->incomplete[i];
        cmus_file_writer_print(writer, "<tr><th scope=\"row\" class=\"id\">");
        cmus_file_writer_html(writer, one->case_id);
        cmus_file_writer_print(writer, "</th>");
        write_cell(writer, one->missing, "");
        write_cell(writer, one->label, "");
        write_cell(writer, one->predicted, strcmp(one->label, one->predicted) == 0 ? "" : " wrong");
        cmus_file_writer_print(writer, "</tr>\n");
    }
    cmus_file_writer_print(writer, "</tbody></table></div></details>\n");
}

/* A row of a table of names and values. */
static void write_key(cmus_file_writer *writer, const char *name, const char *value) {
    cmus_file_writer_print(writer, "<tr><th scope=\"row\">%s</th><td>", name);
    cmus_file_writer_html(writer, value);
    cmus_file_writer_print(writer, "</td></tr>\n");
}

static void write_source(cmus_file_writer *writer, const report_evaluation *evaluation) {
    const report_external *external = evaluation->run->external;
    const report_fold *fold = evaluation->used[0];
    static const char *const keys[] = {"version", "git_revision"};
    cmus_file_writer_print(writer, "<h4>Prediction</h4>\n<div class=\"scroll\"><table class=\"keys\"><tbody>\n");
    write_key(writer, "folder", fold->folder);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *value = json_string_value(json_object_get(fold->information, keys[i]));
        if (value)
            write_key(writer, i ? "git revision" : "cmus-predict", value);
    }
    for (size_t i = 0; i < external->source_path_count; i++)
        write_key(writer, external->source_kind && strcmp(external->source_kind, "data") == 0 ? "data set" : "cases",
                  external->source_paths[i]);
    if (external->source_fold)
        write_key(writer, "fold of it", external->source_fold);
    if (fold->dataset_hash)
        write_key(writer, "its hash", fold->dataset_hash);
    cmus_file_writer_print(writer,
                           "<tr><th scope=\"row\">bootstrap</th><td>%zu draws of patients, seed %d</td></tr>\n"
                           "</tbody></table></div>\n",
                           evaluation->draws, REPORT_BOOTSTRAP_SEED);
}

static void write_models(cmus_file_writer *writer, const report_external *external) {
    cmus_file_writer_print(writer,
                           "<h4>Networks</h4>\n<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Weights"
                           "</th><th scope=\"col\" class=\"text\">SHA-256</th><th scope=\"col\" class=\"text\">"
                           "Held-out fold</th><th scope=\"col\" class=\"text\">Hash of the configuration</th>"
                           "<th scope=\"col\" class=\"text\">Hash of its data set</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < external->model_count; i++) {
        const report_model *model = &external->models[i];
        const char *const cells[] = {model->sha256, model->fold, model->config_hash, model->dataset_hash};
        cmus_file_writer_print(writer, "<tr><th scope=\"row\" class=\"id\">");
        cmus_file_writer_html(writer, model->path);
        cmus_file_writer_print(writer, "</th>");
        for (size_t j = 0; j < sizeof cells / sizeof *cells; j++)
            write_cell(writer, cells[j] ? cells[j] : "not known", " id");
        cmus_file_writer_print(writer, "</tr>\n");
    }
    cmus_file_writer_print(writer, "</tbody></table></div>\n");
}

void report_html_predicted(cmus_file_writer *writer, const report_evaluation *evaluation) {
    write_source(writer, evaluation);
    write_models(writer, evaluation->run->external);
}
