/* Resizing with antialias: the arithmetic of Pillow's Image.resize(), so that results are the same to the bit.
 *
 * A filter that is stretched by the scale factor (if that is above 1) is laid over the source pixels of each output
 * pixel; weights are normalised in double and rounded to fixed point. First rows are made narrower (or wider), rounded
 * to 8 bits, then columns. An axis whose size stays is left out. Only as many of the narrower rows are kept as one
 * output row needs, so that they stay in the first cache.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "resize_kernels.h"

const char *const cmus_filter_names[CMUS_FILTERS] = {"bilinear", "box", "bicubic", "lanczos"};

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

/* Without the weights that are 0 at the ends. */
static void trim(cmus_resize_weights *all, int i) {
    int32_t *fixed = all->fixed + (size_t)i * (size_t)all->width;
    int zeros = 0;
    while (all->count[i] > 1 && fixed[all->count[i] - 1] == 0)
        all->count[i]--;
    while (zeros < all->count[i] - 1 && fixed[zeros] == 0)
        zeros++;
    all->first[i] += zeros;
    all->count[i] -= zeros;
    memmove(fixed, fixed + zeros, (size_t)all->count[i] * sizeof *fixed);
}

cmus_resize_weights cmus_resize_weights_make(cmus_filter filter, int input, int output) {
    double scale = (double)input / output, filter_scale = scale < 1 ? 1 : scale;
    double support = filters[filter].support * filter_scale;
    cmus_resize_weights all = {.width = (int)ceil(support) * 2 + 1};
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
                (int32_t)((weight < 0 ? -0.5 : 0.5) + weight * (1 << CMUS_RESIZE_PRECISION));
        }
        all.first[i] = first;
        all.count[i] = last - first;
        trim(&all, i);
    }
    cmus_free(exact);
    return all;
}

void cmus_resize_weights_free(cmus_resize_weights *all) {
    cmus_free(all->first);
    cmus_free(all->count);
    cmus_free(all->fixed);
}

void cmus_resize_group(const cmus_resize_weights *weights, int begin, int end, int *first, int *last) {
    *first = weights->first[begin];
    *last = 0;
    for (int i = begin; i < end; i++) {
        int after = weights->first[i] + weights->count[i];
        *first = weights->first[i] < *first ? weights->first[i] : *first;
        *last = after > *last ? after : *last;
    }
}

size_t cmus_resize_work(const cmus_resize_weights *weights, int output, int channels, int rows) {
    enum { SQUARE = 16 }; /* bytes are transposed in whole squares */
    int most = 0;
    for (int i = 0; i < output; i += CMUS_RESIZE_GROUP) {
        int first, last, next = i + CMUS_RESIZE_GROUP < output ? i + CMUS_RESIZE_GROUP : output;
        cmus_resize_group(weights, i, next, &first, &last);
        most = last - first > most ? last - first : most;
    }
    return (((size_t)most + CMUS_RESIZE_GROUP) * (size_t)channels + SQUARE) * (size_t)rows;
}

/* Every pixel from the one in its place. */
static cmus_resize_weights same_size(int size) {
    cmus_resize_weights all = {.width = 1};
    all.first = cmus_allocate((size_t)size, sizeof *all.first);
    all.count = cmus_allocate((size_t)size, sizeof *all.count);
    all.fixed = cmus_allocate((size_t)size, sizeof *all.fixed);
    for (int i = 0; i < size; i++) {
        all.first[i] = i;
        all.count[i] = 1;
        all.fixed[i] = 1 << CMUS_RESIZE_PRECISION;
    }
    return all;
}

extern const cmus_resize_kernels cmus_resize_generic;
#ifdef CMUS_X86
extern const cmus_resize_kernels cmus_resize_avx2, cmus_resize_avx512;
#endif

/* The best family comes first. */
static const cmus_resize_kernels *const families[] = {
#ifdef CMUS_X86
    &cmus_resize_avx512, &cmus_resize_avx2,
#endif
    &cmus_resize_generic};

static bool runs_here(const cmus_resize_kernels *family) {
#ifdef CMUS_X86
    __builtin_cpu_init();
    if (family == &cmus_resize_avx512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl");
    if (family == &cmus_resize_avx2)
        return __builtin_cpu_supports("avx2");
#endif
    return family == &cmus_resize_generic;
}

const cmus_resize_kernels *cmus_resize_kernels_named(const char *name) {
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        if ((!name || strcmp(name, families[i]->name) == 0) && runs_here(families[i]))
            return families[i];
    return NULL;
}

const cmus_resize_kernels *cmus_resize_kernels_pick(void) {
    const char *wanted = getenv("CMUS_KERNELS");
    const cmus_resize_kernels *picked = cmus_resize_kernels_named(wanted && *wanted ? wanted : NULL);
    if (!picked)
        cmus_fatal("CMUS_KERNELS=%s: not in this build or not for this processor; use avx512, avx2 or generic", wanted);
    return picked;
}

/* Rows on their way from the first pass to the second. */
typedef struct ring {
    const cmus_resize_kernels *kernels;
    const cmus_image *image;
    const cmus_resize_weights *across; /* NULL: the width stays, rows are those of the image */
    int width;                         /* of an output row in pixels */
    int done;                          /* the rows before this one have been made */
    int capacity;                      /* row y is at place y % capacity */
    size_t stride;
    uint8_t *rows, *work;
    const uint8_t **from; /* of kernels->rows */
    uint8_t **to;
} ring;

static const uint8_t *source_row(const cmus_image *image, int y) {
    return image->pixels + (size_t)y * (size_t)image->width * (size_t)image->channels;
}

static uint8_t *made_row(const ring *self, int y) {
    return self->rows + (size_t)(y % self->capacity) * self->stride;
}

/* One row byte by byte: for images so low that transposing as many rows as the kernels take would be mostly in vain. */
static void make_row(ring *self) {
    size_t channels = (size_t)self->image->channels;
    uint8_t *to = made_row(self, self->done);
    for (int i = 0; i < self->width; i++)
        for (size_t c = 0; c < channels; c++) {
            const int32_t *weight = self->across->fixed + (size_t)i * (size_t)self->across->width;
            const uint8_t *from = source_row(self->image, self->done) + (size_t)self->across->first[i] * channels + c;
            int32_t sum = 1 << (CMUS_RESIZE_PRECISION - 1);
            for (int x = 0; x < self->across->count[i]; x++)
                sum += from[(size_t)x * channels] * weight[x];
            sum >>= CMUS_RESIZE_PRECISION;
            *to++ = (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
        }
    self->done++;
}

/* The next rows; the last ones begin earlier, with some that are there already. */
static void make_rows(ring *self) {
    int latest = self->image->height - self->kernels->rows, first = self->done < latest ? self->done : latest;
    for (int i = 0; i < self->kernels->rows; i++) {
        self->from[i] = source_row(self->image, first + i);
        self->to[i] = made_row(self, first + i);
    }
    self->kernels->across(self->from, self->image->width, self->image->channels, self->across, self->width, self->work,
                          self->to);
    self->done = first + self->kernels->rows;
}

/* Rows that no output row looks at, as a narrow filter leaves them, are not made. */
static void resize_rows(ring *self, const cmus_resize_weights *down, int height, uint8_t *pixels) {
    size_t bytes = (size_t)self->width * (size_t)self->image->channels;
    const uint8_t **rows = cmus_allocate((size_t)down->width, sizeof *rows);
    for (int i = 0; i < height; i++) {
        int first = down->first[i], end = first + down->count[i];
        self->done = self->done < first ? first : self->done;
        while (self->across && self->done < end)
            if (self->image->height < self->kernels->rows)
                make_row(self);
            else
                make_rows(self);
        for (int y = first; y < end; y++)
            rows[y - first] = self->across ? made_row(self, y) : source_row(self->image, y);
        self->kernels->down(rows, down->fixed + (size_t)i * (size_t)down->width, end - first, bytes,
                            pixels + (size_t)i * bytes);
    }
    cmus_free(rows);
}

static void begin_ring(ring *self, const cmus_resize_weights *across, int most_rows) {
    int channels = self->image->channels, rows = self->kernels->rows;
    self->across = across;
    self->capacity = most_rows + rows;
    self->stride = (size_t)(self->width + CMUS_RESIZE_GROUP) * (size_t)channels;
    self->rows = cmus_allocate_raw((size_t)self->capacity, self->stride);
    self->work = cmus_allocate_raw(1, cmus_resize_work(across, self->width, channels, rows));
    self->from = cmus_allocate((size_t)rows, sizeof *self->from);
    self->to = cmus_allocate((size_t)rows, sizeof *self->to);
}

void cmus_image_resize(const cmus_image *image, cmus_filter filter, int width, int height, uint8_t *pixels) {
    if (width == image->width && height == image->height) {
        memcpy(pixels, image->pixels, (size_t)width * (size_t)height * (size_t)image->channels);
        return;
    }
    ring rows = {.kernels = cmus_resize_kernels_pick(), .image = image, .width = width};
    cmus_resize_weights across = {0};
    cmus_resize_weights down =
        height == image->height ? same_size(height) : cmus_resize_weights_make(filter, image->height, height);
    if (width != image->width) {
        across = cmus_resize_weights_make(filter, image->width, width);
        begin_ring(&rows, &across, down.width);
    }
    resize_rows(&rows, &down, height, pixels);
    cmus_resize_weights_free(&down);
    cmus_resize_weights_free(&across);
    cmus_free(rows.rows);
    cmus_free(rows.work);
    cmus_free(rows.from);
    cmus_free(rows.to);
}
