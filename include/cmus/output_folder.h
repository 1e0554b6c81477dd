/* A folder that appears under its name only when it is finished. */
#ifndef CMUS_OUTPUT_FOLDER_H
#define CMUS_OUTPUT_FOLDER_H

#include <stddef.h>

#include "cmus/status.h"

typedef struct cmus_output_folder {
    char *path;    /* the final name */
    char *partial; /* its sibling PATH.partial, where files are made */
    char *scratch; /* PATH.partial/scratch: what is not part of the result */
    int lock;      /* descriptor of PATH.partial/lock */
} cmus_output_folder;

/* Makes the partial folder of PATH, an empty folder behind a link or "." included; what a killed run left there stays.
 * ARGUMENT if PATH exists and is not an empty folder, or if another process is making it now. If ranks of a killed run
 * are still at work there, waits some seconds for their end. IO. */
cmus_status cmus_output_folder_begin(const char *path, cmus_output_folder *folder);
/* Removes what a killed run left in the partial folder, for runs that do not continue it. IO. */
cmus_status cmus_output_folder_clear(cmus_output_folder *folder);
/* For other files that a run writes: ARGUMENT if this one would lie in the folder, NOT_FOUND if its folder is not
 * there. */
cmus_status cmus_output_folder_check_outside(const cmus_output_folder *folder, const char *path);
/* Tells a later begin() that this process, a rank of the run, writes in the scratch folder; to its end. */
void cmus_output_folder_join(const char *scratch);
/* Leaves the partial folder there for the same command to continue, in place of its removal. */
void cmus_output_folder_keep(cmus_output_folder *folder);
/* Removes all from the partial folder but the named files [count], and renames it to its final name. IO: if only the
 * name can't be had, the partial folder stays, complete. */
cmus_status cmus_output_folder_commit(cmus_output_folder *folder, const char *const *names, size_t count);
/* Removes the partial folder, if it is still there, and frees all. Does not change the kept message. */
void cmus_output_folder_end(cmus_output_folder *folder);

#endif
