/* Turns prepared cases into shards of bounded size and dataset.json. */
#ifndef CMUS_BUILD_H
#define CMUS_BUILD_H

#include "prepare.h"

typedef struct cmus_build_options {
    int image_size;
    int shard_mb;               /* images of a shard in MiB, uncompressed; a shard has at least one case */
    int compression;            /* deflate's level, 1 to 9; 0: none */
    const char *options;        /* for dataset.json: a JSON object */
    const char *const *further; /* [further_count]: files in the folder that the manifest lists, too */
    size_t further_count;
} cmus_build_options;

/* Writes shard-NNNNN.h5, dataset.json and MANIFEST.sha256 into the folder. IO. */
cmus_status cmus_build_dataset(const char *folder, const cmus_case_list *list, const cmus_prepared_image *prepared,
                               const cmus_spool *spool, const cmus_build_options *options);

#endif
