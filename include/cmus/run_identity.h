/* What makes a run this run: configuration, data set, splits, fold. It stands in run.json and in each checkpoint, so
 * that none is continued as something else. Not collective.
 */
#ifndef CMUS_RUN_IDENTITY_H
#define CMUS_RUN_IDENTITY_H

#include <jansson.h>

#include "cmus/config.h"
#include "cmus/status.h"

/* In the place of a fold's number: no fold is held out, and the network is trained on every case. Not the value of a
 * case that is kept apart (splits.h). In JSON and names of folders it is "all". */
enum { CMUS_FOLD_ALL = -2 };

typedef struct cmus_run_identity {
    const cmus_config *config;
    char config_hash[CMUS_SHA256_TEXT], dataset_hash[CMUS_SHA256_TEXT], splits_hash[CMUS_SHA256_TEXT];
    int fold, repeat;   /* fold: from 0, or CMUS_FOLD_ALL */
    const char *images; /* "options" of the data set, for the metadata of weights; owned by it */
} cmus_run_identity;

/* "3" or "all"; free with cmus_free(). */
char *cmus_fold_text(int fold);

/* Adds the keys config_hash, dataset_hash, splits_hash, seed, fold, repeat and config (key to YAML text) to the object.
 */
void cmus_run_identity_write(const cmus_run_identity *identity, json_t *object);

/* MISMATCH names the file `path`, from which the object came, and all that differs; FORMAT if something is missing. */
cmus_status cmus_run_identity_check(const cmus_run_identity *identity, const char *path, const json_t *object);

/* Reads a JSON file that is one object; free it with json_decref(). FORMAT, NOT_FOUND, IO, LIMIT. */
cmus_status cmus_json_read(const char *path, json_t **object);
/* Writes it, indented. IO. */
cmus_status cmus_json_write(const char *path, const json_t *object);

#endif
