/* PNG by libpng: 1 to 16 bits, palette, transparency, interlaced. */
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "cmus/memory.h"
#include "image.h"
#include "metadata.h"

/* All state is in here, so that it is well defined after longjmp(). */
typedef struct reader {
    png_structp png;
    png_infop info;
    const uint8_t *data;
    size_t size, done;
    char message[256];
    uint8_t *rows; /* [height][stride]: what libpng writes if it is not the image itself */
    png_bytep *row_list;
    cmus_metadata found;
} reader;

static void stop(png_structp png, png_const_charp message) {
    reader *self = png_get_error_ptr(png);
    snprintf(self->message, sizeof self->message, "%s", message);
    png_longjmp(png, 1);
}

/* libpng warns of odd values in chunks that are not used here, and of bytes behind the picture; wrong checksums are
 * errors (see below). But transparency is part of the picture. */
static void hear_warning(png_structp png, png_const_charp message) {
    if (strncmp(message, "tRNS", 4) == 0 && !strstr(message, "with alpha channel"))
        png_error(png, message);
}

static void give_bytes(png_structp png, png_bytep to, png_size_t size) {
    reader *self = png_get_io_ptr(png);
    if (size > self->size - self->done)
        png_error(png, "premature end of the file");
    memcpy(to, self->data + self->done, size);
    self->done += size;
}

/* Tags and texts come as they are in the file, so that no bomb of compressed text is inflated; what else is beside the
 * picture is skipped, but for its checksum. Transparency is part of the picture. */
static int hear_chunk(png_structp png, png_unknown_chunkp chunk) {
    enum { HANDLED = 1 };
    reader *self = png_get_user_chunk_ptr(png);
    cmus_metadata_png((const char *)chunk->name, chunk->data, chunk->size, &self->found);
    return HANDLED;
}

static void choose_chunks(reader *self) {
    static const png_byte heard[] = "eXIf\0tEXt\0zTXt\0iTXt"; /* four letters and a NUL each */
    static const png_byte skipped[] = "bKGD\0cHRM\0gAMA\0hIST\0iCCP\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0sRGB\0tIME";
    png_set_read_user_chunk_fn(self->png, self, hear_chunk);
    png_set_keep_unknown_chunks(self->png, PNG_HANDLE_CHUNK_ALWAYS, heard, sizeof heard / 5);
    png_set_keep_unknown_chunks(self->png, PNG_HANDLE_CHUNK_NEVER, skipped, sizeof skipped / 5);
}

/* Samples become 8 bits, but for 16-bit gray, whose window is chosen later; numbers of colours stay such. */
static void set_transforms(reader *self) {
    int depth = png_get_bit_depth(self->png, self->info), type = png_get_color_type(self->png, self->info);
    if (type == PNG_COLOR_TYPE_PALETTE)
        png_set_packing(self->png);
    if (type == PNG_COLOR_TYPE_GRAY && depth < 8)
        png_set_expand_gray_1_2_4_to_8(self->png);
    bool transparent = png_get_valid(self->png, self->info, PNG_INFO_tRNS);
    if (transparent && type != PNG_COLOR_TYPE_PALETTE)
        png_set_tRNS_to_alpha(self->png);
    if (depth == 16 && (type != PNG_COLOR_TYPE_GRAY || transparent))
        png_set_scale_16(self->png);
    else if (depth == 16 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
        png_set_swap(self->png);
    png_set_interlace_handling(self->png);
    png_read_update_info(self->png, self->info);
}

static uint8_t over_white(unsigned value, unsigned alpha) {
    return (uint8_t)((value * alpha + 255u * (255u - alpha) + 127u) / 255u);
}

/* [count][channels + alpha] to [count][channels] */
static void flatten(const uint8_t *from, size_t count, int channels, uint8_t *to) {
    for (size_t i = 0; i < count; i++, from += channels + 1)
        for (int c = 0; c < channels; c++)
            *to++ = over_white(from[c], from[channels]);
}

/* Rows with alpha, of which one is enough at a time. */
static void read_rows(reader *self, cmus_image *image, size_t stride) {
    self->rows = cmus_allocate_raw(1, stride);
    for (int y = 0; y < image->height; y++) {
        size_t row = (size_t)image->width * (size_t)image->channels;
        png_read_row(self->png, self->rows, NULL);
        flatten(self->rows, (size_t)image->width, image->channels, image->pixels + (size_t)y * row);
    }
}

/* All rows at once: interlaced ones, 16-bit gray, whose window needs them all, and those that libpng can write into the
 * image itself. */
static void read_whole(reader *self, const cmus_decode_options *options, cmus_image *image, size_t stride) {
    size_t pixels = (size_t)image->width * (size_t)image->height;
    bool direct = stride == (size_t)image->width * (size_t)image->channels;
    if (!direct)
        self->rows = cmus_allocate_raw((size_t)image->height, stride);
    self->row_list = cmus_allocate_raw((size_t)image->height, sizeof *self->row_list);
    for (int y = 0; y < image->height; y++)
        self->row_list[y] = (direct ? image->pixels : self->rows) + (size_t)y * stride;
    png_read_image(self->png, self->row_list);
    if (!direct && png_get_bit_depth(self->png, self->info) == 16)
        cmus_image_from_16_bit((const uint16_t *)(const void *)self->rows, pixels, options, image->pixels);
    else if (!direct)
        flatten(self->rows, pixels, image->channels, image->pixels);
}

/* What libpng would show as some colour if it is not in the palette is found here. */
static cmus_status read_palette(reader *self, cmus_image *image) {
    size_t width = (size_t)image->width, count = width * (size_t)image->height;
    uint8_t *numbers = image->pixels + 2 * count; /* where colours come last */
    self->row_list = cmus_allocate_raw((size_t)image->height, sizeof *self->row_list);
    for (int y = 0; y < image->height; y++)
        self->row_list[y] = numbers + (size_t)y * width;
    png_read_image(self->png, self->row_list);
    png_colorp palette = NULL;
    png_bytep alpha = NULL;
    int colours = 0, alphas = 0;
    png_get_PLTE(self->png, self->info, &palette, &colours);
    png_get_tRNS(self->png, self->info, &alpha, &alphas, NULL);
    uint8_t table[256][3];
    for (int i = 0; i < colours; i++) {
        const uint8_t colour[4] = {palette[i].red, palette[i].green, palette[i].blue, i < alphas ? alpha[i] : 255};
        flatten(colour, 1, 3, table[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (numbers[i] >= colours)
            return cmus_fail(CMUS_ERROR_FORMAT, "damaged PNG: a pixel has colour %d of a palette of %d", numbers[i],
                             colours);
        memcpy(image->pixels + 3 * i, table[numbers[i]], 3);
    }
    return CMUS_OK;
}

static cmus_status read_image(reader *self, const cmus_decode_options *options, cmus_image *image) {
    png_read_info(self->png, self->info);
    int type = png_get_color_type(self->png, self->info), depth = png_get_bit_depth(self->png, self->info);
    CMUS_TRY(cmus_image_begin(png_get_image_width(self->png, self->info), png_get_image_height(self->png, self->info),
                              type & PNG_COLOR_MASK_COLOR ? 3 : 1, options, image));
    bool interlaced = png_get_interlace_type(self->png, self->info) != PNG_INTERLACE_NONE;
    set_transforms(self);
    if (type == PNG_COLOR_TYPE_PALETTE)
        CMUS_TRY(read_palette(self, image));
    else if (!interlaced && png_get_channels(self->png, self->info) == image->channels + 1)
        read_rows(self, image, png_get_rowbytes(self->png, self->info));
    else
        read_whole(self, options, image, png_get_rowbytes(self->png, self->info));
    png_read_end(self->png, self->info);
    cmus_image_orient(image, self->found.orientation);
    image->type = CMUS_PNG;
    image->bits = depth;
    image->has_position = self->found.has_position;
    image->has_person = self->found.has_person;
    return CMUS_OK;
}

cmus_status cmus_decode_png(const uint8_t *data, size_t size, const cmus_decode_options *options, cmus_image *image) {
    reader *self = cmus_allocate(1, sizeof *self);
    self->data = data;
    self->size = size;
    self->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, self, stop, hear_warning);
    self->info = self->png ? png_create_info_struct(self->png) : NULL;
    cmus_status status;
    if (!self->info)
        status = cmus_fail(CMUS_ERROR_FORMAT, "libpng can't be started: another version than at build time?");
    else if (setjmp(png_jmpbuf(self->png)) == 0) {
        png_set_read_fn(self->png, self, give_bytes);
        png_set_crc_action(self->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
        png_set_user_limits(self->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* cmus_image_begin() has the limit */
        choose_chunks(self);
        status = read_image(self, options, image);
    } else {
        status = cmus_fail(CMUS_ERROR_FORMAT, "damaged PNG: %s", self->message);
    }
    png_destroy_read_struct(&self->png, &self->info, NULL);
    cmus_free(self->rows);
    cmus_free(self->row_list);
    cmus_free(self);
    return status;
}
