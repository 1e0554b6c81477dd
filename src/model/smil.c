#include "cmus/smil.h"

#include <math.h>

#include "cmus/memory.h"
#include "cmus/profile.h"

static inline double finite_or_zero(float value) {
    return isfinite(value) ? (double)value : 0.0;
}

/* Minimum and maximum of all values, non-finite ones as 0. */
static void find_range(const float *maps, size_t values, double *low, double *high) {
    *low = *high = finite_or_zero(maps[0]);
    for (size_t i = 1; i < values; i++) {
        double value = finite_or_zero(maps[i]);
        *low = value < *low ? value : *low;
        *high = value > *high ? value : *high;
    }
}

static double map_distance(const float *a, const float *b, size_t size, double low, double spread) {
    double sum = 0;
    for (size_t i = 0; i < size; i++) {
        double difference = (finite_or_zero(a[i]) - low) / spread - (finite_or_zero(b[i]) - low) / spread;
        sum += difference * difference;
    }
    return sqrt(sum);
}

/* All pairwise distances [count][count]. */
static double *pair_distances(const float *maps, int count, size_t size) {
    double low, high, *pairs = cmus_allocate((size_t)count * (size_t)count, sizeof *pairs);
    find_range(maps, (size_t)count * size, &low, &high);
    if (!(high > low))
        return pairs;
#pragma omp parallel for schedule(dynamic)
    for (int pair = 0; pair < count * count; pair++) {
        int i = pair / count, j = pair % count;
        if (i < j)
            pairs[i * count + j] = pairs[j * count + i] =
                map_distance(maps + (size_t)i * size, maps + (size_t)j * size, size, low, high - low);
    }
    return pairs;
}

/* Weights of the kept maps around the centre: inverse distances scaled to [0, 1]; 1 if they are all equal. */
static void weigh_kept(int count, int centre, const double *distance, const bool *kept, double *weight) {
    double low = INFINITY, high = -INFINITY;
    for (int k = 0; k < count; k++)
        if (kept[k] && k != centre) {
            double inverse = 1.0 / (distance[k] + 1e-8);
            low = inverse < low ? inverse : low;
            high = inverse > high ? inverse : high;
        }
    for (int k = 0; k < count; k++) {
        if (k == centre)
            weight[k] = 1;
        else if (!kept[k])
            weight[k] = 0;
        else
            weight[k] = high > low ? (1.0 / (distance[k] + 1e-8) - low) / (high - low) : 1.0;
    }
}

cmus_smil cmus_smil_weights(const float *maps, int count, size_t size, double threshold, double *weight,
                            double *distance, bool *kept) {
    cmus_smil result = {0};
    for (int k = 0; k < count; k++) {
        weight[k] = 1;
        distance[k] = 0;
        kept[k] = true;
    }
    if (count <= 2)
        return result;
    double began = cmus_profile_begin();
    double *pairs = pair_distances(maps, count, size), total = 0, smallest = INFINITY;
    for (int i = 0; i < count; i++) {
        double sum = 0;
        for (int j = 0; j < count; j++)
            sum += pairs[i * count + j];
        total += sum;
        if (sum < smallest) {
            smallest = sum;
            result.centre = i;
        }
    }
    result.mean_distance = total / ((double)count * (count - 1));
    for (int k = 0; k < count; k++) {
        distance[k] = pairs[result.centre * count + k];
        kept[k] = distance[k] <= threshold * result.mean_distance;
    }
    weigh_kept(count, result.centre, distance, kept, weight);
    cmus_free(pairs);
    cmus_profile_end("smil", began);
    return result;
}
