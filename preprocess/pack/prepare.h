/* Decodes, measures and resizes every image of the cases into blocks, once, by all threads of all ranks. */
#ifndef CMUS_PREPARE_H
#define CMUS_PREPARE_H

#include "block.h"
#include "case_list.h"
#include "cmus/communicator.h"
#include "image.h"

typedef struct cmus_prepare_options {
    cmus_filter filter;
    cmus_decode_options decode;
} cmus_prepare_options;

/* Collective. Makes the blocks that are not there yet: rank r those of number r, r + ranks, ... prepared: [images of
 * the store], on every rank all of them afterwards; a file that can't be used is no failure, but has a damage.
 * *continued, on rank 0: images whose blocks were there. IO if a block can't be written. */
cmus_status cmus_prepare_images(const cmus_communicator *communicator, const cmus_case_list *list,
                                const cmus_block_store *store, const cmus_prepare_options *options,
                                cmus_prepared_image *prepared, size_t *continued);

#endif
