#include "report/tsne.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "cmus/memory.h"
#include "cmus/random.h"

enum { STEPS = 1000, EXAGGERATED_STEPS = 250 };
enum { FEWEST_FOR_THREADS = 128 }; /* of fewer points, a row costs less than the threads' meeting */
static const double exaggeration = 12, smallest_gain = 0.01;

/* Sums run over whole rows in one order, whichever thread has the row: the bits don't depend on the threads. */

/* squares [count][count]: squared distances between the points. */
static void square_distances(const float *points, size_t count, size_t dimensions, double *squares) {
#pragma omp parallel for schedule(dynamic, 8) if (count >= FEWEST_FOR_THREADS)
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j <= i; j++) {
            const float *a = points + i * dimensions, *b = points + j * dimensions;
            double sum = 0;
#pragma omp simd reduction(+ : sum)
            for (size_t k = 0; k < dimensions; k++) {
                double difference = (double)a[k] - b[k];
                sum += difference * difference;
            }
            squares[i * count + j] = squares[j * count + i] = sum;
        }
}

/* How near the others are to point `own`, [count], summing to 1: a normal distribution of this precision. Returns its
 * entropy in nats. */
static double row_affinities(const double *squares, size_t count, size_t own, double nearest, double precision,
                             double *row) {
    double sum = 0, weighted = 0;
    for (size_t j = 0; j < count; j++) {
        double beyond = squares[j] - nearest; /* a common factor, which would make all of them 0 far out */
        row[j] = j == own ? 0 : exp(-precision * beyond);
        sum += row[j];
        weighted += row[j] * (j == own ? 0 : beyond);
    }
    for (size_t j = 0; j < count; j++)
        row[j] /= sum;
    return log(sum) + precision * weighted / sum;
}

/* The row whose entropy is that of `perplexity` equal neighbours: the precision is found by bisection. Of
 * more equally near neighbours than that, all count the same, which no precision changes. */
static void find_row(const double *squares, size_t count, size_t own, double perplexity, double *row) {
    enum { TRIALS = 200 };
    double nearest = DBL_MAX, mean = 0;
    for (size_t j = 0; j < count; j++)
        if (j != own) {
            nearest = fmin(nearest, squares[j]);
            mean += squares[j] / (double)(count - 1);
        }
    double low = 0, high = INFINITY, precision = mean > nearest ? 1 / (mean - nearest) : 1;
    for (int trial = 0; trial < TRIALS; trial++) {
        double excess = row_affinities(squares, count, own, nearest, precision, row) - log(perplexity);
        if (fabs(excess) < 1e-6)
            return;
        *(excess > 0 ? &low : &high) = precision;
        precision = isinf(high) ? 2 * precision : (low + high) / 2;
    }
}

/* affinities [count][count] from squared distances: symmetric, summing to 1, no less than the smallest number that
 * matters, so that their logarithm is finite. */
static void find_affinities(const double *squares, size_t count, double perplexity, double *affinities) {
#pragma omp parallel for schedule(dynamic, 8) if (count >= FEWEST_FOR_THREADS)
    for (size_t i = 0; i < count; i++)
        find_row(squares + i * count, count, i, perplexity, affinities + i * count);
#pragma omp parallel for schedule(dynamic, 8) if (count >= FEWEST_FOR_THREADS)
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++) {
            double both = (affinities[i * count + j] + affinities[j * count + i]) / (2 * (double)count);
            affinities[i * count + j] = affinities[j * count + i] = fmax(both, DBL_EPSILON);
        }
}

static void centre(double *values, size_t count) {
    double mean = 0;
    for (size_t i = 0; i < count; i++)
        mean += values[i] / (double)count;
    for (size_t i = 0; i < count; i++)
        values[i] -= mean;
}

static double product(const double *a, const double *b, size_t count) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

/* result = -1/2 J squares J vector with J the centring matrix: the Gram matrix of the centred points (Torgerson 1952),
 * whose eigenvectors are the main components of the points, however many dimensions these have. */
static void multiply_gram(const double *squares, size_t count, const double *vector, double *result) {
#pragma omp parallel for if (count >= FEWEST_FOR_THREADS)
    for (size_t i = 0; i < count; i++)
        result[i] = -0.5 * product(squares + i * count, vector, count);
    centre(result, count);
}

/* Sets `component` to the unit vector along the main component that is orthogonal to `other` (NULL: the first), by
 * power iteration, and returns its eigenvalue; 0 if the points don't extend that way. */
static double find_component(const double *squares, size_t count, uint64_t seed, const double *other,
                             double *component) {
    enum { ROUNDS = 100 };
    uint64_t id = other != NULL;
    cmus_random random = cmus_random_begin(seed, "t-SNE component", &id, 1);
    double *next = cmus_allocate(count, sizeof(double)), length = 1;
    for (size_t i = 0; i < count; i++)
        next[i] = cmus_random_normal(&random);
    for (int round = 0; round < ROUNDS && length > 0; round++) {
        centre(next, count);
        double along = other ? product(next, other, count) : 0;
        for (size_t i = 0; other && i < count; i++)
            next[i] -= along * other[i];
        length = sqrt(product(next, next, count));
        for (size_t i = 0; length > 0 && i < count; i++)
            component[i] = next[i] / length;
        multiply_gram(squares, count, component, next);
    }
    cmus_free(next);
    return length;
}

/* A component may point either way: its largest element becomes positive. */
static void fix_sign(double *component, size_t count) {
    size_t largest = 0;
    for (size_t i = 1; i < count; i++)
        largest = fabs(component[i]) > fabs(component[largest]) ? i : largest;
    double sign = component[largest] < 0 ? -1 : 1;
    for (size_t i = 0; i < count; i++)
        component[i] *= sign;
}

/* The first places, x [count] then y [count], zero before: the main components, the first with a standard deviation of
 * 1e-4, and noise far below, which parts points at one place. */
static void begin_places(const double *squares, size_t count, uint64_t seed, double *places) {
    static const double size = 1e-4, noise = 1e-6;
    double *x = places, *y = places + count;
    double first = find_component(squares, count, seed, NULL, x);
    double second = first > 0 ? find_component(squares, count, seed, x, y) : 0;
    fix_sign(x, count);
    fix_sign(y, count);
    /* Points extend along a component as the root of its eigenvalue; a unit vector's deviation is 1 / sqrt(count). */
    double wide = size * sqrt((double)count), high = first > 0 ? wide * sqrt(second / first) : 0;
    cmus_random random = cmus_random_begin(seed, "t-SNE noise", NULL, 0);
    for (size_t i = 0; i < count; i++) {
        x[i] = wide * x[i] + noise * cmus_random_normal(&random);
        y[i] = high * y[i] + noise * cmus_random_normal(&random);
    }
}

/* Forces on the points: attraction and repulsion [2][count] as x and y, and each point's part of the sum over
 * all pairs of 1 / (1 + squared distance), [count]. */
typedef struct forces {
    double *attraction, *repulsion, *nearness;
} forces;

static void find_forces(const double *affinities, const double *x, const double *y, size_t count, forces *found) {
#pragma omp parallel for if (count >= FEWEST_FOR_THREADS)
    for (size_t i = 0; i < count; i++) {
        const double *row = affinities + i * count;
        double pull_x = 0, pull_y = 0, push_x = 0, push_y = 0, near = 0;
#pragma omp simd reduction(+ : pull_x, pull_y, push_x, push_y, near)
        for (size_t j = 0; j < count; j++) {
            double over = x[i] - x[j], up = y[i] - y[j], kernel = 1 / (1 + over * over + up * up);
            double pull = row[j] * kernel, push = kernel * kernel;
            pull_x += pull * over;
            pull_y += pull * up;
            push_x += push * over;
            push_y += push * up;
            near += kernel;
        }
        found->attraction[i] = pull_x;
        found->attraction[count + i] = pull_y;
        found->repulsion[i] = push_x;
        found->repulsion[count + i] = push_y;
        found->nearness[i] = near - 1; /* without the point itself */
    }
}

static double sum_of(const double *values, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return sum;
}

/* Gradient descent with momentum and a gain for each coordinate, as in the authors' code. */
static void descend(const double *affinities, size_t count, double *places) {
    size_t coordinates = 2 * count;
    double *memory = cmus_allocate(7 * count + 2 * coordinates, sizeof(double)); /* zeroed */
    forces found = {memory, memory + coordinates, memory + 2 * coordinates};
    double *velocity = found.nearness + count, *gains = velocity + coordinates;
    double rate = fmax((double)count / exaggeration / 4, 50);
    for (size_t k = 0; k < coordinates; k++)
        gains[k] = 1;
    for (int step = 0; step < STEPS; step++) {
        bool early = step < EXAGGERATED_STEPS;
        find_forces(affinities, places, places + count, count, &found);
        double pairs = sum_of(found.nearness, count), attraction = early ? exaggeration : 1;
        for (size_t k = 0; k < coordinates; k++) {
            double gradient = 4 * (attraction * found.attraction[k] - found.repulsion[k] / pairs);
            gains[k] = velocity[k] * gradient < 0 ? gains[k] + 0.2 : fmax(gains[k] * 0.8, smallest_gain);
            velocity[k] = (early ? 0.5 : 0.8) * velocity[k] - rate * gains[k] * gradient;
            places[k] += velocity[k];
        }
    }
    cmus_free(memory);
}

/* Sum over pairs of p log(p / q), q being their share of the nearness in the plane. */
static double divergence_of(const double *affinities, const double *x, const double *y, size_t count) {
    double *rows = cmus_allocate(2 * count, sizeof(double)), *nearness = rows + count;
#pragma omp parallel for if (count >= FEWEST_FOR_THREADS)
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            nearness[i] += j == i ? 0 : 1 / (1 + (x[i] - x[j]) * (x[i] - x[j]) + (y[i] - y[j]) * (y[i] - y[j]));
    double pairs = sum_of(nearness, count);
#pragma omp parallel for if (count >= FEWEST_FOR_THREADS)
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            double square = (x[i] - x[j]) * (x[i] - x[j]) + (y[i] - y[j]) * (y[i] - y[j]);
            double share = fmax(1 / (1 + square) / pairs, DBL_EPSILON), affinity = affinities[i * count + j];
            rows[i] += j == i ? 0 : affinity * log(affinity / share);
        }
    double divergence = sum_of(rows, count);
    cmus_free(rows);
    return divergence;
}

double report_tsne_perplexity(size_t count) {
    return fmin(30, (double)(count - 1) / 3);
}

double report_tsne(const float *points, size_t count, size_t dimensions, double perplexity, uint64_t seed,
                   double *places) {
    double *squares = cmus_allocate_raw(count * count, sizeof(double));
    double *affinities = cmus_allocate_raw(count * count, sizeof(double));
    double *planes = cmus_allocate(2 * count, sizeof(double)); /* all x, then all y */
    square_distances(points, count, dimensions, squares);
    find_affinities(squares, count, perplexity, affinities);
    begin_places(squares, count, seed, planes);
    cmus_free(squares);
    descend(affinities, count, planes);
    centre(planes, count);
    centre(planes + count, count);
    double divergence = divergence_of(affinities, planes, planes + count, count);
    for (size_t i = 0; i < count; i++) {
        places[2 * i] = planes[i];
        places[2 * i + 1] = planes[count + i];
    }
    cmus_free(planes);
    cmus_free(affinities);
    return divergence;
}

double report_tsne_divergence(const float *points, size_t count, size_t dimensions, double perplexity,
                              const double *places) {
    double *squares = cmus_allocate_raw(count * count, sizeof(double));
    double *affinities = cmus_allocate_raw(count * count, sizeof(double));
    double *planes = cmus_allocate(2 * count, sizeof(double));
    for (size_t i = 0; i < count; i++) {
        planes[i] = places[2 * i];
        planes[count + i] = places[2 * i + 1];
    }
    square_distances(points, count, dimensions, squares);
    find_affinities(squares, count, perplexity, affinities);
    double divergence = divergence_of(affinities, planes, planes + count, count);
    cmus_free(planes);
    cmus_free(affinities);
    cmus_free(squares);
    return divergence;
}
