/* The cases of a data set to be and their image files: what a scan of folders or a manifest finds, in the order of the
 * data set. All texts but the images' paths are such as may be shown and stored (identity.h). */
#ifndef CMUS_CASE_LIST_H
#define CMUS_CASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "cmus/dataset.h"
#include "cmus/status.h"

enum { CMUS_NO_IMAGE = -1 };
/* Labels that are none: of a class that is not one of the data set, and of a case of which nothing is known. */
enum { CMUS_LABEL_STRANGE = -1, CMUS_LABEL_UNKNOWN = -2 };

typedef struct cmus_source_image {
    char *path;   /* where it is: to be read, not to be shown */
    char *shown;  /* how findings and messages name it */
    char *source; /* what goes into the data set: <class>/<patient>/<file>, as in the manifest, or a hashed name */
    cmus_image_kind kind;
} cmus_source_image;

typedef struct cmus_source_case {
    char *case_id, *patient_id;
    char *place;      /* how findings name it: its folder, or the manifest and a line */
    char *class_name; /* as it was found, also if it is not one of the classes; "": unknown */
    int label;        /* CMUS_LABEL_STRANGE or _UNKNOWN: none */
    ptrdiff_t om, im; /* numbers in the list's images; CMUS_NO_IMAGE: there is none */
    size_t first_tem; /* the TEM images lie together */
    int tem_count;
    char *rejected; /* why it can't be packed; NULL: it can */
} cmus_source_case;

typedef struct cmus_case_list {
    char **classes; /* in the order of the labels */
    size_t class_count, class_capacity;
    bool has[CMUS_IMAGE_KINDS]; /* the modalities of the data set, by cmus_image_kind */
    cmus_source_case *cases;    /* by class, then in the order of the folders or of the manifest */
    size_t case_count, case_capacity;
    cmus_source_image *images; /* each file once, but for those of two bags that share only some; cases may share one */
    size_t image_count, image_capacity;
} cmus_case_list;

/* How cases are looked for. */
typedef struct cmus_scan_options {
    const char *const *classes; /* [class_count], in the order of the labels; NULL: those that are found, sorted */
    size_t class_count;
    const struct cmus_name_prefix *prefixes; /* [prefix_count]: file names that mean a modality, besides its own name */
    size_t prefix_count;
    bool has[CMUS_IMAGE_KINDS];        /* the modalities of cases; files of others are not looked at */
    bool optional[CMUS_IMAGE_KINDS];   /* those of them that a case may lack */
    const char *why[CMUS_IMAGE_KINDS]; /* said with a case that lacks one that it must have; NULL: nothing */
    bool for_prediction; /* nothing is learnt from the cases: trees may lack the folders of classes, a class may lack
                            cases, and it does not matter which names are alike */
    bool every_om;       /* a case for each OM image of a patient's folder, not for the first alone */
    struct cmus_identity *identity; /* NULL: names stay as they are */
} cmus_scan_options;

typedef struct cmus_name_prefix {
    const char *name; /* such as "IF" for files IF_....jpg */
    cmus_image_kind kind;
} cmus_name_prefix;

/* NAME=OM, NAME=IM or NAME=TEM; false: it is none. The name is to be freed with cmus_free(). */
bool cmus_name_prefix_parse(const char *text, cmus_name_prefix *prefix);

/* OM, IM or TEM. */
const char *cmus_image_kind_name(cmus_image_kind kind);
/* The kind that a word of `length` letters names, capital or small, or CMUS_IMAGE_KINDS. */
int cmus_image_kind_parse(const char *word, size_t length);

/* Adds a class, a case or an image; takes over the texts of the latter two. Returns its number. */
size_t cmus_case_list_add_class(cmus_case_list *list, const char *name);
size_t cmus_case_list_add_case(cmus_case_list *list, const cmus_source_case *one);
size_t cmus_case_list_add_image(cmus_case_list *list, const cmus_source_image *image);
/* Marks the case, unless it is marked already. */
void cmus_case_list_reject(cmus_case_list *list, size_t number, const char *why);
/* Takes the rejected cases out; their images stay, so that numbers of images hold. */
void cmus_case_list_drop_rejected(cmus_case_list *list);
/* Images of all cases; one that two cases share counts twice. */
size_t cmus_case_list_count_images(const cmus_case_list *list);
/* Number of the class, or -1. */
int cmus_case_list_class(const cmus_case_list *list, const char *name);
/* The rejected cases as a CSV file: case_id, patient_id, class, why. IO. */
cmus_status cmus_rejected_write(const char *path, const cmus_case_list *list);
void cmus_case_list_free(cmus_case_list *list);

#endif
