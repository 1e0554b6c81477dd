/* Invented cases for tests of pictures and pages: single-coloured images, maps with one hot token. */
#ifndef DRAWN_CASE_H
#define DRAWN_CASE_H

#include <stdint.h>

#include "cmus/case_picture.h"

enum { DRAWN_SIZE = 96, DRAWN_SIDE = 3, DRAWN_TOKENS = 9, DRAWN_MOST_TEM = 12, DRAWN_CLASSES = 3, DRAWN_HEADS = 4 };

typedef struct drawn_case {
    cmus_case_picture picture;
    const char *classes[DRAWN_CLASSES];
    cmus_picture_head heads[DRAWN_HEADS];
    cmus_picture_image tem[DRAWN_MOST_TEM];
    uint8_t *rgb[DRAWN_MOST_TEM + 2]; /* TEM images, OM, IM */
    float heat[DRAWN_MOST_TEM + 2][DRAWN_TOKENS], attention[2][DRAWN_TOKENS];
} drawn_case;

/* Of five networks, all images gray and kept, no heat but attention that is the same everywhere, weights that fall.
 * Free it with drawn_case_free(). */
void drawn_case_make(drawn_case *drawn, int tem_count);
void drawn_case_free(drawn_case *drawn);
/* Paints a whole image. */
void drawn_case_paint(uint8_t *rgb, int red, int green, int blue);
/* Names and ids that are code, hold no letters or never end; the first TEM image is left out, all others have heat. */
void drawn_case_make_hostile(drawn_case *drawn);

#endif
