/* The PNG of a case: its facts; OM and IM with their maps, beside them the probabilities of the heads; the TEM images.
 * Made for a column of 180 mm at 300 dpi.
 */
#include "cmus/case_picture.h"

#include <math.h>

#include "case_words.h"
#include "cmus/memory.h"
#include "colour_map.h"
#include "picture_canvas.h"
#include "picture_panel.h"

enum {
    TILE = 320, /* side of an image */
    GAP = 14,   /* between an image and its map */
    PAIR = 2 * TILE + GAP,
    SPACE = 28, /* between pairs */
    MARGIN = 40,
    PAIRS = 3, /* TEM images in a row */
    WIDTH = PAIRS * PAIR + (PAIRS - 1) * SPACE,
    SINGLE = 3 * TILE + 2 * GAP, /* OM or IM with both maps */
    PANEL_X = SINGLE + 2 * SPACE,
    HEAD = 176, /* height of the facts */
    SINGLE_HEIGHT = 470,
    PAIR_HEIGHT = 450,
    MOST_ROWS = 20 /* of TEM images: no more fit into what cairo draws, nor onto a desk */
};

static const cmus_font HEADING = {30, true, CMUS_INK}, PLAIN = {24, false, CMUS_INK}, SMALL = {22, false, CMUS_MUTED};

/* A fact: what it is, what it says, and more about it. */
static void draw_fact(cmus_canvas *canvas, double x, double width, const char *label, const char *value,
                      cmus_font more_font, const char *more) {
    cmus_canvas_text(canvas, SMALL, x, MARGIN + 24, width, CMUS_LEFT, label);
    cmus_font large = {40, true, CMUS_INK}, small = {28, true, CMUS_INK};
    bool fits = cmus_canvas_fits(canvas, large, width, value);
    cmus_canvas_text(canvas, fits ? large : small, x, MARGIN + 74, width, CMUS_LEFT, value);
    cmus_canvas_text(canvas, more_font, x, MARGIN + 110, width, CMUS_LEFT, more);
}

static void draw_facts(cmus_canvas *canvas, const cmus_case_picture *picture) {
    enum { CASE = 620, PATIENT = 380, KNOWN = 370, BETWEEN = 24 };
    bool wrong = cmus_predicted_wrong(picture), known = picture->class_name && *picture->class_name;
    cmus_font warning = {22, true, CMUS_WARNING};
    char *predicted = cmus_predicted_words(picture);
    double x = MARGIN;
    draw_fact(canvas, x, CASE, "Case", picture->case_id, SMALL, "");
    x += CASE + BETWEEN;
    draw_fact(canvas, x, PATIENT, "Patient", picture->patient_id, SMALL, "");
    x += PATIENT + BETWEEN;
    draw_fact(canvas, x, KNOWN, "Known class", known ? picture->class_name : "unknown", wrong ? warning : SMALL,
              wrong   ? "the prediction is wrong"
              : known ? "the prediction is right"
                      : "");
    x += KNOWN + BETWEEN;
    draw_fact(canvas, x, MARGIN + WIDTH - x, "Predicted class", cmus_class_words(picture, picture->predicted), SMALL,
              predicted);
    cmus_canvas_fill(canvas, CMUS_ACCENT, MARGIN, HEAD - 6, WIDTH, 4);
    cmus_free(predicted);
}

/* The map over its image, or why there is none. */
static void draw_map(cmus_canvas *canvas, const cmus_case_picture *picture, const uint8_t *rgb, const float *map,
                     float largest, const char *none, double x, double y) {
    if (!map || cmus_map_largest(map, picture->side) <= 0) {
        cmus_canvas_placeholder(canvas, x, y, TILE, map ? none : "no map");
        return;
    }
    uint8_t *blended = cmus_allocate_raw((size_t)picture->size * (size_t)picture->size, 3);
    cmus_heat_blend(rgb, picture->size, map, picture->side, largest, blended);
    cmus_canvas_image(canvas, blended, picture->size, x, y, TILE);
    cmus_free(blended);
}

/* The scale below a map: two texts at its ends. */
static void draw_scale(cmus_canvas *canvas, double x, double y, const char *first, const char *last, double tick) {
    cmus_canvas_legend(canvas, x, y, TILE, 12, tick);
    cmus_canvas_text(canvas, SMALL, x, y + 36, TILE / 2.0, CMUS_LEFT, first);
    cmus_canvas_text(canvas, SMALL, x + TILE / 2.0, y + 36, TILE / 2.0, CMUS_RIGHT, last);
}

static void draw_attention_scale(cmus_canvas *canvas, const cmus_case_picture *picture, const float *map, double x,
                                 double y) {
    enum { LABEL = 170, FIRST = 20, LAST = 90 };
    cmus_attention_scale scale = cmus_attention_scale_of(map, picture->side);
    char *last = cmus_format_string("%.3g", scale.largest);
    char *middle = cmus_format_string("uniform 1/%d", picture->side * picture->side);
    draw_scale(canvas, x, y, "0", last, scale.uniform);
    double at = fmin(fmax(TILE * scale.uniform - LABEL / 2.0, FIRST), TILE - LAST - LABEL); /* between the ends */
    cmus_canvas_text(canvas, SMALL, x + at, y + 36, LABEL, CMUS_CENTRE, middle);
    cmus_free(last);
    cmus_free(middle);
}

/* OM or IM: image, Grad-CAM, attention. */
static void draw_single(cmus_canvas *canvas, const cmus_case_picture *picture, const cmus_picture_image *image,
                        const char *kind, const char *long_kind, double y) {
    double x = MARGIN, top = y + 84, scale = top + TILE + 8;
    double taken = cmus_canvas_text(canvas, HEADING, x, y + 30, SINGLE, CMUS_LEFT, kind);
    taken += 14 + cmus_canvas_text(canvas, PLAIN, x + taken + 14, y + 30, SINGLE, CMUS_LEFT, long_kind);
    cmus_canvas_text(canvas, SMALL, x + taken + 30, y + 30, SINGLE - taken - 30, CMUS_RIGHT,
                     image->rgb && image->name ? image->name : "");
    char *heat = cmus_format_string("Grad-CAM for %s", cmus_class_words(picture, picture->explained));
    const char *const titles[] = {"Image", heat, "Where TEM looks"};
    for (int i = 0; i < 3; i++)
        cmus_canvas_text(canvas, PLAIN, x + i * (TILE + GAP), y + 72, TILE, CMUS_LEFT, titles[i]);
    cmus_free(heat);
    if (!image->rgb) {
        char *missing = cmus_format_string("%s image is missing", kind);
        for (int i = 0; i < 3; i++)
            cmus_canvas_placeholder(canvas, x + i * (TILE + GAP), top, TILE, i ? "no map" : missing);
        cmus_free(missing);
        return;
    }
    cmus_canvas_image(canvas, image->rgb, picture->size, x, top, TILE);
    x += TILE + GAP;
    float largest = image->heat ? cmus_map_largest(image->heat, picture->side) : 0;
    draw_map(canvas, picture, image->rgb, image->heat, largest, "no positive evidence", x, top);
    if (largest > 0)
        draw_scale(canvas, x, scale, "no evidence", "most", -1);
    x += TILE + GAP;
    largest = image->attention ? cmus_map_largest(image->attention, picture->side) : 0;
    draw_map(canvas, picture, image->rgb, image->attention, largest, "no attention", x, top);
    if (largest > 0)
        draw_attention_scale(canvas, picture, image->attention, x, scale);
}

static void draw_tem_image(cmus_canvas *canvas, const cmus_case_picture *picture, const cmus_picture_image *image,
                           float largest, double x, double y) {
    double weight = image->weight > 0 ? fmin(image->weight, 1) : 0;
    uint8_t *pale = NULL;
    if (!image->rgb) {
        cmus_canvas_placeholder(canvas, x, y, TILE, "TEM image is missing");
    } else if (!image->kept) {
        pale = cmus_allocate_raw((size_t)picture->size * (size_t)picture->size, 3);
        cmus_pale_pixels(image->rgb, picture->size, pale);
    }
    if (image->rgb)
        cmus_canvas_image(canvas, pale ? pale : image->rgb, picture->size, x, y, TILE);
    cmus_free(pale);
    if (!image->kept || !image->rgb)
        cmus_canvas_placeholder(canvas, x + TILE + GAP, y, TILE, image->kept ? "no map" : "left out");
    else
        draw_map(canvas, picture, image->rgb, image->heat, largest, "no positive evidence", x + TILE + GAP, y);
    y += TILE + 8;
    cmus_canvas_fill(canvas, CMUS_LINE, x, y, PAIR, 8);
    cmus_canvas_fill(canvas, image->kept ? CMUS_ACCENT : CMUS_MUTED, x, y, weight * PAIR, 8);
    char *words = cmus_weight_words(image);
    cmus_font name_font = {24, true, image->kept ? CMUS_INK : CMUS_MUTED};
    cmus_canvas_text(canvas, name_font, x, y + 40, PAIR, CMUS_LEFT, image->name ? image->name : "");
    cmus_canvas_text(canvas, SMALL, x, y + 70, PAIR, CMUS_LEFT, words);
    cmus_free(words);
}

/* Returns where they end. */
static double draw_tem(cmus_canvas *canvas, const cmus_case_picture *picture, double y) {
    enum { LEGEND = 200, LABEL = 170 };
    double taken = cmus_canvas_text(canvas, HEADING, MARGIN, y + 30, WIDTH, CMUS_LEFT, "TEM"), x = MARGIN + taken + 14;
    taken = cmus_canvas_text(canvas, PLAIN, x, y + 30, WIDTH, CMUS_LEFT, "electron microscopy");
    char *words = cmus_bag_words(picture);
    float largest = cmus_tem_largest(picture);
    cmus_canvas_text(canvas, SMALL, x + taken + 20, y + 30, 1000, CMUS_LEFT, words);
    cmus_free(words);
    if (largest > 0) {
        double right = MARGIN + WIDTH;
        cmus_canvas_text(canvas, SMALL, right - 70, y + 30, 70, CMUS_RIGHT, "most");
        cmus_canvas_legend(canvas, right - 80 - LEGEND, y + 14, LEGEND, 16, -1);
        cmus_canvas_text(canvas, SMALL, right - 90 - LEGEND - LABEL, y + 30, LABEL, CMUS_RIGHT, "no evidence");
    }
    y += 50;
    if (!picture->tem_count) {
        cmus_canvas_placeholder(canvas, MARGIN, y, TILE, "TEM images are missing");
        return y + TILE + SPACE;
    }
    int *order = cmus_tem_order(picture), shown = picture->tem_count;
    if (shown > MOST_ROWS * PAIRS)
        shown = MOST_ROWS * PAIRS;
    for (int i = 0; i < shown; i++)
        draw_tem_image(canvas, picture, &picture->tem[order[i]], largest, MARGIN + i % PAIRS * (PAIR + SPACE),
                       y + i / PAIRS * PAIR_HEIGHT);
    cmus_free(order);
    y += (shown + PAIRS - 1) / PAIRS * PAIR_HEIGHT;
    if (shown == picture->tem_count)
        return y;
    char *more = cmus_format_string("%d more are not drawn", picture->tem_count - shown);
    cmus_canvas_text(canvas, PLAIN, MARGIN, y + 10, WIDTH, CMUS_LEFT, more);
    cmus_free(more);
    return y + 40;
}

cmus_status cmus_case_picture_write(const char *path, const cmus_case_picture *picture) {
    int rows = (picture->tem_count + PAIRS - 1) / PAIRS + 1;
    int height = 3 * SINGLE_HEIGHT + PAIR_HEIGHT * (rows < MOST_ROWS ? rows : MOST_ROWS) + 400;
    cmus_canvas canvas = cmus_canvas_create(WIDTH + 2 * MARGIN, height);
    draw_facts(&canvas, picture);
    draw_single(&canvas, picture, &picture->om, "OM", "optical microscopy", HEAD + 10);
    draw_single(&canvas, picture, &picture->im, "IM", "immunofluorescence", HEAD + 10 + SINGLE_HEIGHT);
    double end = cmus_panel_draw(&canvas, picture, MARGIN + PANEL_X, HEAD + 10, WIDTH - PANEL_X);
    end = draw_tem(&canvas, picture, fmax(end, HEAD + 20 + 2 * SINGLE_HEIGHT));
    cmus_status status = cmus_canvas_write(&canvas, (int)end + MARGIN / 2, path);
    cmus_canvas_free(&canvas);
    return status;
}
