/* Orientation; 16-bit windows; what is no image. */
#include <string.h>

#include "cmus/memory.h"
#include "image.h"
#include "unit.h"

/* The picture "F" lies on its side or is mirrored in the file; upright it is 1 2 / 3 4 / 5 6. */
static void turns_upright(void) {
    static const uint8_t upright[6] = {1, 2, 3, 4, 5, 6};
    static const uint8_t stored[9][6] = {
        {0},
        {1, 2, 3, 4, 5, 6}, /* 2 x 3 */
        {2, 1, 4, 3, 6, 5}, /* mirrored */
        {6, 5, 4, 3, 2, 1}, /* half a turn */
        {5, 6, 3, 4, 1, 2}, /* upside down and mirrored */
        {1, 3, 5, 2, 4, 6}, /* 3 x 2: rows and columns exchanged */
        {2, 4, 6, 1, 3, 5}, /* to be turned clockwise */
        {6, 4, 2, 5, 3, 1}, /* exchanged along the other diagonal */
        {5, 3, 1, 6, 4, 2}, /* to be turned counter-clockwise */
    };
    for (int orientation = 0; orientation <= 9; orientation++) {
        bool turned = orientation >= 5 && orientation <= 8;
        cmus_image image = {.width = turned ? 3 : 2, .height = turned ? 2 : 3, .channels = 1};
        image.pixels = cmus_allocate(6, 1);
        memcpy(image.pixels, orientation < 1 || orientation > 8 ? upright : stored[orientation], 6);
        cmus_image_orient(&image, orientation);
        CU_ASSERT_EQUAL(image.width, 2);
        CU_ASSERT_EQUAL(image.height, 3);
        CU_ASSERT_EQUAL(memcmp(image.pixels, upright, 6), 0);
        cmus_image_free(&image);
    }
}

static void stretches_16_bit(void) {
    static const uint16_t samples[5] = {1000, 2000, 1500, 3000, 1001};
    uint8_t pixels[5];
    cmus_decode_options options = cmus_decode_defaults();
    cmus_image_from_16_bit(samples, 5, &options, pixels);
    CU_ASSERT_EQUAL(memcmp(pixels, ((uint8_t[]){0, 128, 64, 255, 0}), 5), 0);
    options.window_low = 1500;
    options.window_high = 2010;
    cmus_image_from_16_bit(samples, 5, &options, pixels);
    CU_ASSERT_EQUAL(memcmp(pixels, ((uint8_t[]){0, 250, 0, 255, 0}), 5), 0);
    static const uint16_t flat[2] = {7, 7};
    cmus_image_from_16_bit(flat, 2, &(cmus_decode_options){0}, pixels);
    CU_ASSERT_EQUAL(pixels[0], 0);
}

static void refuses_what_is_no_image(void) {
    cmus_decode_options options = cmus_decode_defaults();
    cmus_image image = {0};
    static const char *const nothing[] = {"",      "GIF89a",         "\xFF\xD8\xFF", "\x89PNG\r\n\x1A\n",
                                          "II*\0", "MM\0*\0\0\0\x08"};
    static const size_t sizes[] = {0, 6, 3, 8, 4, 8};
    for (int i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(cmus_image_decode((const uint8_t *)nothing[i], sizes[i], &options, &image), CMUS_ERROR_FORMAT);
        CU_ASSERT_PTR_NULL(image.pixels);
    }
    CU_ASSERT_EQUAL(cmus_image_begin(20000, 20000, 3, &options, &image), CMUS_ERROR_LIMIT);
    CU_ASSERT_EQUAL(cmus_image_begin(UINT32_MAX, UINT32_MAX, 3, &options, &image), CMUS_ERROR_LIMIT);
    CU_ASSERT_EQUAL(cmus_image_begin(0, 5, 3, &options, &image), CMUS_ERROR_FORMAT);
}

int main(void) {
    static const unit_test tests[] = {
        {"turns upright", turns_upright},
        {"stretches 16 bits", stretches_16_bit},
        {"refuses what is no image", refuses_what_is_no_image},
    };
    return unit_main("image", tests, sizeof tests / sizeof tests[0]);
}
