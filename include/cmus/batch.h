/* Cases of a data set as the network takes them: images read, flipped, normalised; random choices drawn. Not
 * collective. */
#ifndef CMUS_BATCH_H
#define CMUS_BATCH_H

#include <stdbool.h>

#include "cmus/cmusnet.h"
#include "cmus/config.h"
#include "cmus/dataset.h"

/* Buffers that are reused from batch to batch. `cases` and `results` [count] belong to the batch. */
typedef struct cmus_batch cmus_batch;

/* Network, data set and configuration must outlive the batch. */
cmus_batch *cmus_batch_create(const cmus_net *net, cmus_dataset *dataset, const cmus_config *config);
void cmus_batch_free(cmus_batch *batch);

/* Loads the cases `indices` [count] of the data set. epoch >= 0: as in training, with the choices of that epoch; -1:
 * without any random choice. FORMAT or CHECKSUM names shard and case. */
cmus_status cmus_batch_load(cmus_batch *batch, const int *indices, int count, int epoch);

/* Valid until the next load. The results have their TEM arrays set. */
const cmus_case *cmus_batch_cases(const cmus_batch *batch);
cmus_case_result *cmus_batch_results(cmus_batch *batch);

/* Images of a case that are used: 2 + min(its TEM images, max_tem). */
int cmus_case_images(const cmus_dataset *dataset, const cmus_config *config, int index);

/* Shares the cases `indices` [count] over ranks by their images (cmus_share_cases). rank_of [count]. */
void cmus_batch_share(const cmus_dataset *dataset, const cmus_config *config, const int *indices, int count, int ranks,
                      int *rank_of);

#endif
