#include "preview.h"

#include <stdlib.h>

#include "case_list.h"
#include "cmus/dataset.h"
#include "cmus/file.h"
#include "cmus/memory.h"
#include "cmus/random.h"
#include "thumbnail.h"

enum {
    CASES_OF_A_CLASS = 6,
    CASES_OF_ALL = 60, /* many classes show fewer cases each, so that the page stays below some 3 MB */
    TEM_IMAGES = 6,
    SIDE = 112, /* of a picture, in pixels */
    QUALITY = 78
};

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'\">\n<title>Preview of a data set</title>\n<style>\n"
    ":root { --paper: #fff; --panel: #f6f7f9; --ink: #1b1f24; --muted: #5c6670; --line: #d9dee3; --accent: #0072b2; }\n"
    "@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --panel: #1d2125; --ink: #e6e9ec; "
    "--muted: #9aa5b0; --line: #343a41; --accent: #56b4e9; } }\n"
    "* { box-sizing: border-box; }\n"
    "body { margin: 0 auto; max-width: 1180px; padding: 1.5rem 1.2rem 3rem; background: var(--paper); color: "
    "var(--ink); "
    "font: 15px/1.5 system-ui, \"Segoe UI\", Roboto, \"DejaVu Sans\", Arial, sans-serif; }\n"
    "h1 { font-size: 1.6rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }\n"
    "h2 { margin: 2rem 0 .6rem; padding-top: .8rem; border-top: 3px solid var(--accent); font-size: 1.25rem; "
    "overflow-wrap: anywhere; }\n"
    "h2 small, p { color: var(--muted); font-size: .9rem; font-weight: 400; }\n"
    ".case { margin: 0 0 .8rem; padding: .7rem .9rem; border: 1px solid var(--line); border-radius: 8px; "
    "background: var(--panel); }\n"
    "h3 { margin: 0 0 .4rem; font-size: .95rem; overflow-wrap: anywhere; }\n"
    "h3 small { color: var(--muted); font-weight: 400; }\n"
    ".strip { display: flex; flex-wrap: wrap; gap: .5rem; align-items: flex-end; }\n"
    "figure { margin: 0; font-size: .8rem; color: var(--muted); text-align: center; }\n"
    "img { display: block; border-radius: 3px; background: #777; }\n"
    ".more { align-self: center; color: var(--muted); font-size: .9rem; }\n"
    "</style>\n</head>\n<body>\n";

/* What one call works with. */
typedef struct page {
    cmus_dataset *dataset;
    cmus_file_writer *writer;
    uint8_t *rgb; /* one image */
} page;

static cmus_status write_image(const page *self, int number, cmus_image_kind kind, int image) {
    int size = cmus_dataset_image_size(self->dataset), side = size < SIDE ? size : SIDE;
    CMUS_TRY(cmus_dataset_read_image(self->dataset, number, kind, image, self->rgb));
    char *jpeg = cmus_thumbnail(self->rgb, size, side, QUALITY), *caption;
    if (kind == CMUS_IMAGE_TEM)
        caption = cmus_format_string("TEM %d", image + 1);
    else
        caption = cmus_copy_string(cmus_image_kind_name(kind));
    cmus_file_writer_print(self->writer,
                           "<figure><img width=\"%d\" height=\"%d\" alt=\"%s image\" src=\"data:image/jpeg;base64,",
                           side, side, caption);
    cmus_file_writer_print(self->writer, "%s\"><figcaption>%s</figcaption></figure>\n", jpeg, caption);
    cmus_free(jpeg);
    cmus_free(caption);
    return CMUS_OK;
}

static cmus_status write_case(const page *self, int number) {
    cmus_case_info one = cmus_dataset_case(self->dataset, number);
    cmus_file_writer_print(self->writer, "<section class=\"case\"><h3>");
    cmus_file_writer_html(self->writer, one.case_id);
    cmus_file_writer_print(self->writer, " <small>patient ");
    cmus_file_writer_html(self->writer, one.patient_id);
    cmus_file_writer_print(self->writer, "</small></h3><div class=\"strip\">\n");
    static const cmus_image_kind kinds[] = {CMUS_IMAGE_OM, CMUS_IMAGE_IM};
    for (int k = 0; k < 2; k++)
        if (cmus_dataset_has(self->dataset, kinds[k]))
            CMUS_TRY(write_image(self, number, kinds[k], 0));
    for (int i = 0; i < one.tem_count && i < TEM_IMAGES; i++)
        CMUS_TRY(write_image(self, number, CMUS_IMAGE_TEM, i));
    if (one.tem_count > TEM_IMAGES)
        cmus_file_writer_print(self->writer, "<span class=\"more\">and %d more</span>\n", one.tem_count - TEM_IMAGES);
    cmus_file_writer_print(self->writer, "</div></section>\n");
    return CMUS_OK;
}

static int compare_numbers(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

/* Draws at most `most` of the numbers to their beginning, in rising order; returns how many. */
static int draw_some(int *numbers, int count, int most, uint64_t label) {
    cmus_random random = cmus_random_begin(0, "preview", &label, 1);
    int drawn = count < most ? count : most;
    for (int i = 0; i < drawn; i++) {
        int other = i + (int)cmus_random_below(&random, (uint64_t)(count - i)), kept = numbers[i];
        numbers[i] = numbers[other];
        numbers[other] = kept;
    }
    if (drawn)
        qsort(numbers, (size_t)drawn, sizeof *numbers, compare_numbers);
    return drawn;
}

static cmus_status write_class(const page *self, int label) {
    int cases = cmus_dataset_case_count(self->dataset), classes = cmus_dataset_class_count(self->dataset);
    int most = CASES_OF_ALL / classes < CASES_OF_A_CLASS ? CASES_OF_ALL / classes : CASES_OF_A_CLASS;
    int *numbers = cmus_allocate((size_t)cases, sizeof *numbers), count = 0;
    for (int i = 0; i < cases; i++)
        if (cmus_dataset_case(self->dataset, i).label == label)
            numbers[count++] = i;
    int shown = draw_some(numbers, count, most, (uint64_t)label);
    cmus_file_writer_print(self->writer, "<h2>");
    cmus_file_writer_html(self->writer, cmus_dataset_class_name(self->dataset, label));
    cmus_file_writer_print(self->writer, " <small>%d of %d case%s</small></h2>\n", shown, count, count == 1 ? "" : "s");
    cmus_status status = CMUS_OK;
    for (int i = 0; i < shown && status == CMUS_OK; i++)
        status = write_case(self, numbers[i]);
    cmus_free(numbers);
    return status;
}

static cmus_status write_page(const page *self, const char *folder) {
    int size = cmus_dataset_image_size(self->dataset);
    cmus_file_writer_add(self->writer, head, sizeof head - 1);
    cmus_file_writer_print(self->writer, "<h1>");
    cmus_file_writer_html(self->writer, folder);
    cmus_file_writer_print(
        self->writer,
        "</h1>\n<p>%d cases, packed at %d x %d pixels, shown smaller. Cases are drawn at random; of a "
        "bag, the first images are shown. Data set %.12s.</p>\n",
        cmus_dataset_case_count(self->dataset), size, size, cmus_dataset_hash(self->dataset));
    for (int label = 0; label < cmus_dataset_class_count(self->dataset); label++)
        CMUS_TRY(write_class(self, label));
    cmus_file_writer_print(self->writer, "</body>\n</html>\n");
    return CMUS_OK;
}

cmus_status cmus_preview_write(const char *folder, const char *path) {
    page self = {0};
    CMUS_TRY(cmus_dataset_open(folder, &self.dataset));
    cmus_status status = cmus_file_writer_open(path, &self.writer);
    if (status == CMUS_OK) {
        size_t size = (size_t)cmus_dataset_image_size(self.dataset);
        self.rgb = cmus_allocate_raw(size * size, 3);
        status = write_page(&self, folder);
        cmus_free(self.rgb);
        if (status == CMUS_OK)
            status = cmus_file_writer_commit(self.writer);
        else
            cmus_file_writer_discard(self.writer);
    }
    cmus_dataset_close(self.dataset);
    return status;
}
