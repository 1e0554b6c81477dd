#include "colour_map.h"

#include <math.h>
#include <stddef.h>

#include "cmus/explanation.h"
#include "cmus/memory.h"

/* Every fifteenth colour of inferno; between them straight lines, which are at most 6 of 255 beside it. */
static const uint8_t inferno[][3] = {{0, 0, 4},      {10, 7, 34},     {30, 12, 69},   {56, 9, 98},   {81, 14, 108},
                                     {105, 22, 110}, {128, 31, 108},  {152, 39, 102}, {176, 49, 91}, {198, 61, 77},
                                     {217, 77, 61},  {233, 97, 43},   {244, 121, 24}, {250, 148, 7}, {252, 176, 20},
                                     {248, 205, 55}, {242, 234, 105}, {252, 255, 164}};
enum { STEPS = sizeof inferno / sizeof inferno[0] - 1 };

/* The darkest colours would look like shadows of the image, the palest like nothing on a bright one. */
static const float FIRST = 0.25f, LAST = 0.9f;
static const float MOST_OPAQUE = 0.72f;

cmus_heat_colour cmus_heat_colour_of(float share) {
    share = share > 0 ? fminf(share, 1) : 0;
    float at = (FIRST + share * (LAST - FIRST)) * STEPS;
    int low = (int)at;
    float rest = at - (float)low;
    cmus_heat_colour colour = {.opacity = MOST_OPAQUE * powf(share, 0.75f)};
    for (int i = 0; i < 3; i++)
        colour.rgb[i] = (float)inferno[low][i] + rest * ((float)inferno[low + 1][i] - (float)inferno[low][i]);
    return colour;
}

float cmus_map_largest(const float *map, int side) {
    float largest = 0;
    for (int i = 0; i < side * side; i++)
        if (isfinite(map[i]) && map[i] > largest)
            largest = map[i];
    return largest;
}

/* The map's share of `largest` at each pixel [size][size]; free with cmus_free(). */
static float *pixel_shares(int size, const float *map, int side, float largest) {
    float *clean = cmus_allocate_raw((size_t)(side * side), sizeof *clean);
    float *shares = cmus_allocate_raw((size_t)size * (size_t)size, sizeof *shares);
    for (int i = 0; i < side * side; i++)
        clean[i] = isfinite(map[i]) ? map[i] / largest : 0;
    cmus_enlarge_map(clean, side, size, shares);
    cmus_free(clean);
    return shares;
}

void cmus_heat_blend(const uint8_t *rgb, int size, const float *map, int side, float largest, uint8_t *blended) {
    float *shares = pixel_shares(size, map, side, largest);
    for (size_t i = 0; i < (size_t)size * (size_t)size; i++) {
        cmus_heat_colour colour = cmus_heat_colour_of(shares[i]);
        for (size_t k = 3 * i; k < 3 * i + 3; k++)
            blended[k] = (uint8_t)lrintf((float)rgb[k] + colour.opacity * (colour.rgb[k - 3 * i] - (float)rgb[k]));
    }
    cmus_free(shares);
}

void cmus_heat_layer(int size, const float *map, int side, float largest, uint32_t *layer) {
    float *shares = pixel_shares(size, map, side, largest);
    for (size_t i = 0; i < (size_t)size * (size_t)size; i++) {
        cmus_heat_colour colour = cmus_heat_colour_of(shares[i]);
        uint32_t pixel = (uint32_t)lrintf(255 * colour.opacity);
        for (int k = 0; k < 3; k++)
            pixel = pixel << 8 | (uint32_t)lrintf(colour.opacity * colour.rgb[k]);
        layer[i] = pixel;
    }
    cmus_free(shares);
}

void cmus_pale_pixels(const uint8_t *rgb, int size, uint8_t *pale) {
    for (size_t i = 0; i < 3 * (size_t)size * (size_t)size; i += 3) {
        float luma = 0.299f * rgb[i] + 0.587f * rgb[i + 1] + 0.114f * rgb[i + 2]; /* Rec. 601 */
        pale[i] = pale[i + 1] = pale[i + 2] = (uint8_t)lrintf(255 - 0.4f * (255 - luma));
    }
}
