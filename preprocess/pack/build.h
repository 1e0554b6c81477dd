/* Turns prepared cases into shards of bounded size and dataset.json. */
#ifndef CMUS_BUILD_H
#define CMUS_BUILD_H

#include "block.h"
#include "case_list.h"
#include "cmus/communicator.h"

typedef struct cmus_build_options {
    int image_size;
    int shard_mb;               /* images of a shard in MiB, uncompressed; a shard has at least one case */
    int compression;            /* deflate's level, 1 to 9; 0: none */
    const char *options;        /* for dataset.json: a JSON object */
    const char *const *further; /* [further_count]: files in the folder that the manifest lists, too */
    size_t further_count;
} cmus_build_options;

/* Collective. Writes shard-NNNNN.h5 into the folder, rank r those of number r, r + ranks, ...; rank 0 then writes
 * dataset.json and MANIFEST.sha256. A shard of a run that was killed stays if its bytes are those that it should have:
 * what it was made of and its SHA-256 are kept beside the blocks. prepared: of all images, on every rank. *shards: how
 * many there are. IO; LIMIT, before a shard is written, if the format has no room for so many cases, shards or images
 * of a case. */
cmus_status cmus_build_dataset(const cmus_communicator *communicator, const char *folder, const cmus_case_list *list,
                               const cmus_prepared_image *prepared, const cmus_block_store *store,
                               const cmus_build_options *options, int *shards);

#endif
