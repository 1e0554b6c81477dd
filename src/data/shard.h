/* One shard file, read: all but the images at once, images on demand. Internal to the data layer. */
#ifndef CMUS_SHARD_H
#define CMUS_SHARD_H

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

#include "cmus/dataset.h"
#include "cmus/dataset_index.h"

typedef struct cmus_shard {
    char *path;
    int cases, image_size, tem_channels;
    bool has[CMUS_IMAGE_KINDS]; /* modalities, as in dataset.json */
    int64_t *tem_offset;        /* [cases + 1]; zeros without TEM */
    int32_t *label;             /* [cases] */
    char *case_id, *patient_id; /* [cases] texts, each in its own width */
    size_t case_width, patient_width;
    char *source; /* [images] lines of /source, as they are asked for; NULL: not yet */
    size_t source_width;
    bool keep_open;
    hid_t file;                        /* H5I_INVALID_HID while closed; its closing closes its arrays */
    hid_t images[CMUS_IMAGE_KINDS];    /* as `file` */
    bool compressed[CMUS_IMAGE_KINDS]; /* chunks are deflated */
} cmus_shard;

/* Opens FOLDER/entry->file and reads and checks all but the images. Free it by shard_free(), also after a failure. */
cmus_status cmus_shard_load(const char *folder, const cmus_dataset_index *index, const cmus_shard_entry *entry,
                            bool keep_open, cmus_shard *shard);
void cmus_shard_free(cmus_shard *shard);

/* From now on the images are read from this path, which is taken over, to be freed with the shard. A shard that is kept
 * open is opened there. FORMAT. */
cmus_status cmus_shard_move(cmus_shard *shard, char *path);

/* Images in it, of all modalities. */
int64_t cmus_shard_images(const cmus_shard *shard);

const char *cmus_shard_case_id(const cmus_shard *shard, int index);
const char *cmus_shard_patient_id(const cmus_shard *shard, int index);

/* Reads image number `number` of the shard's images of that kind, which it must have: [S][S][C], C = tem_channels of
 * TEM images, else 3. Only its chunk is read. */
cmus_status cmus_shard_image(cmus_shard *shard, cmus_image_kind kind, int64_t number, uint8_t *image);

/* The line of /source of an image: `image` below tem_count for TEM, else 0. All lines are read at the first call and
 * stay. */
cmus_status cmus_shard_source(cmus_shard *shard, int index, cmus_image_kind kind, int image, const char **line);

/* Closes the file if it is not kept open. */
void cmus_shard_rest(cmus_shard *shard);

#endif
