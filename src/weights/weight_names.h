/* How the tensors of a Swin Transformer are called in several libraries, and which of them a file follows.
 *
 * Sources of the names: torchvision/models/swin_transformer.py; timm/models/swin_transformer.py before and since 0.9;
 * github.com/microsoft/Swin-Transformer, whose names timm's old ones are.
 */
#ifndef CMUS_WEIGHT_NAMES_H
#define CMUS_WEIGHT_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "cmus/parameters.h"
#include "cmus/state_dict.h"
#include "cmus/weight_plan.h"

enum { CMUS_NAME_IN_FILE = CMUS_WEIGHT_PREFIX + CMUS_TENSOR_NAME + 32 };

/* Whether two names of the network are of one group: the same up to the first point. */
bool cmus_same_group(const char *a, const char *b);
/* Whether a name of the network is of an encoder: "TEM_encoder.", "OM_encoder." or "IM_encoder.". */
bool cmus_of_encoder(const char *name);

/* By the names in a file: whose they are, and the prefix [CMUS_WEIGHT_PREFIX] that all have ("" for none). MISMATCH if
 * they are nobody's, or of another architecture that is known by name. */
cmus_status cmus_weight_names_recognise(const cmus_state_dict *dict, const cmus_parameters *parameters,
                                        cmus_weight_names *names, char *prefix);

/* name [CMUS_NAME_IN_FILE]: what the network's tensor is called in such files. False: they don't have it. */
bool cmus_weight_name_in_file(cmus_weight_names names, const char *prefix, const char *network_name, char *name);

/* Of a tensor that was not asked for, by its name without the prefix: why it is there. NULL: for no reason that is
 * known. */
const char *cmus_weight_name_known(cmus_weight_names names, const char *name);

/* Whether a name without prefix is of what an encoder computes with, in the names of other libraries. */
bool cmus_weight_name_inside(cmus_weight_names names, const char *name);

#endif
