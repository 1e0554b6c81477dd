#include "cmus/hdf5_error.h"

#include <hdf5.h>
#include <stdio.h>
#include <string.h>

typedef struct reason {
    char text[256];
    int checksum; /* any of the stack's entries speaks of a checksum */
} reason;

void cmus_hdf5_quiet(void) {
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

/* The walk goes from the innermost entry outwards: the first text is the most exact one. */
static herr_t take_reason(unsigned place, const H5E_error2_t *entry, void *data) {
    reason *found = data;
    if (place == 0 && entry->desc)
        snprintf(found->text, sizeof found->text, "%s", entry->desc);
    if (entry->desc && strstr(entry->desc, "checksum"))
        found->checksum = 1;
    return 0;
}

cmus_status cmus_hdf5_fail(cmus_status otherwise, const char *path, const char *what) {
    reason found = {.text = "no reason given"};
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_reason, &found);
    return cmus_fail(found.checksum ? CMUS_ERROR_CHECKSUM : otherwise, "%s: %s: HDF5 says: %s", path, what, found.text);
}
