/* What the files of a prediction share (predictor.h). */
#ifndef CMUS_PREDICT_INTERNAL_H
#define CMUS_PREDICT_INTERNAL_H

#include "cmus/explanation.h"
#include "cmus/predictor.h"

/* A case of this rank, while it is worked on. */
typedef struct own_case {
    cmus_case_prediction prediction;
    cmus_explanation explanation; /* means over the members, each map scaled by its largest value; side 0: none */
    int explained;                /* the class */
} own_case;

typedef struct prediction_run {
    const cmus_communicator *communicator;
    const cmus_predict_options *options;
    cmus_ensemble ensemble;
    cmus_case_source *source;
    int classes, max_tem, image_size;
    int explained; /* the class that was named; -1: the predicted one of each case */
    own_case *own; /* [own_count]: of this rank, in the order of the source */
    int own_count;
    bool *left_out;             /* [cases]: their images can't be read; known when all networks are through */
    struct case_pixels *pixels; /* images that were read once already */
} prediction_run;

/* Images of cases, kept as far as memory that is set aside for them goes: an ensemble needs them once a network. */
struct case_pixels;
struct case_pixels *cmus_case_pixels_create(const prediction_run *run);
void cmus_case_pixels_free(struct case_pixels *pixels);
/* *rgb [tem_count + 2][S][S][3]: TEM images, OM, IM of own case number `own`; valid until they are let go. As
 * cmus_case_source_read(). */
cmus_status cmus_case_pixels_get(struct case_pixels *pixels, int own, const uint8_t **rgb);
/* What was got until now is no longer needed. */
void cmus_case_pixels_let_go(struct case_pixels *pixels);

/* TEM images of a case that are used. */
int cmus_used_tem(const prediction_run *run, int index);

/* Not collective. All own cases through all networks, then their means, then their explanations. */
cmus_status cmus_predict_own(prediction_run *run);

/* Mean probability of the predicted class: of the fusion, or of all known heads where it is not known. */
double cmus_prediction_confidence(const cmus_case_prediction *prediction);
/* From the members' results to means, spreads and the predicted class. */
void cmus_prediction_average(cmus_case_prediction *prediction, int members, int classes);
void cmus_case_prediction_free(cmus_case_prediction *prediction, int members);

/* Collective. Rank 0 gets all predictions in the order of the source in *all [cases]; the others NULL. Free each with
 * cmus_case_prediction_free() and the array with cmus_free(). */
void cmus_predictions_gather(const prediction_run *run, cmus_case_prediction **all);

/* Rank 0: predictions.csv, predictions.json. IO. */
cmus_status cmus_prediction_csv_write(const prediction_run *run, const char *path, const cmus_case_prediction *all);
cmus_status cmus_prediction_json_write(const prediction_run *run, const char *path, const cmus_case_prediction *all);

/* Not collective. Picture, page and maps of every own case into the folder. IO, and as cmus_case_source_read(). */
cmus_status cmus_explained_write(prediction_run *run, const char *folder);
/* The name of a case's files without an ending, which tells which case it is; free with cmus_free(). */
char *cmus_explained_name(const prediction_run *run, int index);
/* Rank 0: index.html. IO. */
cmus_status cmus_explained_index(const prediction_run *run, const char *folder, const cmus_case_prediction *all);

/* The case's texts, never NULL: its class or "". */
const char *cmus_known_class(const prediction_run *run, int index);

#endif
