/* features.safetensors of one fold: what the network made of its held-out cases, written by cmus-train with
 * `save_features: true`. F32 tensors with a row for each case, in the order of predictions.csv: `fused` [cases][F],
 * which the last layer of the fusion head takes, and `om`, `im`, `tem` [cases][C] as far as the network has them.
 */
#ifndef CMUS_REPORT_FEATURES_H
#define CMUS_REPORT_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

#include "cmus/status.h"
#include "report/report_predictions.h"

/* What a fold has of them: numbers a case by head, `fused` being that of the fusion; 0 where there is no such tensor.
 */
typedef struct report_features {
    bool present;
    size_t dimensions[REPORT_HEADS];
} report_features;

/* Proves the file of a fold folder: type and shape of each tensor, every number finite, in MANIFEST.sha256 if the
 * folder has one. A folder without the file is fine: not present. CHECKSUM, DATA, FORMAT, IO, LIMIT name file and
 * tensor. */
cmus_status report_features_check(const char *folder, size_t cases, report_features *features);

/* Reads the rows of these cases, values [count][dimensions[head]], of a tensor that is there and was proved. DATA if
 * the file was exchanged since, IO, FORMAT. */
cmus_status report_features_read(const char *folder, const report_features *features, report_head head,
                                 const size_t *cases, size_t count, float *values);

#endif
