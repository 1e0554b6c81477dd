/* The whole way of cmus-pack: from folders or a manifest to a data set. */
#ifndef CMUS_PACK_RUN_H
#define CMUS_PACK_RUN_H

#include "cmus/communicator.h"
#include "cmus/status.h"
#include "pack_options.h"

/* Collective. Finds the cases, prepares and checks all images, and writes options->out, which appears only when it is
 * complete. Whatever is wrong or odd with the cases is listed on stderr and in findings.csv: in the data set, or beside
 * it (OUT.findings.csv) if there is none. DATA if a defect stops the run; IO and others. */
cmus_status cmus_pack_run(const cmus_communicator *communicator, const cmus_pack_options *options);

#endif
