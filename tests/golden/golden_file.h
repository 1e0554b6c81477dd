/* A golden file, and the parameters, inputs and masks that its generator makes (cmusnet_reference.py: noise, ...). */
#ifndef CMUS_GOLDEN_FILE_H
#define CMUS_GOLDEN_FILE_H

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

#include "cmus/cmusnet.h"

enum { GOLDEN_MAX_CASES = 64 };

typedef struct golden_preset {
    cmus_net_config net;
    uint64_t seed;
    double lr, weight_decay;
    bool reverse;
    int steps, cases, bags[GOLDEN_MAX_CASES], labels[GOLDEN_MAX_CASES];
} golden_preset;

/* Opens the file and reads its attribute `preset`. The caller closes *file by H5Fclose. */
cmus_status golden_open(const char *path, hid_t *file, golden_preset *preset);

/* Reads a dataset of any number type and shape, which must have `count` elements, as doubles; free with cmus_free().
 * NOT_FOUND, FORMAT. */
cmus_status golden_read(hid_t file, const char *name, size_t count, double **values);

/* Fills weights by the generator. */
void golden_parameters(const cmus_parameters *parameters, uint64_t seed, float *weights);

/* Case `index` with images and, for `step`, the masks of stochastic depth and dropout. Free with golden_case_free(). */
cmus_case golden_case(const golden_preset *preset, const cmus_net *net, int step, int index);
void golden_case_free(cmus_case *cases);

#endif
