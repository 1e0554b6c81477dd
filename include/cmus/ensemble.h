/* The networks that predict: files of weights, each with its configuration. Not collective.
 *
 * A file of weights that this project wrote names its configuration itself (weights.h); of others, one must be given.
 * The networks of an ensemble have the same classes in the same order, the same image size and max_tem.
 */
#ifndef CMUS_ENSEMBLE_H
#define CMUS_ENSEMBLE_H

#include <stdbool.h>

#include "cmus/config.h"
#include "cmus/file.h"
#include "cmus/status.h"

/* Where to find networks. */
typedef struct cmus_ensemble_options {
    /* [path_count]: a file of weights of any kind (state_dict.h); a folder `final` or `last`; a fold's folder; a RUN:
     * all of its folds (but fold-all) */
    const char *const *paths;
    size_t path_count;
    const char *config; /* of those that do not bring one along; NULL: all do */
    const char *const *overrides;
    size_t override_count; /* key=value; none may change what a file says of its network, but its precision */
} cmus_ensemble_options;

typedef struct cmus_member {
    char *path;
    cmus_config config;
    char config_hash[CMUS_SHA256_TEXT];
    char sha256[CMUS_SHA256_TEXT]; /* as MANIFEST.sha256 beside it has it, if there is one */
    char *images; /* how images of the training data were made (CMUS_METADATA_IMAGES); NULL: not known */
    /* By run.json beside the fold's weights; NULL: not known. fold: "3", "3 of repeat 1", "all". */
    char *dataset_hash, *splits_hash, *fold;
} cmus_member;

typedef struct cmus_ensemble {
    cmus_member *members; /* [count], at least 1 */
    int count;
    size_t capacity;
} cmus_ensemble;

/* Finds the networks and reads and compares their configurations, no weights. NOT_FOUND, FORMAT, CONFIG, CHECKSUM;
 * MISMATCH names the two files that do not go together. Free it with cmus_ensemble_free(), also after a failure. */
cmus_status cmus_ensemble_open(const cmus_ensemble_options *options, cmus_ensemble *ensemble);
/* Makes a network without training and fills it. MISMATCH if the file holds a part of it only. Free it with
 * cmus_net_free(). */
cmus_status cmus_ensemble_load(const cmus_ensemble *ensemble, int number, cmus_net **net);
void cmus_ensemble_free(cmus_ensemble *ensemble);

#endif
