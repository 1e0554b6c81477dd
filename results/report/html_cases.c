/* The table of the cases that the network got wrong, the surest first. */
#include <stdlib.h>
#include <string.h>

#include "cmus/memory.h"
#include "report/html.h"
#include "report/report_text.h"

enum { MOST_ROWS = 20000 }; /* so that a page of a million cases still opens */

typedef struct wrong_case {
    size_t fold, row, predicted;
    double confidence;
    const char *id;
} wrong_case;

static int by_confidence(const void *a, const void *b) {
    const wrong_case *x = a, *y = b;
    if (x->confidence != y->confidence)
        return x->confidence < y->confidence ? 1 : -1;
    int order = strcmp(x->id, y->id);
    return order ? order : (x->fold > y->fold) - (x->fold < y->fold);
}

/* All wrong cases of the fusion head, sorted. Free with cmus_free(). */
static wrong_case *find_wrong_cases(const report_evaluation *evaluation, size_t *count) {
    wrong_case *wrong = NULL;
    size_t capacity = 0, classes = evaluation->classes;
    *count = 0;
    for (size_t i = 0; i < evaluation->folds; i++) {
        const report_predictions *fold = &evaluation->used[i]->predictions;
        for (size_t row = 0; row < fold->cases; row++) {
            const double *probabilities = fold->probabilities[REPORT_FUSION] + row * classes;
            size_t predicted = report_argmax(probabilities, classes);
            if (predicted == (size_t)fold->labels[row])
                continue;
            wrong = cmus_grow(wrong, &capacity, *count + 1, sizeof *wrong);
            wrong[(*count)++] = (wrong_case){i, row, predicted, probabilities[predicted], fold->case_ids[row]};
        }
    }
    if (*count)
        qsort(wrong, *count, sizeof *wrong, by_confidence);
    return wrong;
}

static void write_text_cell(cmus_file_writer *writer, const char *css_class, const char *text) {
    cmus_file_writer_print(writer, "<td class=\"text%s\">", css_class);
    report_write_html(writer, text);
    cmus_file_writer_print(writer, "</td>");
}

static void write_row(cmus_file_writer *writer, const report_evaluation *evaluation, const wrong_case *wrong) {
    const report_fold *used = evaluation->used[wrong->fold];
    const report_predictions *fold = &used->predictions;
    size_t label = (size_t)fold->labels[wrong->row], classes = evaluation->classes, first = wrong->row * classes;
    char *name = report_fold_name(evaluation->run, used);
    cmus_file_writer_print(writer, "<tr>");
    write_text_cell(writer, " id", wrong->id);
    write_text_cell(writer, "", name);
    write_text_cell(writer, "", evaluation->class_names[label]);
    write_text_cell(writer, " wrong", evaluation->class_names[wrong->predicted]);
    cmus_file_writer_print(writer, "<td>%.4f</td><td>%.4f</td>", wrong->confidence,
                           fold->probabilities[REPORT_FUSION][first + label]);
    for (int head = REPORT_FUSION + 1; head < REPORT_HEADS; head++) {
        if (!evaluation->heads[head].present)
            continue;
        size_t predicted = report_argmax(fold->probabilities[head] + first, classes);
        write_text_cell(writer, predicted == label ? "" : " wrong", evaluation->class_names[predicted]);
    }
    if (evaluation->heads[REPORT_TEM].present)
        cmus_file_writer_print(writer, "<td>%d of %d</td>", fold->tem_kept[wrong->row], fold->tem_images[wrong->row]);
    cmus_file_writer_print(writer, "</tr>\n");
    cmus_free(name);
}

void report_html_wrong_cases(cmus_file_writer *writer, const report_evaluation *evaluation) {
    size_t count;
    wrong_case *wrong = find_wrong_cases(evaluation, &count);
    cmus_file_writer_print(writer, "<p class=\"note\">%zu of %zu predictions are wrong; the surest are first.", count,
                           evaluation->cases);
    if (count > MOST_ROWS)
        cmus_file_writer_print(writer, " The first %d are shown.", MOST_ROWS);
    cmus_file_writer_print(writer, "</p>\n");
    if (count) {
        cmus_file_writer_print(writer,
                               "<div class=\"scroll\"><table class=\"wide\">\n<thead><tr><th scope=\"col\">Case</th>"
                               "<th scope=\"col\" class=\"text\">Fold</th><th scope=\"col\" class=\"text\">True</th>"
                               "<th scope=\"col\" class=\"text\">Predicted</th><th scope=\"col\">Confidence</th>"
                               "<th scope=\"col\">P(true)</th>");
        for (int head = REPORT_FUSION + 1; head < REPORT_HEADS; head++)
            if (evaluation->heads[head].present)
                cmus_file_writer_print(writer, "<th scope=\"col\" class=\"text\">%s</th>", report_head_labels[head]);
        if (evaluation->heads[REPORT_TEM].present)
            cmus_file_writer_print(writer, "<th scope=\"col\">TEM kept</th>");
        cmus_file_writer_print(writer, "</tr></thead><tbody>\n");
        for (size_t i = 0; i < count && i < MOST_ROWS; i++)
            write_row(writer, evaluation, &wrong[i]);
        cmus_file_writer_print(writer, "</tbody></table></div>\n");
    }
    cmus_free(wrong);
}
