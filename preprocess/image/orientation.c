/* EXIF orientation: how the camera or scanner was held. */
#include <string.h>

#include "cmus/memory.h"
#include "image.h"

/* A number of 2 or 4 bytes in the byte order of the data. */
static uint32_t number_at(const uint8_t *data, int bytes, bool little) {
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | data[little ? bytes - 1 - i : i];
    return value;
}

int cmus_exif_orientation(const uint8_t *data, size_t size) {
    enum { ORIENTATION = 0x0112, SHORT = 3, ENTRY = 12 };
    if (size < 8 || (memcmp(data, "II", 2) != 0 && memcmp(data, "MM", 2) != 0))
        return 1;
    bool little = data[0] == 'I';
    size_t place = number_at(data + 4, 4, little);
    if (place > size - 2)
        return 1;
    size_t entries = number_at(data + place, 2, little);
    place += 2;
    for (size_t i = 0; i < entries && place + ENTRY <= size; i++, place += ENTRY) {
        const uint8_t *entry = data + place;
        if (number_at(entry, 2, little) != ORIENTATION || number_at(entry + 2, 2, little) != SHORT)
            continue;
        uint32_t value = number_at(entry + 8, 2, little);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

/* Row 0 of the stored image is at the top (1, 2), bottom (3, 4), left (5, 6: column 0 is the top) or right (7, 8). */
void cmus_image_orient(cmus_image *image, int orientation) {
    if (orientation < 2 || orientation > 8)
        return;
    bool turned = orientation >= 5;
    int width = turned ? image->height : image->width, height = turned ? image->width : image->height;
    bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    size_t channels = (size_t)image->channels;
    uint8_t *upright = cmus_allocate_raw((size_t)width * (size_t)height, channels), *to = upright;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, to += channels) {
            int column = turned ? y : x, row = turned ? x : y;
            if (from_right)
                column = image->width - 1 - column;
            if (from_bottom)
                row = image->height - 1 - row;
            const uint8_t *from = image->pixels + ((size_t)row * (size_t)image->width + (size_t)column) * channels;
            memcpy(to, from, channels);
        }
    cmus_free(image->pixels);
    image->pixels = upright;
    image->width = width;
    image->height = height;
}
