/* Colours of heat maps: matplotlib's "inferno" (Smith and van der Walt, 2015; perceptually uniform, also in gray and to
 * the colour-blind), the more opaque the hotter, so that what lies below a weak heat stays visible.
 */
#ifndef CMUS_COLOUR_MAP_H
#define CMUS_COLOUR_MAP_H

#include <stdint.h>

typedef struct cmus_heat_colour {
    float rgb[3]; /* 0 ... 255 */
    float opacity;
} cmus_heat_colour;

/* share: of the largest heat, cut to 0 ... 1; NaN counts as 0, which is transparent. */
cmus_heat_colour cmus_heat_colour_of(float share);

/* The largest value of a map [side][side], at least 0; values that are not finite do not count. */
float cmus_map_largest(const float *map, int side);

/* The map [side][side] over the image rgb [size][size][3], scaled by `largest` > 0: blended [size][size][3]. */
void cmus_heat_blend(const uint8_t *rgb, int size, const float *map, int side, float largest, uint8_t *blended);

/* The map alone, as cairo's ARGB32 (premultiplied): layer [size][size]. */
void cmus_heat_layer(int size, const float *map, int side, float largest, uint32_t *layer);

/* A gray image that is paler than the others: pale [size][size][3]. */
void cmus_pale_pixels(const uint8_t *rgb, int size, uint8_t *pale);

#endif
