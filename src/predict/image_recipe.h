/* How the pixels of a network's training data were made of image files, so that those of new cases are made alike. */
#ifndef CMUS_IMAGE_RECIPE_H
#define CMUS_IMAGE_RECIPE_H

#include "image.h"

typedef struct cmus_image_recipe {
    cmus_filter filter;
    cmus_decode_options decode;
} cmus_image_recipe;

/* From "options" of dataset.json; NULL, and what is not in there: the defaults of cmus-pack. FORMAT: no JSON object, or
 * a filter or window that this version does not know. */
cmus_status cmus_image_recipe_read(const char *json, cmus_image_recipe *recipe);

/* Whether the pixels are the same. */
bool cmus_image_recipe_equal(const cmus_image_recipe *a, const cmus_image_recipe *b);

/* As the options of cmus-pack, such as "--filter bilinear --window 500,4000"; free with cmus_free(). */
char *cmus_image_recipe_describe(const cmus_image_recipe *recipe);

#endif
