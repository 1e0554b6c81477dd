#include "thumbnail.h"

#include <stdbool.h>
#include <stdio.h> /* jpeglib.h needs it */
#include <stdlib.h>

#include <jpeglib.h>

#include "cmus/base64.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "image.h"

_Noreturn static void jpeg_failed(j_common_ptr compress) {
    char text[JMSG_LENGTH_MAX];
    compress->err->format_message(compress, text);
    cmus_fatal("libjpeg: %s", text); /* it writes to memory: nothing that a file or a disk can cause */
}

/* pixels: [side][side][3], which are changed. */
static char *encode(uint8_t *pixels, int side, int quality) {
    struct jpeg_compress_struct compress;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    bool gray = cmus_pixels_to_gray(pixels, (size_t)side * (size_t)side); /* as most TEM images are */
    compress.err = jpeg_std_error(&errors);
    errors.error_exit = jpeg_failed;
    jpeg_create_compress(&compress);
    jpeg_mem_dest(&compress, &bytes, &size);
    compress.image_width = compress.image_height = (JDIMENSION)side;
    compress.input_components = gray ? 1 : 3;
    compress.in_color_space = gray ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&compress);
    jpeg_set_quality(&compress, quality, TRUE);
    compress.optimize_coding = TRUE;    /* the tables of a small picture would be half of its file */
    compress.dct_method = JDCT_ISLOW;   /* the same bytes on every processor */
    compress.write_JFIF_header = FALSE; /* a browser needs none */
    jpeg_start_compress(&compress, TRUE);
    while (compress.next_scanline < compress.image_height) {
        JSAMPROW row = pixels + (size_t)compress.next_scanline * (size_t)side * (gray ? 1 : 3);
        jpeg_write_scanlines(&compress, &row, 1);
    }
    jpeg_finish_compress(&compress);
    jpeg_destroy_compress(&compress);
    char *text = cmus_base64(bytes, size);
    free(bytes); /* libjpeg took it from malloc */
    return text;
}

char *cmus_thumbnail(const uint8_t *rgb, int size, int side, int quality) {
    const cmus_image whole = {.width = size, .height = size, .channels = 3, .pixels = (uint8_t *)rgb};
    uint8_t *small = cmus_allocate_raw((size_t)side * (size_t)side, 3);
    cmus_image_resize(&whole, CMUS_BILINEAR, side, side, small);
    char *text = encode(small, side, quality);
    cmus_free(small);
    return text;
}
