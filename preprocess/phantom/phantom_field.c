/* The part of a lobule that a TEM image shows, and the places of the immune deposits in it. */
#include <math.h>

#include "phantom.h"

static const float PI = 3.14159265f;
static const float ENDOTHELIUM = 0.024f;
/* Half axes of a deposit: about 8 by 5 pixels at a side of 96. */
static const float ALONG_LOW = 0.036f, ALONG_HIGH = 0.048f, ACROSS_LOW = 0.025f, ACROSS_HIGH = 0.031f;

static void add_loop(phantom_field *field, float x, float y, float radius, cmus_random *random) {
    field->loop[field->loops++] = phantom_blob_make(x, y, radius, 0.07f, random);
}

/* Mesangium in the middle, two loops beside it. */
static void make_whole(phantom_field *field, cmus_random *random) {
    float zoom = phantom_between(random, 0.9f, 1.08f), radius = zoom * phantom_between(random, 0.225f, 0.27f);
    float x = phantom_between(random, 0.44f, 0.56f), y = phantom_between(random, 0.44f, 0.56f);
    field->mesangium = phantom_blob_make(x, y, radius, 0.08f, random);
    float angle = phantom_between(random, 0, 2 * PI), apart = phantom_between(random, 0.62f * PI, 1.38f * PI);
    for (int i = 0; i < 2; i++, angle += apart) {
        float size = zoom * phantom_between(random, 0.18f, 0.235f), reach = radius * 0.72f + size * 0.75f;
        add_loop(field, x + reach * cosf(angle), y + reach * sinf(angle), size, random);
    }
}

/* One loop, and sometimes the rim of another. */
static void make_loop(phantom_field *field, cmus_random *random) {
    float angle = phantom_between(random, 0, 2 * PI), radius = phantom_between(random, 0.24f, 0.33f);
    float shift = phantom_between(random, 0, 0.12f);
    add_loop(field, 0.5f + shift * cosf(angle), 0.5f + shift * sinf(angle), radius, random);
    if (cmus_random_uniform(random) < 0.5) {
        float far = shift - radius - phantom_between(random, 0.30f, 0.36f);
        add_loop(field, 0.5f + far * cosf(angle), 0.5f + far * sinf(angle), 0.2f, random);
    }
}

/* Mesangium all over, with one or two lumens at the edge. */
static void make_mesangium(phantom_field *field, cmus_random *random) {
    field->has_membrane = false;
    field->mesangium = phantom_blob_make(0.5f, 0.5f, 2, 0, random);
    float angle = phantom_between(random, 0, 2 * PI);
    int lumens = 1 + (int)cmus_random_below(random, 2);
    for (int i = 0; i < lumens; i++, angle += phantom_between(random, 0.7f * PI, 1.3f * PI)) {
        float reach = phantom_between(random, 0.38f, 0.5f);
        add_loop(field, 0.5f + reach * cosf(angle), 0.5f + reach * sinf(angle), phantom_between(random, 0.15f, 0.22f),
                 random);
    }
}

phantom_field phantom_field_make(phantom_quality quality, cmus_random *random) {
    phantom_field field = {.has_membrane = true, .has_mesangium = quality != PHANTOM_LOOP_ONLY};
    field.membrane = phantom_between(random, 0.052f, 0.064f);
    if (quality == PHANTOM_LOOP_ONLY)
        make_loop(&field, random);
    else if (quality == PHANTOM_MESANGIUM_ONLY)
        make_mesangium(&field, random);
    else
        make_whole(&field, random);
    return field;
}

static float smooth_minimum(float a, float b) {
    const float reach = 0.10f; /* fills the necks between loops and mesangium */
    float part = phantom_clamp(0.5f + 0.5f * (b - a) / reach, 0, 1);
    return phantom_mix(b, a, part) - reach * part * (1 - part);
}

phantom_place phantom_field_place(const phantom_field *field, float x, float y) {
    phantom_place place = {.outline = field->has_membrane ? 9 : -1, .lumen = 9, .mesangium = 9};
    if (field->has_mesangium)
        place.mesangium = phantom_blob_distance(&field->mesangium, x, y);
    if (field->has_mesangium && field->has_membrane)
        place.outline = place.mesangium;
    float inset = ENDOTHELIUM + (field->has_membrane ? field->membrane : 0);
    for (int i = 0; i < field->loops; i++) {
        float loop = phantom_blob_distance(&field->loop[i], x, y), lumen = loop + inset;
        if (field->has_membrane) {
            place.outline = smooth_minimum(place.outline, loop);
            lumen = fmaxf(lumen, -place.mesangium);
        }
        if (lumen < place.lumen) {
            place.lumen = lumen;
            place.nearest = i;
        }
    }
    return place;
}

/* Moves the point onto the outer side of the membrane and returns the outward normal there. */
static void to_outline(const phantom_field *field, float *x, float *y, float *nx, float *ny) {
    const float step = 0.004f;
    for (int i = 0; i < 6; i++) {
        float here = phantom_field_place(field, *x, *y).outline;
        float gx = (phantom_field_place(field, *x + step, *y).outline - here) / step;
        float gy = (phantom_field_place(field, *x, *y + step).outline - here) / step;
        float length = sqrtf(gx * gx + gy * gy) + 1e-6f;
        *nx = gx / length;
        *ny = gy / length;
        *x -= here * *nx;
        *y -= here * *ny;
    }
}

static bool is_apart(const phantom_ellipse *deposit, const phantom_ellipse *others, int count) {
    for (int i = 0; i < count; i++) {
        float dx = deposit->x - others[i].x, dy = deposit->y - others[i].y,
              least = 0.85f * (deposit->along + others[i].along);
        if (dx * dx + dy * dy < least * least)
            return false;
    }
    return deposit->x > 0.03f && deposit->x < 0.97f && deposit->y > 0.03f && deposit->y < 0.97f;
}

static phantom_ellipse draw_deposit(cmus_random *random) {
    phantom_ellipse deposit = {.x = phantom_between(random, 0, 1), .y = phantom_between(random, 0, 1)};
    deposit.along = phantom_between(random, ALONG_LOW, ALONG_HIGH);
    deposit.across = phantom_between(random, ACROSS_LOW, ACROSS_HIGH);
    float angle = phantom_between(random, 0, PI);
    deposit.cosine = cosf(angle);
    deposit.sine = sinf(angle);
    return deposit;
}

/* Inside the mesangium, clear of lumens and membrane. */
static bool fits_mesangium(const phantom_field *field, const phantom_ellipse *deposit) {
    phantom_place place = phantom_field_place(field, deposit->x, deposit->y);
    return place.mesangium < 0.02f && place.lumen > deposit->across + 0.012f &&
           place.outline < -field->membrane - deposit->across;
}

/* Lays it on the outer side of a loop's membrane, partly sunk into it; false where the mesangium is near. */
static bool fits_membrane(const phantom_field *field, phantom_ellipse *deposit) {
    float nx, ny;
    to_outline(field, &deposit->x, &deposit->y, &nx, &ny);
    deposit->cosine = -ny;
    deposit->sine = nx;
    deposit->x += 0.1f * deposit->across * nx;
    deposit->y += 0.1f * deposit->across * ny;
    phantom_place place = phantom_field_place(field, deposit->x, deposit->y);
    return fabsf(place.outline) < 0.3f * deposit->across && place.mesangium > 0.06f && place.lumen < 0.16f;
}

int phantom_deposits_make(const phantom_field *field, int mesangial, int epithelial, cmus_random *random,
                          phantom_ellipse *deposits, int *in_mesangium) {
    const int tries = 600;
    int count = 0;
    if (mesangial > PHANTOM_MAX_DEPOSITS / 2)
        mesangial = PHANTOM_MAX_DEPOSITS / 2;
    if (epithelial > PHANTOM_MAX_DEPOSITS / 2)
        epithelial = PHANTOM_MAX_DEPOSITS / 2;
    for (int i = 0; i < tries && field->has_mesangium && count < mesangial; i++) {
        deposits[count] = draw_deposit(random);
        count += fits_mesangium(field, &deposits[count]) && is_apart(&deposits[count], deposits, count);
    }
    *in_mesangium = count;
    for (int i = 0; i < tries && field->has_membrane && count < *in_mesangium + epithelial; i++) {
        deposits[count] = draw_deposit(random);
        count += fits_membrane(field, &deposits[count]) && is_apart(&deposits[count], deposits, count);
    }
    return count;
}
