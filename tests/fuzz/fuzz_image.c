#include "fuzz_image.h"

#include "cmus/memory.h"
#include "fuzz.h"
#include "image.h"

enum { SIDE = 32 };

static unsigned magnitude(int size) {
    return size ? 32u - (unsigned)__builtin_clz((unsigned)size) : 0;
}

static void note(const cmus_image *image) {
    cmus_fuzz_feature(magnitude(image->width) * 32);
    cmus_fuzz_feature(magnitude(image->height));
    cmus_fuzz_feature(0x10000 + (unsigned)image->bits * 16 + (unsigned)image->channels * 4 + image->more_pages * 2);
    cmus_fuzz_feature(0x20000 + image->has_position * 2 + image->has_person);
}

static void resize(const cmus_image *image) {
    uint8_t *small = cmus_allocate_raw((size_t)SIDE * SIDE, (size_t)image->channels);
    for (cmus_filter filter = CMUS_BILINEAR; filter <= CMUS_LANCZOS; filter++)
        cmus_image_resize(image, filter, SIDE, SIDE, small);
    cmus_free(small);
}

cmus_status cmus_fuzz_image(const uint8_t *data, size_t size) {
    cmus_decode_options options = cmus_decode_defaults();
    options.pixel_limit = 65536;
    cmus_image image = {0};
    cmus_status status = cmus_image_decode(data, size, &options, &image);
    if (status != CMUS_OK) {
        cmus_fuzz_reached(cmus_last_error());
        return status;
    }
    note(&image);
    resize(&image);
    int bits = image.bits;
    cmus_image_free(&image);
    if (bits == 16) { /* once more, with a window */
        options.window_low = 100;
        options.window_high = 40000;
        if (cmus_image_decode(data, size, &options, &image) == CMUS_OK)
            cmus_image_free(&image);
    }
    return CMUS_OK;
}
