/* Sizes of a Swin Transformer, counted from the names and shapes of its tensors: what to say when they differ. */
#ifndef CMUS_ENCODER_SIZES_H
#define CMUS_ENCODER_SIZES_H

#include <stdint.h>

#include "cmus/parameters.h"
#include "cmus/state_dict.h"
#include "cmus/weight_plan.h"

enum { CMUS_ENCODER_STAGES = 4 };

typedef struct cmus_encoder_sizes {
    int64_t embed_dim, heads[CMUS_ENCODER_STAGES];
    int depths[CMUS_ENCODER_STAGES];
} cmus_encoder_sizes;

/* Of the encoder in which the network's tensor `name` lies; what is not there is 0. */
cmus_encoder_sizes cmus_encoder_sizes_of_network(const cmus_parameters *parameters, const char *name);
/* The same in a file of these names. */
cmus_encoder_sizes cmus_encoder_sizes_of_file(const cmus_state_dict *dict, cmus_weight_names names, const char *prefix,
                                              const char *name);

/* What to set in the configuration for the file's sizes: "; the file is a swin_s (...): set encoder: swin_s". An empty
 * text if the sizes are the same or the file's are unknown. Free it with cmus_free(). */
char *cmus_encoder_hint(const cmus_encoder_sizes *file, const cmus_encoder_sizes *network);

#endif
