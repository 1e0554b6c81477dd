/* Sizes of images that are far from those of the same modality, such as a thumbnail or a whole slide by mistake. */
#include <math.h>
#include <stdlib.h>

#include "check_parts.h"
#include "cmus/memory.h"

enum { FEWEST = 5 }; /* of fewer images it can't be said which of them is odd */

/* Far: a side is this many times the median or part of it. */
static const double FAR = 4;
/* Where many images are far, they are a mixture of sources: this share of them is within half of what is far. */
static const double COMMON = 0.8;

/* The images of one modality. */
typedef struct family {
    size_t *images;      /* [count] */
    double *sides[2];    /* [count] each: logarithms of the shorter and of the longer side */
    double middle[2];    /* their medians */
    double tolerance[2]; /* largest distance from the median that is not far */
    size_t count;
} family;

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void set_limits(family *all, int side, double *work) {
    for (size_t i = 0; i < all->count; i++)
        work[i] = all->sides[side][i];
    qsort(work, all->count, sizeof *work, compare);
    all->middle[side] = work[all->count / 2];
    for (size_t i = 0; i < all->count; i++)
        work[i] = fabs(all->sides[side][i] - all->middle[side]);
    qsort(work, all->count, sizeof *work, compare);
    all->tolerance[side] = fmax(log(FAR), 2 * work[(size_t)(COMMON * (double)(all->count - 1))]);
}

static bool is_far(const family *all, size_t i) {
    for (int side = 0; side < 2; side++)
        if (fabs(all->sides[side][i] - all->middle[side]) > all->tolerance[side])
            return true;
    return false;
}

static void judge(const cmus_check *check, const family *all) {
    for (size_t i = 0; i < all->count; i++) {
        size_t image = all->images[i];
        const cmus_source_image *source = &check->list->images[image];
        if (is_far(all, i))
            cmus_findings_add(check->findings, CMUS_WARNING, cmus_check_case(check, image)->case_id, source->shown,
                              "%d x %d pixels, where %s images have about %.0f x %.0f", check->prepared[image].width,
                              check->prepared[image].height, cmus_image_kind_name(source->kind), exp(all->middle[1]),
                              exp(all->middle[0]));
    }
}

static void check_family(const cmus_check *check, int kind, family *all, double *work) {
    all->count = 0;
    for (size_t i = 0; i < check->list->image_count; i++) {
        const cmus_prepared_image *prepared = &check->prepared[i];
        if ((int)check->list->images[i].kind != kind || prepared->damage ||
            check->first_use[i] == check->first_use[i + 1])
            continue;
        bool wide = prepared->width > prepared->height;
        all->sides[0][all->count] = log(wide ? prepared->height : prepared->width);
        all->sides[1][all->count] = log(wide ? prepared->width : prepared->height);
        all->images[all->count++] = i;
    }
    if (all->count < FEWEST)
        return;
    set_limits(all, 0, work);
    set_limits(all, 1, work);
    judge(check, all);
}

void cmus_check_sizes(const cmus_check *check) {
    size_t images = check->list->image_count;
    family all = {.images = cmus_allocate(images, sizeof *all.images)};
    all.sides[0] = cmus_allocate(images, sizeof(double));
    all.sides[1] = cmus_allocate(images, sizeof(double));
    double *work = cmus_allocate(images, sizeof *work);
    for (int kind = 0; kind < CMUS_IMAGE_KINDS; kind++)
        check_family(check, kind, &all, work);
    cmus_free(all.images);
    cmus_free(all.sides[0]);
    cmus_free(all.sides[1]);
    cmus_free(work);
}
