/* Shards whose content is not what the format wants, written by HDF5 itself, so that all checksums hold: what a reader
 * must refuse by looking at it. */
#ifndef CMUS_SHARD_RECIPE_H
#define CMUS_SHARD_RECIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmus/dataset_index.h"

/* The right shard, from which a recipe departs. */
enum { CMUS_RECIPE_CASES = 2, CMUS_RECIPE_SIDE = 8, CMUS_RECIPE_CLASSES = 2, CMUS_RECIPE_TEM = 3 };
extern const char *const cmus_recipe_classes[CMUS_RECIPE_CLASSES];

/* Writes the shard to `path`, with the modalities of `has`. The recipe is a list of changes to the right shard, of 4
 * bytes each: object (0 to 7: tem_offset, label, case_id, patient_id, source, om, im, tem; 8 to 10: the attributes
 * format_version, image_size, classes), property (enum property in the source), value (16 bits, low byte first). What
 * HDF5 refuses to write is left out. */
void cmus_shard_recipe_write(const char *path, const bool has[CMUS_IMAGE_KINDS], const uint8_t *recipe, size_t size);

#endif
