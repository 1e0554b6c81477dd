/* Cases through the networks of an ensemble: what each says of them, averaged; where in the images it comes from. */
#ifndef CMUS_PREDICTOR_H
#define CMUS_PREDICTOR_H

#include "cmus/case_source.h"
#include "cmus/cmusnet.h"
#include "cmus/communicator.h"
#include "cmus/ensemble.h"

/* What was found out about one case. */
typedef struct cmus_case_prediction {
    int index;              /* of the source */
    char *failed;           /* why its images could not be read, then nothing below holds; NULL: they could */
    int tem_count;          /* TEM images that were used */
    bool known[CMUS_HEADS]; /* whether the head can say something: none of its images is missing */
    int predicted;          /* largest mean probability of the fusion, or of the mean of the known heads */
    cmus_case_result *each; /* [members], with their TEM arrays */
    /* over the members: means, and standard deviations (n - 1; 0 of a single one) */
    double probabilities[CMUS_HEADS][CMUS_MAX_CLASSES], spread[CMUS_HEADS][CMUS_MAX_CLASSES];
    double mean_distance;
    float *tem_weight, *tem_distance; /* [tem_count]: means over the members */
    bool *tem_kept;                   /* [tem_count]: by at least half of the members */
} cmus_case_prediction;

typedef struct cmus_predict_options {
    cmus_ensemble_options ensemble;
    /* one of: a packed data set, trees, files of a single case */
    const char *data, *fold; /* fold: of the data set's splits.csv, or NULL */
    const char **trees;
    size_t tree_count;
    const char *om, *im, *case_id; /* case_id NULL: "case" */
    const char **tem;
    size_t tem_count;
    cmus_case_source_options source; /* image_size and images are taken from the networks */
    const char *out;
    bool explain;
    const char *class_name; /* that is explained; NULL: the predicted one */
} cmus_predict_options;

/* Collective. All of cmus-predict: opens, predicts, explains, writes OUT, which appears when it is complete. */
cmus_status cmus_predict(const cmus_communicator *communicator, const cmus_predict_options *options);

#endif
