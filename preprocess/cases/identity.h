/* How patients, cases and files are called in everything that is said or stored: by their own names, or by keyed hashes
 * that only the holder of the key and of the map can trace back.
 *
 * A hash is the first 64 bits of HMAC-SHA256 over the kind of name, a zero byte and the name: the same key gives the
 * same hashes in every run, so that data sets can be joined. The classes of a data set keep their names. Used by one
 * thread at a time.
 */
#ifndef CMUS_IDENTITY_H
#define CMUS_IDENTITY_H

#include "cmus/dataset.h"
#include "cmus/status.h"

typedef struct cmus_identity cmus_identity;

/* key_file: its bytes are the key, at least 16. A key that others may read is warned of. Close it by
 * cmus_identity_close(). NOT_FOUND, IO; ARGUMENT if the key is too short. */
cmus_status cmus_identity_open(const char *key_file, cmus_identity **identity);
void cmus_identity_close(cmus_identity *identity);

/* All four return a text that the caller frees by cmus_free(). identity NULL: names stay as they are. */

/* A patient's id: "p-" and 16 digits. */
char *cmus_identity_patient(cmus_identity *identity, const char *patient_id);
/* A case's id: "c-" and 16 digits. */
char *cmus_identity_case(cmus_identity *identity, const char *case_id);
/* A file or folder in findings and messages: "f-" and 16 digits. */
char *cmus_identity_path(cmus_identity *identity, const char *path);
/* An image file in the data set's /source: `source` as it is, or "c-.../TEM_3": the case's hash, the kind and the
 * number of the image among those of its kind, from 1. case_id: the case's own id; number: from 0. */
char *cmus_identity_source(cmus_identity *identity, const char *source, const char *case_id, cmus_image_kind kind,
                           int number);

/* ARGUMENT if there is a file of this name that is no map: it would be lost. */
cmus_status cmus_identity_check_map(const char *map);

/* Writes the map, kind,hashed,true for every name that was asked for, readable by this user only; the lines of an
 * existing map stay. DATA if two names have one hash. FORMAT, IO. */
cmus_status cmus_identity_write_map(const cmus_identity *identity, const char *path);

#endif
