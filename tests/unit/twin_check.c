#include "twin_check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/random.h"
#include "compare.h"

static const double STEP = 1e-5;

twin_values twin_values_make(size_t count, const char *name, double middle, double spread) {
    twin_values values = {
        .count = count, .f = cmus_allocate(count, sizeof *values.f), .d = cmus_allocate(count, sizeof *values.d)};
    uint64_t key = cmus_hash_text(name);
    for (size_t i = 0; i < count; i++) {
        values.f[i] = (float)(middle + spread * (2 * cmus_uniform_at(key, i) - 1));
        values.d[i] = (double)values.f[i];
    }
    return values;
}

void twin_values_free(twin_values *values) {
    cmus_free(values->f);
    cmus_free(values->d);
    *values = (twin_values){0};
}

twin_values twin_weights_make(const cmus_parameters *parameters, const char *name) {
    twin_values weights = twin_values_make(parameters->size, name, 0, 1);
    for (size_t t = 0; t < parameters->count; t++) {
        const cmus_tensor *tensor = &parameters->tensors[t];
        double middle = 0, spread = sqrt(3.0 * tensor->shape[0] / (double)tensor->size);
        if (strstr(tensor->name, "bias_table")) {
            spread = 0.5;
        } else if (tensor->dimensions == 1) {
            spread = 0.1;
            middle = strstr(tensor->name, "weight") ? 1 : 0;
        }
        for (size_t i = tensor->offset; i < tensor->offset + tensor->size; i++) {
            weights.f[i] = (float)(middle + spread * weights.d[i]);
            weights.d[i] = (double)weights.f[i];
        }
    }
    return weights;
}

static bool within(const char *what, const double *value, const double *reference, size_t count, double tolerance) {
    comparison c = compare_arrays(value, reference, count);
    if (c.relative <= tolerance)
        return true;
    printf("\n  %s: relative %.3g (allowed %.3g), norms %.9g and %.9g, worst at %zu: %.9g, reference %.9g\n", what,
           c.relative, tolerance, c.norm_value, c.norm_reference, c.worst, c.value, c.reference);
    return false;
}

static double *widen(const float *values, size_t count) {
    double *wide = cmus_allocate(count, sizeof *wide);
    for (size_t i = 0; i < count; i++)
        wide[i] = (double)values[i];
    return wide;
}

bool twin_close(const char *what, const float *value, const double *reference, size_t count, double tolerance) {
    double *wide = widen(value, count);
    bool close = within(what, wide, reference, count, tolerance);
    cmus_free(wide);
    return close;
}

bool twin_near(const char *what, const float *value, const float *reference, size_t count, double tolerance) {
    double *wide = widen(reference, count);
    bool close = twin_close(what, value, wide, count, tolerance);
    cmus_free(wide);
    return close;
}

double twin_dot(const double *out, const double *factor, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += out[i] * factor[i];
    return sum;
}

/* Derivative of the loss along `direction` (NULL: along element `index`). */
static double difference(const twin_input *input, const double *direction, size_t index, double (*loss)(void *),
                         void *context) {
    double *kept = cmus_allocate(input->count, sizeof *kept), side[2];
    memcpy(kept, input->values, input->count * sizeof *kept);
    for (int s = 0; s < 2; s++) {
        double step = s == 0 ? STEP : -STEP;
        if (direction)
            for (size_t i = 0; i < input->count; i++)
                input->values[i] = kept[i] + step * direction[i];
        else
            input->values[index] = kept[index] + step;
        side[s] = loss(context);
        memcpy(input->values, kept, input->count * sizeof *kept);
    }
    cmus_free(kept);
    return (side[0] - side[1]) / (2 * STEP);
}

/* Along three times the gradient's own direction plus a random sign for each element: the first keeps the derivative
 * away from zero, the second sees what the gradient lacks. */
static bool check_direction(const char *what, const twin_input *input, double norm, double (*loss)(void *),
                            void *context, double tolerance) {
    double *direction = cmus_allocate(input->count, sizeof *direction), expected = 0;
    uint64_t key = cmus_hash_text(input->name);
    for (size_t i = 0; i < input->count; i++) {
        double gradient = (double)input->gradient[i];
        direction[i] = 3 * gradient / norm + (cmus_random_at(key, i) & 1 ? 1 : -1);
        expected += gradient * direction[i];
    }
    double found = difference(input, direction, 0, loss, context);
    cmus_free(direction);
    return within(what, &expected, &found, 1, tolerance);
}

static bool check_elements(const char *what, const twin_input *input, size_t largest, double (*loss)(void *),
                           void *context, int elements, double tolerance) {
    size_t count = (size_t)elements < input->count ? (size_t)elements : input->count;
    double *expected = cmus_allocate(count, sizeof *expected), *found = cmus_allocate(count, sizeof *found);
    uint64_t key = cmus_hash_text(input->name) + 1;
    for (size_t i = 0; i < count; i++) {
        size_t index = i == 0 ? largest : (size_t)(cmus_random_at(key, i) % input->count);
        expected[i] = (double)input->gradient[index];
        found[i] = difference(input, NULL, index, loss, context);
    }
    bool passed = within(what, expected, found, count, tolerance);
    cmus_free(expected);
    cmus_free(found);
    return passed;
}

bool twin_gradients(const char *what, const twin_input *inputs, int count, double (*loss)(void *), void *context,
                    int elements, double tolerance) {
    bool passed = true;
    for (int k = 0; k < count; k++) {
        const twin_input *input = &inputs[k];
        double squares = 0;
        size_t largest = 0;
        for (size_t i = 0; i < input->count; i++) {
            squares += (double)input->gradient[i] * (double)input->gradient[i];
            if (fabsf(input->gradient[i]) > fabsf(input->gradient[largest]))
                largest = i;
        }
        char name[256];
        if (!(squares > 0)) {
            printf("\n  %s, gradient of %s: all zero or not a number\n", what, input->name);
            passed = false;
            continue;
        }
        snprintf(name, sizeof name, "%s, gradient of %s along a direction", what, input->name);
        passed = check_direction(name, input, sqrt(squares), loss, context, tolerance) && passed;
        snprintf(name, sizeof name, "%s, gradient of elements of %s", what, input->name);
        passed = check_elements(name, input, largest, loss, context, elements, tolerance) && passed;
    }
    return passed;
}

twin_input *twin_tensor_inputs(const cmus_parameters *parameters, const twin_values *weights, const float *gradient) {
    twin_input *inputs = cmus_allocate(parameters->count, sizeof *inputs);
    for (size_t t = 0; t < parameters->count; t++) {
        const cmus_tensor *tensor = &parameters->tensors[t];
        inputs[t] = (twin_input){tensor->name, weights->d + tensor->offset, gradient + tensor->offset, tensor->size};
    }
    return inputs;
}
