/* Resizing with antialias: the arithmetic of Pillow's Image.resize(), so that results are the same to the bit.
 *
 * A filter that is stretched by the scale factor (if that is above 1) is laid over the source pixels of each output
 * pixel; weights are normalised in double and rounded to fixed point. First all rows are made narrower (or wider),
 * rounded to 8 bits, then all columns. An axis whose size stays is left out.
 */
#include <math.h>
#include <string.h>

#include "cmus/memory.h"
#include "image.h"

enum { PRECISION = 32 - 8 - 2 }; /* bits behind the point: 8 for the pixel and 2 for overshoot are left */

/* The source pixels of every output pixel along one axis, and their weights. */
typedef struct weights {
    int width;      /* room for each output pixel's weights */
    int *first;     /* [output] */
    int *count;     /* [output] */
    int32_t *fixed; /* [output][width] */
} weights;

static double triangle(double x) {
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

/* The right end belongs to it, not the left one. */
static double box(double x) {
    return x > -0.5 && x <= 0.5 ? 1 : 0;
}

/* Keys' cubic convolution with a = -0.5. */
static double bicubic(double x) {
    const double a = -0.5;
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static double sinc(double x) {
    x *= M_PI;
    return x == 0 ? 1 : sin(x) / x;
}

static double lanczos(double x) {
    return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

/* By cmus_filter; `support`: half the width. */
static const struct {
    double (*weight)(double x);
    double support;
} filters[] = {{triangle, 1}, {box, 0.5}, {bicubic, 2}, {lanczos, 3}};

static weights make_weights(cmus_filter filter, int input, int output) {
    double scale = (double)input / output, filter_scale = scale < 1 ? 1 : scale;
    double support = filters[filter].support * filter_scale;
    weights all = {.width = (int)ceil(support) * 2 + 1};
    all.first = cmus_allocate((size_t)output, sizeof *all.first);
    all.count = cmus_allocate((size_t)output, sizeof *all.count);
    all.fixed = cmus_allocate((size_t)output * (size_t)all.width, sizeof *all.fixed);
    double *exact = cmus_allocate((size_t)all.width, sizeof *exact);
    for (int i = 0; i < output; i++) {
        double centre = (i + 0.5) * scale, sum = 0, step = 1 / filter_scale;
        int first = (int)(centre - support + 0.5), last = (int)(centre + support + 0.5);
        first = first < 0 ? 0 : first;
        last = last > input ? input : last;
        for (int x = first; x < last; x++) {
            exact[x - first] = filters[filter].weight((x - centre + 0.5) * step);
            sum += exact[x - first];
        }
        for (int x = 0; x < last - first; x++) {
            double weight = sum != 0 ? exact[x] / sum : exact[x];
            all.fixed[(size_t)i * (size_t)all.width + (size_t)x] =
                (int32_t)((weight < 0 ? -0.5 : 0.5) + weight * (1 << PRECISION));
        }
        all.first[i] = first;
        all.count[i] = last - first;
    }
    cmus_free(exact);
    return all;
}

static void free_weights(weights *all) {
    cmus_free(all->first);
    cmus_free(all->count);
    cmus_free(all->fixed);
}

static uint8_t to_byte(int32_t sum) {
    int32_t value = sum >> PRECISION;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* One row: [input][channels] to [output][channels]. */
static void resize_row(const uint8_t *from, int channels, int output, const weights *all, uint8_t *to) {
    for (int i = 0; i < output; i++) {
        const int32_t *weight = all->fixed + (size_t)i * (size_t)all->width;
        const uint8_t *pixel = from + (size_t)all->first[i] * (size_t)channels;
        int32_t sums[3] = {1 << (PRECISION - 1), 1 << (PRECISION - 1), 1 << (PRECISION - 1)};
        if (channels == 1)
            for (int x = 0; x < all->count[i]; x++)
                sums[0] += pixel[x] * weight[x];
        else
            for (int x = 0; x < all->count[i]; x++, pixel += 3) {
                sums[0] += pixel[0] * weight[x];
                sums[1] += pixel[1] * weight[x];
                sums[2] += pixel[2] * weight[x];
            }
        for (int c = 0; c < channels; c++)
            *to++ = to_byte(sums[c]);
    }
}

/* All columns: [input][stride] to [output][stride], a row of sums at a time, which the compiler can make SIMD. */
static void resize_columns(const uint8_t *from, size_t stride, int output, const weights *all, uint8_t *to) {
    int32_t *sums = cmus_allocate_raw(stride, sizeof *sums);
    for (int i = 0; i < output; i++, to += stride) {
        const int32_t *weight = all->fixed + (size_t)i * (size_t)all->width;
        for (size_t x = 0; x < stride; x++)
            sums[x] = 1 << (PRECISION - 1);
        for (int y = 0; y < all->count[i]; y++) {
            const uint8_t *row = from + (size_t)(all->first[i] + y) * stride;
            for (size_t x = 0; x < stride; x++)
                sums[x] += row[x] * weight[y];
        }
        for (size_t x = 0; x < stride; x++)
            to[x] = to_byte(sums[x]);
    }
    cmus_free(sums);
}

void cmus_image_resize(const cmus_image *image, cmus_filter filter, int width, int height, uint8_t *pixels) {
    size_t channels = (size_t)image->channels, stride = (size_t)width * channels;
    const uint8_t *rows = image->pixels;
    uint8_t *made = NULL;
    if (width != image->width) {
        weights across = make_weights(filter, image->width, width);
        made = height == image->height ? pixels : cmus_allocate_raw((size_t)image->height, stride);
        for (int y = 0; y < image->height; y++)
            resize_row(rows + (size_t)y * (size_t)image->width * channels, image->channels, width, &across,
                       made + (size_t)y * stride);
        free_weights(&across);
        rows = made;
    }
    if (height != image->height) {
        weights down = make_weights(filter, image->height, height);
        resize_columns(rows, stride, height, &down, pixels);
        free_weights(&down);
    }
    if (rows == image->pixels && height == image->height)
        memcpy(pixels, rows, (size_t)height * stride);
    if (made && made != pixels)
        cmus_free(made);
}
