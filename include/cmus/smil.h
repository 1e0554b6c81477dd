/* SMIL, sparse multi-instance learning: one constant weight for each TEM image of a bag (paper, section on SMIL).
 *
 * All maps together are scaled to [0, 1] by one minimum and one maximum; the centre is the map with the smallest sum of
 * Euclidean distances; maps farther from it than t times the mean distance are left out; the others weigh by their
 * inverse distance, scaled so that the nearest has 1 and the farthest 0. The weights are constants for the gradient.
 * Not collective.
 */
#ifndef CMUS_SMIL_H
#define CMUS_SMIL_H

#include <stdbool.h>
#include <stddef.h>

typedef struct cmus_smil {
    int centre;           /* lowest index on a tie; 0 for bags of 1 or 2 */
    double mean_distance; /* over all pairs i != j; 0 for bags of 1 or 2 */
} cmus_smil;

/* maps [count][size]; weight, distance (from the centre), kept: [count]. Non-finite values count as 0. */
cmus_smil cmus_smil_weights(const float *maps, int count, size_t size, double threshold, double *weight,
                            double *distance, bool *kept);

#endif
