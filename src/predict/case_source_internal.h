/* What the kinds of case sources share. Internal to src/predict. */
#ifndef CMUS_CASE_SOURCE_INTERNAL_H
#define CMUS_CASE_SOURCE_INTERNAL_H

#include "case_list.h"
#include "cmus/case_source.h"

/* What a kind of source does; `own` is what it has made for itself, `number` how it calls the case. */
typedef struct cmus_case_backend {
    /* The images for which there is a buffer (by cmus_image_kind): the case has them. As cmus_case_source_read(). */
    cmus_status (*read)(void *own, int number, int max_tem, uint8_t *const buffers[CMUS_IMAGE_KINDS]);
    /* As it may be shown; NULL: not known. Free with cmus_free(). */
    char *(*image_name)(void *own, int number, cmus_image_kind kind, int image);
    /* What tells the case's images from others; free with cmus_free(). */
    char *(*identify)(const void *own, int number);
    void (*close)(void *own);
} cmus_case_backend;

typedef struct cmus_case_entry {
    cmus_case_facts facts; /* ids are owned by the backend */
    char *class_name;      /* owned; what the facts point to */
    int number;
} cmus_case_entry;

struct cmus_case_source {
    const cmus_case_backend *backend;
    void *own;
    char *name;               /* for messages: folders, or the first file */
    const char *dataset_hash; /* of a data set, owned by it; else NULL */
    int image_size;
    cmus_case_entry *entries; /* [count] */
    size_t count, capacity;
    char **classes; /* [class_count] */
    size_t class_count;
    cmus_source_case *rejected; /* [rejected_count]: texts are owned by the backend */
    size_t rejected_count, rejected_capacity;
};

/* An empty source; takes over `own`. Close it by cmus_case_source_close(). */
cmus_case_source *cmus_case_source_begin(const cmus_case_backend *backend, void *own, const char *name,
                                         const cmus_case_source_options *options);
void cmus_case_source_add(cmus_case_source *source, const cmus_case_facts *facts, int number);
/* Reads the labels. After a failure, also that of `status`, the source is closed and *result NULL. */
cmus_status cmus_case_source_finish(cmus_case_source *source, const cmus_case_source_options *options,
                                    cmus_status status, cmus_case_source **result);

/* Gives the cases the classes of the file (case_source.h). FORMAT, LIMIT, DATA, NOT_FOUND, IO. */
cmus_status cmus_case_labels_read(cmus_case_source *source, const char *path, bool quiet);

/* Why a case without TEM images can't be predicted, and what can be done without OM or IM. */
extern const char cmus_case_needs_tem[], cmus_case_may_lack[];

#endif
