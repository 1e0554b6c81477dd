/* A page to look at: some cases of each class of a packed data set. */
#ifndef CMUS_PREVIEW_H
#define CMUS_PREVIEW_H

#include "cmus/status.h"

/* Writes the page, one file with its pictures inside. Which cases are shown is drawn at random, the same ones each
 * time. FORMAT, CHECKSUM and the like of a damaged data set; IO. */
cmus_status cmus_preview_write(const char *folder, const char *path);

#endif
