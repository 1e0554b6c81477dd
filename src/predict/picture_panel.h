/* The part of a case's picture without images: a table of the heads' probabilities, and how to read the maps. */
#ifndef CMUS_PICTURE_PANEL_H
#define CMUS_PICTURE_PANEL_H

#include "cmus/case_picture.h"
#include "picture_canvas.h"

/* Draws it with its upper left corner at (x, y); returns where it ends. */
double cmus_panel_draw(cmus_canvas *canvas, const cmus_case_picture *picture, double x, double y, double width);

#endif
