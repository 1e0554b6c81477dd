/* One key's value from YAML scalars into the configuration. Internal to the configuration's files. */
#ifndef CMUS_CONFIG_VALUE_H
#define CMUS_CONFIG_VALUE_H

#include "cmus/config.h"

/* A value as the YAML parser saw it: one scalar, or a list of scalars. */
typedef struct cmus_yaml_value {
    bool list;
    size_t count, capacity;
    char **texts; /* [count] */
    bool *quoted; /* [count]: quoted texts are strings, never numbers */
} cmus_yaml_value;

/* CONFIG says what the key takes. */
cmus_status cmus_config_set(cmus_config *config, const cmus_key *key, const cmus_yaml_value *value);

/* Copies the key's value from the published defaults. */
void cmus_config_set_default(cmus_config *config, const cmus_key *key);

/* embed_dim, depths and heads of the preset `encoder`, but for those that were given: `given` [cmus_key_count]. */
void cmus_config_apply_encoder(cmus_config *config, const bool *given);

/* The key of that name, or NULL. */
const cmus_key *cmus_config_find(const char *name);

#endif
