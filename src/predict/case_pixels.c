#include "cmus/memory.h"
#include "predict_internal.h"

/* About 1,700 images of 224 px. */
static const size_t KEPT_BYTES = (size_t)256 << 20;

struct case_pixels {
    const prediction_run *run;
    size_t image, left; /* bytes of an image; that may still be kept */
    uint8_t **got;      /* [own_count]; NULL: not in memory */
    bool *kept;         /* [own_count]: not let go */
};

int cmus_used_tem(const prediction_run *run, int index) {
    int count = cmus_case_source_case(run->source, index).tem_count;
    return count < run->max_tem ? count : run->max_tem;
}

struct case_pixels *cmus_case_pixels_create(const prediction_run *run) {
    struct case_pixels *pixels = cmus_allocate(1, sizeof *pixels);
    size_t side = (size_t)run->image_size, count = (size_t)run->own_count;
    bool again = run->ensemble.count > 1 || run->options->explain;
    *pixels = (struct case_pixels){.run = run, .image = 3 * side * side, .left = again ? KEPT_BYTES : 0};
    pixels->got = cmus_allocate(count, sizeof *pixels->got);
    pixels->kept = cmus_allocate(count, sizeof *pixels->kept);
    return pixels;
}

void cmus_case_pixels_free(struct case_pixels *pixels) {
    if (!pixels)
        return;
    for (int i = 0; i < pixels->run->own_count; i++)
        cmus_free(pixels->got[i]);
    cmus_free(pixels->got);
    cmus_free(pixels->kept);
    cmus_free(pixels);
}

cmus_status cmus_case_pixels_get(struct case_pixels *pixels, int own, const uint8_t **rgb) {
    const prediction_run *run = pixels->run;
    int index = run->own[own].prediction.index, tem = run->own[own].prediction.tem_count;
    size_t bytes = ((size_t)tem + 2) * pixels->image;
    if (!pixels->got[own]) {
        uint8_t *bag = cmus_allocate_raw(bytes, 1), *om = bag + (size_t)tem * pixels->image;
        cmus_status status = cmus_case_source_read(run->source, index, run->max_tem, om, om + pixels->image, bag);
        if (status != CMUS_OK) {
            cmus_free(bag);
            return status;
        }
        pixels->got[own] = bag;
        pixels->kept[own] = bytes <= pixels->left;
        pixels->left -= pixels->kept[own] ? bytes : 0;
    }
    *rgb = pixels->got[own];
    return CMUS_OK;
}

void cmus_case_pixels_let_go(struct case_pixels *pixels) {
    for (int i = 0; i < pixels->run->own_count; i++)
        if (pixels->got[i] && !pixels->kept[i]) {
            cmus_free(pixels->got[i]);
            pixels->got[i] = NULL;
        }
}
