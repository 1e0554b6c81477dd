/* TIFF by libtiff: the first page. Plain 8-bit and 16-bit gray and 8-bit RGB are read as they are; palettes, tiles,
 * separate planes, other bit depths, YCbCr, CMYK and transparency go through libtiff's RGBA interface. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <tiffio.h>

#include "cmus/memory.h"
#include "image.h"

typedef struct reader {
    const uint8_t *data;
    uint64_t size, place;
    char message[512]; /* the first error */
} reader;

static int hear_error(TIFF *tiff, void *user, const char *module, const char *format, va_list arguments) {
    (void)tiff;
    (void)module;
    reader *self = user;
    if (!self->message[0])
        vsnprintf(self->message, sizeof self->message, format, arguments);
    return 1; /* nothing is printed */
}

/* Microscopes write tags of their own, of which libtiff warns. */
static int ignore_warning(TIFF *tiff, void *user, const char *module, const char *format, va_list arguments) {
    (void)tiff;
    (void)user;
    (void)module;
    (void)format;
    (void)arguments;
    return 1;
}

static tmsize_t give_bytes(thandle_t handle, void *to, tmsize_t size) {
    reader *self = handle;
    uint64_t rest = self->place < self->size ? self->size - self->place : 0;
    if ((uint64_t)size > rest)
        size = (tmsize_t)rest;
    memcpy(to, self->data + (size ? self->place : 0), (size_t)size);
    self->place += (uint64_t)size;
    return size;
}

static tmsize_t refuse_bytes(thandle_t handle, void *from, tmsize_t size) {
    (void)handle;
    (void)from;
    (void)size;
    return -1;
}

static toff_t move(thandle_t handle, toff_t offset, int from) {
    reader *self = handle;
    uint64_t base = from == SEEK_CUR ? self->place : from == SEEK_END ? self->size : 0;
    self->place = base + offset;
    return self->place;
}

static int close_nothing(thandle_t handle) {
    (void)handle;
    return 0;
}

static toff_t size_of(thandle_t handle) {
    return ((reader *)handle)->size;
}

typedef struct layout {
    uint32_t width, height;
    uint16_t bits, samples, photometric, planes, compression, format, orientation;
} layout;

static layout layout_of(TIFF *tiff) {
    layout found = {0};
    TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &found.width);
    TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &found.height);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &found.bits);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &found.samples);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &found.planes);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &found.compression);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &found.format);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &found.orientation);
    if (!TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &found.photometric))
        found.photometric = found.samples >= 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK;
    return found;
}

static cmus_status damaged(const reader *self) {
    return cmus_fail(CMUS_ERROR_FORMAT, "damaged or unknown TIFF: %s",
                     self->message[0] ? self->message : "libtiff gives no reason");
}

static cmus_status read_rows(TIFF *tiff, const reader *self, uint32_t height, uint8_t *rows, size_t stride) {
    if ((size_t)TIFFScanlineSize(tiff) != stride)
        return cmus_fail(CMUS_ERROR_FORMAT, "damaged TIFF: rows of a wrong length");
    for (uint32_t y = 0; y < height; y++)
        if (TIFFReadScanline(tiff, rows + y * stride, y, 0) < 0)
            return damaged(self);
    return CMUS_OK;
}

static cmus_status read_tiles_16(TIFF *tiff, const reader *self, const layout *what, uint16_t *samples) {
    uint32_t width = 0, height = 0;
    TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &width);
    TIFFGetField(tiff, TIFFTAG_TILELENGTH, &height);
    tmsize_t bytes = TIFFTileSize(tiff);
    if (width == 0 || height == 0 || width > 1u << 15 || height > 1u << 15 || bytes != 2 * (tmsize_t)width * height)
        return cmus_fail(CMUS_ERROR_FORMAT, "damaged TIFF: tiles of a wrong size");
    uint16_t *tile = cmus_allocate((size_t)bytes, 1);
    cmus_status status = CMUS_OK;
    for (uint32_t y = 0; y < what->height && status == CMUS_OK; y += height)
        for (uint32_t x = 0; x < what->width && status == CMUS_OK; x += width) {
            if (TIFFReadTile(tiff, tile, x, y, 0, 0) < 0)
                status = damaged(self);
            uint32_t rows = what->height - y < height ? what->height - y : height;
            uint32_t columns = what->width - x < width ? what->width - x : width;
            for (uint32_t row = 0; row < rows; row++)
                memcpy(samples + (size_t)(y + row) * what->width + x, tile + (size_t)row * width, 2 * (size_t)columns);
        }
    cmus_free(tile);
    return status;
}

static cmus_status read_gray_16(TIFF *tiff, const reader *self, const layout *what, const cmus_decode_options *options,
                                cmus_image *image) {
    CMUS_TRY(cmus_image_begin(what->width, what->height, 1, options, image));
    size_t count = (size_t)what->width * what->height;
    uint16_t *samples = cmus_allocate_raw(count, sizeof *samples);
    cmus_status status = TIFFIsTiled(tiff)
                             ? read_tiles_16(tiff, self, what, samples)
                             : read_rows(tiff, self, what->height, (uint8_t *)samples, 2 * (size_t)what->width);
    if (status == CMUS_OK)
        cmus_image_from_16_bit(samples, count, options, image->pixels);
    for (size_t i = 0; status == CMUS_OK && what->photometric == PHOTOMETRIC_MINISWHITE && i < count; i++)
        image->pixels[i] = (uint8_t)(255 - image->pixels[i]);
    cmus_free(samples);
    return status;
}

/* libtiff multiplies colours by alpha, so over white is the sum of what is left. */
static uint8_t over_white(uint32_t value, uint32_t alpha) {
    uint32_t sum = value + 255 - alpha;
    return (uint8_t)(sum > 255 ? 255 : sum);
}

static cmus_status read_rgba(TIFF *tiff, const reader *self, const layout *what, const cmus_decode_options *options,
                             cmus_image *image) {
    bool gray = what->photometric == PHOTOMETRIC_MINISBLACK || what->photometric == PHOTOMETRIC_MINISWHITE;
    CMUS_TRY(cmus_image_begin(what->width, what->height, gray ? 1 : 3, options, image));
    size_t count = (size_t)what->width * what->height;
    uint32_t *raster = cmus_allocate(count, sizeof *raster);
    /* asked for the orientation that it has, libtiff leaves the rows as they are stored */
    int done = TIFFReadRGBAImageOriented(tiff, what->width, what->height, raster, what->orientation, 1);
    uint8_t *to = image->pixels;
    for (size_t i = 0; done && i < count; i++) {
        uint32_t pixel = raster[i], alpha = TIFFGetA(pixel);
        *to++ = over_white(TIFFGetR(pixel), alpha);
        if (!gray) {
            *to++ = over_white(TIFFGetG(pixel), alpha);
            *to++ = over_white(TIFFGetB(pixel), alpha);
        }
    }
    cmus_free(raster);
    return done ? CMUS_OK : damaged(self);
}

static cmus_status read_page(TIFF *tiff, const reader *self, const cmus_decode_options *options, cmus_image *image) {
    layout what = layout_of(tiff);
    bool gray =
        what.samples == 1 && (what.photometric == PHOTOMETRIC_MINISBLACK || what.photometric == PHOTOMETRIC_MINISWHITE);
    bool rgb = what.samples == 3 && what.photometric == PHOTOMETRIC_RGB && what.planes == PLANARCONFIG_CONTIG;
    bool plain = !TIFFIsTiled(tiff) && what.compression != COMPRESSION_JPEG && what.compression != COMPRESSION_OJPEG;
    if (what.format != SAMPLEFORMAT_UINT && what.format != SAMPLEFORMAT_VOID)
        return cmus_fail(CMUS_ERROR_FORMAT, "TIFF with signed or floating-point samples; save it with unsigned ones");
    if (what.orientation < 1 || what.orientation > 8)
        what.orientation = 1;
    cmus_status status;
    if (gray && what.bits == 16) {
        status = read_gray_16(tiff, self, &what, options, image);
    } else if (what.bits == 8 && plain && (rgb || (gray && what.photometric == PHOTOMETRIC_MINISBLACK))) {
        status = cmus_image_begin(what.width, what.height, gray ? 1 : 3, options, image);
        if (status == CMUS_OK)
            status = read_rows(tiff, self, what.height, image->pixels, (size_t)image->width * (size_t)image->channels);
    } else {
        status = read_rgba(tiff, self, &what, options, image);
    }
    CMUS_TRY(status);
    cmus_image_orient(image, what.orientation);
    image->more_pages = !TIFFLastDirectory(tiff);
    if (image->more_pages && !TIFFReadDirectory(tiff)) /* the next page is beyond the end of a file that was cut off */
        return damaged(self);
    return CMUS_OK;
}

cmus_status cmus_decode_tiff(const uint8_t *data, size_t size, const cmus_decode_options *options, cmus_image *image) {
    reader self = {.data = data, .size = size};
    TIFFOpenOptions *open_options = TIFFOpenOptionsAlloc();
    TIFFOpenOptionsSetErrorHandlerExtR(open_options, hear_error, &self);
    TIFFOpenOptionsSetWarningHandlerExtR(open_options, ignore_warning, NULL);
    TIFFOpenOptionsSetMaxSingleMemAlloc(open_options, (tmsize_t)(8 * options->pixel_limit + (1 << 24)));
    TIFF *tiff = TIFFClientOpenExt("TIFF", "rm", &self, give_bytes, refuse_bytes, move, close_nothing, size_of, NULL,
                                   NULL, open_options);
    TIFFOpenOptionsFree(open_options);
    if (!tiff)
        return damaged(&self);
    cmus_status status = read_page(tiff, &self, options, image);
    TIFFClose(tiff);
    return status;
}
