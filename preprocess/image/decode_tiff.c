/* TIFF by libtiff: the first page. Gray and RGB of 8 and 16 bits, gray also of 9 to 15, and JPEG inside are read piece
 * by piece (a strip or a tile); palettes, fewer bits, CMYK, other YCbCr and separate planes with transparency go
 * through libtiff's RGBA interface. */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <tiffio.h>

#include "cmus/memory.h"
#include "image.h"
#include "metadata.h"

typedef struct reader {
    const uint8_t *data;
    uint64_t size, place;
    char message[512]; /* the first error */
} reader;

/* Errors are damage even where libtiff goes on after them. */
static void hear(reader *self, const char *format, va_list arguments) {
    if (!self->message[0])
        vsnprintf(self->message, sizeof self->message, format, arguments);
}

/* Microscopes write tags of their own, of which libtiff warns. But what a decompressor warns of is missing data, tags
 * beyond the end are of a file that was cut off, and without its colours a palette would be shown as gray. */
static void hear_lost_data(reader *self, const char *module, const char *format, va_list arguments) {
    char text[sizeof self->message];
    vsnprintf(text, sizeof text, format, arguments);
    bool lost = (module && (strcmp(module, "JPEGLib") == 0 || strstr(module, "Decode"))) || strstr(text, "IO error") ||
                strstr(text, "\"ColorMap\"");
    if (lost && !self->message[0])
        memcpy(self->message, text, sizeof text);
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

/* libtiff reads in the file's memory instead of copying from it. */
static int map(thandle_t handle, void **base, toff_t *size) {
    reader *self = handle;
    *base = (void *)(uintptr_t)self->data; /* it only reads there */
    *size = self->size;
    return 1;
}

static void unmap(thandle_t handle, void *base, toff_t size) {
    (void)handle;
    (void)base;
    (void)size;
}

static toff_t size_of(thandle_t handle) {
    return ((reader *)handle)->size;
}

#if TIFFLIB_VERSION >= 20221213 /* 4.5.0 */
static int hear_error(TIFF *tiff, void *user, const char *module, const char *format, va_list arguments) {
    (void)tiff;
    (void)module;
    hear(user, format, arguments);
    return 1; /* nothing is printed */
}

static int hear_warning(TIFF *tiff, void *user, const char *module, const char *format, va_list arguments) {
    (void)tiff;
    hear_lost_data(user, module, format, arguments);
    return 1;
}

static TIFF *open_tiff(reader *self, const cmus_decode_options *options) {
    TIFFOpenOptions *open_options = TIFFOpenOptionsAlloc();
    TIFFOpenOptionsSetErrorHandlerExtR(open_options, hear_error, self);
    TIFFOpenOptionsSetWarningHandlerExtR(open_options, hear_warning, self);
    TIFFOpenOptionsSetMaxSingleMemAlloc(open_options, (tmsize_t)(16 * options->pixel_limit + (16 << 20)));
    TIFF *tiff = TIFFClientOpenExt("TIFF", "r", self, give_bytes, refuse_bytes, move, close_nothing, size_of, map,
                                   unmap, open_options);
    TIFFOpenOptionsFree(open_options);
    return tiff;
}
#else /* handlers for the whole process, which are told the handle of the file; no limit of libtiff's own */
static void hear_error(thandle_t handle, const char *module, const char *format, va_list arguments) {
    (void)module;
    if (handle)
        hear((reader *)handle, format, arguments);
}

static void hear_warning(thandle_t handle, const char *module, const char *format, va_list arguments) {
    if (handle)
        hear_lost_data((reader *)handle, module, format, arguments);
}

static void set_handlers(void) {
    TIFFSetErrorHandler(NULL);
    TIFFSetWarningHandler(NULL);
    TIFFSetErrorHandlerExt(hear_error);
    TIFFSetWarningHandlerExt(hear_warning);
}

static TIFF *open_tiff(reader *self, const cmus_decode_options *options) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)options;
    pthread_once(&once, set_handlers);
    return TIFFClientOpen("TIFF", "r", self, give_bytes, refuse_bytes, move, close_nothing, size_of, map, unmap);
}
#endif

typedef struct layout {
    uint32_t width, height;
    uint16_t bits, samples, photometric, planes, compression, format, orientation;
    int colours;    /* 1: gray, 3: RGB; 0: something else */
    uint16_t alpha; /* the kind of the first sample behind the colours, EXTRASAMPLE_UNSPECIFIED if it is no alpha */
} layout;

static void find_colours(TIFF *tiff, layout *found) {
    if (found->photometric == PHOTOMETRIC_YCBCR && found->compression == COMPRESSION_JPEG &&
        found->planes == PLANARCONFIG_CONTIG && TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB))
        found->photometric = PHOTOMETRIC_RGB;
    bool gray = found->photometric == PHOTOMETRIC_MINISBLACK || found->photometric == PHOTOMETRIC_MINISWHITE;
    found->colours = gray ? 1 : found->photometric == PHOTOMETRIC_RGB ? 3 : 0;
    uint16_t count = 0, *kinds = NULL;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &count, &kinds);
    found->alpha = count > 0 && found->samples > found->colours ? kinds[0] : EXTRASAMPLE_UNSPECIFIED;
}

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
    find_colours(tiff, &found);
    return found;
}

static cmus_status damaged(const reader *self) {
    return cmus_fail(CMUS_ERROR_FORMAT, "damaged or unknown TIFF: %s",
                     self->message[0] ? self->message : "libtiff gives no reason");
}

/* The strips or tiles of a page. */
typedef struct pieces {
    bool tiled;
    uint32_t width, height; /* pixels of a piece; the last strip may have fewer rows */
    uint16_t samples;       /* of a pixel in a piece */
    uint64_t row, bytes;    /* of a row and of a piece */
} pieces;

static cmus_status find_pieces(TIFF *tiff, const layout *what, const cmus_image *image, pieces *found) {
    *found = (pieces){.tiled = TIFFIsTiled(tiff), .width = what->width};
    found->samples = what->planes == PLANARCONFIG_SEPARATE ? 1 : what->samples;
    if (found->tiled) {
        TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &found->width);
        TIFFGetField(tiff, TIFFTAG_TILELENGTH, &found->height);
    } else {
        TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &found->height);
        found->height = found->height < what->height ? found->height : what->height;
    }
    found->bytes = found->tiled ? TIFFTileSize64(tiff) : TIFFVStripSize64(tiff, found->height);
    found->row = found->tiled ? TIFFTileRowSize64(tiff) : TIFFScanlineSize64(tiff);
    if (found->width == 0 || found->height == 0 || found->bytes == 0 || found->row == 0)
        return cmus_fail(CMUS_ERROR_FORMAT, "damaged TIFF: %s of a wrong size", found->tiled ? "tiles" : "strips");
    return cmus_image_check_memory(image, found->bytes);
}

/* A row of a piece goes to `count` pixels from `to` on. */
typedef void copy_row(const layout *what, const uint8_t *row, uint32_t count, uint16_t plane, uint8_t *to);

/* white: its value, 255 or 0 */
static uint8_t over_white(uint32_t value, uint32_t alpha, uint16_t kind, uint32_t white) {
    if (kind == EXTRASAMPLE_UNASSALPHA)
        return (uint8_t)((value * alpha + white * (255 - alpha) + 127) / 255);
    uint32_t sum = value + (white ? 255 - alpha : 0); /* colours are multiplied by alpha already */
    return (uint8_t)(sum > 255 ? 255 : sum);
}

/* libtiff gives samples of 16 bits in this machine's byte order. */
static uint8_t sample_at(const layout *what, const uint8_t *row, size_t index) {
    if (what->bits == 8)
        return row[index];
    uint16_t value;
    memcpy(&value, row + 2 * index, sizeof value);
    return (uint8_t)((value * 255u + 32895) >> 16);
}

static void copy_8_bit(const layout *what, const uint8_t *row, uint32_t count, uint16_t plane, uint8_t *to) {
    int colours = what->colours, step = what->planes == PLANARCONFIG_SEPARATE ? 1 : what->samples;
    uint32_t white = what->photometric == PHOTOMETRIC_MINISWHITE ? 0 : 255; /* it is inverted later */
    if (what->planes == PLANARCONFIG_SEPARATE)
        for (uint32_t x = 0; x < count; x++)
            to[(size_t)x * (size_t)colours + plane] = sample_at(what, row, x);
    else if (what->alpha != EXTRASAMPLE_UNSPECIFIED)
        for (size_t x = 0; x < count; x++)
            for (int c = 0; c < colours; c++)
                *to++ = over_white(sample_at(what, row, x * (size_t)step + (size_t)c),
                                   sample_at(what, row, x * (size_t)step + (size_t)colours), what->alpha, white);
    else if (what->bits == 8 && step == colours)
        memcpy(to, row, (size_t)count * (size_t)colours);
    else
        for (size_t x = 0; x < count; x++)
            for (int c = 0; c < colours; c++)
                *to++ = sample_at(what, row, x * (size_t)step + (size_t)c);
}

/* Gray of 9 to 16 bits to 16; fewer than 16 are packed, the high bits first. Extra samples are left out. */
static void copy_16_bit(const layout *what, const uint8_t *row, uint32_t count, uint16_t plane, uint8_t *to) {
    size_t step = what->planes == PLANARCONFIG_SEPARATE ? 1 : what->samples;
    (void)plane;
    if (what->bits == 16) {
        for (size_t x = 0; x < count; x++)
            memcpy(to + 2 * x, row + 2 * step * x, 2);
        return;
    }
    uint32_t bits = 0;
    int have = 0;
    for (size_t i = 0; i < count * step; i++) {
        for (; have < what->bits; have += 8)
            bits = bits << 8 | *row++;
        have -= what->bits;
        uint16_t value = (uint16_t)(bits >> have & ((1u << what->bits) - 1));
        if (i % step == 0)
            memcpy(to + i / step * 2, &value, sizeof value);
    }
}

/* The piece whose first pixel is (x, y); `piece` has room for it. */
static cmus_status read_piece(TIFF *tiff, const reader *self, const pieces *of, uint32_t x, uint32_t y, uint16_t plane,
                              uint64_t bytes, uint8_t *piece) {
    tmsize_t size = (tmsize_t)bytes;
    tmsize_t done = of->tiled ? TIFFReadEncodedTile(tiff, TIFFComputeTile(tiff, x, y, 0, plane), piece, size)
                              : TIFFReadEncodedStrip(tiff, TIFFComputeStrip(tiff, y, plane), piece, size);
    return done == size ? CMUS_OK : damaged(self);
}

/* All pieces to `pixels`, of `pixel_bytes` each. */
static cmus_status read_pieces(TIFF *tiff, const reader *self, const layout *what, const pieces *of, copy_row *copy,
                               size_t pixel_bytes, uint8_t *pixels) {
    if (of->row != ((uint64_t)of->width * of->samples * what->bits + 7) / 8 || of->bytes != of->row * of->height)
        return cmus_fail(CMUS_ERROR_FORMAT, "damaged TIFF: rows of a wrong length");
    uint16_t planes = what->planes == PLANARCONFIG_SEPARATE ? (uint16_t)what->colours : 1;
    size_t stride = what->width * pixel_bytes;
    bool direct = !of->tiled && of->row == stride && planes == 1 && what->bits % 8 == 0;
    uint8_t *piece = direct ? NULL : cmus_allocate_raw(of->bytes, 1);
    cmus_status status = CMUS_OK;
    for (uint16_t plane = 0; plane < planes; plane++)
        for (uint32_t y = 0; y < what->height && status == CMUS_OK; y += of->height)
            for (uint32_t x = 0; x < what->width && status == CMUS_OK; x += of->width) {
                uint32_t rows = what->height - y < of->height ? what->height - y : of->height;
                uint32_t columns = what->width - x < of->width ? what->width - x : of->width;
                uint8_t *to = pixels + y * stride + x * pixel_bytes;
                status = read_piece(tiff, self, of, x, y, plane, of->tiled ? of->bytes : rows * of->row,
                                    direct ? to : piece);
                for (uint32_t row = 0; row < rows && !direct && status == CMUS_OK; row++)
                    copy(what, piece + row * of->row, columns, plane, to + row * stride);
            }
    cmus_free(piece);
    return status;
}

static cmus_status read_gray_16(TIFF *tiff, const reader *self, const layout *what, const pieces *of,
                                const cmus_decode_options *options, cmus_image *image) {
    size_t count = (size_t)what->width * what->height;
    uint16_t *samples = cmus_allocate_raw(count, sizeof *samples);
    cmus_status status = read_pieces(tiff, self, what, of, copy_16_bit, sizeof *samples, (uint8_t *)samples);
    if (status == CMUS_OK)
        cmus_image_from_16_bit(samples, count, options, image->pixels);
    cmus_free(samples);
    return status;
}

static cmus_status read_rgba(TIFF *tiff, const reader *self, const layout *what, cmus_image *image) {
    size_t count = (size_t)what->width * what->height;
    uint32_t *raster = cmus_allocate(count, sizeof *raster);
    /* asked for the orientation that it has, libtiff leaves the rows as they are stored */
    int done = TIFFReadRGBAImageOriented(tiff, what->width, what->height, raster, what->orientation, 1);
    uint8_t *to = image->pixels;
    for (size_t i = 0; done && i < count; i++) {
        uint32_t pixel = raster[i], alpha = TIFFGetA(pixel); /* libtiff has multiplied colours by alpha */
        *to++ = over_white(TIFFGetR(pixel), alpha, EXTRASAMPLE_ASSOCALPHA, 255);
        if (image->channels == 3) {
            *to++ = over_white(TIFFGetG(pixel), alpha, EXTRASAMPLE_ASSOCALPHA, 255);
            *to++ = over_white(TIFFGetB(pixel), alpha, EXTRASAMPLE_ASSOCALPHA, 255);
        }
    }
    cmus_free(raster);
    return done ? CMUS_OK : damaged(self);
}

/* Gray that would come out as a wrong picture. */
static cmus_status check_gray(const layout *what) {
    if (what->colours != 1)
        return CMUS_OK;
    if (what->samples > 2)
        return cmus_fail(CMUS_ERROR_FORMAT,
                         "TIFF of %d gray channels, of which no single one is the picture; export them as RGB",
                         what->samples);
    /* how a stretch should treat hidden pixels, nobody says; libtiff does not invert such planes */
    bool deep = what->bits > 8;
    if (what->alpha != EXTRASAMPLE_UNSPECIFIED &&
        (deep || (what->photometric == PHOTOMETRIC_MINISWHITE && what->planes == PLANARCONFIG_SEPARATE)))
        return cmus_fail(CMUS_ERROR_FORMAT, "TIFF of %s gray with transparency; save it without transparency",
                         deep ? "9 to 16 bit" : "inverted");
    return CMUS_OK;
}

static cmus_status read_pixels(TIFF *tiff, const reader *self, const layout *what, const cmus_decode_options *options,
                               cmus_image *image) {
    CMUS_TRY(cmus_image_begin(what->width, what->height, what->colours == 1 ? 1 : 3, options, image));
    pieces of;
    CMUS_TRY(find_pieces(tiff, what, image, &of));
    CMUS_TRY(check_gray(what));
    bool known = what->colours > 0 && what->samples >= what->colours && what->compression != COMPRESSION_OJPEG;
    bool mixed = what->planes == PLANARCONFIG_SEPARATE && what->alpha != EXTRASAMPLE_UNSPECIFIED;
    bool deep = what->colours == 1 && what->bits > 8 && what->bits <= 16;
    if (known && deep)
        CMUS_TRY(read_gray_16(tiff, self, what, &of, options, image));
    else if (known && !mixed && (what->bits == 8 || what->bits == 16))
        CMUS_TRY(read_pieces(tiff, self, what, &of, copy_8_bit, (size_t)what->colours, image->pixels));
    else
        return read_rgba(tiff, self, what, image);
    size_t count = (size_t)what->width * what->height;
    for (size_t i = 0; what->photometric == PHOTOMETRIC_MINISWHITE && i < count; i++)
        image->pixels[i] = (uint8_t)(255 - image->pixels[i]);
    return CMUS_OK;
}

static cmus_status read_page(TIFF *tiff, const reader *self, const cmus_decode_options *options, cmus_image *image) {
    layout what = layout_of(tiff);
    if (what.format != SAMPLEFORMAT_UINT && what.format != SAMPLEFORMAT_VOID)
        return cmus_fail(CMUS_ERROR_FORMAT, "TIFF with signed or floating-point samples; save it with unsigned ones");
    if (what.orientation < 1 || what.orientation > 8)
        what.orientation = 1;
    CMUS_TRY(read_pixels(tiff, self, &what, options, image));
    cmus_image_orient(image, what.orientation);
    cmus_metadata found = {0};
    cmus_metadata_tiff(self->data, self->size, &found);
    image->type = CMUS_TIFF;
    image->bits = what.bits;
    image->has_position = found.has_position;
    image->has_person = found.has_person;
    image->more_pages = !TIFFLastDirectory(tiff);
    if (image->more_pages && !TIFFReadDirectory(tiff)) /* the next page is beyond the end of a file that was cut off */
        return damaged(self);
    return self->message[0] ? damaged(self) : CMUS_OK;
}

cmus_status cmus_decode_tiff(const uint8_t *data, size_t size, const cmus_decode_options *options, cmus_image *image) {
    reader self = {.data = data, .size = size};
    TIFF *tiff = open_tiff(&self, options);
    if (!tiff)
        return damaged(&self);
    cmus_status status = read_page(tiff, &self, options, image);
    TIFFClose(tiff);
    return status;
}
