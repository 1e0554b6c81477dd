/* Decoders on files made here: kinds that Pillow does not write (pack_images.py has the others), what is refused, what
 * counts as damage, limits of memory and time, tags. */
#include <setjmp.h>
#include <stdio.h>
#include <time.h>

#include <jpeglib.h>
#include <png.h>
#include <tiffio.h>
#include <zlib.h>

#include "cmus/file.h"
#include "cmus/memory.h"
#include "image.h"
#include "made_tiff.h"
#include "unit.h"

enum { WIDTH = 61, HEIGHT = 47 };

typedef struct file {
    uint8_t *data;
    size_t size, capacity;
} file;

static void add_bytes(file *to, const void *data, size_t size) {
    to->data = cmus_grow(to->data, &to->capacity, to->size + size, 1);
    memcpy(to->data + to->size, data, size);
    to->size += size;
}

static cmus_status decode(const file *from, cmus_image *image) {
    cmus_decode_options options = cmus_decode_defaults();
    return cmus_image_decode(from->data, from->size, &options, image);
}

/* It is refused with that status, and the message has the text in it. */
static bool refuses(const file *from, cmus_status status, const char *text) {
    cmus_image image = {0};
    cmus_status got = decode(from, &image);
    bool good = got == status && !image.pixels && strstr(cmus_last_error(), text);
    if (!good)
        printf("\n%s instead of %s: %s\n", cmus_status_name(got), cmus_status_name(status), cmus_last_error());
    cmus_image_free(&image);
    return good;
}

static uint8_t sample(int x, int y, int c) {
    return (uint8_t)(x * 3 + y * y / 7 * (c + 1) + (x * y * 31 & 7));
}

typedef struct jpeg_kind {
    int components, scan_count;
    bool arithmetic;
    const jpeg_scan_info *scans;
    int marker; /* with `text` behind the header */
    const char *text;
    size_t text_size;
} jpeg_kind;

static file make_jpeg(jpeg_kind kind) {
    struct jpeg_compress_struct library;
    struct jpeg_error_mgr errors;
    unsigned char *data = NULL;
    unsigned long size = 0;
    library.err = jpeg_std_error(&errors);
    jpeg_create_compress(&library);
    jpeg_mem_dest(&library, &data, &size);
    library.image_width = WIDTH;
    library.image_height = HEIGHT;
    library.input_components = kind.components;
    library.in_color_space = kind.components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&library);
    library.arith_code = kind.arithmetic;
    library.scan_info = kind.scans;
    library.num_scans = kind.scan_count;
    jpeg_start_compress(&library, TRUE);
    if (kind.text)
        jpeg_write_marker(&library, kind.marker, (const uint8_t *)kind.text, (unsigned)kind.text_size);
    for (int y = 0; y < HEIGHT; y++) {
        uint8_t row[3 * WIDTH], *rows = row;
        for (int i = 0; i < kind.components * WIDTH; i++)
            row[i] = sample(i / kind.components, y, i % kind.components);
        jpeg_write_scanlines(&library, &rows, 1);
    }
    jpeg_finish_compress(&library);
    jpeg_destroy_compress(&library);
    file made = {0};
    add_bytes(&made, data, size);
    free(data);
    return made;
}

/* The place of the number-th marker of that kind. */
static size_t find_marker(const file *in, int marker, int number) {
    for (size_t i = 0; i + 1 < in->size; i++)
        if (in->data[i] == 0xFF && in->data[i + 1] == marker && number-- == 0)
            return i;
    CU_FAIL_FATAL("no such marker");
    return 0;
}

static void decodes_arithmetic_jpeg(void) {
    file plain = make_jpeg((jpeg_kind){.components = 3});
    file arithmetic = make_jpeg((jpeg_kind){.components = 3, .arithmetic = true});
    cmus_image first = {0}, second = {0};
    CU_ASSERT_NOT_EQUAL(plain.size, arithmetic.size);
    CU_ASSERT_EQUAL_FATAL(decode(&plain, &first), CMUS_OK);
    CU_ASSERT_EQUAL_FATAL(decode(&arithmetic, &second), CMUS_OK);
    CU_ASSERT_EQUAL(memcmp(first.pixels, second.pixels, WIDTH * HEIGHT * 3), 0);
    CU_ASSERT(first.type == CMUS_JPEG && first.bits == 8 && !first.has_person && !first.has_position);
    cmus_image_free(&first);
    cmus_image_free(&second);
    arithmetic.data[arithmetic.size / 2] ^= 0x55; /* libjpeg may not notice this, but must not read beyond the end */
    arithmetic.size -= arithmetic.size / 3;
    CU_ASSERT(refuses(&arithmetic, CMUS_ERROR_FORMAT, "damaged JPEG"));
    cmus_free(plain.data);
    cmus_free(arithmetic.data);
}

static void refuses_jpeg_kinds(void) {
    file made = make_jpeg((jpeg_kind){.components = 3});
    size_t frame = find_marker(&made, 0xC0, 0);
    made.data[frame + 4] = 12;
    CU_ASSERT(refuses(&made, CMUS_ERROR_FORMAT, "12"));
    CU_ASSERT_PTR_NULL(strstr(cmus_last_error(), "damaged"));
    made.data[frame + 4] = 8;
    made.data[frame + 1] = 0xC3; /* lossless */
    CU_ASSERT(refuses(&made, CMUS_ERROR_FORMAT, "save it as baseline JPEG"));
    cmus_free(made.data);
}

/* One scan of the mean values and two of each frequency: a script as the standard allows. */
static void refuses_many_scans(void) {
    jpeg_scan_info scans[1 + 2 * 63] = {{.comps_in_scan = 1}};
    for (int i = 0; i < 63; i++) {
        scans[1 + i] = (jpeg_scan_info){.comps_in_scan = 1, .Ss = 1 + i, .Se = 1 + i, .Al = 1};
        scans[64 + i] = (jpeg_scan_info){.comps_in_scan = 1, .Ss = 1 + i, .Se = 1 + i, .Ah = 1};
    }
    file few = make_jpeg((jpeg_kind){.components = 1, .scans = scans, .scan_count = 100});
    file many = make_jpeg((jpeg_kind){.components = 1, .scans = scans, .scan_count = 127});
    cmus_image image = {0};
    CU_ASSERT_EQUAL(decode(&few, &image), CMUS_OK);
    cmus_image_free(&image);
    CU_ASSERT(refuses(&many, CMUS_ERROR_FORMAT, "more than 100 scans"));
    cmus_free(few.data);
    cmus_free(many.data);
}

static void notices_lost_jpeg_data(void) {
    static const jpeg_scan_info scans[3] = {{1, {0}, 0, 63, 0, 0}, {1, {1}, 0, 63, 0, 0}, {1, {2}, 0, 63, 0, 0}};
    file made = make_jpeg((jpeg_kind){.components = 3, .scans = scans, .scan_count = 3});
    cmus_image image = {0};
    CU_ASSERT_EQUAL(decode(&made, &image), CMUS_OK);
    cmus_image_free(&image);
    made.size = find_marker(&made, 0xDA, 2);
    add_bytes(&made, "\xFF\xD9", 2);
    CU_ASSERT(refuses(&made, CMUS_ERROR_FORMAT, "a component has no scan"));
    cmus_free(made.data);
    made = make_jpeg((jpeg_kind){.components = 3});
    made.size -= 2; /* the end marker alone */
    CU_ASSERT(refuses(&made, CMUS_ERROR_FORMAT, "Premature end"));
    made.size -= 300;
    add_bytes(&made, "\xFF\xD9", 2);
    CU_ASSERT(refuses(&made, CMUS_ERROR_FORMAT, "premature end"));
    cmus_free(made.data);
}

static void reads_jpeg_tags(void) {
    static const char author[] = "Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x3B\0\2\0\0\0\3Li\0\0";
    file made = make_jpeg((jpeg_kind){3, .marker = 0xE1, .text = author, .text_size = sizeof author});
    cmus_image image = {0};
    CU_ASSERT_EQUAL(decode(&made, &image), CMUS_OK);
    CU_ASSERT(image.has_person && !image.has_position);
    cmus_image_free(&image);
    cmus_free(made.data);
    made = make_jpeg((jpeg_kind){.components = 1});
    made.size -= 2;
    add_bytes(&made, "\xFF\xFE\0\x08Li Wei\xFF\xD9", 12); /* a comment behind the picture */
    CU_ASSERT_EQUAL(decode(&made, &image), CMUS_OK);
    CU_ASSERT(image.has_person && image.channels == 1);
    cmus_image_free(&image);
    cmus_free(made.data);
}

typedef struct png_kind {
    int colour, bits;
    bool interlaced;
    const char *chunk; /* `chunk_count` such chunks in front of the picture */
    const uint8_t *content;
    size_t content_size;
    int chunk_count;
    int colours; /* of the palette; 0: as many as the bits allow */
} png_kind;

static void write_to_file(png_structp png, png_bytep data, png_size_t size) {
    add_bytes(png_get_io_ptr(png), data, size);
}

static file make_png(png_kind kind) {
    file made = {0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_set_write_fn(png, &made, write_to_file, NULL);
    png_set_IHDR(png, info, WIDTH, HEIGHT, kind.bits, kind.colour, kind.interlaced, 0, 0);
    png_color palette[16];
    png_byte alpha[16];
    for (int i = 0; i < 16; i++) {
        palette[i] = (png_color){(png_byte)(i * 16), (png_byte)(255 - i), (png_byte)(i * i)};
        alpha[i] = (png_byte)(i * 17);
    }
    if (kind.colour == PNG_COLOR_TYPE_PALETTE) {
        int colours = kind.colours ? kind.colours : 1 << kind.bits;
        png_set_PLTE(png, info, palette, colours);
        png_set_tRNS(png, info, alpha, colours, NULL);
        png_set_check_for_invalid_index(png, 0); /* the pixels may have others */
    }
    png_write_info(png, info);
    for (int i = 0; i < kind.chunk_count; i++)
        png_write_chunk(png, (png_const_bytep)kind.chunk, kind.content, kind.content_size);
    size_t stride = png_get_rowbytes(png, info);
    png_bytep rows[HEIGHT];
    for (int y = 0; y < HEIGHT; y++) {
        rows[y] = cmus_allocate(stride, 1);
        for (size_t x = 0; x < stride; x++)
            rows[y][x] = sample((int)x, y, 0);
    }
    png_write_image(png, rows);
    for (int y = 0; y < HEIGHT; y++)
        cmus_free(rows[y]);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    return made;
}

static void decodes_interlaced_png(void) {
    static const int kinds[][2] = {
        {PNG_COLOR_TYPE_GRAY, 1},       {PNG_COLOR_TYPE_GRAY, 2},        {PNG_COLOR_TYPE_GRAY, 8},
        {PNG_COLOR_TYPE_GRAY, 16},      {PNG_COLOR_TYPE_RGB, 8},         {PNG_COLOR_TYPE_RGB, 16},
        {PNG_COLOR_TYPE_GRAY_ALPHA, 8}, {PNG_COLOR_TYPE_GRAY_ALPHA, 16}, {PNG_COLOR_TYPE_RGB_ALPHA, 8},
        {PNG_COLOR_TYPE_RGB_ALPHA, 16}, {PNG_COLOR_TYPE_PALETTE, 1},     {PNG_COLOR_TYPE_PALETTE, 4},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        file plain = make_png((png_kind){kinds[i][0], kinds[i][1], .interlaced = false});
        file interlaced = make_png((png_kind){kinds[i][0], kinds[i][1], .interlaced = true});
        cmus_image first = {0}, second = {0};
        CU_ASSERT_EQUAL_FATAL(decode(&plain, &first), CMUS_OK);
        CU_ASSERT_EQUAL_FATAL(decode(&interlaced, &second), CMUS_OK);
        bool gray = !(kinds[i][0] & PNG_COLOR_MASK_COLOR);
        CU_ASSERT(first.channels == (gray ? 1 : 3) && second.channels == first.channels);
        CU_ASSERT(first.type == CMUS_PNG && first.bits == kinds[i][1]);
        CU_ASSERT_EQUAL(memcmp(first.pixels, second.pixels, (size_t)(WIDTH * HEIGHT * first.channels)), 0);
        CU_ASSERT_NOT_EQUAL(memcmp(first.pixels, first.pixels + 3, WIDTH), 0); /* there is a picture */
        cmus_image_free(&first);
        cmus_image_free(&second);
        cmus_free(plain.data);
        cmus_free(interlaced.data);
    }
}

static void reads_png_chunks(void) {
    static const uint8_t place[] = "Exif\0\0MM\0*\0\0\0\x08\0\1\x88\x25\0\4\0\0\0\1\0\0\0\x1A\0\0\0\0"
                                   "\0\1\0\2\0\5\0\0\0\1\0\0\0\x2C\0\0\0\0\0\0\0\0\0\x1F\0\0\0\1";
    png_kind kind = {PNG_COLOR_TYPE_GRAY, 8, .chunk = "eXIf", .chunk_count = 1};
    kind.content = place + 6;
    kind.content_size = sizeof place - 7;
    file made = make_png(kind);
    cmus_image image = {0};
    CU_ASSERT_EQUAL(decode(&made, &image), CMUS_OK);
    CU_ASSERT(image.has_position && !image.has_person);
    cmus_image_free(&image);
    cmus_free(made.data);
    kind.chunk = "tEXt";
    kind.content = (const uint8_t *)"Author\0Li Wei";
    kind.content_size = 13;
    made = make_png(kind);
    CU_ASSERT_EQUAL(decode(&made, &image), CMUS_OK);
    CU_ASSERT(image.has_person && !image.has_position);
    cmus_image_free(&image);
    made.data[45] ^= 1; /* in the text: its checksum is wrong */
    CU_ASSERT(refuses(&made, CMUS_ERROR_FORMAT, "CRC"));
    cmus_free(made.data);
}

/* 400 texts of 4 kB that become 4 MB each; a chunk that claims 2 GB. */
static void bears_png_bombs(void) {
    enum { UNPACKED = 4 << 20 };
    file bomb = {0}, zeros = {0};
    add_bytes(&bomb, "Comment\0", 9);
    uint8_t *rows = cmus_allocate(UNPACKED, 1);
    uLongf packed = compressBound(UNPACKED);
    uint8_t *data = cmus_allocate(packed, 1);
    compress(data, &packed, rows, UNPACKED);
    add_bytes(&bomb, data, packed);
    cmus_free(rows);
    cmus_free(data);
    file made = make_png((png_kind){PNG_COLOR_TYPE_GRAY, 8, false, "zTXt", bomb.data, bomb.size, .chunk_count = 400});
    cmus_image image = {0};
    size_t before = cmus_peak_memory();
    clock_t start = clock();
    CU_ASSERT_EQUAL(decode(&made, &image), CMUS_OK);
    CU_ASSERT((clock() - start) / CLOCKS_PER_SEC < 2);
    CU_ASSERT(cmus_peak_memory() - before < (size_t)32 << 20);
    cmus_image_free(&image);
    cmus_free(made.data);
    cmus_free(bomb.data);
    static const char *const names[] = {"eXIf", "tEXt", "iCCP", "tRNS", "prVt", "IDAT"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        made = make_png((png_kind){PNG_COLOR_TYPE_GRAY, 8, .chunk = names[i], .content = zeros.data, .chunk_count = 1});
        memcpy(made.data + 33, "\x7A\0\0\0", 4);
        before = cmus_peak_memory();
        CU_ASSERT(refuses(&made, CMUS_ERROR_FORMAT, "damaged PNG"));
        CU_ASSERT(cmus_peak_memory() - before < (size_t)32 << 20);
        cmus_free(made.data);
    }
}

/* What libpng only warns of: a colour that is not in the palette, unusable transparency. */
static void notices_wrong_png_pixels(void) {
    file made = make_png((png_kind){PNG_COLOR_TYPE_PALETTE, 4, .interlaced = false});
    cmus_image image = {0};
    CU_ASSERT_EQUAL(decode(&made, &image), CMUS_OK);
    cmus_image_free(&image);
    cmus_free(made.data);
    for (int bits = 4; bits <= 8; bits += 4) { /* 16 and 256 colours are used, but the last one is missing */
        made = make_png((png_kind){PNG_COLOR_TYPE_PALETTE, bits, .interlaced = bits == 8, .colours = 15});
        CU_ASSERT(refuses(&made, CMUS_ERROR_FORMAT, "palette"));
        cmus_free(made.data);
    }
    made = make_png((png_kind){PNG_COLOR_TYPE_GRAY, 8, false, "tRNS", (const uint8_t *)"\0\0\0", 3, .chunk_count = 1});
    CU_ASSERT(refuses(&made, CMUS_ERROR_FORMAT, "tRNS"));
    cmus_free(made.data);
}

/* A page of 10 x 10 gray pixels, whose data are at the end. */
static made_tiff begin_page(int more_tags, bool tiled) {
    made_tiff made = made_begin(true, false, 8 + more_tags);
    made_value(&made, TIFFTAG_IMAGEWIDTH, 4, 10);
    made_value(&made, TIFFTAG_IMAGELENGTH, 4, 10);
    made_value(&made, TIFFTAG_BITSPERSAMPLE, 3, 8);
    made_value(&made, TIFFTAG_COMPRESSION, 3, COMPRESSION_NONE);
    made_value(&made, TIFFTAG_PHOTOMETRIC, 3, PHOTOMETRIC_MINISBLACK);
    made_value(&made, TIFFTAG_SAMPLESPERPIXEL, 3, 1);
    made_value(&made, tiled ? TIFFTAG_TILEOFFSETS : TIFFTAG_STRIPOFFSETS, 4, 4096);
    made_value(&made, tiled ? TIFFTAG_TILEBYTECOUNTS : TIFFTAG_STRIPBYTECOUNTS, 4, 100);
    for (int i = 0; i < 100; i++)
        made.bytes[4096 + i] = (uint8_t)(i * 2);
    made.size = 4096 + 100;
    return made;
}

static file file_of(const made_tiff *made) {
    file copy = {0};
    add_bytes(&copy, made->bytes, made->size);
    return copy;
}

/* 10 x 10 pixels, each of `count` samples of `bits` bits. extra: what the samples behind the first are
 * (EXTRASAMPLE_...); -1: not said. Sample c of pixel i is value(i, c). */
static file make_samples(int photometric, int bits, int count, int extra, bool separate,
                         unsigned value(int pixel, int c)) {
    made_tiff made = made_begin(true, false, 9 + (extra >= 0));
    uint16_t all_bits[4] = {(uint16_t)bits, (uint16_t)bits, (uint16_t)bits, (uint16_t)bits};
    uint32_t offsets[4], lengths[4], plane = (uint32_t)(100 * bits / 8);
    uint32_t strips = separate ? (uint32_t)count : 1, length = separate ? plane : plane * (uint32_t)count;
    for (uint32_t i = 0; i < strips; i++) {
        offsets[i] = 4096 + i * length;
        lengths[i] = length;
    }
    made_value(&made, TIFFTAG_IMAGEWIDTH, 4, 10);
    made_value(&made, TIFFTAG_IMAGELENGTH, 4, 10);
    made_tag(&made, TIFFTAG_BITSPERSAMPLE, 3, (uint64_t)count, all_bits, 2 * (size_t)count);
    made_value(&made, TIFFTAG_COMPRESSION, 3, COMPRESSION_NONE);
    made_value(&made, TIFFTAG_PHOTOMETRIC, 3, (uint64_t)photometric);
    made_tag(&made, TIFFTAG_STRIPOFFSETS, 4, strips, offsets, 4 * strips);
    made_value(&made, TIFFTAG_SAMPLESPERPIXEL, 3, (uint64_t)count);
    made_tag(&made, TIFFTAG_STRIPBYTECOUNTS, 4, strips, lengths, 4 * strips);
    made_value(&made, TIFFTAG_PLANARCONFIG, 3, separate ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
    if (extra >= 0)
        made_value(&made, TIFFTAG_EXTRASAMPLES, 3, (uint64_t)extra);
    for (int i = 0; i < 100; i++)
        for (int c = 0; c < count; c++) {
            int place = separate ? c * 100 + i : i * count + c;
            made_number(&made, 4096 + (size_t)(place * bits / 8), value(i, c), bits / 8);
        }
    made.size = 4096 + plane * (uint32_t)count;
    return file_of(&made);
}

static unsigned dark_16_bit(int pixel, int c) {
    return c == 0 ? 2000 + 18 * (unsigned)pixel : 65535 - (unsigned)pixel;
}

/* An extra sample that is no transparency changes nothing: neither the stretch nor the window. */
static void stretches_gray_with_extra_sample(void) {
    for (int separate = 0; separate < 2; separate++)
        for (int window = 0; window < 2; window++) {
            cmus_decode_options options = cmus_decode_defaults();
            if (window)
                options.window_high = 2 * (options.window_low = 2000);
            file with = make_samples(PHOTOMETRIC_MINISBLACK, 16, 2, EXTRASAMPLE_UNSPECIFIED, separate, dark_16_bit);
            file without = make_samples(PHOTOMETRIC_MINISBLACK, 16, 1, -1, false, dark_16_bit);
            cmus_image image = {0}, expected = {0};
            CU_ASSERT_EQUAL_FATAL(cmus_image_decode(with.data, with.size, &options, &image), CMUS_OK);
            CU_ASSERT_EQUAL_FATAL(cmus_image_decode(without.data, without.size, &options, &expected), CMUS_OK);
            CU_ASSERT(image.channels == 1 && image.bits == 16);
            CU_ASSERT(expected.pixels[0] == 0 && expected.pixels[99] == (window ? 227 : 255));
            CU_ASSERT_EQUAL(memcmp(image.pixels, expected.pixels, 100), 0);
            cmus_image_free(&image);
            cmus_image_free(&expected);
            cmus_free(with.data);
            cmus_free(without.data);
        }
    for (int kind = EXTRASAMPLE_ASSOCALPHA; kind <= EXTRASAMPLE_UNASSALPHA; kind++) {
        file made = make_samples(PHOTOMETRIC_MINISBLACK, 16, 2, kind, kind == EXTRASAMPLE_ASSOCALPHA, dark_16_bit);
        CU_ASSERT(refuses(&made, CMUS_ERROR_FORMAT, "save it without transparency"));
        cmus_free(made.data);
    }
}

static unsigned ramp(int pixel, int c) {
    return (unsigned)(2 * pixel + 7 * c);
}

/* Channels of a fluorescence microscope: the first alone would be a wrong picture. */
static void refuses_gray_channels(void) {
    for (int count = 2; count <= 4; count++)
        for (int separate = 0; separate < 2; separate++)
            for (int bits = 8; bits <= 16; bits += 8) {
                file made = make_samples(PHOTOMETRIC_MINISBLACK, bits, count, -1, separate, ramp);
                cmus_image image = {0};
                CU_ASSERT(count == 2 ? decode(&made, &image) == CMUS_OK
                                     : refuses(&made, CMUS_ERROR_FORMAT, "export them as RGB"));
                cmus_image_free(&image);
                cmus_free(made.data);
            }
}

/* Pixels 0 to 49 are transparent, 90 to 99 half. */
static unsigned half_transparent(int pixel, int c) {
    unsigned alpha = pixel < 50 ? 0 : pixel < 90 ? 255 : 128;
    return c == 0 ? (pixel < 50 ? 0 : (unsigned)pixel) : alpha;
}

/* Transparent pixels are white, also where 0 means white. */
static void composes_white_is_zero(void) {
    for (int kind = EXTRASAMPLE_ASSOCALPHA; kind <= EXTRASAMPLE_UNASSALPHA; kind++) {
        file made = make_samples(PHOTOMETRIC_MINISWHITE, 8, 2, kind, false, half_transparent);
        cmus_image image = {0};
        CU_ASSERT_EQUAL_FATAL(decode(&made, &image), CMUS_OK);
        CU_ASSERT(image.channels == 1 && image.pixels[0] == 255 && image.pixels[49] == 255);
        CU_ASSERT(image.pixels[50] == 205 && image.pixels[89] == 166);
        CU_ASSERT_EQUAL(image.pixels[90], kind == EXTRASAMPLE_ASSOCALPHA ? 165 : 210); /* 255 - 90 * 128 / 255 */
        cmus_image_free(&image);
        cmus_free(made.data);
        made = make_samples(PHOTOMETRIC_MINISWHITE, 8, 2, kind, true, half_transparent);
        CU_ASSERT(refuses(&made, CMUS_ERROR_FORMAT, "save it without transparency"));
        cmus_free(made.data);
    }
}

static void bears_tiff_bombs(void) {
    made_tiff made = begin_page(2, true);
    made_value(&made, TIFFTAG_TILEWIDTH, 4, 1 << 15);
    made_value(&made, TIFFTAG_TILELENGTH, 4, 1 << 15);
    file page = file_of(&made);
    size_t before = cmus_peak_memory();
    CU_ASSERT(refuses(&page, CMUS_ERROR_LIMIT, "in pieces of 1073741824 bytes"));
    cmus_free(page.data);
    made = begin_page(0, false);
    made_number(&made, 16 + 2 + 8, 1000000, 4);
    made_number(&made, 16 + 2 + 12 + 8, 1000000, 4);
    page = file_of(&made);
    CU_ASSERT(refuses(&page, CMUS_ERROR_LIMIT, "1000000 x 1000000 pixels"));
    cmus_free(page.data);
    made = begin_page(1, false);
    made_value(&made, TIFFTAG_ROWSPERSTRIP, 4, 1000);
    made_number(&made, 16 + 2 + 3 * 12 + 8, COMPRESSION_LZW, 2); /* libtiff cuts strips without compression */
    made_number(&made, 16 + 2 + 5 * 12 + 8, 65535, 2);           /* samples a pixel */
    made_number(&made, 16 + 2 + 12 + 8, 1000, 4);
    page = file_of(&made);
    CU_ASSERT(refuses(&page, CMUS_ERROR_LIMIT, "in pieces of"));
    cmus_free(page.data);
    CU_ASSERT(cmus_peak_memory() - before < (size_t)32 << 20);
    made = begin_page(1, false);
    made_value(&made, TIFFTAG_ROWSPERSTRIP, 4, UINT32_MAX);
    page = file_of(&made);
    cmus_image image = {0};
    CU_ASSERT_EQUAL_FATAL(decode(&page, &image), CMUS_OK);
    CU_ASSERT(image.pixels[99] == 198 && image.type == CMUS_TIFF && image.bits == 8 && image.channels == 1);
    cmus_image_free(&image);
    cmus_free(page.data);
}

static void reads_tiff_tags(void) {
    made_tiff made = begin_page(2, false);
    made_text(&made, 50001, "a tag that libtiff warns of");
    made_text(&made, TIFFTAG_ARTIST, "Li Wei");
    file page = file_of(&made);
    cmus_image image = {0};
    CU_ASSERT_EQUAL_FATAL(decode(&page, &image), CMUS_OK);
    CU_ASSERT(image.has_person && !image.has_position && !image.more_pages);
    cmus_image_free(&image);
    cmus_free(page.data);
    made = begin_page(1, false);
    made_value(&made, TIFFTAG_SAMPLEFORMAT, 3, SAMPLEFORMAT_INT);
    page = file_of(&made);
    CU_ASSERT(refuses(&page, CMUS_ERROR_FORMAT, "signed"));
    cmus_free(page.data);
}

/* What libtiff only warns of, or says and goes on. */
static void notices_lost_tiff_data(void) {
    made_tiff made = begin_page(1, false);
    made_value(&made, TIFFTAG_ROWSPERSTRIP, 4, 10);
    made_number(&made, 16 + 2 + 3 * 12 + 8, COMPRESSION_PACKBITS, 2);
    memset(made.bytes + 4096, 0, 100);
    made.bytes[4096] = (uint8_t)(1 - 100); /* 100 times the next byte */
    made.bytes[4097] = 7;
    made_number(&made, 16 + 2 + 7 * 12 + 8, 2, 4);
    file page = file_of(&made);
    cmus_image image = {0};
    CU_ASSERT_EQUAL(decode(&page, &image), CMUS_OK);
    cmus_image_free(&image);
    page.data[4096] = (uint8_t)(1 - 120);
    CU_ASSERT(refuses(&page, CMUS_ERROR_FORMAT, "Discarding 20 bytes"));
    page.data[4096] = (uint8_t)(1 - 90);
    CU_ASSERT(refuses(&page, CMUS_ERROR_FORMAT, "damaged"));
    cmus_free(page.data);
}

/* The colours of a palette are beyond the end of the file, or too few. */
static void notices_lost_palette(void) {
    made_tiff made = begin_page(1, false);
    made_number(&made, 16 + 2 + 4 * 12 + 8, PHOTOMETRIC_PALETTE, 2);
    uint8_t colours[2 * 768];
    for (size_t i = 0; i < sizeof colours; i++)
        colours[i] = (uint8_t)(i * i >> 4);
    made_tag(&made, TIFFTAG_COLORMAP, 3, 768, colours, sizeof colours);
    file page = file_of(&made);
    cmus_image image = {0};
    CU_ASSERT_EQUAL(decode(&page, &image), CMUS_OK);
    CU_ASSERT(image.bits == 8 && image.channels == 3);
    cmus_image_free(&image);
    page.size--;
    CU_ASSERT(refuses(&page, CMUS_ERROR_FORMAT, "ColorMap"));
    cmus_free(page.data);
    made_number(&made, 16 + 2 + 8 * 12 + 4, 700, 4);
    page = file_of(&made);
    CU_ASSERT(refuses(&page, CMUS_ERROR_FORMAT, "ColorMap"));
    cmus_free(page.data);
}

/* A JPEG strip that breaks off between its markers: libtiff only warns. */
static void notices_lost_jpeg_in_tiff(void) {
    static const char name[] = "test_formats.tif";
    TIFF *tiff = TIFFOpen(name, "w");
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, WIDTH);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, HEIGHT);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 8);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_JPEG);
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, HEIGHT + 1);
    for (uint32_t y = 0; y < HEIGHT; y++) {
        uint8_t row[WIDTH];
        for (int x = 0; x < WIDTH; x++)
            row[x] = sample(x, (int)y, 0);
        TIFFWriteScanline(tiff, row, y, 0);
    }
    TIFFClose(tiff);
    file made = {0};
    FILE *stream = fopen(name, "rb");
    uint8_t data[8192];
    add_bytes(&made, data, fread(data, 1, sizeof data, stream));
    fclose(stream);
    remove(name);
    cmus_image image = {0};
    CU_ASSERT_EQUAL(decode(&made, &image), CMUS_OK);
    cmus_image_free(&image);
    size_t scan = find_marker(&made, 0xDA, 0);
    memcpy(made.data + scan + 200, "\xFF\xD9", 2);
    CU_ASSERT(refuses(&made, CMUS_ERROR_FORMAT, "remature end"));
    cmus_free(made.data);
}

static void reduces_gray_in_rgb(void) {
    enum { SIDE = 100 };
    static const size_t coloured[] = {0, 3 * SIDE * SIDE - 1, 3 * 5000, 3 * 5001 + 1, 3 * 5002 + 2, 3 * 5007 + 2};
    for (int colour = 0; colour < 6; colour++) { /* 0: none; others: one sample at the end, or in the middle */
        made_tiff header = made_begin(true, false, 8);
        made_value(&header, TIFFTAG_IMAGEWIDTH, 4, SIDE);
        made_value(&header, TIFFTAG_IMAGELENGTH, 4, SIDE);
        made_tag(&header, TIFFTAG_BITSPERSAMPLE, 3, 3, "\x08\0\x08\0\x08\0", 6);
        made_value(&header, TIFFTAG_COMPRESSION, 3, COMPRESSION_NONE);
        made_value(&header, TIFFTAG_PHOTOMETRIC, 3, PHOTOMETRIC_RGB);
        made_value(&header, TIFFTAG_STRIPOFFSETS, 4, header.size);
        made_value(&header, TIFFTAG_SAMPLESPERPIXEL, 3, 3);
        made_value(&header, TIFFTAG_STRIPBYTECOUNTS, 4, 3 * SIDE * SIDE);
        file page = file_of(&header);
        uint8_t pixels[3 * SIDE * SIDE];
        for (size_t i = 0; i < sizeof pixels; i++)
            pixels[i] = (uint8_t)(i / 3 % 251);
        if (colour)
            pixels[coloured[colour]] ^= 1;
        add_bytes(&page, pixels, sizeof pixels);
        cmus_image image = {0};
        CU_ASSERT_EQUAL_FATAL(decode(&page, &image), CMUS_OK);
        CU_ASSERT_EQUAL_FATAL(image.channels, colour ? 3 : 1);
        for (size_t i = 0; i < (size_t)(SIDE * SIDE * image.channels); i++)
            if (image.pixels[i] != pixels[colour ? i : 3 * i])
                CU_FAIL_FATAL("a pixel is wrong");
        cmus_image_free(&image);
        cmus_free(page.data);
    }
}

int main(void) {
    static const unit_test tests[] = {
        {"arithmetic JPEG", decodes_arithmetic_jpeg},
        {"JPEG of 12 bits, lossless JPEG", refuses_jpeg_kinds},
        {"JPEG of many scans", refuses_many_scans},
        {"lost data in JPEG", notices_lost_jpeg_data},
        {"tags of JPEG", reads_jpeg_tags},
        {"interlaced PNG", decodes_interlaced_png},
        {"chunks of PNG", reads_png_chunks},
        {"bombs of PNG", bears_png_bombs},
        {"wrong pixels in PNG", notices_wrong_png_pixels},
        {"16-bit gray with an extra sample", stretches_gray_with_extra_sample},
        {"channels of gray", refuses_gray_channels},
        {"transparency where 0 is white", composes_white_is_zero},
        {"bombs of TIFF", bears_tiff_bombs},
        {"tags of TIFF", reads_tiff_tags},
        {"lost data in TIFF", notices_lost_tiff_data},
        {"lost palette of TIFF", notices_lost_palette},
        {"lost data in JPEG in TIFF", notices_lost_jpeg_in_tiff},
        {"gray in RGB", reduces_gray_in_rgb},
    };
    return unit_main("formats", tests, sizeof tests / sizeof tests[0]);
}
