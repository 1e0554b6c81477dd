/* Decodes, checks and resizes every image of the cases into the spool, once, by all threads. */
#ifndef CMUS_PREPARE_H
#define CMUS_PREPARE_H

#include <stdbool.h>

#include "case_list.h"
#include "cmus/file.h"
#include "findings.h"
#include "image.h"
#include "spool.h"

/* What is known of an image after it was decoded. */
typedef struct cmus_prepared_image {
    bool gray;                     /* all pixels: the spool holds one channel */
    char sha256[CMUS_SHA256_TEXT]; /* of the source file */
    cmus_image_type type;
    int bits, width, height; /* of the source image, upright */
} cmus_prepared_image;

/* prepared: [list->image_count]. Damaged files become findings, in the order of the list whatever the number of
 * threads. IO if the spool can't be written. */
cmus_status cmus_prepare_images(const cmus_case_list *list, int image_size, const cmus_decode_options *options,
                                const cmus_spool *spool, cmus_findings *findings, cmus_prepared_image *prepared);

#endif
