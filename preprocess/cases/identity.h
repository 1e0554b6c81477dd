/* How patients, cases and files are called in everything that is said or stored: by their own names, or by keyed hashes
 * (HMAC-SHA256) that only the holder of the key and of the map can trace back. */
#ifndef CMUS_IDENTITY_H
#define CMUS_IDENTITY_H

#include "cmus/dataset.h"
#include "cmus/status.h"

typedef struct cmus_identity cmus_identity;

/* All return a text that the caller frees by cmus_free(). identity NULL: names stay as they are. */

/* A patient's id. */
char *cmus_identity_patient(cmus_identity *identity, const char *patient_id);
/* A case's id. */
char *cmus_identity_case(cmus_identity *identity, const char *case_id);
/* A file or folder in findings and messages. */
char *cmus_identity_path(cmus_identity *identity, const char *path);
/* An image file in the data set's /source: `source` as it is, or a name made of the case's hash, the kind and the
 * number of the image among those of its kind, from 0. case_id: the case's own id. */
char *cmus_identity_source(cmus_identity *identity, const char *source, const char *case_id, cmus_image_kind kind,
                           int number);

#endif
