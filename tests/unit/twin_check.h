/* What the tests of math and model share: values that float and double hold alike, the comparison of a float result
 * with its double twin, and finite differences of a twin against a gradient. */
#ifndef CMUS_TWIN_CHECK_H
#define CMUS_TWIN_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "cmus/parameters.h"

/* The same numbers as float and as double, so that a kernel and its twin start from equal inputs. */
typedef struct twin_values {
    size_t count;
    float *f;
    double *d;
} twin_values;

/* Uniform in middle +- spread, from the name. Free with twin_values_free(). */
twin_values twin_values_make(size_t count, const char *name, double middle, double spread);
void twin_values_free(twin_values *values);

/* All tensors of a network: norm weights 1 +- 0.1, biases +- 0.1, bias tables +- 0.5, matrices +- sqrt(3 / fan_in). */
twin_values twin_weights_make(const cmus_parameters *parameters, const char *name);

/* |value - reference| <= tolerance * |reference| in the Euclidean norm; prints what is off and where. */
bool twin_close(const char *what, const float *value, const double *reference, size_t count, double tolerance);
/* The same for two float results. */
bool twin_near(const char *what, const float *value, const float *reference, size_t count, double tolerance);

/* sum of out * factor: turns an output into a number whose gradient by the output is `factor`. */
double twin_dot(const double *out, const double *factor, size_t count);

/* One input of a twin, and the gradient that the backward function under test gave for it. */
typedef struct twin_input {
    const char *name;
    double *values; /* [count], changed and restored */
    const float *gradient;
    size_t count;
} twin_input;

/* Central differences of `loss`, for every input along a direction and for `elements` single elements (the largest
 * gradient among them). Prints and returns false where they differ by more than the relative tolerance. */
bool twin_gradients(const char *what, const twin_input *inputs, int count, double (*loss)(void *), void *context,
                    int elements, double tolerance);

/* As inputs: every tensor of the table. [parameters->count], free with cmus_free(). */
twin_input *twin_tensor_inputs(const cmus_parameters *parameters, const twin_values *weights, const float *gradient);

#endif
