/* predictions.csv of one fold: case_id,patient_id,label,prob_<class>...,prob_om_<class>...,prob_im_...,prob_tem_...,
 * tem_weight,tem_distance,tem_kept,mean_distance. The columns' order is the order of the classes; `label` is a class's
 * name; the heads of modalities that the network lacks are not there, and without TEM its four columns neither.
 */
#ifndef CMUS_REPORT_PREDICTIONS_H
#define CMUS_REPORT_PREDICTIONS_H

#include <stddef.h>

#include "cmus/status.h"

/* In the order of the columns and of every table. */
typedef enum report_head { REPORT_FUSION, REPORT_OM, REPORT_IM, REPORT_TEM, REPORT_HEADS } report_head;
extern const char *const report_head_keys[REPORT_HEADS];   /* "fusion" */
extern const char *const report_head_labels[REPORT_HEADS]; /* "Fusion" */

typedef struct report_predictions {
    size_t cases, classes;
    char **class_names;                  /* [classes] */
    char **case_ids, **patient_ids;      /* [cases] */
    int *labels;                         /* [cases] */
    double *probabilities[REPORT_HEADS]; /* [cases][classes]; NULL for a head that is not there */
    int *tem_images, *tem_kept;          /* [cases]: size of the bag, and how many of it were used */
    char *text;                          /* what the ids point into */
} report_predictions;

/* Reads and proves one file: columns, finite probabilities in 0 ... 1 that sum to 1 within 1e-4, labels among the
 * classes, lists of one length, each case once. FORMAT and DATA name file and line. */
cmus_status report_predictions_read(const char *path, report_predictions *predictions);
void report_predictions_free(report_predictions *predictions);

#endif
