/* EXIF orientation: how the camera or scanner was held. */
#include <stddef.h>

#include "cmus/memory.h"
#include "image.h"

/* `count` pixels that lie `step` bytes apart; inlined for a fixed number of channels. */
static inline void copy_pixels(const uint8_t *from, ptrdiff_t step, size_t count, int channels, uint8_t *to) {
    for (size_t i = 0; i < count; i++, from += step)
        for (int c = 0; c < channels; c++)
            *to++ = from[c];
}

/* Row 0 of the stored image is at the top (1, 2), bottom (3, 4), left (5, 6: column 0 is the top) or right (7, 8). A
 * row of a turned image is a column of the stored one: squares of SPAN pixels, so that what the processor fetched for
 * one row is still in its cache for the next. */
void cmus_image_orient(cmus_image *image, int orientation) {
    enum { SPAN = 64 };
    if (orientation < 2 || orientation > 8)
        return;
    bool turned = orientation >= 5;
    int width = turned ? image->height : image->width, height = turned ? image->width : image->height;
    bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    ptrdiff_t channels = image->channels, stride = channels * image->width;
    ptrdiff_t column = from_right ? -channels : channels, row = from_bottom ? -stride : stride;
    const uint8_t *corner =
        image->pixels + (from_right ? stride - channels : 0) + (from_bottom ? stride * (image->height - 1) : 0);
    ptrdiff_t step = turned ? row : column, next = turned ? column : row; /* to the right and downwards, upright */
    uint8_t *upright = cmus_allocate_raw((size_t)width * (size_t)height, (size_t)channels);
    for (int top = 0; top < height; top += SPAN)
        for (int x = 0; x < width; x += SPAN)
            for (int y = top; y < height && y < top + SPAN; y++) {
                const uint8_t *from = corner + x * step + y * next;
                uint8_t *to = upright + ((ptrdiff_t)y * width + x) * channels;
                size_t count = (size_t)(width - x < SPAN ? width - x : SPAN);
                if (channels == 1)
                    copy_pixels(from, step, count, 1, to);
                else
                    copy_pixels(from, step, count, 3, to);
            }
    cmus_free(image->pixels);
    image->pixels = upright;
    image->capacity = (size_t)width * (size_t)height * (size_t)channels;
    image->width = width;
    image->height = height;
}
