#include "report/thumbnails.h"

#include <string.h>

#include "cmus/memory.h"
#include "thumbnail.h"

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
    uint8_t *source; /* [source_side][source_side][3] */
    size_t budget, used;
} maker;

static cmus_image_kind kind_of(report_head modality) {
    return modality == REPORT_OM ? CMUS_IMAGE_OM : modality == REPORT_IM ? CMUS_IMAGE_IM : CMUS_IMAGE_TEM;
}

static cmus_status add_image(maker *work, int index, report_head modality, size_t image, report_case_thumbnails *own) {
    CMUS_TRY(cmus_dataset_read_image(work->dataset, index, kind_of(modality), (int)image, work->source));
    char *jpeg = cmus_thumbnail(work->source, work->source_side, work->side, work->quality);
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
        if (work->evaluation->heads[modality].present && cmus_dataset_has(work->dataset, kind_of(modality)))
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
    if (!fold->dataset_hash)
        return cmus_fail(CMUS_ERROR_MISMATCH, "--data: the cases of %s are not of a packed data set",
                         evaluation->run->path);
    if (strcmp(cmus_dataset_hash(dataset), fold->dataset_hash) == 0)
        return CMUS_OK;
    return cmus_fail(CMUS_ERROR_MISMATCH, "--data: the data set's hash is %s, but %s %s %s", cmus_dataset_hash(dataset),
                     evaluation->run->path, evaluation->run->external ? "has cases of" : "was trained on",
                     fold->dataset_hash);
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
    cmus_free(list);
    return status;
}
