/* JPEG by libjpeg(-turbo): baseline and progressive, gray, YCbCr, RGB, CMYK and YCCK. */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

#include "cmus/memory.h"
#include "image.h"

/* A progressive file may hold any number of scans, each of which takes as long as a whole image. */
enum { SCAN_LIMIT = 500 };

/* All state is in here, so that it is well defined after longjmp(). */
typedef struct reader {
    struct jpeg_decompress_struct library;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    char message[JMSG_LENGTH_MAX];
    uint8_t *row; /* a row of CMYK */
} reader;

static _Noreturn void stop(j_common_ptr library) {
    reader *self = library->client_data;
    library->err->format_message(library, self->message);
    longjmp(self->failed, 1);
}

/* Warnings are data that is missing or wrong, so they stop the reading; but two are about a marker's version number. */
static void hear_message(j_common_ptr library, int level) {
    if (level < 0 && library->err->msg_code != JWRN_JFIF_MAJOR && library->err->msg_code != JWRN_ADOBE_XFORM)
        stop(library);
}

static void count_scans(j_common_ptr library) {
    reader *self = library->client_data;
    if (self->library.input_scan_number <= SCAN_LIMIT)
        return;
    snprintf(self->message, sizeof self->message, "more than %d scans", SCAN_LIMIT);
    longjmp(self->failed, 1);
}

/* Adobe's files hold inverted CMYK, and others are not in use. The formula is Pillow's. */
static void cmyk_to_rgb(const uint8_t *cmyk, int width, uint8_t *rgb) {
    for (int x = 0; x < width; x++, cmyk += 4, rgb += 3)
        for (int c = 0; c < 3; c++) {
            unsigned product = (255u - cmyk[c]) * cmyk[3] + 128u;
            rgb[c] = (uint8_t)(cmyk[3] - (((product >> 8) + product) >> 8));
        }
}

static int orientation_of(const reader *self) {
    for (jpeg_saved_marker_ptr marker = self->library.marker_list; marker; marker = marker->next)
        if (marker->marker == JPEG_APP0 + 1 && marker->data_length > 6 && memcmp(marker->data, "Exif\0", 6) == 0)
            return cmus_exif_orientation(marker->data + 6, marker->data_length - 6);
    return 1;
}

static cmus_status begin_image(reader *self, const cmus_decode_options *options, cmus_image *image) {
    jpeg_read_header(&self->library, TRUE);
    J_COLOR_SPACE stored = self->library.jpeg_color_space;
    bool four = stored == JCS_CMYK || stored == JCS_YCCK;
    if (!four && stored != JCS_GRAYSCALE && stored != JCS_YCbCr && stored != JCS_RGB)
        return cmus_fail(CMUS_ERROR_FORMAT, "JPEG of %d components, which stand for no known colours",
                         self->library.num_components);
    self->library.out_color_space = four ? JCS_CMYK : stored == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
    CMUS_TRY(cmus_image_begin(self->library.image_width, self->library.image_height, stored == JCS_GRAYSCALE ? 1 : 3,
                              options, image));
    if (four)
        self->row = cmus_allocate_raw(self->library.image_width, 4);
    return CMUS_OK;
}

static cmus_status read_image(reader *self, const cmus_decode_options *options, cmus_image *image) {
    CMUS_TRY(begin_image(self, options, image));
    jpeg_start_decompress(&self->library);
    size_t stride = (size_t)image->width * (size_t)image->channels;
    while (self->library.output_scanline < self->library.output_height) {
        uint8_t *to = image->pixels + self->library.output_scanline * stride;
        JSAMPROW row = self->row ? self->row : to;
        jpeg_read_scanlines(&self->library, &row, 1);
        if (self->row)
            cmyk_to_rgb(self->row, image->width, to);
    }
    int orientation = orientation_of(self);
    jpeg_finish_decompress(&self->library);
    cmus_image_orient(image, orientation);
    return CMUS_OK;
}

cmus_status cmus_decode_jpeg(const uint8_t *data, size_t size, const cmus_decode_options *options, cmus_image *image) {
    reader *self = cmus_allocate(1, sizeof *self);
    self->library.err = jpeg_std_error(&self->errors);
    self->errors.error_exit = stop;
    self->errors.emit_message = hear_message;
    self->library.client_data = self;
    self->progress.progress_monitor = count_scans;
    cmus_status status;
    if (setjmp(self->failed) == 0) {
        jpeg_create_decompress(&self->library);
        self->library.progress = &self->progress;
        jpeg_save_markers(&self->library, JPEG_APP0 + 1, 0xFFFF);
        jpeg_mem_src(&self->library, data, (unsigned long)size);
        status = read_image(self, options, image);
    } else {
        status = cmus_fail(CMUS_ERROR_FORMAT, "damaged JPEG: %s", self->message);
    }
    jpeg_destroy_decompress(&self->library);
    cmus_free(self->row);
    cmus_free(self);
    return status;
}
