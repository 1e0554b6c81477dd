/* A folder that one process has for itself until it ends, however it ends. Internal to stage.c. */
#ifndef CMUS_STAGE_FOLDER_H
#define CMUS_STAGE_FOLDER_H

#include <stddef.h>

#include "cmus/status.h"

/* Makes DIRECTORY/cmus-stage-HOST-RANDOM, mode 0700, for files of these names [count], which must not begin with a dot.
 * The names are copied. One at a time. IO. */
cmus_status cmus_stage_folder_make(const char *directory, const char *const *names, size_t count);
/* Its path; valid until it is removed. */
const char *cmus_stage_folder_path(void);
/* Removes the files and the folder. */
void cmus_stage_folder_remove(void);

/* Removes such folders of this user and host in DIRECTORY whose process has ended. What can't be removed stays. */
void cmus_stage_folder_clean(const char *directory);

#endif
