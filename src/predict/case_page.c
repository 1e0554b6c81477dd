/* The HTML page of a case. */
#include "cmus/case_picture.h"

#include <math.h>

#include "case_words.h"
#include "cmus/memory.h"
#include "page_images.h"
#include "page_parts.h"

static void write_link(cmus_file_writer *writer, const char *name, const char *text) {
    if (!name)
        return;
    cmus_file_writer_print(writer, "<a");
    cmus_page_href(writer, name);
    cmus_file_writer_print(writer, ">%s</a>\n", text);
}

static void write_card(cmus_file_writer *writer, const char *label, const char *value, const char *more_class,
                       const char *more) {
    cmus_file_writer_print(writer, "<div class=\"card\"><div class=\"label\">%s</div><div class=\"value\">", label);
    cmus_file_writer_html(writer, value);
    cmus_file_writer_print(writer, "</div><div class=\"more%s\">", more_class);
    cmus_file_writer_html(writer, more);
    cmus_file_writer_print(writer, "</div></div>\n");
}

static void write_head(cmus_file_writer *writer, const cmus_case_picture *picture, const char *previous,
                       const char *next) {
    bool known = picture->class_name && *picture->class_name, wrong = cmus_predicted_wrong(picture);
    cmus_file_writer_print(writer, "<header>\n<nav aria-label=\"Cases\">\n");
    write_link(writer, previous, "← previous case");
    write_link(writer, "index.html", "all cases");
    write_link(writer, next, "next case →");
    cmus_page_text(writer, "</nav>\n<p class=\"kicker\">CMUS-Net prediction</p>\n<h1>", picture->case_id, "</h1>\n");
    cmus_page_words(writer, "<p class=\"caution\">", cmus_note(picture, CMUS_NOTES - 1), "</p>\n</header>\n<main>\n");
    cmus_file_writer_print(writer, "<div class=\"cards\">\n");
    char *predicted = cmus_predicted_words(picture);
    char *networks = cmus_format_string("%d", picture->models);
    write_card(writer, "Predicted class", cmus_class_words(picture, picture->predicted), "", predicted);
    write_card(writer, "Known class", known ? picture->class_name : "unknown", wrong ? " wrong" : "",
               wrong   ? "the prediction is wrong"
               : known ? "the prediction is right"
                       : "");
    write_card(writer, "Patient", picture->patient_id, "", "");
    write_card(writer, "Networks", networks, "", picture->models > 1 ? "averaged" : "");
    cmus_file_writer_print(writer, "</div>\n");
    cmus_free(predicted);
    cmus_free(networks);
}

static void write_class_row(cmus_file_writer *writer, const cmus_case_picture *picture, int class_number) {
    bool predicted = class_number == picture->predicted;
    cmus_page_text(writer, predicted ? "<tr class=\"predicted\"><th scope=\"row\">" : "<tr><th scope=\"row\">",
                   picture->classes[class_number], "</th>");
    for (int h = 0; h < picture->head_count; h++) {
        const cmus_picture_head *head = &picture->heads[h];
        if (!head->known) {
            cmus_file_writer_print(writer, "<td class=\"missing\">–</td>");
            continue;
        }
        cmus_page_words(writer, "<td>", cmus_probability_words(head->probabilities[class_number], NAN), "");
        if (head->spread)
            cmus_file_writer_print(writer, " <span class=\"spread\">± %.3f</span>", head->spread[class_number]);
        cmus_page_level(writer, head->probabilities[class_number]);
        cmus_file_writer_print(writer, "</td>");
    }
    cmus_file_writer_print(writer, "</tr>\n");
}

static void write_heads(cmus_file_writer *writer, const cmus_case_picture *picture) {
    cmus_file_writer_print(writer,
                           "<h2>Probabilities <small>%s</small></h2>\n<div class=\"scroll\" tabindex=\"0\">"
                           "<table><thead><tr><th scope=\"col\">Class</th>",
                           picture->models > 1 ? "mean ± SD over the networks, of each head" : "of each head");
    for (int h = 0; h < picture->head_count; h++) {
        const cmus_picture_head *head = &picture->heads[h];
        cmus_page_text(writer, "<th scope=\"col\">", head->name, "");
        if (!head->known)
            cmus_page_words(writer, "<span class=\"missing\">not available: ", cmus_missing_words(picture, head),
                            "</span>");
        cmus_file_writer_print(writer, "</th>");
    }
    cmus_file_writer_print(writer, "</tr></thead>\n<tbody>\n");
    for (int c = 0; c < picture->class_count; c++)
        write_class_row(writer, picture, c);
    cmus_file_writer_print(writer, "</tbody></table></div>\n");
}

static void write_heat_choice(cmus_file_writer *writer) {
    static const char *const choices[][3] = {
        {"full", " checked", "shown"}, {"faint", "", "faint"}, {"hidden", "", "hidden"}};
    cmus_file_writer_print(writer, "<fieldset><legend>Heat maps</legend>\n");
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++)
        cmus_file_writer_print(
            writer, "<label><input type=\"radio\" name=\"heat\" id=\"heat-%s\"%s autocomplete=\"off\">%s</label>\n",
            choices[i][0], choices[i][1], choices[i][2]);
    cmus_file_writer_print(writer, "</fieldset>\n");
}

static void write_notes(cmus_file_writer *writer, const cmus_case_picture *picture) {
    cmus_file_writer_print(writer, "<h2>How to read this</h2>\n");
    for (int i = 0; i < CMUS_NOTES; i++)
        cmus_page_words(writer, "<p class=\"note\">", cmus_note(picture, i), "</p>\n");
    cmus_file_writer_print(writer, "</main>\n");
}

cmus_status cmus_case_page_write(const char *path, const cmus_case_picture *picture, const char *previous,
                                 const char *next) {
    cmus_file_writer *writer;
    CMUS_TRY(cmus_file_writer_open(path, &writer));
    char *title = cmus_format_string("%s: %s", picture->case_id, cmus_class_words(picture, picture->predicted));
    cmus_page_begin(writer, title);
    cmus_free(title);
    write_head(writer, picture, previous, next);
    write_heads(writer, picture);
    write_heat_choice(writer);
    cmus_status status = cmus_page_images(writer, picture);
    if (status != CMUS_OK) {
        cmus_file_writer_discard(writer);
        return cmus_fail_in(status, "%s", path);
    }
    write_notes(writer, picture);
    cmus_page_end(writer);
    return cmus_file_writer_commit(writer);
}
