/* A rank's share of a wave as the network takes it: its images read, flipped, normalised, its cases with their random
 * choices drawn. Not collective. */
#ifndef CMUS_BATCH_H
#define CMUS_BATCH_H

#include "cmus/wave.h"

/* Buffers that are reused from wave to wave. */
typedef struct cmus_batch cmus_batch;

/* What is loaded; owned by the batch, valid until its next load. */
typedef struct cmus_share {
    int image_count;          /* that this rank encodes */
    const cmus_image *images; /* [image_count], sorted by modality, then as in the wave */
    const int *places;        /* [image_count]: which image of the wave each is */
    int case_count;           /* that this rank owns */
    const int *positions;     /* [case_count]: which case of the wave each is, rising */
    const cmus_case *cases;   /* [case_count]; with their images where this rank is the only one */
    cmus_case_result
        *results; /* [case_count], with their TEM arrays set; without choices and with save_features, features too */
} cmus_share;

/* Network, data set and configuration must outlive the batch. */
cmus_batch *cmus_batch_create(const cmus_net *net, cmus_dataset *dataset, const cmus_config *config);
void cmus_batch_free(cmus_batch *batch);

/* Loads the share of `rank` in a wave: as in training with the choices of the wave's epoch, or without any. FORMAT or
 * CHECKSUM names shard and case. */
cmus_status cmus_batch_load(cmus_batch *batch, const cmus_wave *wave, int rank);
cmus_share cmus_batch_share(const cmus_batch *batch);

/* Images of a case that are used: 2 + min(its TEM images, max_tem). */
int cmus_case_images(const cmus_dataset *dataset, const cmus_config *config, int index);

#endif
