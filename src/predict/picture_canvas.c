#include "picture_canvas.h"

#include <cairo-ft.h>
#include <fontconfig/fontconfig.h>
#include <math.h>
#include <string.h>

#include "cmus/file.h"
#include "cmus/memory.h"
#include "cmus/utf8.h"
#include "colour_map.h"

enum { MOST_LETTERS = 400 /* of a line: more never fit */ };
static const char FAMILY[] = "sans-serif";
static const double LINE_HEIGHT = 1.32; /* of a font's size */

static void set_ink(const cmus_canvas *canvas, cmus_ink ink) {
    static const uint32_t colours[] = {
        [CMUS_INK] = 0x1b1f24,    [CMUS_MUTED] = 0x5c6670,   [CMUS_LINE] = 0xd9dee3, [CMUS_PANEL] = 0xf1f3f5,
        [CMUS_ACCENT] = 0x0072b2, [CMUS_WARNING] = 0x9a3d00, [CMUS_PAPER] = 0xffffff};
    uint32_t colour = colours[ink];
    cairo_set_source_rgb(canvas->cairo, (colour >> 16) / 255.0, (colour >> 8 & 255) / 255.0, (colour & 255) / 255.0);
}

cmus_canvas cmus_canvas_create(int width, int height) {
    cmus_canvas canvas = {
        .surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height), .width = width, .height = height};
    canvas.cairo = cairo_create(canvas.surface);
    set_ink(&canvas, CMUS_PAPER);
    cairo_paint(canvas.cairo);
    return canvas;
}

void cmus_canvas_free(cmus_canvas *canvas) {
    cairo_destroy(canvas->cairo);
    cairo_surface_destroy(canvas->surface);
}

static cairo_status_t add_to_file(void *writer, const unsigned char *data, unsigned length) {
    cmus_file_writer_add(writer, data, length); /* keeps its errors until the file is committed */
    return CAIRO_STATUS_SUCCESS;
}

static cmus_status cairo_failed(cairo_status_t status) {
    return cmus_fail(CMUS_ERROR_IO, "the picture could not be drawn: cairo: %s", cairo_status_to_string(status));
}

cmus_status cmus_canvas_write(const cmus_canvas *canvas, int height, const char *path) {
    cairo_status_t status = cairo_status(canvas->cairo);
    if (status != CAIRO_STATUS_SUCCESS)
        return cmus_fail_in(cairo_failed(status), "%s", path);
    cairo_surface_flush(canvas->surface);
    cairo_surface_t *part = cairo_image_surface_create_for_data(
        cairo_image_surface_get_data(canvas->surface), CAIRO_FORMAT_RGB24, canvas->width,
        height < canvas->height ? height : canvas->height, cairo_image_surface_get_stride(canvas->surface));
    cmus_file_writer *writer;
    cmus_status opened = cmus_file_writer_open(path, &writer);
    if (opened != CMUS_OK) {
        cairo_surface_destroy(part);
        return opened;
    }
    status = cairo_surface_write_to_png_stream(part, add_to_file, writer);
    cairo_surface_destroy(part);
    if (status == CAIRO_STATUS_SUCCESS)
        return cmus_file_writer_commit(writer);
    cmus_file_writer_discard(writer);
    return cmus_fail_in(cairo_failed(status), "%s", path);
}

/* The letters of a clean text that fonts of European languages may lack; NULL: none. Free with FcCharSetDestroy(). */
static FcCharSet *rare_letters(const char *text) {
    FcCharSet *letters = NULL;
    while (*text) {
        FcChar32 letter;
        int length = FcUtf8ToUcs4((const FcChar8 *)text, &letter, (int)strlen(text));
        if (length <= 0)
            break;
        text += length;
        if (letter < 0x250 || (letter >= 0x2000 && letter < 0x2070)) /* Latin; dashes and the ellipsis */
            continue;
        if (!letters)
            letters = FcCharSetCreate();
        if (letters)
            FcCharSetAddChar(letters, letter);
    }
    return letters;
}

/* A font that has most of the letters, as cairo_select_font_face() looks for none; false: there is no font at all. */
static bool set_font_with(const cmus_canvas *canvas, bool bold, const FcCharSet *letters) {
    FcPattern *wanted = FcPatternCreate(), *found = NULL;
    if (wanted && FcPatternAddString(wanted, FC_FAMILY, (const FcChar8 *)FAMILY) &&
        FcPatternAddInteger(wanted, FC_WEIGHT, bold ? FC_WEIGHT_BOLD : FC_WEIGHT_REGULAR) &&
        FcPatternAddCharSet(wanted, FC_CHARSET, letters) && FcConfigSubstitute(NULL, wanted, FcMatchPattern)) {
        FcResult result;
        FcDefaultSubstitute(wanted);
        found = FcFontMatch(NULL, wanted, &result);
    }
    if (wanted)
        FcPatternDestroy(wanted);
    if (!found)
        return false;
    cairo_font_face_t *face = cairo_ft_font_face_create_for_pattern(found);
    cairo_set_font_face(canvas->cairo, face);
    cairo_font_face_destroy(face);
    FcPatternDestroy(found);
    return true;
}

/* For a text without bytes that are no letters. */
static void set_font(const cmus_canvas *canvas, cmus_font font, const char *text) {
    FcCharSet *letters = rare_letters(text);
    if (!letters || !set_font_with(canvas, font.bold, letters))
        cairo_select_font_face(canvas->cairo, FAMILY, CAIRO_FONT_SLANT_NORMAL,
                               font.bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    if (letters)
        FcCharSetDestroy(letters);
    cairo_set_font_size(canvas->cairo, font.size);
}

static double text_width(const cmus_canvas *canvas, const char *text) {
    cairo_text_extents_t extents;
    cairo_text_extents(canvas->cairo, text, &extents);
    return extents.x_advance;
}

/* The longest beginning of a clean text that fits; free with cmus_free(). */
static char *fitting(const cmus_canvas *canvas, const char *text, double width) {
    size_t fits = 1, most = MOST_LETTERS;
    if (text_width(canvas, text) <= width)
        return cmus_copy_string(text);
    while (most - fits > 1) {
        size_t middle = (fits + most) / 2;
        char *shorter = cmus_utf8_shorten(text, middle);
        if (text_width(canvas, shorter) <= width)
            fits = middle;
        else
            most = middle;
        cmus_free(shorter);
    }
    return cmus_utf8_shorten(text, fits);
}

bool cmus_canvas_fits(cmus_canvas *canvas, cmus_font font, double width, const char *text) {
    char *clean = cmus_utf8_shorten(text, MOST_LETTERS);
    set_font(canvas, font, clean);
    bool fits = text_width(canvas, clean) <= width;
    cmus_free(clean);
    return fits;
}

double cmus_canvas_text(cmus_canvas *canvas, cmus_font font, double x, double y, double width, cmus_side side,
                        const char *text) {
    char *clean = cmus_utf8_shorten(text, MOST_LETTERS);
    set_font(canvas, font, clean);
    char *line = fitting(canvas, clean, width);
    double taken = text_width(canvas, line), free_space = fmax(width - taken, 0);
    set_ink(canvas, font.ink);
    cairo_move_to(canvas->cairo, x + (side == CMUS_LEFT ? 0 : side == CMUS_CENTRE ? free_space / 2 : free_space), y);
    cairo_show_text(canvas->cairo, line);
    cmus_free(line);
    cmus_free(clean);
    return taken;
}

/* Ends the line at the last blank by which it fits; returns where the rest begins, NULL if there is none. */
static char *break_line(const cmus_canvas *canvas, char *line, double width) {
    char *last = NULL;
    for (char *blank = strchr(line, ' '); blank && blank[1]; blank = strchr(blank + 1, ' ')) {
        *blank = 0;
        bool fits = text_width(canvas, line) <= width;
        *blank = ' ';
        if (fits || !last)
            last = blank;
        if (!fits)
            break;
    }
    if (!last || text_width(canvas, line) <= width)
        return NULL;
    *last = 0;
    return last + 1;
}

double cmus_canvas_paragraph(cmus_canvas *canvas, cmus_font font, double x, double y, double width, cmus_side side,
                             int lines, const char *text) {
    char *clean = cmus_utf8_shorten(text, MOST_LETTERS), *line = clean;
    for (int i = 0; line && i < lines; i++) {
        set_font(canvas, font, line);
        char *rest = i + 1 < lines ? break_line(canvas, line, width) : NULL;
        cmus_canvas_text(canvas, font, x, y, width, side, line);
        y += LINE_HEIGHT * font.size;
        line = rest;
    }
    cmus_free(clean);
    return y;
}

void cmus_canvas_fill(cmus_canvas *canvas, cmus_ink ink, double x, double y, double width, double height) {
    set_ink(canvas, ink);
    cairo_rectangle(canvas->cairo, x, y, width, height);
    cairo_fill(canvas->cairo);
}

void cmus_canvas_image(cmus_canvas *canvas, const uint8_t *rgb, int size, double x, double y, double side) {
    cairo_surface_t *image = cairo_image_surface_create(CAIRO_FORMAT_RGB24, size, size);
    uint8_t *data = cairo_image_surface_get_data(image);
    size_t stride = (size_t)cairo_image_surface_get_stride(image);
    for (size_t row = 0; data && row < (size_t)size; row++)
        for (size_t column = 0; column < (size_t)size; column++) {
            const uint8_t *from = rgb + 3 * (row * (size_t)size + column);
            uint32_t pixel = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
            memcpy(data + row * stride + 4 * column, &pixel, sizeof pixel);
        }
    cairo_surface_mark_dirty(image);
    cairo_save(canvas->cairo);
    cairo_translate(canvas->cairo, x, y);
    cairo_scale(canvas->cairo, side / size, side / size);
    cairo_set_source_surface(canvas->cairo, image, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(canvas->cairo), CAIRO_FILTER_GOOD);
    cairo_pattern_set_extend(cairo_get_source(canvas->cairo), CAIRO_EXTEND_PAD); /* no pale rim */
    cairo_rectangle(canvas->cairo, 0, 0, size, size);
    cairo_fill(canvas->cairo);
    cairo_restore(canvas->cairo);
    cairo_surface_destroy(image);
}

void cmus_canvas_placeholder(cmus_canvas *canvas, double x, double y, double side, const char *text) {
    static const double dashes[] = {10, 8};
    cmus_canvas_fill(canvas, CMUS_PANEL, x, y, side, side);
    set_ink(canvas, CMUS_MUTED);
    cairo_set_dash(canvas->cairo, dashes, 2, 0);
    cairo_set_line_width(canvas->cairo, 2);
    cairo_rectangle(canvas->cairo, x + 1, y + 1, side - 2, side - 2);
    cairo_stroke(canvas->cairo);
    cairo_set_dash(canvas->cairo, NULL, 0, 0);
    cmus_canvas_paragraph(canvas, (cmus_font){24, false, CMUS_MUTED}, x + 20, y + side / 2 - 4, side - 40, CMUS_CENTRE,
                          2, text);
}

void cmus_canvas_legend(cmus_canvas *canvas, double x, double y, double width, double height, double tick) {
    enum { PARTS = 128, BELOW = 150 /* gray of an image */ };
    for (int i = 0; i < PARTS; i++) {
        cmus_heat_colour colour = cmus_heat_colour_of((float)i / (PARTS - 1));
        double mixed[3];
        for (int k = 0; k < 3; k++)
            mixed[k] = (BELOW + (double)colour.opacity * ((double)colour.rgb[k] - BELOW)) / 255;
        cairo_set_source_rgb(canvas->cairo, mixed[0], mixed[1], mixed[2]);
        double from = round(x + width * i / PARTS), to = round(x + width * (i + 1) / PARTS); /* no seams */
        cairo_rectangle(canvas->cairo, from, y, to - from, height);
        cairo_fill(canvas->cairo);
    }
    if (tick >= 0 && tick <= 1)
        cmus_canvas_fill(canvas, CMUS_INK, round(x + tick * width) - 1.5, y - 4, 3, height + 8);
}

/* A PNG file in memory as it grows. */
typedef struct grown_bytes {
    uint8_t *bytes;
    size_t count, capacity;
} grown_bytes;

static cairo_status_t add_to_memory(void *closure, const unsigned char *data, unsigned length) {
    grown_bytes *grown = closure;
    grown->bytes = cmus_grow(grown->bytes, &grown->capacity, grown->count + length, 1);
    memcpy(grown->bytes + grown->count, data, length);
    grown->count += length;
    return CAIRO_STATUS_SUCCESS;
}

cmus_status cmus_layer_png(const uint32_t *layer, int size, uint8_t **bytes, size_t *count) {
    grown_bytes grown = {0};
    cairo_surface_t *surface =
        cairo_image_surface_create_for_data((unsigned char *)layer, CAIRO_FORMAT_ARGB32, size, size, 4 * size);
    cairo_status_t status = cairo_surface_write_to_png_stream(surface, add_to_memory, &grown);
    cairo_surface_destroy(surface);
    if (status != CAIRO_STATUS_SUCCESS) {
        cmus_free(grown.bytes);
        return cairo_failed(status);
    }
    *bytes = grown.bytes;
    *count = grown.count;
    return CMUS_OK;
}
