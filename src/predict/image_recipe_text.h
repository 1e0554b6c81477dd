/* Recipes of images (image_recipe.h) as the texts that files of weights hold: for those who don't know images. */
#ifndef CMUS_IMAGE_RECIPE_TEXT_H
#define CMUS_IMAGE_RECIPE_TEXT_H

#include "cmus/status.h"

/* OK if both give the same pixels; MISMATCH says how they differ; FORMAT as cmus_image_recipe_read(). */
cmus_status cmus_image_recipes_compare(const char *a, const char *b);

#endif
