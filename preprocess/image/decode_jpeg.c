/* JPEG by libjpeg(-turbo): baseline and progressive, gray, YCbCr, RGB, CMYK and YCCK. */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

#include "cmus/memory.h"
#include "image.h"
#include "metadata.h"

enum {
    /* A progressive file may hold any number of scans, each of which may take some bytes only and as long as a whole
     * image. libjpeg's own scripts have at most 18 scans, and those of optimizing encoders not many more. */
    SCAN_LIMIT = 100,
    APP1 = JPEG_APP0 + 1,
    APP13 = JPEG_APP0 + 13,
};

/* All state is in here, so that it is well defined after longjmp(). */
typedef struct reader {
    struct jpeg_decompress_struct library;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    char message[JMSG_LENGTH_MAX];
    uint8_t *row;     /* a row of CMYK */
    unsigned seen;    /* a bit for each component that had a scan */
    bool unsupported; /* no damage, but what the library does not read */
} reader;

static _Noreturn void stop(j_common_ptr library) {
    reader *self = library->client_data;
    int code = library->err->msg_code;
    self->unsupported = code == JERR_BAD_PRECISION || code == JERR_SOF_UNSUPPORTED || code == JERR_ARITH_NOTIMPL;
    library->err->format_message(library, self->message);
    longjmp(self->failed, 1);
}

/* Warnings are data that is missing or wrong, so they stop the reading; but two are about a marker's version number. */
static void hear_message(j_common_ptr library, int level) {
    if (level < 0 && library->err->msg_code != JWRN_JFIF_MAJOR && library->err->msg_code != JWRN_ADOBE_XFORM)
        stop(library);
}

/* Called now and then while a file of several scans is read. */
static void watch_scans(j_common_ptr library) {
    reader *self = library->client_data;
    for (int i = 0; i < self->library.comps_in_scan; i++)
        self->seen |= 1u << self->library.cur_comp_info[i]->component_index;
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

/* To the end of the file, so that also comments behind the picture are judged. */
static cmus_metadata read_metadata(reader *self) {
    cmus_metadata found = {0};
    while (jpeg_consume_input(&self->library) != JPEG_REACHED_EOI)
        continue;
    for (jpeg_saved_marker_ptr marker = self->library.marker_list; marker; marker = marker->next)
        cmus_metadata_jpeg(marker->marker, marker->data, marker->data_length, &found);
    return found;
}

static cmus_status begin_image(reader *self, const cmus_decode_options *options, cmus_image *image) {
    jpeg_read_header(&self->library, TRUE);
    J_COLOR_SPACE stored = self->library.jpeg_color_space;
    bool four = stored == JCS_CMYK || stored == JCS_YCCK;
    if (!four && stored != JCS_GRAYSCALE && stored != JCS_YCbCr && stored != JCS_RGB)
        return cmus_fail(CMUS_ERROR_FORMAT, "JPEG of %d components, which stand for no known colours",
                         self->library.num_components);
    if (self->library.data_precision != 8) /* libjpeg-turbo 3 has functions of their own for these */
        return cmus_fail(CMUS_ERROR_FORMAT, "JPEG of %d bits a sample; save it with 8 bits",
                         self->library.data_precision);
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
    cmus_metadata found = read_metadata(self);
    bool complete = !jpeg_has_multiple_scans(&self->library) || self->seen == (1u << self->library.num_components) - 1;
    jpeg_finish_decompress(&self->library);
    if (!complete)
        return cmus_fail(CMUS_ERROR_FORMAT, "damaged JPEG: a component has no scan");
    cmus_image_orient(image, found.orientation);
    image->type = CMUS_JPEG;
    image->bits = 8;
    image->has_position = found.has_position;
    image->has_person = found.has_person;
    return CMUS_OK;
}

cmus_status cmus_decode_jpeg(const uint8_t *data, size_t size, const cmus_decode_options *options, cmus_image *image) {
    reader *self = cmus_allocate(1, sizeof *self);
    self->library.err = jpeg_std_error(&self->errors);
    self->errors.error_exit = stop;
    self->errors.emit_message = hear_message;
    self->library.client_data = self;
    self->progress.progress_monitor = watch_scans;
    cmus_status status;
    if (setjmp(self->failed) == 0) {
        jpeg_create_decompress(&self->library);
        self->library.progress = &self->progress;
        jpeg_save_markers(&self->library, APP1, 0xFFFF);
        jpeg_save_markers(&self->library, APP13, 0xFFFF);
        jpeg_save_markers(&self->library, JPEG_COM, 0xFFFF);
        jpeg_mem_src(&self->library, data, (unsigned long)size);
        status = read_image(self, options, image);
    } else {
        status =
            cmus_fail(CMUS_ERROR_FORMAT,
                      self->unsupported ? "JPEG that can't be read; save it as baseline JPEG: %s" : "damaged JPEG: %s",
                      self->message);
    }
    jpeg_destroy_decompress(&self->library);
    cmus_free(self->row);
    cmus_free(self);
    return status;
}
