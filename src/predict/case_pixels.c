#include <string.h>

#include "cmus/memory.h"
#include "predict_internal.h"

/* About 1,700 images of 224 px. */
static const size_t KEPT_BYTES = (size_t)256 << 20;

struct case_pixels {
    const prediction_run *run;
    size_t image, left; /* bytes of an image; that may still be kept */
    uint8_t **kept;     /* [own_count]; NULL: read again */
    uint8_t *buffer;    /* of a case that is not kept */
};

int cmus_used_tem(const prediction_run *run, int index) {
    int count = cmus_case_source_case(run->source, index).tem_count;
    return count < run->max_tem ? count : run->max_tem;
}

struct case_pixels *cmus_case_pixels_create(const prediction_run *run) {
    struct case_pixels *pixels = cmus_allocate(1, sizeof *pixels);
    size_t side = (size_t)run->image_size;
    bool again = run->ensemble.count > 1 || run->options->explain;
    *pixels = (struct case_pixels){.run = run, .image = 3 * side * side, .left = again ? KEPT_BYTES : 0};
    pixels->kept = cmus_allocate((size_t)run->own_count, sizeof *pixels->kept);
    pixels->buffer = cmus_allocate_raw((size_t)run->max_tem + 2, pixels->image);
    return pixels;
}

void cmus_case_pixels_free(struct case_pixels *pixels) {
    if (!pixels)
        return;
    for (int i = 0; i < pixels->run->own_count; i++)
        cmus_free(pixels->kept[i]);
    cmus_free(pixels->kept);
    cmus_free(pixels->buffer);
    cmus_free(pixels);
}

cmus_status cmus_case_pixels_get(struct case_pixels *pixels, int own, const uint8_t **rgb) {
    const prediction_run *run = pixels->run;
    int index = run->own[own].prediction.index, tem = cmus_used_tem(run, index);
    size_t bytes = ((size_t)tem + 2) * pixels->image;
    *rgb = pixels->kept[own] ? pixels->kept[own] : pixels->buffer;
    if (pixels->kept[own])
        return CMUS_OK;
    uint8_t *om = pixels->buffer + (size_t)tem * pixels->image;
    CMUS_TRY(cmus_case_source_read(run->source, index, run->max_tem, om, om + pixels->image, pixels->buffer));
    if (bytes <= pixels->left) {
        pixels->kept[own] = cmus_allocate_raw(bytes, 1);
        memcpy(pixels->kept[own], pixels->buffer, bytes);
        pixels->left -= bytes;
    }
    return CMUS_OK;
}
