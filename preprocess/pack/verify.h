/* Re-reads a whole data set. */
#ifndef CMUS_VERIFY_H
#define CMUS_VERIFY_H

#include "cmus/status.h"

/* Every byte of dataset.json, the manifest and the shards by SHA-256, then every case through HDF5. Each damaged shard
 * is named on stderr; CHECKSUM, FORMAT or NOT_FOUND if there is one. */
cmus_status cmus_verify_dataset(const char *folder);

#endif
