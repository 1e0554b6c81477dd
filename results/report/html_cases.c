/* The table of the cases. It is a plain table, which page.js makes sortable and filterable: rows have their classes in
 * data-true and data-predicted, heads of columns their kind in data-sort. */
#include <string.h>

#include "cmus/memory.h"
#include "report/cases.h"
#include "report/html.h"
#include "report/report_text.h"

enum {
    MOST_CASES = 20000, /* above: the wrong ones only, and no more of them, so that the page still opens */
    MOST_COLUMNS = 8    /* of probabilities: with more classes only that of the true one */
};

static void write_text_cell(cmus_file_writer *writer, const char *css_class, const char *text) {
    cmus_file_writer_print(writer, "<td class=\"text%s\">", css_class);
    cmus_file_writer_html(writer, text);
    cmus_file_writer_print(writer, "</td>");
}

/* Fusion's probabilities: of every class, or of the true one where there are many. */
static void write_probabilities(cmus_file_writer *writer, const report_evaluation *evaluation, const double *values,
                                size_t label) {
    if (evaluation->classes > MOST_COLUMNS) {
        cmus_file_writer_print(writer, "<td>%.4f</td>", values[label]);
        return;
    }
    for (size_t i = 0; i < evaluation->classes; i++)
        cmus_file_writer_print(writer, i == label ? "<td class=\"true\">%.4f</td>" : "<td>%.4f</td>", values[i]);
}

/* What each single head predicts, and how many agree with the fusion head. */
static void write_heads(cmus_file_writer *writer, const report_evaluation *evaluation, const report_case *one,
                        size_t label) {
    const report_predictions *fold = &evaluation->used[one->fold]->predictions;
    int heads, agreeing = report_case_agreement(evaluation, one, &heads);
    for (int head = REPORT_FUSION + 1; head < REPORT_HEADS; head++) {
        if (!evaluation->heads[head].present)
            continue;
        const double *probabilities = fold->probabilities[head] + one->row * evaluation->classes;
        size_t predicted = report_argmax(probabilities, evaluation->classes);
        write_text_cell(writer, predicted == label ? "" : " wrong", evaluation->class_names[predicted]);
    }
    if (heads)
        cmus_file_writer_print(writer, "<td>%d of %d</td>", agreeing, heads);
}

/* The bag: how many images were used, and the weight of each; those that were left out are struck through. */
static void write_bag(cmus_file_writer *writer, const report_predictions *fold, size_t row) {
    cmus_file_writer_print(writer, "<td>%d of %d</td><td class=\"text bag\">", fold->tem_kept[row],
                           fold->tem_images[row]);
    for (size_t i = fold->tem_offset[row]; i < fold->tem_offset[row + 1]; i++)
        cmus_file_writer_print(writer, fold->tem_flags[i] ? "%s%.2f" : "%s<s>%.2f</s>",
                               i > fold->tem_offset[row] ? " " : "", (double)fold->tem_weight[i]);
    cmus_file_writer_print(writer, "</td>");
}

static void write_row(cmus_file_writer *writer, const report_evaluation *evaluation, const report_case *one) {
    const report_fold *used = evaluation->used[one->fold];
    const report_predictions *fold = &used->predictions;
    size_t label = (size_t)fold->labels[one->row];
    cmus_file_writer_print(writer, "<tr data-true=\"%zu\" data-predicted=\"%zu\"%s><th scope=\"row\" class=\"id\">",
                           label, one->predicted, one->wrong ? "" : " class=\"right\"");
    cmus_file_writer_html(writer, one->id);
    cmus_file_writer_print(writer, "</th>");
    if (!evaluation->run->external) {
        char *name = report_fold_name(evaluation->run, used);
        write_text_cell(writer, "", name);
        cmus_free(name);
    }
    write_text_cell(writer, "", evaluation->class_names[label]);
    write_text_cell(writer, one->wrong ? " wrong" : "", evaluation->class_names[one->predicted]);
    cmus_file_writer_print(writer, "<td>%.4f</td>", one->confidence);
    write_probabilities(writer, evaluation, fold->probabilities[REPORT_FUSION] + one->row * evaluation->classes, label);
    write_heads(writer, evaluation, one, label);
    if (fold->tem_offset)
        write_bag(writer, fold, one->row);
    cmus_file_writer_print(writer, "</tr>\n");
}

/* kind: how page.js sorts the column: "number", "text", or "" for not at all. */
static void write_column(cmus_file_writer *writer, const char *kind, const char *before, const char *name,
                         const char *behind) {
    cmus_file_writer_print(writer, "<th scope=\"col\"%s", strcmp(kind, "number") == 0 ? "" : " class=\"text\"");
    if (*kind)
        cmus_file_writer_print(writer, " data-sort=\"%s\"", kind);
    cmus_file_writer_print(writer, ">%s", before);
    cmus_file_writer_html(writer, name);
    cmus_file_writer_print(writer, "%s</th>", behind);
}

static void write_columns(cmus_file_writer *writer, const report_evaluation *evaluation) {
    bool single = false;
    cmus_file_writer_print(writer, "<thead><tr>");
    write_column(writer, "text", "", "Case", "");
    if (!evaluation->run->external)
        write_column(writer, "text", "", "Fold", "");
    write_column(writer, "text", "", "True", "");
    write_column(writer, "text", "", "Predicted", "");
    write_column(writer, "number", "", "Confidence", "");
    for (size_t i = 0; i < evaluation->classes && evaluation->classes <= MOST_COLUMNS; i++)
        write_column(writer, "number", "P(", evaluation->class_names[i], ")");
    if (evaluation->classes > MOST_COLUMNS)
        write_column(writer, "number", "", "P(true)", "");
    for (int head = REPORT_FUSION + 1; head < REPORT_HEADS; head++)
        if (evaluation->heads[head].present) {
            write_column(writer, "text", "", report_head_labels[head], "");
            single = true;
        }
    if (single)
        write_column(writer, "number", "", "Heads agree", "");
    if (evaluation->used[0]->predictions.tem_offset) {
        write_column(writer, "number", "", "TEM used", "");
        write_column(writer, "", "", "TEM weights", "");
    }
    cmus_file_writer_print(writer, "</tr></thead>");
}

static void write_class_choice(cmus_file_writer *writer, const report_evaluation *evaluation, const char *label,
                               const char *key) {
    cmus_file_writer_print(writer, "<label>%s <select data-filter=\"%s\"><option value=\"\">any</option>", label, key);
    for (size_t i = 0; i < evaluation->classes; i++) {
        cmus_file_writer_print(writer, "<option value=\"%zu\">", i);
        cmus_file_writer_html(writer, evaluation->class_names[i]);
        cmus_file_writer_print(writer, "</option>");
    }
    cmus_file_writer_print(writer, "</select></label>\n");
}

/* Hidden until page.js shows it: without a script it would do nothing. */
static void write_filter(cmus_file_writer *writer, const report_evaluation *evaluation) {
    cmus_file_writer_print(writer,
                           "<div class=\"filter\" role=\"search\" hidden>\n<label>Find <input type=\"search\" "
                           "data-filter=\"text\" placeholder=\"part of a case%s\"></label>\n",
                           evaluation->run->external ? "" : " or fold");
    write_class_choice(writer, evaluation, "True", "true");
    write_class_choice(writer, evaluation, "Predicted", "predicted");
    cmus_file_writer_print(writer, "<label>Cases <select data-filter=\"wrong\"><option value=\"\">right and wrong"
                                   "</option><option value=\"1\">wrong</option><option value=\"0\">right</option>"
                                   "</select></label>\n<output aria-live=\"polite\"></output>\n</div>\n");
}

static void write_note(cmus_file_writer *writer, const report_evaluation *evaluation, size_t wrong, size_t shown,
                       bool all) {
    cmus_file_writer_print(writer, "<p class=\"note\">%zu of %zu predictions are wrong", wrong, evaluation->cases);
    if (all)
        cmus_file_writer_print(writer, ": they come first, the surest at the top; then the right ones, the least sure "
                                       "first. On paper only the wrong ones are printed.");
    else
        cmus_file_writer_print(writer, "; of so many predictions %s%zu wrong ones are shown, the surest first.",
                               shown < wrong ? "the first " : "only the ", shown);
    cmus_file_writer_print(writer, " Underlined: the probability of the true class.");
    if (evaluation->used[0]->predictions.tem_offset)
        cmus_file_writer_print(writer, " TEM weights are in the order of the images; <s>struck through</s>: left out "
                                       "as too far from the others.");
    cmus_file_writer_print(writer, " All predictions are in <code>cases.csv</code>.</p>\n");
}

void report_html_cases(cmus_file_writer *writer, const report_evaluation *evaluation) {
    bool all = evaluation->cases <= MOST_CASES;
    size_t count, wrong;
    report_case *list = report_cases_list(evaluation, all, &count, &wrong);
    size_t shown = count < MOST_CASES ? count : MOST_CASES;
    write_note(writer, evaluation, wrong, shown, all);
    if (shown) {
        cmus_file_writer_print(writer, "<div class=\"cases\">\n");
        write_filter(writer, evaluation);
        cmus_file_writer_print(writer, "<div class=\"scroll tall\" tabindex=\"0\" role=\"region\" "
                                       "aria-label=\"Cases\"><table class=\"wide\">\n");
        write_columns(writer, evaluation);
        cmus_file_writer_print(writer, "<tbody>\n");
        for (size_t i = 0; i < shown; i++)
            write_row(writer, evaluation, &list[i]);
        cmus_file_writer_print(writer, "</tbody></table></div></div>\n");
    }
    cmus_free(list);
}
