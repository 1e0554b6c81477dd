/* The one comparison of tests: how far an array is from its reference, and where the worst element lies. */
#ifndef CMUS_COMPARE_H
#define CMUS_COMPARE_H

#include <math.h>
#include <stddef.h>

typedef struct comparison {
    double relative; /* |difference| / |reference| in the Euclidean norm; 0 if both are exactly 0, else infinity where
                        the reference is exactly 0 or something is not finite */
    double largest;  /* largest absolute difference; NaN or infinite if one is */
    size_t worst;    /* its index */
    double value, reference;           /* the two values there */
    double norm_value, norm_reference; /* Euclidean norms */
} comparison;

static inline comparison compare_arrays(const double *value, const double *reference, size_t count) {
    comparison result = {0};
    double difference = 0, squares_value = 0, squares_reference = 0;
    int finite = 1, zero_value = 1, zero_reference = 1;
    for (size_t i = 0; i < count; i++) {
        double d = fabs(value[i] - reference[i]);
        if (i == 0 || (!isnan(result.largest) && !(d <= result.largest))) {
            result.largest = d;
            result.worst = i;
            result.value = value[i];
            result.reference = reference[i];
        }
        finite = finite && isfinite(d);
        zero_value = zero_value && value[i] == 0; /* not from the squares, which may vanish before the value does */
        zero_reference = zero_reference && reference[i] == 0;
        difference += d * d;
        squares_value += value[i] * value[i];
        squares_reference += reference[i] * reference[i];
    }
    result.norm_value = sqrt(squares_value);
    result.norm_reference = sqrt(squares_reference);
    if (!finite)
        result.relative = INFINITY;
    else if (zero_reference)
        result.relative = zero_value ? 0 : INFINITY;
    else
        result.relative = sqrt(difference / squares_reference);
    return result;
}

#endif
