/* Failures of HDF5 as status codes: its own printing is switched off, its innermost reason goes into the message. */
#ifndef CMUS_HDF5_ERROR_H
#define CMUS_HDF5_ERROR_H

#include "cmus/status.h"

/* Switches HDF5's printing of error stacks off for the calling thread. */
void cmus_hdf5_quiet(void);

/* Keeps "PATH: WHAT: HDF5's innermost reason" as the message. Returns CHECKSUM if the reason speaks of a checksum, else
 * `otherwise`. */
cmus_status cmus_hdf5_fail(cmus_status otherwise, const char *path, const char *what);

#endif
