/* Pictures as JPEG (libjpeg-turbo) and masks as PNG (libpng), made in memory and written whole. */
#include <stdio.h> /* jpeglib.h needs it */
#include <stdlib.h>

#include <jpeglib.h>
#include <png.h>

#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "phantom.h"

/* High, since coarse quantization alters the colours of fine patterns: logistic regression on colours saw it at 92. */
static const int JPEG_QUALITY = 95;

/* Encoding to memory fails for want of memory only. */
static void stop(j_common_ptr info) {
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    cmus_fatal("libjpeg can't encode an image: %s", text);
}

static void fill_line(const phantom_picture *picture, int row, uint8_t *line) {
    int size = picture->size;
    for (int x = 0; x < size; x++)
        for (int c = 0; c < picture->channels; c++) {
            float value = picture->pixels[((size_t)c * (size_t)size + (size_t)row) * (size_t)size + (size_t)x];
            line[x * picture->channels + c] = (uint8_t)(255 * phantom_clamp(value, 0, 1) + 0.5f);
        }
}

cmus_status phantom_write_jpeg(const char *path, const phantom_picture *picture) {
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr errors;
    unsigned char *data = NULL;
    unsigned long bytes = 0;
    info.err = jpeg_std_error(&errors);
    errors.error_exit = stop;
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &data, &bytes);
    info.image_width = info.image_height = (JDIMENSION)picture->size;
    info.input_components = picture->channels;
    info.in_color_space = picture->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, JPEG_QUALITY, TRUE);
    /* Full chroma: averaged colours would depend on how fine a pattern is, and so on the class. */
    info.comp_info[0].h_samp_factor = info.comp_info[0].v_samp_factor = 1;
    jpeg_start_compress(&info, TRUE);
    uint8_t *line = cmus_allocate_raw((size_t)picture->size, (size_t)picture->channels);
    for (int row = 0; row < picture->size; row++) {
        fill_line(picture, row, line);
        jpeg_write_scanlines(&info, &line, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    cmus_status status = cmus_file_write(path, data, bytes);
    cmus_free(line);
    free(data);
    return status;
}

cmus_status phantom_write_mask(const char *path, const phantom_picture *picture) {
    png_image image = {.version = PNG_IMAGE_VERSION, .format = PNG_FORMAT_GRAY};
    image.width = image.height = (png_uint_32)picture->size;
    png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(image);
    uint8_t *data = cmus_allocate_raw(bytes, 1);
    if (!png_image_write_to_memory(&image, data, &bytes, 0, picture->mask, 0, NULL))
        cmus_fatal("libpng can't encode a mask: %s", image.message);
    cmus_status status = cmus_file_write(path, data, bytes);
    cmus_free(data);
    return status;
}
