/* Planes of floats: noise, grain, blur, spots. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "cmus/memory.h"
#include "phantom.h"

phantom_plane phantom_plane_make(int size) {
    return (phantom_plane){size, cmus_allocate((size_t)size * (size_t)size, sizeof(float))};
}

void phantom_plane_free(phantom_plane *plane) {
    cmus_free(plane->at);
    plane->at = NULL;
}

float phantom_between(cmus_random *random, float low, float high) {
    return (float)cmus_random_between(random, (double)low, (double)high);
}

float phantom_normal(cmus_random *random) {
    return (float)cmus_random_normal(random);
}

float phantom_cover(float distance, float softness) {
    float part = phantom_clamp(0.5f - 0.5f * distance / softness, 0, 1);
    return part * part * (3 - 2 * part);
}

/* Where a pixel lies in the lattice: its cell and the smoothed position in it. */
static void lattice_steps(int size, float cells, float offset, int *cell, float *part) {
    for (int i = 0; i < size; i++) {
        float place = ((float)i + 0.5f) / (float)size * cells + offset, whole = floorf(place), t = place - whole;
        cell[i] = (int)whole;
        part[i] = t * t * (3 - 2 * t);
    }
}

void phantom_noise(phantom_plane *plane, float cells, float amount, cmus_random *random) {
    int size = plane->size, side = (int)ceilf(cells) + 3;
    float *lattice = cmus_allocate_raw((size_t)side * (size_t)side, sizeof *lattice);
    int *cell = cmus_allocate_raw((size_t)size * 2, sizeof *cell);
    float *part = cmus_allocate_raw((size_t)size * 2, sizeof *part);
    for (int i = 0; i < side * side; i++)
        lattice[i] = phantom_between(random, -amount, amount);
    lattice_steps(size, cells, phantom_between(random, 0, 1), cell, part);
    lattice_steps(size, cells, phantom_between(random, 0, 1), cell + size, part + size);
    for (int y = 0; y < size; y++) {
        const float *upper = lattice + cell[size + y] * side, *lower = upper + side;
        float down = part[size + y];
        for (int x = 0; x < size; x++) {
            int c = cell[x];
            float top = phantom_mix(upper[c], upper[c + 1], part[x]);
            float bottom = phantom_mix(lower[c], lower[c + 1], part[x]);
            plane->at[y * size + x] += phantom_mix(top, bottom, down);
        }
    }
    cmus_free(lattice);
    cmus_free(cell);
    cmus_free(part);
}

void phantom_fractal(phantom_plane *plane, float cells, int octaves, float amount, float decay, cmus_random *random) {
    for (int i = 0; i < octaves; i++, cells *= 2, amount *= decay)
        phantom_noise(plane, cells, amount, random);
}

/* The sum of four uniform numbers out of one draw is normal enough for grain and far faster. */
void phantom_grain(phantom_plane *plane, float deviation, cmus_random *random) {
    int count = plane->size * plane->size;
    float scale = deviation * 1.7320508f / 65536.0f;
    for (int i = 0; i < count; i++) {
        uint64_t bits = cmus_random_at(random->key, random->next++);
        int32_t sum = (int32_t)(bits & 0xFFFF) + (int32_t)(bits >> 16 & 0xFFFF) + (int32_t)(bits >> 32 & 0xFFFF) +
                      (int32_t)(bits >> 48);
        plane->at[i] += (float)(sum - 131070) * scale;
    }
}

static void blur_lines(const float *from, float *to, int size, const float *weights, int reach, int step, int stride) {
    for (int line = 0; line < size; line++) {
        const float *source = from + line * stride;
        float *target = to + line * stride;
        for (int i = 0; i < size; i++) {
            float sum = weights[0] * source[i * step];
            for (int k = 1; k <= reach; k++) {
                int before = i - k < 0 ? 0 : i - k, after = i + k >= size ? size - 1 : i + k;
                sum += weights[k] * (source[before * step] + source[after * step]);
            }
            target[i * step] = sum;
        }
    }
}

void phantom_blur(phantom_plane *plane, float sigma) {
    int size = plane->size;
    float pixels = sigma * (float)size;
    if (pixels < 0.2f)
        return;
    int reach = (int)ceilf(2.5f * pixels);
    float *weights = cmus_allocate((size_t)reach + 1, sizeof *weights), sum = 0;
    for (int k = 0; k <= reach; k++) {
        weights[k] = expf(-0.5f * (float)(k * k) / (pixels * pixels));
        sum += k ? 2 * weights[k] : weights[k];
    }
    for (int k = 0; k <= reach; k++)
        weights[k] /= sum;
    phantom_plane other = phantom_plane_make(size);
    blur_lines(plane->at, other.at, size, weights, reach, 1, size);
    blur_lines(other.at, plane->at, size, weights, reach, size, 1);
    phantom_plane_free(&other);
    cmus_free(weights);
}

void phantom_spot(phantom_plane *plane, float x, float y, float sigma, float height) {
    int size = plane->size;
    float side = (float)size, least = 0.5f / side;
    if (sigma < least) {
        height *= sigma * sigma / (least * least);
        sigma = least;
    }
    float reach = 3 * sigma;
    int left = (int)fmaxf(0, floorf((x - reach) * side)), right = (int)fminf(side - 1, ceilf((x + reach) * side));
    int top = (int)fmaxf(0, floorf((y - reach) * side)), bottom = (int)fminf(side - 1, ceilf((y + reach) * side));
    for (int row = top; row <= bottom; row++)
        for (int column = left; column <= right; column++) {
            float dx = ((float)column + 0.5f) / side - x, dy = ((float)row + 0.5f) / side - y;
            plane->at[row * size + column] += height * expf(-0.5f * (dx * dx + dy * dy) / (sigma * sigma));
        }
}
