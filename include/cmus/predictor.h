/* Probabilities of cases by one network or by several whose outputs are averaged. */
#ifndef CMUS_PREDICTOR_H
#define CMUS_PREDICTOR_H

#include "cmus/case_source.h"
#include "cmus/cmusnet.h"
#include "cmus/communicator.h"
#include "cmus/config.h"

/* What predicts: files of weights whose networks have the same classes, image size and max_tem. */
typedef struct cmus_ensemble {
    char **paths; /* [count] */
    int count;
    cmus_config config;   /* of the first; what may differ between them is not used beyond its own file */
    cmus_config *configs; /* [count] */
    char **hashes;        /* [count]: SHA-256 of the files */
    char *images;         /* CMUS_METADATA_IMAGES of the first; NULL: not known */
} cmus_ensemble;

/* What one network said of a case. Owned arrays: cmus_case_prediction_free(). */
typedef struct cmus_case_prediction {
    int index;              /* of the source */
    int tem_count;          /* that were used */
    bool known[CMUS_HEADS]; /* a head whose images are missing says nothing */
    int predicted;          /* class of the largest mean probability of the fusion, or of the known heads' mean */
    /* means over the networks, and standard deviations (n - 1) of them; 0 for a single network */
    double probabilities[CMUS_HEADS][CMUS_MAX_CLASSES], spread[CMUS_HEADS][CMUS_MAX_CLASSES];
    double mean_distance;
    float *tem_weight, *tem_distance; /* [tem_count]: means over the networks */
    bool *tem_kept;                   /* [tem_count]: by at least half of them */
    cmus_case_result *each;           /* [networks], with their own TEM arrays */
} cmus_case_prediction;

#endif
