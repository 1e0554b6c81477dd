/* What is in a packed data set, for people. */
#ifndef CMUS_DESCRIBE_H
#define CMUS_DESCRIBE_H

#include "cmus/status.h"

/* Prints classes, patients, cases, bag sizes, what the image files were like, how they were packed, shards and folds on
 * stdout. Images are not read. NOT_FOUND, FORMAT, CHECKSUM. */
cmus_status cmus_describe_dataset(const char *folder);

#endif
