#include "report/html.h"

#include <stdbool.h>
#include <string.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/program.h"
#include "report/embedded.h"
#include "report/html_picture.h"
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

/* One run alone is named in the page's title. */
static void write_name(cmus_file_writer *writer, const void *context) {
    const run_section *section = context;
    if (section->page->runs < 2)
        return;
    cmus_file_writer_print(writer, "<h2>");
    report_write_html(writer, section->evaluation->run->name);
    cmus_file_writer_print(writer, "</h2>");
}

static void write_lead(cmus_file_writer *writer, const void *context) {
    const report_evaluation *evaluation = evaluation_of(context);
    char *folds = report_folds_text(evaluation);
    cmus_file_writer_print(writer, "%s, %zu cases of %zu patients, %zu classes: ", folds, evaluation->different_cases,
                           evaluation->patients, evaluation->classes);
    for (size_t i = 0; i < evaluation->classes; i++) {
        cmus_file_writer_print(writer, "%s", i ? ", " : "");
        report_write_html(writer, evaluation->class_names[i]);
    }
    cmus_file_writer_print(writer, ".");
    cmus_free(folds);
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
    const run_section *section = context;
    for (int head = 0; head < REPORT_HEADS; head++)
        if (section->evaluation->heads[head].present)
            write_picture(writer, section, report_confusion_name(section->prefix, head), "Confusion matrix");
}

static void write_roc(cmus_file_writer *writer, const void *context) {
    const run_section *section = context;
    for (int head = 0; head < REPORT_HEADS; head++)
        if (section->evaluation->heads[head].present)
            write_picture(writer, section, report_roc_name(section->prefix, head), "ROC curves");
}

static void write_curves(cmus_file_writer *writer, const void *context) {
    const run_section *section = context;
    write_picture(writer, section, report_loss_name(section->prefix), "Loss over the epochs");
    write_picture(writer, section, report_accuracy_name(section->prefix), "Accuracy over the epochs");
}

static void write_folds(cmus_file_writer *writer, const void *context) {
    report_html_folds(writer, evaluation_of(context));
}

static void write_wrong(cmus_file_writer *writer, const void *context) {
    report_html_wrong_cases(writer, evaluation_of(context));
}

static void write_made(cmus_file_writer *writer, const void *context) {
    report_html_made(writer, evaluation_of(context));
}

static void write_version(cmus_file_writer *writer, const void *context) {
    (void)context;
    report_write_html(writer, cmus_version());
}

static void write_style(cmus_file_writer *writer, const void *context) {
    (void)context;
    cmus_file_writer_add(writer, report_style_css, strlen(report_style_css));
}

static void write_title(cmus_file_writer *writer, const void *context) {
    const report_page *page = context;
    for (size_t i = 0; i < page->runs; i++) {
        cmus_file_writer_print(writer, "%s", i == 0 ? "Report of " : i + 1 < page->runs ? ", " : " and ");
        report_write_html(writer, page->evaluations[i].run->name);
    }
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
        report_write_html(writer, evaluation->run->name);
        cmus_file_writer_print(writer, " is shown by %s. Folds with a problem are left out:<ul>", folds);
        for (size_t j = 0; j < evaluation->run->problem_count; j++) {
            cmus_file_writer_print(writer, "<li>");
            report_write_html(writer, evaluation->run->problems[j]);
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
        {"name", write_name},       {"lead", write_lead},           {"cards", write_cards}, {"heads", write_heads},
        {"classes", write_classes}, {"confusion", write_confusion}, {"roc", write_roc},     {"curves", write_curves},
        {"folds", write_folds},     {"wrong", write_wrong},         {"made", write_made},
    };
    const report_page *page = context;
    for (size_t i = 0; i < page->runs; i++) {
        run_section section = {page, &page->evaluations[i], page->prefixes[i]};
        report_template_write(writer, report_run_html, fields, sizeof fields / sizeof *fields, &section);
    }
}

cmus_status report_page_write(const char *path, const report_page *page) {
    static const report_field fields[] = {
        {"title", write_title},     {"style", write_style},           {"version", write_version},
        {"partial", write_partial}, {"comparison", write_comparison}, {"runs", write_runs},
    };
    cmus_file_writer *writer;
    CMUS_TRY(cmus_file_writer_open(path, &writer));
    report_template_write(writer, report_page_html, fields, sizeof fields / sizeof *fields, page);
    return cmus_file_writer_commit(writer);
}
