#include "picture_panel.h"

#include <math.h>
#include <string.h>

#include "case_words.h"
#include "cmus/memory.h"

enum {
    NAME = 180, /* width of the column of classes */
    ROW = 60,
    MOST_CLASSES = 7 /* more are left to the page: the panel would not fit beside the images */
};

static const cmus_font PLAIN = {24, false, CMUS_INK}, STRONG = {24, true, CMUS_INK}, SMALL = {21, false, CMUS_MUTED},
                       NOTE = {24, false, CMUS_MUTED};

/* Whether a class is one of the MOST_CLASSES likeliest, of equal ones the first. */
static bool is_shown(const cmus_case_picture *picture, int class_number) {
    double spread, own = cmus_leading_probability(picture, class_number, &spread);
    int before = 0;
    for (int c = 0; c < picture->class_count; c++) {
        double other = cmus_leading_probability(picture, c, &spread);
        before += other > own || (c < class_number && !(other < own));
    }
    return before < MOST_CLASSES;
}

static void draw_cell(cmus_canvas *canvas, const cmus_picture_head *head, int class_number, bool strong, double x,
                      double y, double width) {
    double probability = head->probabilities[class_number];
    char *words = cmus_probability_words(probability, NAN);
    double taken = cmus_canvas_text(canvas, strong ? STRONG : PLAIN, x, y + 24, width, CMUS_LEFT, words) + 8;
    cmus_free(words);
    if (head->spread) {
        words = cmus_format_string("± %.3f", head->spread[class_number]);
        cmus_canvas_text(canvas, SMALL, x + taken, y + 24, width - taken, CMUS_LEFT, words);
        cmus_free(words);
    }
    double share = probability > 0 ? fmin(probability, 1) : 0;
    cmus_canvas_fill(canvas, CMUS_LINE, x, y + 33, width, 12);
    cmus_canvas_fill(canvas, strong ? CMUS_ACCENT : CMUS_MUTED, x, y + 33, share * width, 12);
}

/* Names of classes and columns of heads; returns where it ends. */
static double draw_rows(cmus_canvas *canvas, const cmus_case_picture *picture, double x, double y, double column) {
    double top = y;
    int left = 0;
    for (int c = 0; c < picture->class_count; c++) {
        if (!is_shown(picture, c)) {
            left++;
            continue;
        }
        bool strong = c == picture->predicted;
        cmus_canvas_text(canvas, strong ? STRONG : PLAIN, x, y + 24, NAME - 20, CMUS_LEFT, picture->classes[c]);
        for (int h = 0; h < picture->head_count; h++)
            if (picture->heads[h].known)
                draw_cell(canvas, &picture->heads[h], c, strong, x + NAME + h * column, y, column - 20);
        y += ROW;
    }
    double end = y;
    for (int h = 0; h < picture->head_count; h++) {
        if (picture->heads[h].known)
            continue;
        char *why = cmus_missing_words(picture, &picture->heads[h]);
        char *words = cmus_format_string("not available: %s", why);
        end = fmax(end, cmus_canvas_paragraph(canvas, SMALL, x + NAME + h * column, top + 24, column - 20, CMUS_LEFT, 5,
                                              words));
        cmus_free(words);
        cmus_free(why);
    }
    if (left) {
        char *words = cmus_format_string("and %d less likely class%s", left, left > 1 ? "es" : "");
        cmus_canvas_text(canvas, SMALL, x, end + 24, NAME + column * picture->head_count, CMUS_LEFT, words);
        cmus_free(words);
        end += 34;
    }
    return end;
}

double cmus_panel_draw(cmus_canvas *canvas, const cmus_case_picture *picture, double x, double y, double width) {
    double column = (width - NAME) / (picture->head_count > 0 ? picture->head_count : 1);
    char *networks = picture->models > 1 ? cmus_format_string("mean ± SD of %d networks", picture->models)
                                         : cmus_copy_string("one network");
    double taken =
        cmus_canvas_text(canvas, (cmus_font){30, true, CMUS_INK}, x, y + 30, width, CMUS_LEFT, "Probabilities");
    cmus_canvas_text(canvas, SMALL, x + taken + 14, y + 30, width - taken - 14, CMUS_LEFT, networks);
    cmus_free(networks);
    for (int h = 0; h < picture->head_count; h++)
        cmus_canvas_text(canvas, SMALL, x + NAME + h * column, y + 76, column - 20, CMUS_LEFT, picture->heads[h].name);
    cmus_canvas_fill(canvas, CMUS_LINE, x, y + 88, width, 2);
    y = draw_rows(canvas, picture, x, y + 100, column) + 40;
    for (int i = 0; i < CMUS_NOTES; i++) {
        char *note = cmus_note(picture, i);
        y = cmus_canvas_paragraph(canvas, i + 1 < CMUS_NOTES ? NOTE : STRONG, x, y, width, CMUS_LEFT, 6, note) + 10;
        cmus_free(note);
    }
    return y;
}
