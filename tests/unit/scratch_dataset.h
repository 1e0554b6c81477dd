/* A small data set of one shard for tests: two classes in turn, patients with a case each, every image with bytes of
 * its own.
 */
#ifndef CMUS_UNIT_SCRATCH_DATASET_H
#define CMUS_UNIT_SCRATCH_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmus/dataset_index.h"

enum { SCRATCH_CASES_MAX = 64, SCRATCH_ID_SIZE = 8 };

typedef struct scratch_dataset {
    const char *folder; /* removed first if it is there */
    int cases, side;    /* side: of an image, pixels */
    int (*bag_of)(int case_index);
    bool lacks[CMUS_IMAGE_KINDS]; /* modalities */
    int tem_channels;             /* 0: 3 */
    int compression;
    const char *statistics;
    const char *const *further; /* [further_count]: names of files with a line of text, which the manifest lists */
    size_t further_count;
    const char *const *patients;                       /* [cases]; NULL: the case ids */
    char case_ids[SCRATCH_CASES_MAX][SCRATCH_ID_SIZE]; /* filled in */
} scratch_dataset;

/* Writes it; a failure ends the test. */
void scratch_dataset_write(scratch_dataset *dataset);

/* The pixels of image `number` of a shard: OM, IM and TEM images of the first case, then of the next. side: const int
 * *. */
cmus_status scratch_dataset_image(void *side, size_t number, int channels, uint8_t *pixels);

/* Its shard's file, until the next call. */
const char *scratch_dataset_shard(const scratch_dataset *dataset);

#endif
