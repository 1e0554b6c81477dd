#include "case_images.h"

#include <limits.h>
#include <omp.h>
#include <string.h>

#include "cmus/file.h"
#include "cmus/memory.h"
#include "names.h"
#include "source_file.h"

/* What a thread works with; images follow each other in the same memory. */
typedef struct hands {
    cmus_source_buffer file;
    cmus_image image;
} hands;

struct cmus_case_images {
    cmus_case_list list;
    cmus_image_recipe recipe;
    int image_size;
    hands *hands; /* [hand_capacity]: of each thread */
    size_t hand_capacity;
};

cmus_status cmus_case_images_make(const cmus_case_source_options *options, cmus_case_images **result) {
    cmus_image_recipe recipe;
    *result = NULL;
    CMUS_TRY(cmus_image_recipe_read(options->images, &recipe));
    if (options->pixel_limit)
        recipe.decode.pixel_limit = options->pixel_limit;
    cmus_case_images *self = cmus_allocate(1, sizeof *self);
    self->recipe = recipe;
    self->image_size = options->image_size;
    *result = self;
    return CMUS_OK;
}

void cmus_case_images_free(cmus_case_images *self) {
    for (size_t i = 0; i < self->hand_capacity; i++) {
        cmus_source_buffer_free(&self->hands[i].file);
        cmus_image_free(&self->hands[i].image);
    }
    cmus_free(self->hands);
    cmus_case_list_free(&self->list);
    cmus_free(self);
}

cmus_case_list *cmus_case_images_list(cmus_case_images *self) {
    return &self->list;
}

void cmus_case_images_add(cmus_case_source *source, const cmus_case_images *self) {
    for (size_t i = 0; i < self->list.case_count; i++) {
        const cmus_source_case *one = &self->list.cases[i];
        if (one->rejected) {
            source->rejected = cmus_grow(source->rejected, &source->rejected_capacity, source->rejected_count + 1,
                                         sizeof *source->rejected);
            source->rejected[source->rejected_count++] = *one;
            continue;
        }
        cmus_case_source_add(source,
                             &(cmus_case_facts){.case_id = one->case_id,
                                                .patient_id = one->patient_id,
                                                .class_name = *one->class_name ? one->class_name : NULL,
                                                .has = {[CMUS_IMAGE_OM] = one->om != CMUS_NO_IMAGE,
                                                        [CMUS_IMAGE_IM] = one->im != CMUS_NO_IMAGE,
                                                        [CMUS_IMAGE_TEM] = one->tem_count > 0},
                                                .tem_count = one->tem_count},
                             (int)i);
    }
}

/* Number of the image in the list. */
static size_t find_image(const cmus_source_case *one, cmus_image_kind kind, int image) {
    return kind == CMUS_IMAGE_OM   ? (size_t)one->om
           : kind == CMUS_IMAGE_IM ? (size_t)one->im
                                   : one->first_tem + (size_t)image;
}

static size_t image_bytes(const cmus_case_images *self) {
    return (size_t)self->image_size * (size_t)self->image_size * 3;
}

/* The pixels as cmus_dataset_read() gives them of a shard that cmus-pack made of the file. */
static cmus_status read_image(const cmus_case_images *self, const char *path, hands *with, uint8_t *rgb) {
    CMUS_TRY(cmus_source_read(path, &with->file));
    CMUS_TRY(cmus_image_decode(with->file.bytes, with->file.size, &self->recipe.decode, &with->image));
    size_t count = image_bytes(self) / 3;
    uint8_t *pixels = rgb + (3 - (size_t)with->image.channels) * count;
    cmus_image_resize(&with->image, self->recipe.filter, self->image_size, self->image_size, pixels);
    if (with->image.channels == 1) /* from the last third of the same buffer */
        for (size_t i = 0; i < count; i++)
            rgb[3 * i] = rgb[3 * i + 1] = rgb[3 * i + 2] = pixels[i];
    return CMUS_OK;
}

/* An image to be read, and what came of it. */
typedef struct job {
    const cmus_source_image *image;
    uint8_t *rgb;
} job;

/* The first failure by the order of the images, whichever thread it belongs to. */
typedef struct failure {
    int job;
    cmus_status status;
    char *message;
} failure;

static void keep_first(failure *first, int number, cmus_status status) {
    if (number >= first->job)
        return;
    cmus_free(first->message);
    *first = (failure){number, status, cmus_copy_string(cmus_last_error())};
}

static cmus_status read_jobs(cmus_case_images *self, const char *case_id, const job *jobs, int count) {
    int threads = omp_get_max_threads() < count ? omp_get_max_threads() : count;
    self->hands = cmus_grow(self->hands, &self->hand_capacity, (size_t)threads, sizeof *self->hands);
    failure first = {.job = INT_MAX};
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int i = 0; i < count; i++) {
        cmus_status status = read_image(self, jobs[i].image->path, &self->hands[omp_get_thread_num()], jobs[i].rgb);
        if (status != CMUS_OK) {
#pragma omp critical(cmus_case_images)
            keep_first(&first, i, status);
        }
    }
    if (first.status == CMUS_OK)
        return CMUS_OK;
    cmus_fail(first.status, "case %s: %s: %s", case_id, jobs[first.job].image->shown, first.message);
    cmus_free(first.message);
    return first.status;
}

static cmus_status read_case(void *own, int number, int max_tem, uint8_t *const buffers[CMUS_IMAGE_KINDS]) {
    static const cmus_image_kind order[] = {CMUS_IMAGE_OM, CMUS_IMAGE_IM, CMUS_IMAGE_TEM};
    cmus_case_images *self = own;
    const cmus_source_case *one = &self->list.cases[number];
    int tem = max_tem > 0 && max_tem < one->tem_count ? max_tem : one->tem_count, count = 0;
    job *jobs = cmus_allocate((size_t)tem + 2, sizeof *jobs);
    for (int k = 0; k < CMUS_IMAGE_KINDS; k++) {
        uint8_t *buffer = buffers[order[k]];
        for (int i = 0; buffer && i < (order[k] == CMUS_IMAGE_TEM ? tem : 1); i++)
            jobs[count++] =
                (job){&self->list.images[find_image(one, order[k], i)], buffer + (size_t)i * image_bytes(self)};
    }
    cmus_status status = read_jobs(self, one->case_id, jobs, count);
    cmus_free(jobs);
    return status;
}

static char *image_name(void *own, int number, cmus_image_kind kind, int image) {
    const cmus_case_images *self = own;
    const char *path = self->list.images[find_image(&self->list.cases[number], kind, image)].shown;
    const char *slash = strrchr(path, '/');
    return cmus_copy_string(slash ? slash + 1 : path);
}

/* A line for each file: its path and size. Times may differ between the disks of hosts. */
static char *identify(const void *own, int number) {
    const cmus_case_images *self = own;
    const cmus_source_case *one = &self->list.cases[number];
    char *text = cmus_format_string("%s %d of %d", cmus_filter_names[self->recipe.filter],
                                    self->recipe.decode.window_low, self->recipe.decode.window_high);
    for (int i = -2; i < one->tem_count; i++) {
        ptrdiff_t image = i == -2 ? one->om : i == -1 ? one->im : (ptrdiff_t)one->first_tem + i;
        const char *path = image == CMUS_NO_IMAGE ? "" : self->list.images[image].path;
        long long size = (long long)cmus_file_state_of(path).size;
        char *longer = cmus_format_string("%s\n%s %lld", text, path, size);
        cmus_free(text);
        text = longer;
    }
    return text;
}

static void close_images(void *own) {
    cmus_case_images_free(own);
}

const cmus_case_backend cmus_case_images_backend = {read_case, image_name, identify, close_images};
