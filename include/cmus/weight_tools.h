/* What cmus-weights does with files of weights: looks at them, makes them this project's, makes them PyTorch's. Not
 * collective.
 */
#ifndef CMUS_WEIGHT_TOOLS_H
#define CMUS_WEIGHT_TOOLS_H

#include <stdbool.h>
#include <stdio.h>

#include "cmus/parameters.h"
#include "cmus/state_dict.h"
#include "cmus/status.h"

/* The file that a path means: itself, or in a folder FOLDER/weights.safetensors or FOLDER/final/weights.safetensors
 * (those of a fold). NOT_FOUND. Free *file with cmus_free(). */
cmus_status cmus_weights_locate(const char *path, char **file);

/* The number of classes that the heads in the file have; 0 if they are not there or do not agree. */
int cmus_weights_classes(const cmus_state_dict *dict);

/* Prints what is in the file, with every tensor's norm and range, and what of it would be loaded where in a network of
 * these parameters; that nothing can be loaded is no failure, but told. `network` says in messages which network it is.
 * `json`: one object for scripts. As cmus_state_dict_read(); IO if it can't be printed. */
cmus_status cmus_weights_inspect(cmus_state_dict *dict, const cmus_parameters *parameters, const char *network,
                                 bool json, FILE *stream);

/* A file to be made of another. */
typedef struct cmus_weight_output {
    const char *path;
    const char *type;   /* "F32", "F16" or "BF16" */
    const char *config; /* for CMUS_METADATA_CONFIG; NULL: not known */
    bool other_classes; /* the file says that its heads are of other classes: their last layers are left out */
} cmus_weight_output;

/* Writes what the file holds for a network of these parameters, in this project's names; says in the log what was
 * loaded. The rest of the network is left out; if there is none, the metadata of weights.h is written, too. As
 * cmus_weight_plan_make() and cmus_weight_plan_apply(); IO. */
cmus_status cmus_weights_import(cmus_state_dict *dict, const cmus_parameters *parameters,
                                const cmus_weight_output *output);

/* The same for a whole network, in another type, with the metadata; says how much was rounded. MISMATCH also for a
 * tensor that is not in the file, and for a value beyond the range of the type. */
cmus_status cmus_weights_export(cmus_state_dict *dict, const cmus_parameters *parameters,
                                const cmus_weight_output *output);

#endif
