/* Re-reads a whole data set. */
#ifndef CMUS_VERIFY_H
#define CMUS_VERIFY_H

#include "cmus/status.h"

/* Every byte of dataset.json, the shards, the further files in MANIFEST.sha256 (findings.csv, rejected.csv) and the
 * manifest itself by SHA-256, then every image through HDF5. Each damaged file is named on stderr; CHECKSUM, FORMAT or
 * NOT_FOUND if there is one. Files in the folder that the manifest does not list, splits.csv apart, get a warning. */
cmus_status cmus_verify_dataset(const char *folder);

#endif
