/* A predicted case as a picture (PNG) and an HTML page: its images with heat maps and attention, its probabilities. Not
 * collective.
 */
#ifndef CMUS_CASE_PICTURE_H
#define CMUS_CASE_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmus/status.h"

typedef struct cmus_picture_image {
    const char *name;
    const uint8_t *rgb;      /* [size][size][3]; NULL: the case lacks it */
    const float *heat;       /* [side][side], at least 0, unscaled; NULL: none */
    const float *attention;  /* [side][side], at least 0, in any unit: its sum counts as 1; NULL: none */
    double weight, distance; /* of TEM images */
    bool kept;
} cmus_picture_image;

typedef struct cmus_picture_head {
    const char *name;            /* "fusion", "OM", "IM", "TEM" */
    bool known;                  /* false: an image that it needs is missing */
    const double *probabilities; /* [class_count] */
    const double *spread;        /* [class_count]: standard deviation over the networks; NULL for a single one */
} cmus_picture_head;

typedef struct cmus_case_picture {
    const char *case_id, *patient_id;
    const char *class_name; /* what it is known to be; NULL: unknown */
    int class_count;
    const char *const *classes;
    int predicted, explained;   /* classes; predicted -1: none */
    const char *explained_head; /* whose logit the heat is of */
    int models;                 /* networks that were averaged */
    int head_count;
    const cmus_picture_head *heads; /* the first is the one that predicts */
    int size, side;                 /* of images and maps */
    cmus_picture_image om, im;
    int tem_count;
    const cmus_picture_image *tem; /* in the order of the bag; drawn by weight, those left out last and greyed */
    double mean_distance;
} cmus_case_picture;

/* Draws everything into one PNG file. IO. */
cmus_status cmus_case_picture_write(const char *path, const cmus_case_picture *picture);
/* The same as a page that needs nothing else. Links to `previous` and `next` (NULL: none) and to index.html. IO. */
cmus_status cmus_case_page_write(const char *path, const cmus_case_picture *picture, const char *previous,
                                 const char *next);

/* A line of the list of all pages. */
typedef struct cmus_case_link {
    const char *page;                             /* file name beside the list */
    const char *case_id, *class_name, *predicted; /* class_name, predicted: may be NULL */
    double probability;                           /* of the predicted class */
} cmus_case_link;

/* index.html: all cases with their pages. IO. */
cmus_status cmus_case_pages_index(const char *path, const cmus_case_link *links, size_t count);

#endif
