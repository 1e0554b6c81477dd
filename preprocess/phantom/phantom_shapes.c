/* Shapes by their signed distance, and the tuft that OM and IM share. */
#include <math.h>

#include "phantom.h"

static const float PI = 3.14159265f;

phantom_blob phantom_blob_make(float x, float y, float radius, float wobble, cmus_random *random) {
    phantom_blob blob = {.x = x, .y = y, .radius = radius};
    blob.c2 = wobble * phantom_between(random, -1, 1);
    blob.s2 = wobble * phantom_between(random, -1, 1);
    blob.c3 = 0.5f * wobble * phantom_between(random, -1, 1);
    blob.s3 = 0.5f * wobble * phantom_between(random, -1, 1);
    return blob;
}

float phantom_blob_radius(const phantom_blob *blob, float ux, float uy) {
    float cos2 = ux * ux - uy * uy, sin2 = 2 * ux * uy;
    float cos3 = cos2 * ux - sin2 * uy, sin3 = sin2 * ux + cos2 * uy;
    return blob->radius * (1 + blob->c2 * cos2 + blob->s2 * sin2 + blob->c3 * cos3 + blob->s3 * sin3);
}

float phantom_blob_distance(const phantom_blob *blob, float x, float y) {
    float dx = x - blob->x, dy = y - blob->y, distance = sqrtf(dx * dx + dy * dy);
    if (distance < 1e-6f)
        return -blob->radius;
    return distance - phantom_blob_radius(blob, dx / distance, dy / distance);
}

float phantom_branch_distance(const phantom_branch *branch, float x, float y) {
    float ax = branch->x1 - branch->x0, ay = branch->y1 - branch->y0, px = x - branch->x0, py = y - branch->y0;
    float along = phantom_clamp((px * ax + py * ay) / (ax * ax + ay * ay + 1e-9f), 0, 1);
    float dx = px - along * ax, dy = py - along * ay;
    return sqrtf(dx * dx + dy * dy) - 0.5f * branch->width;
}

float phantom_ellipse_distance(const phantom_ellipse *ellipse, float x, float y) {
    float dx = x - ellipse->x, dy = y - ellipse->y;
    float u = (dx * ellipse->cosine + dy * ellipse->sine) / ellipse->along;
    float v = (dy * ellipse->cosine - dx * ellipse->sine) / ellipse->across;
    return (sqrtf(u * u + v * v) - 1) * ellipse->across;
}

float phantom_tuft_loop_distance(const phantom_tuft *tuft, float x, float y) {
    float nearest = 9;
    for (int i = 0; i < tuft->loops; i++)
        nearest = fminf(nearest, phantom_blob_distance(&tuft->loop[i], x, y));
    return nearest;
}

float phantom_tuft_branch_distance(const phantom_tuft *tuft, float x, float y) {
    float nearest = 9;
    for (int i = 0; i < tuft->branches; i++)
        nearest = fminf(nearest, phantom_branch_distance(&tuft->branch[i], x, y));
    return nearest;
}

/* Adds a stretch of mesangium and returns its end in *x, *y. */
static void grow_branch(phantom_tuft *tuft, float *x, float *y, float angle, float length, float width) {
    if (tuft->branches == PHANTOM_MAX_BRANCHES)
        return;
    float x1 = *x + length * cosf(angle), y1 = *y + length * sinf(angle);
    tuft->branch[tuft->branches++] = (phantom_branch){*x, *y, x1, y1, width};
    *x = x1;
    *y = y1;
}

/* An arm of two pieces with a bend, and a fork at its end. */
static void grow_arm(phantom_tuft *tuft, float x, float y, float angle, float width, cmus_random *random) {
    float length = tuft->radius * phantom_between(random, 0.20f, 0.27f);
    grow_branch(tuft, &x, &y, angle, length, width * 0.9f);
    angle += phantom_between(random, -0.6f, 0.6f);
    grow_branch(tuft, &x, &y, angle, length * phantom_between(random, 0.7f, 1.0f), width * 0.8f);
    for (int side = -1; side <= 1; side += 2) {
        float fx = x, fy = y, spread = (float)side * phantom_between(random, 0.4f, 0.9f);
        grow_branch(tuft, &fx, &fy, angle + spread, tuft->radius * phantom_between(random, 0.14f, 0.32f),
                    width * 0.65f);
    }
}

/* A stalk from the vascular pole and four or five arms from its end. */
static void grow_mesangium(phantom_tuft *tuft, float width, cmus_random *random) {
    float pole = phantom_between(random, 0, 2 * PI), x = tuft->x + 0.95f * tuft->radius * cosf(pole),
          y = tuft->y + 0.95f * tuft->radius * sinf(pole);
    grow_branch(tuft, &x, &y, pole + PI + phantom_between(random, -0.4f, 0.4f), tuft->radius * 0.45f, width);
    grow_branch(tuft, &x, &y, atan2f(tuft->y - y, tuft->x - x), tuft->radius * phantom_between(random, 0.3f, 0.5f),
                width);
    int arms = 4 + (int)cmus_random_below(random, 2);
    float fan = 1.6f * PI;
    for (int i = 0; i < arms; i++) {
        float angle = pole + PI - 0.5f * fan + fan * ((float)i + 0.5f) / (float)arms;
        grow_arm(tuft, x, y, angle + phantom_between(random, -0.2f, 0.2f), width, random);
    }
}

/* Loops where there is room for them: beside the mesangium, inside the tuft, beside each other. */
static void place_loops(phantom_tuft *tuft, cmus_random *random) {
    const int tries = 1500;
    for (int i = 0; i < tries && tuft->loops < PHANTOM_MAX_LOOPS; i++) {
        float left = 1 - (float)i / (float)tries, radius = tuft->radius * (0.10f + 0.11f * left);
        float angle = phantom_between(random, 0, 2 * PI);
        float reach = tuft->radius * sqrtf(phantom_between(random, 0, 1));
        float x = tuft->x + reach * cosf(angle), y = tuft->y + reach * sinf(angle);
        bool free_place = reach + radius < 1.05f * tuft->radius &&
                          phantom_tuft_branch_distance(tuft, x, y) > radius * 0.85f &&
                          phantom_tuft_loop_distance(tuft, x, y) > radius + 0.008f;
        if (free_place)
            tuft->loop[tuft->loops++] = phantom_blob_make(x, y, radius, 0.13f, random);
    }
}

phantom_tuft phantom_tuft_make(float radius, float width, cmus_random *random) {
    phantom_tuft tuft = {.x = phantom_between(random, 0.46f, 0.54f), .y = phantom_between(random, 0.46f, 0.54f)};
    tuft.radius = radius;
    tuft.capsule = tuft.radius * phantom_between(random, 1.09f, 1.18f);
    grow_mesangium(&tuft, width, random);
    place_loops(&tuft, random);
    return tuft;
}
