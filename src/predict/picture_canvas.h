/* Drawing of texts, boxes and pixels by libcairo. Lengths are pixels, y grows downwards. What goes wrong inside cairo
 * is kept by its surface until it is written. Not collective.
 */
#ifndef CMUS_PICTURE_CANVAS_H
#define CMUS_PICTURE_CANVAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairo.h>

#include "cmus/status.h"

typedef struct cmus_canvas {
    cairo_surface_t *surface;
    cairo_t *cairo;
    int width, height;
} cmus_canvas;

typedef enum cmus_ink { CMUS_INK, CMUS_MUTED, CMUS_LINE, CMUS_PANEL, CMUS_ACCENT, CMUS_WARNING, CMUS_PAPER } cmus_ink;
typedef enum cmus_side { CMUS_LEFT, CMUS_CENTRE, CMUS_RIGHT } cmus_side;

typedef struct cmus_font {
    double size;
    bool bold;
    cmus_ink ink;
} cmus_font;

/* A white canvas. */
cmus_canvas cmus_canvas_create(int width, int height);
void cmus_canvas_free(cmus_canvas *canvas);
/* Writes the uppermost `height` rows as PNG. IO. */
cmus_status cmus_canvas_write(const cmus_canvas *canvas, int height, const char *path);

/* A line of text on the base line y within [x, x + width], shortened by an ellipsis if it needs more; any bytes may be
 * given. Returns the width that it takes. */
double cmus_canvas_text(cmus_canvas *canvas, cmus_font font, double x, double y, double width, cmus_side side,
                        const char *text);
/* Whether the text needs no ellipsis. */
bool cmus_canvas_fits(cmus_canvas *canvas, cmus_font font, double width, const char *text);
/* Text in lines from the base line y on, broken at blanks, with `lines` at most; returns the base line below the last.
 */
double cmus_canvas_paragraph(cmus_canvas *canvas, cmus_font font, double x, double y, double width, cmus_side side,
                             int lines, const char *text);
void cmus_canvas_fill(cmus_canvas *canvas, cmus_ink ink, double x, double y, double width, double height);
/* The image rgb [size][size][3], side pixels wide. */
void cmus_canvas_image(cmus_canvas *canvas, const uint8_t *rgb, int size, double x, double y, double side);
/* A dashed box in the place of an image, with a text. */
void cmus_canvas_placeholder(cmus_canvas *canvas, double x, double y, double side, const char *text);
/* The colours of heat from left to right as they look on gray, with a tick at share `tick` if that is within 0 and 1.
 */
void cmus_canvas_legend(cmus_canvas *canvas, double x, double y, double width, double height, double tick);

/* Pixels of cairo's ARGB32 [size][size] as the bytes of a PNG file; free with cmus_free(). IO. */
cmus_status cmus_layer_png(const uint32_t *layer, int size, uint8_t **bytes, size_t *count);

#endif
