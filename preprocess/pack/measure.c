#include "measure.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "cmus/log.h"
#include "cmus/memory.h"

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) /* its run time is not there yet when a clone is picked */
#define EACH_FAMILY __attribute__((target_clones("avx2", "default")))
#else
#define EACH_FAMILY
#endif

enum {
    SIDE = 32,        /* of the reduced image whose DCT is taken */
    LOW = 8,          /* frequencies in each direction */
    COSINE_BITS = 12, /* behind the point */
    MEAN_BITS = 4,    /* behind the point of a mean gray value */
    EXACT_PIXELS = 1 << 20
};

/* The mean of three bytes: exact for equal ones, and the sum times 21846 keeps to 32 bits. */
EACH_FAMILY static void mean_of_channels(const uint8_t *restrict rgb, size_t count, uint8_t *restrict gray) {
    for (size_t i = 0; i < count; i++) {
        uint16_t sum = (uint16_t)(rgb[3 * i] + rgb[3 * i + 1] + rgb[3 * i + 2]);
        gray[i] = (uint8_t)((uint32_t)sum * 21846 >> 16);
    }
}

void cmus_measure_gray(const uint8_t *pixels, size_t count, int channels, uint8_t *gray) {
    if (channels == 1)
        memcpy(gray, pixels, count);
    else
        mean_of_channels(pixels, count, gray);
}

/* Of a large image the rows between those that are hashed count by the resized one, to which every pixel contributes:
 * reading all of them once more takes a tenth of the time of decoding. */
static uint64_t hash_content(const cmus_image *image, const uint8_t *pixels, size_t bytes) {
    const uint64_t size[2] = {(uint64_t)image->width, (uint64_t)image->height};
    size_t row = (size_t)image->width * (size_t)image->channels;
    int step = 1 + (int)((int64_t)image->width * image->height / EXACT_PIXELS);
    XXH3_state_t *state = XXH3_createState();
    if (!state || XXH3_64bits_reset(state) == XXH_ERROR)
        cmus_fatal("libxxhash can't compute XXH3");
    XXH3_64bits_update(state, size, sizeof size);
    for (int y = 0; y < image->height; y += step)
        XXH3_64bits_update(state, image->pixels + (size_t)y * row, row);
    if (step > 1)
        XXH3_64bits_update(state, pixels, bytes);
    uint64_t hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return hash;
}

/* cosine[u - 1][x]: cos((2x + 1) u pi / 64) in fixed point, so that all processors give the same. */
static void make_cosines(int32_t cosine[LOW][SIDE]) {
    int32_t wave[4 * SIDE];
    for (int i = 0; i < 4 * SIDE; i++)
        wave[i] = (int32_t)lround(cos(i * M_PI / (2 * SIDE)) * (1 << COSINE_BITS));
    for (int u = 1; u <= LOW; u++)
        for (int x = 0; x < SIDE; x++)
            cosine[u - 1][x] = wave[(2 * x + 1) * u % (4 * SIDE)];
}

static int cell_begin(int i, int size, int side) {
    return (int)((int64_t)i * size / side);
}

static int cell_end(int i, int size, int side) {
    int begin = cell_begin(i, size, side), end = cell_begin(i + 1, size, side);
    return end > begin ? end : begin + 1;
}

/* row: room for [size]. */
EACH_FAMILY static void reduce(const uint8_t *gray, int size, int side, uint32_t *restrict row, int32_t *means) {
    for (int i = 0; i < side; i++) {
        int begin = cell_begin(i, size, side), end = cell_end(i, size, side);
        memset(row, 0, (size_t)size * sizeof *row);
        for (int y = begin; y < end; y++)
            for (int x = 0; x < size; x++)
                row[x] += gray[(size_t)y * (size_t)size + (size_t)x];
        for (int j = 0; j < side; j++) {
            uint64_t sum = 0;
            int left = cell_begin(j, size, side), right = cell_end(j, size, side);
            for (int x = left; x < right; x++)
                sum += row[x];
            means[i * side + j] = (int32_t)((sum << MEAN_BITS) / (uint64_t)((end - begin) * (right - left)));
        }
    }
}

void cmus_measure_means(const uint8_t *gray, int size, int side, int32_t *means) {
    uint32_t *row = cmus_allocate_raw((size_t)size, sizeof *row);
    reduce(gray, size, side, row, means);
    cmus_free(row);
}

/* The lowest frequencies of the DCT of [SIDE][SIDE], without those that are constant in a direction. */
EACH_FAMILY static void transform(const int32_t *small, int64_t low[LOW * LOW]) {
    int32_t cosine[LOW][SIDE], columns[LOW][SIDE] = {{0}};
    make_cosines(cosine);
    for (int v = 0; v < LOW; v++)
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++)
                columns[v][x] += cosine[v][y] * small[y * SIDE + x];
    for (int v = 0; v < LOW; v++)
        for (int u = 0; u < LOW; u++) {
            int64_t sum = 0;
            for (int x = 0; x < SIDE; x++)
                sum += (int64_t)columns[v][x] * cosine[u][x];
            low[v * LOW + u] = sum;
        }
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t hash_likeness(const uint8_t *gray, int size) {
    int32_t small[SIDE * SIDE];
    int64_t low[LOW * LOW], sorted[LOW * LOW];
    cmus_measure_means(gray, size, SIDE, small);
    transform(small, low);
    memcpy(sorted, low, sizeof sorted);
    qsort(sorted, LOW * LOW, sizeof sorted[0], compare);
    /* twice the median, of an even number of values */
    int64_t median = sorted[LOW * LOW / 2 - 1] + sorted[LOW * LOW / 2];
    uint64_t bits = 0;
    for (int i = 0; i < LOW * LOW; i++)
        bits |= (uint64_t)(2 * low[i] > median) << i;
    return bits;
}

/* gray: [size][size]. A row's sums fit into 32 bits. */
EACH_FAMILY static void measure_brightness(const uint8_t *gray, int size, cmus_image_measures *measures) {
    uint64_t sum = 0, squares = 0;
    uint8_t darkest = 255, brightest = 0;
    for (int y = 0; y < size; y++, gray += size) {
        uint32_t row = 0, row_squares = 0;
        for (int x = 0; x < size; x++) {
            row += gray[x];
            row_squares += (uint32_t)gray[x] * gray[x];
            darkest = gray[x] < darkest ? gray[x] : darkest;
            brightest = gray[x] > brightest ? gray[x] : brightest;
        }
        sum += row;
        squares += row_squares;
    }
    double count = (double)size * size, mean = (double)sum / count;
    double variance = (double)squares / count - mean * mean;
    measures->darkest = darkest;
    measures->brightest = brightest;
    measures->mean = (float)mean;
    measures->deviation = darkest == brightest ? 0 : (float)sqrt(variance > 0 ? variance : 0);
}

void cmus_measure_image(const cmus_image *image, const uint8_t *pixels, int size, int channels,
                        cmus_image_measures *measures) {
    size_t count = (size_t)size * (size_t)size;
    uint8_t *gray = cmus_allocate_raw(count, 1);
    cmus_measure_gray(pixels, count, channels, gray);
    measures->content = hash_content(image, pixels, count * (size_t)channels);
    measure_brightness(gray, size, measures);
    measures->likeness = hash_likeness(gray, size);
    measures->constant = measures->darkest == measures->brightest &&
                         memcmp(pixels, pixels + channels, (count - 1) * (size_t)channels) == 0;
    cmus_free(gray);
}
