#include "report/html.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/base64.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/program.h"
#include "report/embedded.h"
#include "report/html_picture.h"
#include "report/methods.h"
#include "report/report_text.h"
#include "report/template.h"

/* One run with its page: what the fields of run.html are filled from. */
typedef struct run_section {
    const report_page *page;
    const report_evaluation *evaluation;
    const char *prefix;
} run_section;

static const report_evaluation *evaluation_of(const void *context) {
    return ((const run_section *)context)->evaluation;
}

/* Writes the picture; takes over the name. */
static void write_picture(cmus_file_writer *writer, const run_section *section, char *name, const char *label) {
    const report_pictures *pictures = section->page->pictures;
    size_t i = 0;
    while (i < pictures->count && strcmp(pictures->list[i].name, name) != 0)
        i++;
    if (i == pictures->count)
        cmus_fatal("the picture %s was not drawn", name);
    report_html_picture(writer, &pictures->list[i], label);
    cmus_free(name);
}

/* Writes a picture of the table, that of every head if each has one, or why it was not drawn. */
static void write_figure(cmus_file_writer *writer, const void *context, report_figure figure) {
    const run_section *section = context;
    const report_figure_kind *kind = &report_figure_kinds[figure];
    const char *missing = report_figure_missing(section->evaluation, figure);
    if (missing)
        cmus_file_writer_print(writer, "<p class=\"note\">%s</p>\n", missing);
    for (int head = 0; !missing && head < (kind->of_each_head ? REPORT_HEADS : 1); head++)
        if (section->evaluation->heads[head].present)
            write_picture(writer, section, report_figure_name(section->prefix, figure, head), kind->label);
}

/* What tells the ids of this run's headings from those of others. */
static void write_anchor(cmus_file_writer *writer, const void *context) {
    cmus_file_writer_print(writer, "%s", ((const run_section *)context)->prefix);
}

/* One run alone is named in the page's title. */
static void write_name(cmus_file_writer *writer, const void *context) {
    const run_section *section = context;
    if (section->page->runs < 2)
        return;
    cmus_file_writer_print(writer, "<h2>");
    cmus_file_writer_html(writer, section->evaluation->run->name);
    cmus_file_writer_print(writer, "</h2>");
}

static void write_lead(cmus_file_writer *writer, const void *context) {
    const report_evaluation *evaluation = evaluation_of(context);
    char *folds = report_folds_text(evaluation);
    cmus_file_writer_print(writer, "%s, %zu cases of %zu patients, %zu classes: ", folds, evaluation->different_cases,
                           evaluation->patients, evaluation->classes);
    for (size_t i = 0; i < evaluation->classes; i++) {
        cmus_file_writer_print(writer, "%s", i ? ", " : "");
        cmus_file_writer_html(writer, evaluation->class_names[i]);
    }
    cmus_file_writer_print(writer, ".");
    cmus_free(folds);
}

static void write_notes(cmus_file_writer *writer, const void *context) {
    report_html_notes(writer, evaluation_of(context)->run->external);
}

static void write_cards(cmus_file_writer *writer, const void *context) {
    report_html_cards(writer, evaluation_of(context));
}

static void write_heads(cmus_file_writer *writer, const void *context) {
    report_html_heads(writer, evaluation_of(context));
}

static void write_classes(cmus_file_writer *writer, const void *context) {
    report_html_classes(writer, evaluation_of(context));
}

static void write_confusion(cmus_file_writer *writer, const void *context) {
    write_figure(writer, context, REPORT_FIGURE_CONFUSION);
}

static void write_roc(cmus_file_writer *writer, const void *context) {
    write_figure(writer, context, REPORT_FIGURE_ROC);
}

static void write_precision_recall(cmus_file_writer *writer, const void *context) {
    write_figure(writer, context, REPORT_FIGURE_PRECISION_RECALL);
}

static void write_calibration(cmus_file_writer *writer, const void *context) {
    write_figure(writer, context, REPORT_FIGURE_CALIBRATION);
}

static void write_bags(cmus_file_writer *writer, const void *context) {
    write_figure(writer, context, REPORT_FIGURE_BAG_SIZE);
    write_figure(writer, context, REPORT_FIGURE_WEIGHTS);
}

static void write_curves(cmus_file_writer *writer, const void *context) {
    for (report_figure figure = REPORT_FIGURE_LOSS; figure <= REPORT_FIGURE_DISTANCE; figure++)
        write_figure(writer, context, figure);
}

static void write_features(cmus_file_writer *writer, const void *context) {
    const run_section *section = context;
    char *note = report_tsne_note(section->evaluation);
    cmus_file_writer_print(writer, "<p class=\"note\">%s</p>\n<div class=\"figures small\">\n",
                           note ? note
                                : "No features of the held-out cases were saved; cmus-train does so with "
                                  "<code>save_features: true</code>.");
    for (size_t i = 0; i < report_tsne_pictures(section->evaluation); i++)
        write_picture(writer, section, report_tsne_name(section->prefix, section->evaluation, i),
                      "t-SNE of the fused features");
    cmus_file_writer_print(writer, "</div>");
    cmus_free(note);
}

static void write_folds(cmus_file_writer *writer, const void *context) {
    report_html_folds(writer, evaluation_of(context));
}

static void write_cases(cmus_file_writer *writer, const void *context) {
    report_html_cases(writer, evaluation_of(context));
}

static void write_incomplete(cmus_file_writer *writer, const void *context) {
    report_html_incomplete(writer, evaluation_of(context)->run->external);
}

static void write_thumbnails(cmus_file_writer *writer, const void *context) {
    const run_section *section = context;
    const report_page *page = section->page;
    if (page->thumbnails)
        report_html_thumbnails(writer, section->evaluation, &page->thumbnails[section->evaluation - page->evaluations]);
}

static void write_methods(cmus_file_writer *writer, const void *context) {
    report_html_methods(writer, evaluation_of(context));
}

static void write_made(cmus_file_writer *writer, const void *context) {
    report_html_made(writer, evaluation_of(context));
}

static void write_version(cmus_file_writer *writer, const void *context) {
    (void)context;
    cmus_file_writer_html(writer, cmus_version());
}

static void write_style(cmus_file_writer *writer, const void *context) {
    (void)context;
    cmus_file_writer_add(writer, report_style_css, strlen(report_style_css));
}

static void write_script(cmus_file_writer *writer, const void *context) {
    (void)context;
    cmus_file_writer_add(writer, report_page_js, strlen(report_page_js));
}

/* The script's hash in the page's policy: no other script runs, whatever a text in the page holds. */
static void write_script_hash(cmus_file_writer *writer, const void *context) {
    (void)context;
    char digits[CMUS_SHA256_TEXT];
    uint8_t digest[32];
    cmus_sha256(report_page_js, strlen(report_page_js), digits);
    for (size_t i = 0; i < sizeof digest; i++) {
        const char byte[] = {digits[2 * i], digits[2 * i + 1], 0};
        digest[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
    char *text = cmus_base64(digest, sizeof digest);
    cmus_file_writer_print(writer, "%s", text);
    cmus_free(text);
}

static void write_title(cmus_file_writer *writer, const void *context) {
    const report_page *page = context;
    for (size_t i = 0; i < page->runs; i++) {
        cmus_file_writer_print(writer, "%s", i == 0 ? "Report of " : i + 1 < page->runs ? ", " : " and ");
        cmus_file_writer_html(writer, page->evaluations[i].run->name);
    }
}

static void write_kicker(cmus_file_writer *writer, const void *context) {
    const report_page *page = context;
    cmus_file_writer_print(writer, "%s", page->evaluations[0].run->external ? "external test set" : "cross-validation");
}

/* What the columns of the tables mean. */
static void write_columns(cmus_file_writer *writer, const void *context) {
    const report_page *page = context;
    cmus_file_writer_print(writer, "%s",
                           page->evaluations[0].run->external
                               ? "<em>undefined</em>: a class has no case, so there is no such number."
                               : "Mean ± SD: over the folds, sample SD (n − 1). Pooled: one table of the cases of all "
                                 "folds. <em>undefined</em>: a class has no case in a fold, so there is no such "
                                 "number, nor a mean with it.");
}

static void write_origin(cmus_file_writer *writer, const void *context) {
    const report_page *page = context;
    cmus_file_writer_print(writer, "%s", page->evaluations[0].run->external ? "cmus-predict's" : "the folds'");
}

/* The mark of a partial report with the reasons. */
static void write_partial(cmus_file_writer *writer, const void *context) {
    const report_page *page = context;
    for (size_t i = 0; i < page->runs; i++) {
        const report_evaluation *evaluation = &page->evaluations[i];
        if (!evaluation->partial)
            continue;
        char *folds = report_folds_text(evaluation);
        cmus_file_writer_print(writer, "<div class=\"warning\"><strong>PARTIAL REPORT</strong>: ");
        cmus_file_writer_html(writer, evaluation->run->name);
        cmus_file_writer_print(writer, " is shown by %s. Folds with a problem are left out:<ul>", folds);
        for (size_t j = 0; j < evaluation->run->problem_count; j++) {
            cmus_file_writer_print(writer, "<li>");
            cmus_file_writer_html(writer, evaluation->run->problems[j]);
            cmus_file_writer_print(writer, "</li>");
        }
        cmus_file_writer_print(writer, "</ul></div>\n");
        cmus_free(folds);
    }
}

static void write_comparison(cmus_file_writer *writer, const void *context) {
    report_html_comparison(writer, context);
    report_html_drift(writer, context);
}

static void write_runs(cmus_file_writer *writer, const void *context) {
    static const report_field fields[] = {
        {"anchor", write_anchor},
        {"name", write_name},
        {"lead", write_lead},
        {"notes", write_notes},
        {"cards", write_cards},
        {"heads", write_heads},
        {"classes", write_classes},
        {"confusion", write_confusion},
        {"roc", write_roc},
        {"precision_recall", write_precision_recall},
        {"calibration", write_calibration},
        {"bags", write_bags},
        {"curves", write_curves},
        {"features", write_features},
        {"folds", write_folds},
        {"cases", write_cases},
        {"incomplete", write_incomplete},
        {"thumbnails", write_thumbnails},
        {"methods", write_methods},
        {"made", write_made},
    };
    const report_page *page = context;
    for (size_t i = 0; i < page->runs; i++) {
        run_section section = {page, &page->evaluations[i], page->prefixes[i]};
        const char *html = page->evaluations[i].run->external ? report_external_html : report_run_html;
        report_template_write(writer, html, fields, sizeof fields / sizeof *fields, &section);
    }
}

cmus_status report_page_write(const char *path, const report_page *page) {
    static const report_field fields[] = {
        {"title", write_title},           {"style", write_style},
        {"version", write_version},       {"partial", write_partial},
        {"comparison", write_comparison}, {"runs", write_runs},
        {"script", write_script},         {"script_hash", write_script_hash},
        {"kicker", write_kicker},         {"columns", write_columns},
        {"origin", write_origin},
    };
    cmus_file_writer *writer;
    CMUS_TRY(cmus_file_writer_open(path, &writer));
    report_template_write(writer, report_page_html, fields, sizeof fields / sizeof *fields, page);
    return cmus_file_writer_commit(writer);
}
