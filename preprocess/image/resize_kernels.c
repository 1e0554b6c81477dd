/* Compiled once for each processor family; CMakeLists.txt gives the flags, CMUS_KERNEL_TABLE and CMUS_KERNEL_NAME.
 *
 * Both passes are sums of lines of LINE bytes, each line times a weight. Down: the lines are pieces of rows. Across:
 * LINE rows are transposed, so that the same source byte of all of them is a line; then the number of channels does not
 * matter, and a weight is read once for LINE rows. 16 output pixels at a time, so that what is transposed stays in the
 * caches.
 */
#include "resize_kernels.h"

#include <string.h>

#if defined __AVX2__
#include <immintrin.h>
#endif

enum { SQUARE = 16 };

#if defined __AVX512BW__
enum { LINE = 64 };
#elif defined __AVX2__
enum { LINE = 32 };
#else
enum { LINE = 16 };
#endif

/* Lines of a sum: those of a list from byte x on, or if there is none, each `stride` after the one before. */
typedef struct lines {
    const uint8_t *const *list;
    const uint8_t *base;
    size_t x, stride;
} lines;

static inline const uint8_t *line(const lines *from, int y) {
    return from->list ? from->list[y] + from->x : from->base + (size_t)y * from->stride;
}

static inline uint8_t clip(uint32_t sum) {
    int32_t value = (int32_t)sum >> CMUS_RESIZE_PRECISION;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static const uint32_t HALF = 1u << (CMUS_RESIZE_PRECISION - 1);

#if defined __AVX2__
typedef uint32_t words __attribute__((vector_size(LINE)));
typedef int32_t signed_words __attribute__((vector_size(LINE)));

#if defined __AVX512BW__
typedef __m512i vector;

static inline vector low_bytes(vector a, vector b) {
    return _mm512_unpacklo_epi8(a, b);
}

static inline vector high_bytes(vector a, vector b) {
    return _mm512_unpackhi_epi8(a, b);
}

static inline words products(vector a, words weights) {
    return (words)_mm512_madd_epi16(a, (vector)weights);
}

static inline vector to_bytes(const signed_words values[4]) {
    return _mm512_packus_epi16(_mm512_packs_epi32((vector)values[0], (vector)values[1]),
                               _mm512_packs_epi32((vector)values[2], (vector)values[3]));
}
#else
typedef __m256i vector;

static inline vector low_bytes(vector a, vector b) {
    return _mm256_unpacklo_epi8(a, b);
}

static inline vector high_bytes(vector a, vector b) {
    return _mm256_unpackhi_epi8(a, b);
}

static inline words products(vector a, words weights) {
    return (words)_mm256_madd_epi16(a, (vector)weights);
}

static inline vector to_bytes(const signed_words values[4]) {
    return _mm256_packus_epi16(_mm256_packs_epi32((vector)values[0], (vector)values[1]),
                               _mm256_packs_epi32((vector)values[2], (vector)values[3]));
}
#endif

static inline words all_of(uint32_t value) {
    return (words){0} + value;
}

/* Two lines at a time: their bytes side by side are pairs of 16-bit numbers, which one instruction multiplies by a pair
 * of weights and adds. It takes 16-bit weights, so there are two sums. Bytes are spread over four vectors in the order
 * in which to_bytes(), whose saturation is Pillow's clip8(), packs them. */
static inline __attribute__((always_inline)) void add_lines(lines from, const int32_t *weight, int count, uint8_t *to) {
    words low[4], high[4];
    signed_words values[4];
    vector first, second, none = {0};
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        low[i] = all_of(HALF);
        high[i] = all_of(0);
    }
    for (int y = 0; y < count; y += 2) {
        bool odd = y + 1 == count;
        uint32_t next = odd ? 0 : (uint32_t)weight[y + 1], now = (uint32_t)weight[y];
        words low_weights = all_of((now & 0x7FFF) | (next & 0x7FFF) << 16);
        words high_weights = all_of((now >> 15 & 0xFFFF) | next >> 15 << 16);
        memcpy(&first, line(&from, y), sizeof first);
        memcpy(&second, line(&from, odd ? y : y + 1), sizeof second);
        vector pairs[2] = {low_bytes(first, second), high_bytes(first, second)};
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            vector wide = i % 2 ? high_bytes(pairs[i / 2], none) : low_bytes(pairs[i / 2], none);
            low[i] += products(wide, low_weights);
            high[i] += products(wide, high_weights);
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        values[i] = (signed_words)(low[i] + (high[i] << 15)) >> CMUS_RESIZE_PRECISION;
    first = to_bytes(values);
    memcpy(to, &first, sizeof first);
}
#else
static inline __attribute__((always_inline)) void add_lines(lines from, const int32_t *weight, int count, uint8_t *to) {
    uint32_t sums[LINE];
    for (int i = 0; i < LINE; i++)
        sums[i] = HALF;
    for (int y = 0; y < count; y++) {
        const uint8_t *bytes = line(&from, y);
        for (int i = 0; i < LINE; i++)
            sums[i] += bytes[i] * (uint32_t)weight[y];
    }
    for (int i = 0; i < LINE; i++)
        to[i] = clip(sums[i]);
}
#endif

typedef uint8_t square_row __attribute__((vector_size(SQUARE)));

#ifdef __clang__
#define INTERLEAVE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define INTERLEAVE(a, b, ...) __builtin_shuffle(a, b, (square_row){__VA_ARGS__})
#endif

static inline square_row low_half(square_row a, square_row b) {
    return INTERLEAVE(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

static inline square_row high_half(square_row a, square_row b) {
    return INTERLEAVE(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/* A step moves the highest bit of the row number to the end of the column number, and the highest of that to the end of
 * the row number: a rotation of both by one bit. Four of them exchange rows and columns. */
static inline __attribute__((always_inline)) void transpose_step(const square_row *from, square_row *to) {
#pragma GCC unroll 8
    for (int i = 0; i < SQUARE / 2; i++) {
        to[2 * i] = low_half(from[i], from[i + SQUARE / 2]);
        to[2 * i + 1] = high_half(from[i], from[i + SQUARE / 2]);
    }
}

static inline __attribute__((always_inline)) void transpose(square_row square[SQUARE]) {
    square_row other[SQUARE];
    transpose_step(square, other);
    transpose_step(other, square);
    transpose_step(square, other);
    transpose_step(other, square);
}

/* Bytes that are asked for before they are needed: in so many rows at once the processor does not see what comes next.
 */
enum { AHEAD = 256 };

/* LINE rows from byte `start` on, of which `rest` are left in a row: `width` bytes as [width][LINE], in whole squares.
 */
static void turn(const uint8_t *const *from, size_t start, size_t width, size_t rest, uint8_t *to) {
    square_row square[SQUARE];
    for (size_t x = 0; x < width; x += SQUARE, to += SQUARE * LINE)
        for (int part = 0; part < LINE; part += SQUARE) {
            if (x + SQUARE <= rest) {
#pragma GCC unroll 16
                for (int i = 0; i < SQUARE; i++) {
                    memcpy(&square[i], from[part + i] + start + x, sizeof square[i]);
                    __builtin_prefetch(from[part + i] + start + x + AHEAD);
                }
            } else {
                memset(square, 0, sizeof square);
                for (int i = 0; i < SQUARE; i++)
                    memcpy(&square[i], from[part + i] + start + x, rest - x);
            }
            transpose(square);
#pragma GCC unroll 16
            for (int i = 0; i < SQUARE; i++)
                memcpy(to + i * LINE + part, &square[i], sizeof square[i]);
        }
}

/* [width][LINE] to LINE rows from byte `start` on; width: a multiple of 16. */
static void turn_back(const uint8_t *from, size_t width, uint8_t *const *to, size_t start) {
    square_row square[SQUARE];
    for (size_t x = 0; x < width; x += SQUARE, from += SQUARE * LINE)
        for (int part = 0; part < LINE; part += SQUARE) {
#pragma GCC unroll 16
            for (int i = 0; i < SQUARE; i++)
                memcpy(&square[i], from + i * LINE + part, sizeof square[i]);
            transpose(square);
#pragma GCC unroll 16
            for (int i = 0; i < SQUARE; i++)
                memcpy(to[part + i] + start + x, &square[i], sizeof square[i]);
        }
}

static void across(const uint8_t *const *from, int input, int channels, const cmus_resize_weights *weights, int output,
                   uint8_t *work, uint8_t *const *to) {
    size_t pixel = (size_t)channels, group = CMUS_RESIZE_GROUP * pixel;
    uint8_t *turned = work + group * LINE;
    for (int begin = 0; begin < output; begin += CMUS_RESIZE_GROUP) {
        int first, end, next = begin + CMUS_RESIZE_GROUP < output ? begin + CMUS_RESIZE_GROUP : output;
        cmus_resize_group(weights, begin, next, &first, &end);
        size_t start = (size_t)first * pixel;
        turn(from, start, (size_t)(end - first) * pixel, (size_t)input * pixel - start, turned);
        uint8_t *made = work;
        for (int i = begin; i < next; i++)
            for (int c = 0; c < channels; c++, made += LINE) {
                lines source = {.base = turned + ((size_t)(weights->first[i] - first) * pixel + (size_t)c) * LINE,
                                .stride = pixel * LINE};
                add_lines(source, weights->fixed + (size_t)i * (size_t)weights->width, weights->count[i], made);
            }
        turn_back(work, group, to, (size_t)begin * pixel);
    }
}

/* The last line overlaps the one before. */
static void down(const uint8_t *const *from, const int32_t *weight, int count, size_t width, uint8_t *to) {
    size_t x = 0;
    for (; x + LINE <= width; x += LINE)
        add_lines((lines){.list = from, .x = x}, weight, count, to + x);
    if (x < width && width >= LINE)
        add_lines((lines){.list = from, .x = width - LINE}, weight, count, to + width - LINE);
    for (x = 0; x < width && width < LINE; x++) {
        uint32_t sum = HALF;
        for (int y = 0; y < count; y++)
            sum += from[y][x] * (uint32_t)weight[y];
        to[x] = clip(sum);
    }
}

extern const cmus_resize_kernels CMUS_KERNEL_TABLE;
const cmus_resize_kernels CMUS_KERNEL_TABLE = {.name = CMUS_KERNEL_NAME, .rows = LINE, .across = across, .down = down};
