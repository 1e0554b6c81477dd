/* What the parts of the checks share. */
#ifndef CMUS_CHECK_PARTS_H
#define CMUS_CHECK_PARTS_H

#include "checks.h"

typedef struct cmus_check {
    cmus_case_list *list;
    const cmus_prepared_image *prepared;
    int image_size;
    cmus_give_pixels *give;
    void *data;
    cmus_findings *findings;
    /* The cases of image i are uses[first_use[i]] to uses[first_use[i + 1] - 1]. */
    size_t *first_use, *uses;
    size_t *patient; /* [case_count]: equal numbers for equal ids */
} cmus_check;

/* The first case of the image. */
const cmus_source_case *cmus_check_case(const cmus_check *check, size_t image);
/* Whether a case has both images. */
bool cmus_check_share_case(const cmus_check *check, size_t a, size_t b);
/* Whether the image shows next to nothing: almost one gray value. */
bool cmus_check_is_flat(const cmus_image_measures *measures);
/* Rejects the case because of the finding that was added last. */
void cmus_check_reject(const cmus_check *check, size_t case_number);

/* Sizes far from those of the same modality (check_sizes.c). */
void cmus_check_sizes(const cmus_check *check);

/* Equal pixels (check_equal.c). Sets single[i] for every image that is to be compared with others for likeness: one of
 * each group of equals, usable and not of one colour. single: [image_count]. */
void cmus_check_equal(const cmus_check *check, bool *single);

/* Similar pixels (check_similar.c) among the images with single[i]. Fails if `give` does. */
cmus_status cmus_check_similar(const cmus_check *check, const bool *single);

#endif
