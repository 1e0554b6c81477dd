/* Weights and moments of a network as safetensors files, in the names of parameters.h; and files of others to begin
 * with. Not collective.
 *
 * A file of weights also holds the int64 buffers `attn.relative_position_index` beside each bias table, as the authors'
 * checkpoints do; they may be missing when a file is read.
 */
#ifndef CMUS_WEIGHTS_H
#define CMUS_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>

#include "cmus/parameters.h"
#include "cmus/safetensors.h"
#include "cmus/status.h"

enum { CMUS_MOMENTS = 3 };

/* Pairs of __metadata__ by which a file of weights is complete in itself; a file without them needs a configuration
 * beside it. */
#define CMUS_METADATA_CONFIG                                                                                           \
    "cmus_config" /* what changes results of the resolved configuration, classes too: YAML (config.h) */
#define CMUS_METADATA_IMAGES "cmus_images" /* "options" of the data set (dataset_index.h): how images were made */
#define CMUS_METADATA_VERSION "cmus_version"

/* IO. */
cmus_status cmus_weights_write(const char *path, const cmus_parameters *parameters, const float *weights,
                               const cmus_text_pair *pairs, size_t pair_count);

/* Reads a file of exactly this network: every tensor once as F32 and nothing else. MISMATCH names file and tensor. */
cmus_status cmus_weights_read(const char *path, const cmus_parameters *parameters, float *weights);

/* For --init: what a file of any kind and names holds for this network (weight_plan.h); the rest of `weights` stays as
 * it is. other_classes: the last layers of the heads are left out. With weights NULL the file is only checked, all but
 * the values. *loaded says what goes where, *warning what may not be meant (NULL: nothing): encoders or heads that
 * begin at random, tensors that are no part of the network. Both pointers may be NULL; free the texts with cmus_free().
 * As cmus_state_dict_open(), cmus_weight_plan_make() and cmus_weight_plan_apply(). */
cmus_status cmus_weights_initialize(const char *path, bool other_classes, const cmus_parameters *parameters,
                                    float *weights, char **loaded, char **warning);

/* Where moments lie, which may be on many ranks: the values [begin, begin + count) of moment number 0 to 2 are got from
 * there or set. */
typedef struct cmus_moments {
    void *context;
    void (*get)(void *context, int moment, size_t begin, size_t count, float *values);
    void (*set)(void *context, int moment, size_t begin, size_t count, const float *values);
} cmus_moments;

/* Adam's moments: `first.`, `second.`, `second_max.` in front of each name. A tensor at a time is in memory. After a
 * failure some of them may have been set. */
cmus_status cmus_moments_write(const char *path, const cmus_parameters *parameters, const cmus_moments *moments);
cmus_status cmus_moments_read(const char *path, const cmus_parameters *parameters, const cmus_moments *moments);

#endif
