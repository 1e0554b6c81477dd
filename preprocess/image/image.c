#include "image.h"

#include <string.h>

#include "cmus/memory.h"

/* Largest side: products of sides and channels stay far from overflow, and Pillow's arithmetic is exact. */
enum { SIDE_LIMIT = 1000000 };

cmus_decode_options cmus_decode_defaults(void) {
    return (cmus_decode_options){.pixel_limit = 300000000};
}

/* Memory of the last image is used again, unless it is far too large to be kept for this one: the system clears new
 * memory, which takes a tenth of the time of decoding. */
static void take_room(cmus_image *image, size_t bytes) {
    const size_t spare = (size_t)64 << 20;
    if (image->capacity >= bytes && image->capacity - bytes <= spare)
        return;
    cmus_free(image->pixels);
    image->pixels = cmus_allocate_raw(bytes, 1);
    image->capacity = bytes;
}

cmus_status cmus_image_begin(uint64_t width, uint64_t height, int channels, const cmus_decode_options *options,
                             cmus_image *image) {
    if (width == 0 || height == 0)
        return cmus_fail(CMUS_ERROR_FORMAT, "an image without pixels");
    if (width > SIDE_LIMIT || height > SIDE_LIMIT || width * height > (uint64_t)options->pixel_limit)
        return cmus_fail(CMUS_ERROR_LIMIT, "%llu x %llu pixels are more than the limit of %lld (--pixel-limit)",
                         (unsigned long long)width, (unsigned long long)height, (long long)options->pixel_limit);
    take_room(image, (size_t)(width * height) * (size_t)channels);
    *image = (cmus_image){.width = (int)width,
                          .height = (int)height,
                          .channels = channels,
                          .pixels = image->pixels,
                          .capacity = image->capacity};
    return CMUS_OK;
}

cmus_status cmus_image_check_memory(const cmus_image *image, uint64_t bytes) {
    const uint64_t limit = 16 * (uint64_t)image->width * (uint64_t)image->height + ((uint64_t)16 << 20);
    if (bytes > limit)
        return cmus_fail(CMUS_ERROR_LIMIT,
                         "%d x %d pixels in pieces of %llu bytes need more memory than the limit of %llu", image->width,
                         image->height, (unsigned long long)bytes, (unsigned long long)limit);
    return CMUS_OK;
}

void cmus_image_free(cmus_image *image) {
    cmus_free(image->pixels);
    memset(image, 0, sizeof *image);
}

/* True if red, green and blue are equal in all `count` pixels. Bytes are compared with their right neighbours, eight at
 * a time, but for blue with the next pixel's red. */
static bool is_gray(const uint8_t *rgb, size_t count) {
    enum { GROUP = 8, WORDS = 3 };
    uint8_t masks[GROUP * WORDS];
    for (int i = 0; i < GROUP * WORDS; i++)
        masks[i] = i % 3 == 2 ? 0 : 0xFF;
    uint64_t mask[WORDS];
    memcpy(mask, masks, sizeof mask);
    size_t done = 0;
    for (; done + GROUP < count; done += GROUP, rgb += sizeof masks) { /* one byte behind the group is read */
        uint64_t here[WORDS], right[WORDS];
        memcpy(here, rgb, sizeof here);
        memcpy(right, rgb + 1, sizeof right);
        if (((here[0] ^ right[0]) & mask[0]) | ((here[1] ^ right[1]) & mask[1]) | ((here[2] ^ right[2]) & mask[2]))
            return false;
    }
    for (; done < count; done++, rgb += 3)
        if (rgb[0] != rgb[1] || rgb[0] != rgb[2])
            return false;
    return true;
}

bool cmus_pixels_to_gray(uint8_t *pixels, size_t count) {
    if (!is_gray(pixels, count))
        return false;
    for (size_t i = 0; i < count; i++)
        pixels[i] = pixels[3 * i];
    return true;
}

/* RGB with nothing but gray to one channel, in place: stretch by stretch, while it is in the processor's cache. An
 * image with colour is mostly known by its first pixels; if not, what was moved is gray and is spread out again. */
static void reduce_to_gray(cmus_image *image) {
    enum { STRETCH = 4096 };
    size_t count = (size_t)image->width * (size_t)image->height;
    uint8_t *pixels = image->pixels;
    for (size_t start = 0; start < count; start += STRETCH) {
        size_t end = count - start < STRETCH ? count : start + STRETCH;
        if (!is_gray(pixels + 3 * start, end - start)) {
            for (size_t i = start; i-- > 0;)
                memset(pixels + 3 * i, pixels[i], 3);
            return;
        }
        for (size_t i = start; i < end; i++)
            pixels[i] = pixels[3 * i];
    }
    image->channels = 1;
}

cmus_status cmus_image_decode(const uint8_t *data, size_t size, const cmus_decode_options *options, cmus_image *image) {
    *image = (cmus_image){.pixels = image->pixels, .capacity = image->capacity};
    cmus_status status;
    if (size == 0)
        status = cmus_fail(CMUS_ERROR_FORMAT, "the file is empty");
    else if (size >= 3 && memcmp(data, "\xFF\xD8\xFF", 3) == 0)
        status = cmus_decode_jpeg(data, size, options, image);
    else if (size >= 8 && memcmp(data, "\x89PNG\r\n\x1A\n", 8) == 0)
        status = cmus_decode_png(data, size, options, image);
    else if (size >= 4 && (memcmp(data, "II*\0", 4) == 0 || memcmp(data, "MM\0*", 4) == 0 ||
                           memcmp(data, "II+\0", 4) == 0 || memcmp(data, "MM\0+", 4) == 0))
        status = cmus_decode_tiff(data, size, options, image);
    else
        status = cmus_fail(CMUS_ERROR_FORMAT, "not a JPEG, PNG or TIFF file by its first bytes");
    if (status != CMUS_OK)
        cmus_image_free(image);
    else if (image->channels == 3)
        reduce_to_gray(image);
    return status;
}

void cmus_image_from_16_bit(const uint16_t *samples, size_t count, const cmus_decode_options *options,
                            uint8_t *pixels) {
    int low = options->window_low, high = options->window_high;
    if (low >= high) {
        low = UINT16_MAX;
        high = 0;
        for (size_t i = 0; i < count; i++) {
            low = samples[i] < low ? samples[i] : low;
            high = samples[i] > high ? samples[i] : high;
        }
    }
    uint8_t table[UINT16_MAX + 1];
    for (int value = 0; value <= UINT16_MAX; value++)
        table[value] = value <= low    ? 0
                       : value >= high ? 255
                                       : (uint8_t)(((value - low) * 510 + high - low) / (2 * (high - low)));
    for (size_t i = 0; i < count; i++)
        pixels[i] = table[samples[i]];
}
