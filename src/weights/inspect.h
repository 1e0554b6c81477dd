/* What is found in a file of weights, for the two forms in which it is printed. Not collective. */
#ifndef CMUS_INSPECT_H
#define CMUS_INSPECT_H

#include <stdbool.h>
#include <stdio.h>

#include "cmus/weight_plan.h"

typedef struct cmus_tensor_view {
    const cmus_stored_tensor *tensor;
    bool numbers;           /* of a floating-point type; else the next four are 0 */
    double norm, low, high; /* of the finite values; low and high are 0 if there are none */
    size_t not_finite;
    size_t *to, to_count, to_capacity; /* the tensors of the network that get it, by their place in the table */
    bool resized;
    const cmus_weight_leftover *leftover; /* why none does; NULL */
} cmus_tensor_view;

typedef struct cmus_inspection {
    cmus_state_dict *dict;
    const cmus_parameters *parameters;
    const char *network; /* which one it is */
    cmus_tensor_view *views;
    size_t count, elements, bytes;
    cmus_weight_plan plan;
    char *misfit; /* why the file can't be loaded; NULL: it can */
} cmus_inspection;

/* Both print to the stream; what went wrong there is for the caller to see. */
void cmus_inspection_print(const cmus_inspection *inspection, FILE *stream);
void cmus_inspection_print_json(const cmus_inspection *inspection, FILE *stream);

/* The first part of a tensor's name: its group. */
size_t cmus_group_length(const char *name);

#endif
