/* What a file of weights says of its network: in its metadata (weights.h), or in config.yaml beside the folder of a
 * fold's weights.safetensors. Not collective.
 */
#ifndef CMUS_WEIGHTS_CONFIG_H
#define CMUS_WEIGHTS_CONFIG_H

#include <stdbool.h>

#include "cmus/config.h"
#include "cmus/state_dict.h"

/* FOLDER/../NAME for FOLDER/weights.safetensors, "" for files of other names, which are no fold's. Free with
 * cmus_free(). */
char *cmus_weights_beside(const char *path, const char *name);

/* *found: whether the file says it; then *config is read, and *source, if not NULL, says from where (free with
 * cmus_free(); NULL if not found). As cmus_config_read(). */
cmus_status cmus_weights_config_read(const cmus_state_dict *dict, cmus_config *config, bool *found, char **source);

#endif
