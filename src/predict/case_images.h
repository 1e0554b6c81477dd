/* The backend of cases that are image files, however they were found. Internal to src/predict. */
#ifndef CMUS_CASE_IMAGES_H
#define CMUS_CASE_IMAGES_H

#include "case_source_internal.h"
#include "image_recipe.h"

typedef struct cmus_case_images cmus_case_images;

extern const cmus_case_backend cmus_case_images_backend; /* its `own` is a cmus_case_images */

/* No cases yet. Becomes a source's own. FORMAT if options->images is not understood. */
cmus_status cmus_case_images_make(const cmus_case_source_options *options, cmus_case_images **images);
void cmus_case_images_free(cmus_case_images *images);

/* The cases, to be filled in; the numbers of the source's cases are those of this list. */
cmus_case_list *cmus_case_images_list(cmus_case_images *images);

/* Adds the list's cases to the source: those that are rejected to its rejected ones. */
void cmus_case_images_add(cmus_case_source *source, const cmus_case_images *images);

#endif
