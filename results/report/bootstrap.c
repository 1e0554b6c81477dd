#include "report/bootstrap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/random.h"

struct report_draws {
    size_t cases, patients, draws;
    uint64_t seed;
    uint32_t *patient; /* [cases]: place of its patient among the sorted ids */
};

typedef struct patient_of_case {
    const char *id;
    size_t row;
} patient_of_case;

static int by_id(const void *a, const void *b) {
    return strcmp(((const patient_of_case *)a)->id, ((const patient_of_case *)b)->id);
}

report_draws *report_draws_create(const char *const *patient_ids, size_t cases, size_t draws, uint64_t seed) {
    if (cases > UINT32_MAX)
        cmus_fatal("%zu cases are too many for a bootstrap", cases);
    report_draws *created = cmus_allocate(1, sizeof *created);
    *created = (report_draws){.cases = cases, .draws = draws, .seed = seed};
    created->patient = cmus_allocate(cases, sizeof *created->patient);
    patient_of_case *sorted = cmus_allocate(cases, sizeof *sorted);
    for (size_t i = 0; i < cases; i++)
        sorted[i] = (patient_of_case){patient_ids[i], i};
    qsort(sorted, cases, sizeof *sorted, by_id);
    for (size_t i = 0; i < cases; i++) {
        created->patients += i == 0 || strcmp(sorted[i - 1].id, sorted[i].id) != 0;
        created->patient[sorted[i].row] = (uint32_t)(created->patients - 1);
    }
    cmus_free(sorted);
    return created;
}

void report_draws_free(report_draws *draws) {
    if (draws)
        cmus_free(draws->patient);
    cmus_free(draws);
}

size_t report_draws_count(const report_draws *draws) {
    return draws->draws;
}

size_t report_draws_patients(const report_draws *draws) {
    return draws->patients;
}

void report_draws_weights(const report_draws *draws, size_t draw, uint32_t *weights) {
    const uint64_t id = draw;
    cmus_random random = cmus_random_begin(draws->seed, "bootstrap", &id, 1);
    uint32_t *times = cmus_allocate(draws->patients, sizeof *times);
    for (size_t i = 0; i < draws->patients; i++)
        times[cmus_random_below(&random, draws->patients)]++;
    for (size_t i = 0; i < draws->cases; i++)
        weights[i] = times[draws->patient[i]];
    cmus_free(times);
}

size_t report_draw_count(size_t cases, size_t values) {
    const size_t most = 10000, fewest = 100, work = most * 20000, kept = (size_t)1 << 24;
    size_t draws = cases ? work / cases : most;
    draws = values && draws > kept / values ? kept / values : draws;
    return draws > most ? most : draws < fewest ? fewest : draws;
}

static int by_value_undefined_last(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x) || isnan(y))
        return (isnan(x) != 0) - (isnan(y) != 0);
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, size_t count, double share) {
    double place = share * (double)(count - 1);
    size_t below = (size_t)place;
    if (below + 1 >= count)
        return sorted[count - 1];
    return sorted[below] + (place - (double)below) * (sorted[below + 1] - sorted[below]);
}

void report_interval(double *values, size_t count, double level, double *low, double *high, size_t *undefined) {
    qsort(values, count, sizeof *values, by_value_undefined_last);
    size_t defined = count;
    while (defined && isnan(values[defined - 1]))
        defined--;
    *low = defined ? quantile(values, defined, (1 - level) / 2) : NAN;
    *high = defined ? quantile(values, defined, (1 + level) / 2) : NAN;
    if (undefined)
        *undefined = count - defined;
}
