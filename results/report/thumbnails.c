#include "report/thumbnails.h"

#include <stdio.h> /* jpeglib.h needs it */
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "image.h"
#include "report/base64.h"

/* More would not fit at the smallest size anyway. */
enum { MOST_CASES = 400 };

/* From the best to the smallest. Below some 48 pixels nothing can be seen any more. */
static const struct size_step {
    int side, quality;
} steps[] = {{128, 80}, {112, 75}, {96, 70}, {80, 65}, {64, 60}, {48, 50}};
enum { STEPS = sizeof steps / sizeof *steps };

/* What one call works with. */
typedef struct maker {
    cmus_dataset *dataset;
    const report_evaluation *evaluation;
    int source_side, side, quality;
    uint8_t *source, *small; /* [source_side][source_side][3], [side][side][3] */
    size_t budget, used;
} maker;

_Noreturn static void jpeg_failed(j_common_ptr compress) {
    char text[JMSG_LENGTH_MAX];
    compress->err->format_message(compress, text);
    cmus_fatal("libjpeg: %s", text); /* it writes to memory: nothing that a file or a disk can cause */
}

/* Gray pictures, as most TEM images are, are written in one channel. Moves the gray values together in place. */
static bool make_gray(uint8_t *pixels, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (pixels[3 * i] != pixels[3 * i + 1] || pixels[3 * i] != pixels[3 * i + 2])
            return false;
    for (size_t i = 0; i < count; i++)
        pixels[i] = pixels[3 * i];
    return true;
}

/* The picture in `small` as JPEG in base64. */
static char *encode(const maker *work) {
    struct jpeg_compress_struct compress;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    bool gray = make_gray(work->small, (size_t)work->side * (size_t)work->side);
    compress.err = jpeg_std_error(&errors);
    errors.error_exit = jpeg_failed;
    jpeg_create_compress(&compress);
    jpeg_mem_dest(&compress, &bytes, &size);
    compress.image_width = compress.image_height = (JDIMENSION)work->side;
    compress.input_components = gray ? 1 : 3;
    compress.in_color_space = gray ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&compress);
    jpeg_set_quality(&compress, work->quality, TRUE);
    compress.optimize_coding = TRUE;    /* the tables of a small picture would be half of its file */
    compress.dct_method = JDCT_ISLOW;   /* the same bytes on every processor */
    compress.write_JFIF_header = FALSE; /* a browser needs none */
    jpeg_start_compress(&compress, TRUE);
    while (compress.next_scanline < compress.image_height) {
        JSAMPROW row = work->small + (size_t)compress.next_scanline * (size_t)work->side * (gray ? 1 : 3);
        jpeg_write_scanlines(&compress, &row, 1);
    }
    jpeg_finish_compress(&compress);
    jpeg_destroy_compress(&compress);
    char *text = report_base64(bytes, size);
    free(bytes); /* libjpeg took it from malloc */
    return text;
}

static cmus_status add_image(maker *work, int index, report_head modality, size_t image, report_case_thumbnails *own) {
    cmus_image_kind kind = modality == REPORT_OM   ? CMUS_IMAGE_OM
                           : modality == REPORT_IM ? CMUS_IMAGE_IM
                                                   : CMUS_IMAGE_TEM;
    CMUS_TRY(cmus_dataset_read_image(work->dataset, index, kind, (int)image, work->source));
    const cmus_image whole = {
        .width = work->source_side, .height = work->source_side, .channels = 3, .pixels = work->source};
    cmus_image_resize(&whole, CMUS_BILINEAR, work->side, work->side, work->small);
    char *jpeg = encode(work);
    work->used += strlen(jpeg);
    own->list[own->count++] = (report_thumbnail){modality, image, jpeg};
    return CMUS_OK;
}

static cmus_status add_case(maker *work, report_case_thumbnails *own) {
    const report_predictions *fold = &work->evaluation->used[own->one.fold]->predictions;
    const char *id = own->one.id;
    size_t bag = work->evaluation->heads[REPORT_TEM].present ? (size_t)fold->tem_images[own->one.row] : 0;
    int index = cmus_dataset_find(work->dataset, id);
    if (index < 0)
        return cmus_fail(CMUS_ERROR_DATA, "the data set has no case '%s'", id);
    if (bag > (size_t)cmus_dataset_case(work->dataset, index).tem_count)
        return cmus_fail(CMUS_ERROR_DATA, "case '%s': %zu TEM images were predicted, but the data set has %d", id, bag,
                         cmus_dataset_case(work->dataset, index).tem_count);
    own->list = cmus_allocate(bag + 2, sizeof *own->list);
    for (int modality = REPORT_OM; modality <= REPORT_IM; modality++)
        if (work->evaluation->heads[modality].present)
            CMUS_TRY(add_image(work, index, modality, 0, own));
    for (size_t i = 0; i < bag; i++)
        CMUS_TRY(add_image(work, index, REPORT_TEM, i, own));
    return CMUS_OK;
}

static void free_case(report_case_thumbnails *own) {
    for (size_t i = 0; i < own->count; i++)
        cmus_free(own->list[i].jpeg);
    cmus_free(own->list);
}

void report_thumbnails_free(report_thumbnails *thumbnails) {
    for (size_t i = 0; i < thumbnails->count; i++)
        free_case(&thumbnails->cases[i]);
    cmus_free(thumbnails->cases);
    *thumbnails = (report_thumbnails){0};
}

/* All wrong cases at one size, as far as the budget goes. */
static cmus_status make_at_size(maker *work, const report_case *wrong, size_t count, report_thumbnails *thumbnails) {
    thumbnails->cases = cmus_allocate(count, sizeof *thumbnails->cases);
    thumbnails->side = work->side;
    work->used = 0;
    for (size_t i = 0; i < count; i++) {
        report_case_thumbnails *own = &thumbnails->cases[thumbnails->count++];
        own->one = wrong[i];
        CMUS_TRY(add_case(work, own));
        if (work->used > work->budget) {
            free_case(own);
            thumbnails->count--;
            return CMUS_OK;
        }
    }
    return CMUS_OK;
}

static cmus_status check_dataset(const cmus_dataset *dataset, const report_evaluation *evaluation) {
    const report_fold *fold = evaluation->used[0];
    if (strcmp(cmus_dataset_hash(dataset), fold->dataset_hash) == 0)
        return CMUS_OK;
    return cmus_fail(CMUS_ERROR_MISMATCH, "--data: the data set's hash is %s, but %s was trained on %s",
                     cmus_dataset_hash(dataset), evaluation->run->path, fold->dataset_hash);
}

cmus_status report_thumbnails_make(cmus_dataset *dataset, const report_evaluation *evaluation, size_t budget,
                                   report_thumbnails *thumbnails) {
    *thumbnails = (report_thumbnails){0};
    CMUS_TRY(check_dataset(dataset, evaluation));
    size_t count, wrong;
    report_case *list = report_cases_list(evaluation, false, &count, &wrong);
    if (count > MOST_CASES)
        count = MOST_CASES;
    maker work = {.dataset = dataset, .evaluation = evaluation, .budget = budget};
    work.source_side = cmus_dataset_image_size(dataset);
    work.source = cmus_allocate_raw((size_t)work.source_side * (size_t)work.source_side, 3);
    work.small = cmus_allocate_raw((size_t)steps[0].side * (size_t)steps[0].side, 3);
    cmus_status status = CMUS_OK;
    for (int step = 0; step < STEPS && status == CMUS_OK; step++) {
        work.side = steps[step].side < work.source_side ? steps[step].side : work.source_side;
        work.quality = steps[step].quality;
        report_thumbnails_free(thumbnails);
        status = make_at_size(&work, list, count, thumbnails);
        if (thumbnails->count == count)
            break;
    }
    cmus_free(work.source);
    cmus_free(work.small);
    cmus_free(list);
    return status;
}
