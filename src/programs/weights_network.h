/* For cmus-weights: the network that a file of weights is held against. Not collective. */
#ifndef CMUS_WEIGHTS_NETWORK_H
#define CMUS_WEIGHTS_NETWORK_H

#include "cmus/config.h"
#include "cmus/state_dict.h"

typedef struct cmus_weights_network {
    char *name;                 /* for messages: where the configuration is from */
    char *config;               /* what changes results of it, with the classes; NULL: the classes are not known */
    cmus_parameters parameters; /* of the network */
    bool differs;               /* from what the file says of itself, in what changes results */
    bool other_classes;         /* than the file says of itself */
} cmus_weights_network;

/* The configuration at `path` if it is not NULL; else what the file itself says of its network, else config.yaml beside
 * the file's folder (as a fold's folder has it), else the published one; with the overrides [count]. Where no classes
 * are named, the number of them is that of the file's heads, or the published one. As cmus_config_read(). Free the
 * network with cmus_weights_network_free(), also after a failure. */
cmus_status cmus_weights_network_find(const cmus_state_dict *dict, const char *path, const char *const *overrides,
                                      size_t count, cmus_weights_network *network);
void cmus_weights_network_free(cmus_weights_network *network);

#endif
