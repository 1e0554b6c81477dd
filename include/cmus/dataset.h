/* A packed data set: the shards that cmus-pack wrote, and dataset.json, which owns the classes and their order.
 *
 * Shard (HDF5): /om, /im uint8 [n,S,S,3]; /tem uint8 [sum of bags,S,S,C], C = 1 if all are gray, else 3; /tem_offset
 * int64 [n+1]; /label int32 [n]; /case_id, /patient_id: UTF-8 strings [n] of fixed length; /source: such strings, one
 * "SHA-256  file" an image (om, im, tem of case 0, om, ...). A modality that the data set does not have is not there:
 * neither its array (nor /tem_offset, if it is TEM) nor lines of /source. A chunk is one image, or a whole array of the
 * others; all have Fletcher-32, images may be deflated before (chunk.h). Attributes: format_version, classes,
 * image_size, tool_version. Not collective; one data set may be used by one thread at a time.
 */
#ifndef CMUS_DATASET_H
#define CMUS_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmus/dataset_index.h"
#include "cmus/status.h"

typedef struct cmus_dataset cmus_dataset;

/* What is known of a case without reading its images. */
typedef struct cmus_case_info {
    const char *case_id, *patient_id; /* owned by the data set */
    int label;
    int tem_count; /* all TEM images of the case, without max_tem; 0 if the data set has none */
} cmus_case_info;

/* Opens FOLDER/dataset.json and its shards and reads all but the images. Checks sizes, counts, labels, versions;
 * verifies dataset.json against FOLDER/MANIFEST.sha256 if there is one. Checksums of images are checked as they are
 * read. NOT_FOUND, FORMAT, CHECKSUM, LIMIT. */
cmus_status cmus_dataset_open(const char *folder, cmus_dataset **dataset);
void cmus_dataset_close(cmus_dataset *dataset);
/* Whether it opens: the same checks, one shard after another, as HDF5 takes half a MiB for each open one. */
cmus_status cmus_dataset_try(const char *folder);

int cmus_dataset_image_size(const cmus_dataset *dataset);
int cmus_dataset_class_count(const cmus_dataset *dataset);
const char *cmus_dataset_class_name(const cmus_dataset *dataset, int label);
int cmus_dataset_case_count(const cmus_dataset *dataset);
/* Whether the cases have this modality: all of them or none. */
bool cmus_dataset_has(const cmus_dataset *dataset, cmus_image_kind kind);
/* OK if the data set has all three modalities; else DATA, naming `folder` and what is missing: for what needs them all.
 */
cmus_status cmus_dataset_needs_all(const cmus_dataset *dataset, const char *folder);
/* `index` from 0, in the order of the shards. */
cmus_case_info cmus_dataset_case(const cmus_dataset *dataset, int index);
/* The case of that id, or -1. */
int cmus_dataset_find(const cmus_dataset *dataset, const char *case_id);
/* "options" of dataset.json: how the images were made, as the text of a JSON object without blanks. */
const char *cmus_dataset_options(const cmus_dataset *dataset);
/* SHA-256 of dataset.json, which holds those of all shards: names the data set in run.json. */
const char *cmus_dataset_hash(const cmus_dataset *dataset);

/* Reads one image of a case as RGB bytes [S][S][3]; gray is repeated. `image`: 0 for OM and IM, below tem_count for TEM
 * (fatal otherwise, and if the data set lacks that modality). Only this image is read from the file. The buffer is the
 * caller's. FORMAT or CHECKSUM (a Fletcher-32 that does not hold) names shard and case. */
cmus_status cmus_dataset_read_image(cmus_dataset *dataset, int index, cmus_image_kind kind, int image, uint8_t *rgb);

/* The file that the image came from, as /source has it: <class>/<patient>/<file>, as in a manifest, or a hashed name.
 * `image` as above; owned by the data set. The first call for a case of a shard reads all names in that shard. FORMAT.
 */
cmus_status cmus_dataset_source(cmus_dataset *dataset, int index, cmus_image_kind kind, int image, const char **file);

/* Reads the images of a case as RGB bytes [S][S][3]; gray is repeated. om, im: one image; tem: the first
 * min(tem_count, max_tem) images (max_tem 0: all). The buffers are the caller's; that of a modality which the data set
 * lacks is NULL, and no other (fatal otherwise). Fails as cmus_dataset_read_image(). */
cmus_status cmus_dataset_read(cmus_dataset *dataset, int index, int max_tem, uint8_t *om, uint8_t *im, uint8_t *tem);

/* Bytes that cmus_dataset_preload() needs for these cases [count] with min(tem_count, max_tem) TEM images each (max_tem
 * 0: all). Gray images take one channel. */
size_t cmus_dataset_preload_bytes(const cmus_dataset *dataset, const int *cases, int count, int max_tem);

/* From now on the images of these cases are read from `memory`, which has cmus_dataset_preload_bytes() bytes, and must
 * outlive the data set's use. This call fills in the cases at the positions first, first + step, ... of `cases`; where
 * several processes share the memory, each calls it with the same arguments but for `first`, and none may read before
 * all are done. Checksums are verified here. All other images are read from the files as before. FORMAT or CHECKSUM as
 * cmus_dataset_read_image(): then nothing is read from memory. */
cmus_status cmus_dataset_preload(cmus_dataset *dataset, void *memory, const int *cases, int count, int max_tem,
                                 int first, int step);

/* The shards in the order of dataset.json, the number of that which holds a case, and a shard's file name and SHA-256.
 */
int cmus_dataset_shard_count(const cmus_dataset *dataset);
int cmus_dataset_shard_of(const cmus_dataset *dataset, int index);
const cmus_shard_entry *cmus_dataset_shard(const cmus_dataset *dataset, int shard);

/* From now on the images of this shard are read from its copy in `folder`, which has its SHA-256. It is opened there
 * (but for the last of very many shards), so that the copy stays readable when its name is removed. FORMAT. */
cmus_status cmus_dataset_move_shard(cmus_dataset *dataset, int shard, const char *folder);

#endif
