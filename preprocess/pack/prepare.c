#include "prepare.h"

#include "cmus/log.h"
#include "cmus/memory.h"

/* Largest source file. */
static const size_t FILE_LIMIT = (size_t)2 << 30;

/* What one image's check came to. */
typedef struct outcome {
    char *damage; /* NULL if there is none */
    bool more_pages;
} outcome;

typedef struct work {
    const cmus_case_list *list;
    int image_size;
    const cmus_decode_options *options;
    const cmus_spool *spool;
    cmus_prepared_image *prepared;
    outcome *outcomes;
} work;

/* Makes RGB pixels gray in place if all of them are: [count][3] to [count]. */
static bool reduce_to_gray(uint8_t *pixels, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (pixels[3 * i] != pixels[3 * i + 1] || pixels[3 * i] != pixels[3 * i + 2])
            return false;
    for (size_t i = 0; i < count; i++)
        pixels[i] = pixels[3 * i];
    return true;
}

/* Sets what is known of image i; a file that can't be used is no failure, but an outcome. */
static void decode_image(const work *self, size_t i, cmus_image *image) {
    const char *path = self->list->images[i].path;
    char *data;
    size_t size;
    cmus_status status = cmus_file_read(path, FILE_LIMIT, &data, &size);
    if (status == CMUS_OK) {
        cmus_sha256(data, size, self->prepared[i].sha256);
        status = cmus_image_decode((const uint8_t *)data, size, self->options, image);
    }
    cmus_free(data);
    if (status != CMUS_OK)
        self->outcomes[i].damage = cmus_copy_string(cmus_last_error());
}

/* pixels: room for an RGB image of the final size. */
static cmus_status prepare_image(const work *self, size_t i, uint8_t *pixels) {
    cmus_image image = {0};
    decode_image(self, i, &image);
    if (self->outcomes[i].damage)
        return CMUS_OK;
    size_t count = (size_t)self->image_size * (size_t)self->image_size;
    cmus_image_resize(&image, CMUS_BILINEAR, self->image_size, self->image_size, pixels);
    self->prepared[i].type = image.type;
    self->prepared[i].bits = image.bits;
    self->prepared[i].width = image.width;
    self->prepared[i].height = image.height;
    self->prepared[i].gray = image.channels == 1 || reduce_to_gray(pixels, count);
    self->outcomes[i].more_pages = image.more_pages;
    cmus_image_free(&image);
    return cmus_spool_put(self->spool, i, pixels, self->prepared[i].gray ? count : 3 * count);
}

/* All images; the first failure to write stops the others. */
static cmus_status prepare_all(const work *self) {
    size_t total = self->list->image_count, done = 0;
    cmus_status first = CMUS_OK;
    char *message = NULL;
    cmus_progress progress = {0};
    cmus_progress_begin(&progress, "decoded", "images", (int64_t)total);
#pragma omp parallel
    {
        uint8_t *pixels = cmus_allocate_raw((size_t)self->image_size * (size_t)self->image_size, 3);
        bool stopped = false;
#pragma omp for schedule(dynamic)
        for (size_t i = 0; i < total; i++) {
            if (stopped)
                continue;
            cmus_status status = prepare_image(self, i, pixels);
#pragma omp critical
            {
                if (status != CMUS_OK && first == CMUS_OK) {
                    first = status;
                    message = cmus_copy_string(cmus_last_error());
                }
                stopped = first != CMUS_OK;
                cmus_progress_update(&progress, (int64_t)++done);
            }
        }
        cmus_free(pixels);
    }
    if (first != CMUS_OK) {
        cmus_fail(first, "%s", message); /* the message belongs to the thread that failed */
        cmus_free(message);
        return first;
    }
    cmus_progress_end(&progress, (int64_t)done);
    return CMUS_OK;
}

static void report(const work *self, cmus_findings *findings) {
    size_t several = 0, example = 0;
    for (size_t i = 0; i < self->list->image_count; i++) {
        if (self->outcomes[i].damage)
            cmus_findings_add(findings, CMUS_DEFECT, NULL, self->list->images[i].shown, "%s", self->outcomes[i].damage);
        if (self->outcomes[i].more_pages && several++ == 0)
            example = i;
    }
    if (several)
        cmus_findings_add(findings, CMUS_WARNING, NULL, self->list->images[example].shown,
                          "has several pages, as have %zu other files: the first page is used", several - 1);
}

cmus_status cmus_prepare_images(const cmus_case_list *list, int image_size, const cmus_decode_options *options,
                                const cmus_spool *spool, cmus_findings *findings, cmus_prepared_image *prepared) {
    work self = {list, image_size, options, spool, prepared, NULL};
    self.outcomes = cmus_allocate(list->image_count, sizeof *self.outcomes);
    cmus_status status = prepare_all(&self);
    if (status == CMUS_OK)
        report(&self, findings);
    for (size_t i = 0; i < list->image_count; i++)
        cmus_free(self.outcomes[i].damage);
    cmus_free(self.outcomes);
    return status;
}
