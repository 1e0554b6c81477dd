/* A folder that cmus-predict wrote, as an outside test set: predictions.csv with labels, predictions.json,
 * MANIFEST.sha256. It is a run of one "fold", of which no training is known.
 */
#ifndef CMUS_REPORT_EXTERNAL_H
#define CMUS_REPORT_EXTERNAL_H

#include <stddef.h>

#include "cmus/status.h"
#include "report/report_predictions.h"

struct report_run;

/* One network of the ensemble, as predictions.json tells it. NULL: not known. */
typedef struct report_model {
    char *path, *sha256; /* of the file of weights */
    char *config_hash, *dataset_hash;
    char *fold; /* that it was not trained on: "3"; "3 of repeat 1"; "all": trained on every case */
    char *splits_hash;
} report_model;

typedef struct report_external {
    report_model *models; /* [model_count], at least one */
    size_t model_count;
    char *source_kind; /* "data", "cases" or "files"; NULL: not known */
    char **source_paths;
    size_t source_path_count;
    char *source_splits; /* SHA-256 of the splits.csv that the fold is of; NULL: not known */
    char *source_fold;   /* of the data set's splits, to which the cases were limited: "holdout", "3"; NULL: to none */
    report_coverage coverage;
    char **notes; /* [note_count]: what a reader must know of these numbers, for terminal, page and summary */
    size_t note_count;
} report_external;

/* Reads DIR into a run with `external` set. Cases without a label, and such as a head says nothing about, are left out
 * and noted, as is the suspicion that the networks were trained on these cases. CHECKSUM, DATA, FORMAT, IO, MISMATCH
 * and NOT_FOUND name the file. Free it by report_run_free(), also after a failure. */
cmus_status report_external_read(const char *path, struct report_run *run);
/* NULL is allowed. */
void report_external_free(report_external *external);

/* "one network", "an ensemble of 5 networks". Free with cmus_free(). */
char *report_networks_text(const report_external *external);

#endif
