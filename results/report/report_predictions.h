/* predictions.csv of one fold: case_id,patient_id,label,prob_<class>...,prob_om_<class>...,prob_im_...,prob_tem_...,
 * tem_weight,tem_distance,tem_kept,mean_distance. The columns' order is the order of the classes; `label` is a class's
 * name; the heads of modalities that the network lacks are not there, and without TEM its four columns neither.
 *
 * cmus-predict writes the same columns, then predicted,models,missing,sd_<class>...; a label may be empty, and so are
 * the probabilities of a head that says nothing, as images are missing.
 */
#ifndef CMUS_REPORT_PREDICTIONS_H
#define CMUS_REPORT_PREDICTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "cmus/status.h"

/* In the order of the columns and of every table. */
typedef enum report_head { REPORT_FUSION, REPORT_OM, REPORT_IM, REPORT_TEM, REPORT_HEADS } report_head;
extern const char *const report_head_keys[REPORT_HEADS];   /* "fusion" */
extern const char *const report_head_labels[REPORT_HEADS]; /* "Fusion" */

/* Without the four TEM columns, tem_images and tem_kept are 0, and the fields of the single images and mean_distance
 * NULL. */
typedef struct report_predictions {
    size_t cases, classes;
    char **class_names;                  /* [classes] */
    char **case_ids, **patient_ids;      /* [cases] */
    int *labels;                         /* [cases] */
    double *probabilities[REPORT_HEADS]; /* [cases][classes]; NULL for a head that is not there */
    int *tem_images, *tem_kept;          /* [cases]: size of the bag, and how many of it were used */
    /* Images of all bags in the order of the cases; case i has tem_offset[i] ... tem_offset[i + 1] - 1. */
    size_t *tem_offset;               /* [cases + 1] */
    float *tem_weight, *tem_distance; /* [tem_offset[cases]]: by SMIL; to the bag's central image */
    bool *tem_flags;                  /* [tem_offset[cases]]: kept, not left out of the fusion */
    double *mean_distance;            /* [cases]: between the images of the bag; 0 in one of up to two */
    char *text;                       /* what the ids point into */
} report_predictions;

/* A case with a label that not every head says something about: texts of the file. */
typedef struct report_incomplete {
    char *case_id, *label;
    char *missing;   /* "om", "im", "om;im" or "" */
    char *predicted; /* by the heads that say something */
} report_incomplete;

/* What becomes of the cases of a file of cmus-predict; the others are evaluated. */
typedef struct report_coverage {
    size_t cases, unlabelled;
    report_incomplete *incomplete; /* [incomplete_count] */
    size_t incomplete_count;
} report_coverage;

/* Reads and proves one file: columns, finite probabilities in 0 ... 1 that sum to 1 within 1e-4, labels among the
 * classes, lists of one length with flags 0 or 1 and no negative weight or distance, each case once. FORMAT and DATA
 * name file and line. */
cmus_status report_predictions_read(const char *path, report_predictions *predictions);
void report_predictions_free(report_predictions *predictions);

/* The same for a file of cmus-predict. Cases without a label, and those that a head says nothing about, are left out of
 * `predictions` and counted in `coverage`; a head that says nothing about any case with a label is not there. DATA also
 * if nothing is left. Free the coverage by report_coverage_free(), also after a failure. */
cmus_status report_predictions_read_external(const char *path, report_predictions *predictions,
                                             report_coverage *coverage);
void report_coverage_free(report_coverage *coverage);

#endif
