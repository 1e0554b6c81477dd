/* Resizing against Pillow's results, and the kernels of this processor against plain sums. */
#include <stdlib.h>
#include <string.h>

#include "cmus/file.h"
#include "cmus/memory.h"
#include "resize_kernels.h"
#include "unit.h"

typedef struct golden {
    cmus_filter filter;
    int width, height, channels, new_width, new_height;
    const char *sha256;
} golden;

static const golden resized[] = {
#include "../golden/resize_golden.h"
};

/* The formula of tests/golden/resize_golden.py. */
static cmus_image pattern(int width, int height, int channels) {
    cmus_image image = {.width = width, .height = height, .channels = channels};
    image.pixels = cmus_allocate((size_t)width * (size_t)height, (size_t)channels);
    uint32_t state = (uint32_t)width * 65536 + (uint32_t)height;
    uint8_t *to = image.pixels;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width * channels; x++) {
            state = state * 1664525 + 1013904223;
            *to++ = y % 3 == 2 ? (y % 2 ? 0 : 255) : (uint8_t)(state >> 24);
        }
    return image;
}

static void resizes_as_pillow(void) {
    for (size_t i = 0; i < sizeof resized / sizeof resized[0]; i++) {
        const golden *one = &resized[i];
        cmus_image image = pattern(one->width, one->height, one->channels);
        size_t size = (size_t)one->new_width * (size_t)one->new_height * (size_t)one->channels;
        uint8_t *pixels = cmus_allocate(size, 1);
        char sha256[CMUS_SHA256_TEXT];
        cmus_image_resize(&image, one->filter, one->new_width, one->new_height, pixels);
        cmus_sha256(pixels, size, sha256);
        CU_ASSERT_STRING_EQUAL(sha256, one->sha256);
        cmus_free(pixels);
        cmus_image_free(&image);
    }
}

/* One axis: [before][input][after] to [before][output][after]. */
static void twin_pass(const uint8_t *from, size_t before, int input, size_t after, cmus_filter filter, int output,
                      uint8_t *to) {
    cmus_resize_weights weights = cmus_resize_weights_make(filter, input, output);
    for (size_t b = 0; b < before; b++)
        for (int i = 0; i < output; i++)
            for (size_t a = 0; a < after; a++) {
                int64_t sum = 1 << (CMUS_RESIZE_PRECISION - 1);
                for (int x = 0; x < weights.count[i]; x++)
                    sum += from[(b * (size_t)input + (size_t)(weights.first[i] + x)) * after + a] *
                           (int64_t)weights.fixed[(size_t)i * (size_t)weights.width + (size_t)x];
                CU_ASSERT_FATAL(sum >= INT32_MIN && sum <= INT32_MAX);
                sum >>= CMUS_RESIZE_PRECISION;
                to[(b * (size_t)output + (size_t)i) * after + a] = (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
            }
    cmus_resize_weights_free(&weights);
}

static void twin(const cmus_image *image, cmus_filter filter, int width, int height, uint8_t *pixels) {
    size_t channels = (size_t)image->channels, rows = (size_t)image->height;
    uint8_t *narrow = cmus_allocate(rows * (size_t)width, channels);
    if (width == image->width)
        memcpy(narrow, image->pixels, rows * (size_t)width * channels);
    else
        twin_pass(image->pixels, rows, image->width, channels, filter, width, narrow);
    if (height == image->height)
        memcpy(pixels, narrow, rows * (size_t)width * channels);
    else
        twin_pass(narrow, 1, image->height, (size_t)width * channels, filter, height, pixels);
    cmus_free(narrow);
}

static int drawn(uint32_t *state, int most) {
    *state = *state * 1664525 + 1013904223;
    return 1 + (int)((*state >> 8) % (uint32_t)most);
}

/* Black and white alone give the largest and the smallest sums. Not a byte outside the result is written. */
static void agrees_with_twin(void) {
    uint32_t state = 5;
    for (int i = 0; i < 300; i++) {
        cmus_image image = pattern(drawn(&state, 180), drawn(&state, 180), drawn(&state, 2) == 1 ? 1 : 3);
        int width = i % 7 == 0 ? image.width : drawn(&state, 120);
        int height = i % 11 == 0 ? image.height : drawn(&state, 120);
        cmus_filter filter = (cmus_filter)(i % 4);
        size_t size = (size_t)width * (size_t)height * (size_t)image.channels;
        size_t source = (size_t)image.width * (size_t)image.height * (size_t)image.channels;
        for (size_t p = 0; i % 3 == 0 && p < source; p++)
            image.pixels[p] = image.pixels[p] < 128 ? 0 : 255;
        uint8_t *expected = cmus_allocate(size, 1), *found = cmus_allocate(size + 64, 1);
        memset(found + size, 77, 64);
        twin(&image, filter, width, height, expected);
        cmus_image_resize(&image, filter, width, height, found);
        CU_ASSERT_EQUAL(memcmp(found, expected, size), 0);
        for (int p = 0; p < 64; p++)
            CU_ASSERT_EQUAL(found[size + (size_t)p], 77);
        cmus_free(expected);
        cmus_free(found);
        cmus_image_free(&image);
    }
}

static void leaves_zero_weights_out(void) {
    cmus_resize_weights weights = cmus_resize_weights_make(CMUS_BILINEAR, 9, 3); /* the last of six is 0 */
    CU_ASSERT_EQUAL(weights.first[1], 2);
    CU_ASSERT_EQUAL(weights.count[1], 5);
    int32_t sum = 0;
    for (int x = 0; x < 5; x++)
        sum += weights.fixed[weights.width + x];
    CU_ASSERT_TRUE(abs(sum - (1 << CMUS_RESIZE_PRECISION)) <= 2);
    cmus_resize_weights_free(&weights);
}

int main(void) {
    enum { SKIPPED = 77 };
    static const unit_test tests[] = {
        {"resizes as Pillow", resizes_as_pillow},
        {"agrees with a plain twin", agrees_with_twin},
        {"leaves weights of 0 out", leaves_zero_weights_out},
    };
    const char *family = getenv("CMUS_KERNELS");
    if (family && *family && !cmus_resize_kernels_named(family)) {
        printf("skipped: the kernels %s are not for this processor or not in this build\n", family);
        return SKIPPED;
    }
    printf("kernels %s\n", cmus_resize_kernels_pick()->name);
    return unit_main("resize", tests, sizeof tests / sizeof tests[0]);
}
