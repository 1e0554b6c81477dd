/* Compiled once for each processor family; CMakeLists.txt gives the flags, CMUS_KERNEL_TABLE and CMUS_KERNEL_NAME. The
 * vectors are the compiler's (GCC and Clang), as wide as the family's registers.
 *
 * Across: 16 rows are transposed, so that the same source byte of 16 rows lies side by side; then an output pixel is a
 * sum of vectors, whatever the number of channels, and its weights are read once for 16 rows. 16 output pixels at a
 * time, so that what is transposed stays in the first cache.
 */
#include "resize_kernels.h"

#include <string.h>

#if defined __AVX512F__
enum { LANES = 16 };
#elif defined __AVX2__
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
enum { ROWS = CMUS_RESIZE_ROWS, PARTS = ROWS / LANES, TILE = 4 };

typedef uint8_t bytes __attribute__((vector_size(ROWS)));
typedef uint8_t lane_bytes __attribute__((vector_size(LANES)));
typedef uint32_t sums __attribute__((vector_size(4 * LANES)));
typedef int32_t signed_sums __attribute__((vector_size(4 * LANES)));

#ifdef __clang__
#define INTERLEAVE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define INTERLEAVE(a, b, ...) __builtin_shuffle(a, b, (bytes){__VA_ARGS__})
#endif

static inline bytes low_halves(bytes a, bytes b) {
    return INTERLEAVE(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

static inline bytes high_halves(bytes a, bytes b) {
    return INTERLEAVE(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/* A step moves the highest bit of the row number to the end of the column number, and the highest of that to the end of
 * the row number: a rotation of both by one bit. Four of them exchange rows and columns. */
static inline void transpose_step(const bytes from[ROWS], bytes to[ROWS]) {
#pragma GCC unroll 8
    for (int i = 0; i < ROWS / 2; i++) {
        to[2 * i] = low_halves(from[i], from[i + ROWS / 2]);
        to[2 * i + 1] = high_halves(from[i], from[i + ROWS / 2]);
    }
}

static inline void transpose(bytes square[ROWS]) {
    bytes other[ROWS];
    transpose_step(square, other);
    transpose_step(other, square);
    transpose_step(square, other);
    transpose_step(other, square);
}

/* From 16 rows, of which `rest` bytes are left, the first `width` to [width][16]; `to` has room for whole squares. */
static void turn(const uint8_t *const *from, size_t start, size_t width, size_t rest, uint8_t *to) {
    bytes square[ROWS];
    for (size_t x = 0; x < width; x += ROWS, to += sizeof square) {
        if (x + ROWS <= rest) {
#pragma GCC unroll 16
            for (int row = 0; row < ROWS; row++)
                memcpy(&square[row], from[row] + start + x, sizeof(bytes));
        } else {
            memset(square, 0, sizeof square);
            for (int row = 0; row < ROWS; row++)
                memcpy(&square[row], from[row] + start + x, rest - x);
        }
        transpose(square);
        memcpy(to, square, sizeof square);
    }
}

/* [width][16] to 16 rows; width: a multiple of 16. */
static void turn_back(const uint8_t *from, size_t width, uint8_t *const *to, size_t start) {
    bytes square[ROWS];
    for (size_t x = 0; x < width; x += ROWS, from += sizeof square) {
        memcpy(square, from, sizeof square);
        transpose(square);
#pragma GCC unroll 16
        for (int row = 0; row < ROWS; row++)
            memcpy(to[row] + start + x, &square[row], sizeof(bytes));
    }
}

static inline sums widen(const uint8_t *from) {
    lane_bytes few;
    memcpy(&few, from, sizeof few);
    return __builtin_convertvector(few, sums);
}

static inline sums all_of(uint32_t value) {
    return (sums){0} + value;
}

static inline sums half(void) {
    return all_of(1u << (CMUS_RESIZE_PRECISION - 1));
}

/* Pillow's clip8() */
static inline void narrow(sums sum, uint8_t *to) {
    signed_sums value = (signed_sums)sum >> CMUS_RESIZE_PRECISION;
    value &= ~(value >> 31);
    value |= (255 - value) >> 31;
    lane_bytes few = __builtin_convertvector(value & 255, lane_bytes);
    memcpy(to, &few, sizeof few);
}

/* Output pixels [begin, end). turned: the source from pixel `first` on, [pixels][channels][16]; to: [end - begin]
 * [channels][16]. */
static inline __attribute__((always_inline)) void add_up(const uint8_t *turned, int first, int channels,
                                                         const cmus_resize_weights *weights, int begin, int end,
                                                         uint8_t *to) {
    for (int i = begin; i < end; i++, to += channels * ROWS) {
        const int32_t *weight = weights->fixed + (size_t)i * (size_t)weights->width;
        const uint8_t *from = turned + (size_t)(weights->first[i] - first) * (size_t)(channels * ROWS);
        sums sum[3 * PARTS];
#pragma GCC unroll 12
        for (int part = 0; part < channels * PARTS; part++)
            sum[part] = half();
        for (int x = 0; x < weights->count[i]; x++, from += channels * ROWS)
#pragma GCC unroll 12
            for (int part = 0; part < channels * PARTS; part++)
                sum[part] += widen(from + part * LANES) * (uint32_t)weight[x];
#pragma GCC unroll 12
        for (int part = 0; part < channels * PARTS; part++)
            narrow(sum[part], to + part * LANES);
    }
}

static void across(const uint8_t *const *from, int input, int channels, const cmus_resize_weights *weights, int output,
                   uint8_t *work, uint8_t *const *to) {
    size_t pixel = (size_t)channels, group = ROWS * pixel;
    uint8_t *turned = work + group * ROWS;
    for (int i = 0; i < output; i += ROWS) {
        int first, end, next = i + ROWS < output ? i + ROWS : output;
        cmus_resize_group(weights, i, output, &first, &end);
        size_t start = (size_t)first * pixel;
        turn(from, start, (size_t)(end - first) * pixel, (size_t)input * pixel - start, turned);
        if (channels == 1)
            add_up(turned, first, 1, weights, i, next, work);
        else
            add_up(turned, first, 3, weights, i, next, work);
        turn_back(work, group, to, (size_t)i * pixel);
    }
}

static inline void add_tile(const uint8_t *const *from, size_t x, const int32_t *weight, int count, uint8_t *to) {
    sums sum[TILE] = {half(), half(), half(), half()};
    for (int y = 0; y < count; y++)
#pragma GCC unroll 4
        for (int part = 0; part < TILE; part++)
            sum[part] += widen(from[y] + x + part * LANES) * (uint32_t)weight[y];
#pragma GCC unroll 4
    for (int part = 0; part < TILE; part++)
        narrow(sum[part], to + x + part * LANES);
}

/* The last tile overlaps the one before. */
static void down(const uint8_t *const *from, const int32_t *weight, int count, size_t width, uint8_t *to) {
    enum { BYTES = TILE * LANES };
    size_t x = 0;
    for (; x + BYTES <= width; x += BYTES)
        add_tile(from, x, weight, count, to);
    if (x == width)
        return;
    if (width >= BYTES) {
        add_tile(from, width - BYTES, weight, count, to);
        return;
    }
    for (x = 0; x < width; x++) {
        uint32_t sum = 1u << (CMUS_RESIZE_PRECISION - 1);
        for (int y = 0; y < count; y++)
            sum += from[y][x] * (uint32_t)weight[y];
        int32_t value = (int32_t)sum >> CMUS_RESIZE_PRECISION;
        to[x] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
}

extern const cmus_resize_kernels CMUS_KERNEL_TABLE;
const cmus_resize_kernels CMUS_KERNEL_TABLE = {.name = CMUS_KERNEL_NAME, .across = across, .down = down};
