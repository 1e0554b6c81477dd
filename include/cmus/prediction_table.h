/* Rows of predictions.csv, as training and prediction write them: case_id,patient_id,label,prob_<class>...,
 * prob_om_<class>...,prob_im_...,prob_tem_...,tem_weight,tem_distance,tem_kept,mean_distance. Numbers have 9 digits,
 * lists have `;` between. Not collective.
 */
#ifndef CMUS_PREDICTION_TABLE_H
#define CMUS_PREDICTION_TABLE_H

#include <stdbool.h>

#include "cmus/cmusnet.h"
#include "cmus/file.h"

typedef struct cmus_prediction_row {
    const char *case_id, *patient_id;
    const char *label;                       /* a class's name; "": unknown */
    const double *probabilities[CMUS_HEADS]; /* [classes]; NULL: the head says nothing */
    int tem_count;
    const float *tem_weight, *tem_distance; /* [tem_count] */
    const bool *tem_kept;                   /* [tem_count] */
    double mean_distance;
} cmus_prediction_row;

/* The heads in the order of the columns. */
extern const cmus_head cmus_prediction_heads[CMUS_HEADS];

/* The columns' names, without a line break. */
void cmus_prediction_table_header(cmus_file_writer *writer, const char *const *classes, int class_count);
/* A row, without a line break. */
void cmus_prediction_table_row(cmus_file_writer *writer, const cmus_prediction_row *row, int class_count);

#endif
