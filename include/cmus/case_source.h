/* Cases to be predicted, wherever their images are: a packed data set, folders of image files, or files one by one. The
 * pixels are the same bytes either way if the data set was packed with the same options. Not collective; every rank
 * opens the same source and reads the images of its own cases. One source may be used by one thread at a time; it
 * decodes with all threads of OpenMP.
 */
#ifndef CMUS_CASE_SOURCE_H
#define CMUS_CASE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmus/dataset_index.h"
#include "cmus/status.h"

typedef struct cmus_case_source cmus_case_source;

/* How cases are looked for and images made. */
typedef struct cmus_case_source_options {
    int image_size;        /* that the network takes; a data set must have it */
    const char *images;    /* JSON: how the images of the training data were made ("options" of dataset_index.h: filter,
                              window, ...); NULL: the defaults of cmus-pack */
    const char *labels;    /* CSV file with the columns case_id and class (or label), further ones ignored; it wins over
                              what the source itself says; NULL: none */
    bool allow_missing;    /* cases that lack OM or IM images are taken, too; one without TEM never is */
    bool skip_errors;      /* cases with errors are left out and listed by cmus_case_source_write_rejected() */
    const char **prefixes; /* [prefix_count]: NAME=MODALITY as of cmus-pack */
    size_t prefix_count;
    int64_t pixel_limit; /* of an image file; 0: that of the training data */
    bool quiet;          /* findings and warnings are not printed: another rank does it */
} cmus_case_source_options;

/* What is known of a case without reading its images. The texts are owned by the source. */
typedef struct cmus_case_facts {
    const char *case_id, *patient_id;
    const char *class_name;     /* what it is known to be; NULL: unknown */
    bool has[CMUS_IMAGE_KINDS]; /* by cmus_image_kind */
    int tem_count;              /* all TEM images, without max_tem */
} cmus_case_facts;

/* All three print what is wrong or odd, unless options->quiet. ARGUMENT: a wrong prefix; FORMAT: options->images is not
 * understood, or the file of labels is damaged; DATA: there is no case, or the file of labels has a case twice. */

/* A packed data set. fold: "holdout" or a number takes the cases of that fold of FOLDER/splits.csv (repeat 0) only;
 * NULL: all. ARGUMENT: there is no such fold; DATA names modalities that are missing, or nobody is held out; MISMATCH:
 * another image size; as cmus_dataset_open() and cmus_splits_read(). Prints a warning if its images were not made as
 * options->images says. */
cmus_status cmus_case_source_open_data(const char *folder, const char *fold, const cmus_case_source_options *options,
                                       cmus_case_source **source);
/* Folders [tree_count] with <class>/<case>/<MODALITY>_....<ext> as for cmus-pack, with <case>/<MODALITY>_....<ext>
 * for cases of which nothing is known yet, or with the <MODALITY>_....<ext> of one case. In the first form the folder's
 * name is the case's class. DATA if the images of a folder lie at two depths, or if a case has a defect (also an id
 * that another has) and skip_errors is not set: all of them are printed before. NOT_FOUND, IO. */
cmus_status cmus_case_source_open_trees(const char *const *trees, size_t tree_count,
                                        const cmus_case_source_options *options, cmus_case_source **source);
/* One case, of these files; om and im may be NULL with allow_missing. Its id and its patient's is `case_id`. The TEM
 * images are taken in the natural order of their names, as those of a folder are. ARGUMENT: an id that can't be one, a
 * file twice; DATA: a modality is missing; NOT_FOUND, IO. */
cmus_status cmus_case_source_open_files(const char *case_id, const char *om, const char *im, const char *const *tem,
                                        size_t tem_count, const cmus_case_source_options *options,
                                        cmus_case_source **source);
void cmus_case_source_close(cmus_case_source *source);

int cmus_case_source_count(const cmus_case_source *source);
cmus_case_facts cmus_case_source_case(const cmus_case_source *source, int index);
/* The classes of the source in its order: a data set's. None: 0. */
int cmus_case_source_class_count(const cmus_case_source *source);
const char *cmus_case_source_class(const cmus_case_source *source, int number);
/* How the image is called, for people: a file's name without its folders, or "TEM 3" where the source does not know it.
 * It must be there. Free with cmus_free(). */
char *cmus_case_source_image_name(cmus_case_source *source, int index, cmus_image_kind kind, int image);
/* SHA-256 of a data set\'s dataset.json; NULL of other sources. */
const char *cmus_case_source_dataset_hash(const cmus_case_source *source);
/* A text that is the same if ids, files and labels are: for cmus_launch_same(). Free with cmus_free(). */
char *cmus_case_source_fingerprint(const cmus_case_source *source);

/* Reads a case's images as RGB bytes: om, im [S][S][3]; tem [min(tem_count, max_tem)][S][S][3] (max_tem 0: all). What
 * the case lacks is filled with 0, unless its buffer is NULL. FORMAT, CHECKSUM, LIMIT, DATA (a file changed),
 * NOT_FOUND, IO; the message names case and file. */
cmus_status cmus_case_source_read(cmus_case_source *source, int index, int max_tem, uint8_t *om, uint8_t *im,
                                  uint8_t *tem);

/* The cases that were left out when the source was opened (case_id,patient_id,class,why), and those of `failed`
 * [failed_count] (indices) with their reasons. IO. */
cmus_status cmus_case_source_write_rejected(const cmus_case_source *source, const char *path, const int *failed,
                                            const char *const *reasons, size_t failed_count);
/* Cases that were left out when the source was opened. */
size_t cmus_case_source_rejected(const cmus_case_source *source);

#endif
