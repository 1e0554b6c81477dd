/* TEM: gray electron micrographs of capillary loops, basement membrane, podocytes and mesangium, with dark deposits. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "phantom.h"

/* Gray values before contrast and brightness; nothing but deposits is darker than DARKEST. */
static const float LIGHT = 0.90f, SPACE = 0.86f, MEMBRANE = 0.64f, MATRIX = 0.66f, FOOT = 0.50f, CYTOPLASM = 0.62f,
                   DARKEST = 0.42f, DEPOSIT = 0.10f;
static const float DEPOSITS_LOW = 6.0f, DEPOSITS_HIGH = 8.5f; /* in a field of a case of average amount */
static const float UNFOCUSED_SIGMA = 0.05f;

/* What fills the tissue; all in [size][size]. */
typedef struct texture {
    phantom_plane fine, fibres, feet;
    phantom_plane shift_x, shift_y; /* where the drawn tissue lies off its plain geometry */
} texture;

enum { PODOCYTES = 3 };

typedef struct cells {
    phantom_blob podocyte[PODOCYTES], podocyte_nucleus[PODOCYTES], mesangial, endothelial, red_cell;
    bool has_red_cell;
    float feet_period;
} cells;

static texture make_texture(int size, cmus_random *random) {
    texture made = {phantom_plane_make(size), phantom_plane_make(size), phantom_plane_make(size),
                    phantom_plane_make(size), phantom_plane_make(size)};
    phantom_fractal(&made.fine, 34, 2, 0.6f, 0.8f, random);
    phantom_fractal(&made.fibres, 9, 3, 0.6f, 0.7f, random);
    phantom_fractal(&made.feet, 9, 3, 1, 0.7f, random);
    phantom_fractal(&made.shift_x, 3, 4, 0.022f, 0.5f, random);
    phantom_fractal(&made.shift_y, 3, 4, 0.022f, 0.5f, random);
    return made;
}

static void free_texture(texture *made) {
    phantom_plane_free(&made->fine);
    phantom_plane_free(&made->fibres);
    phantom_plane_free(&made->feet);
    phantom_plane_free(&made->shift_x);
    phantom_plane_free(&made->shift_y);
}

/* Podocyte bodies lie outside the membrane, near it where there is room. */
static void place_podocytes(const phantom_field *field, cells *made, cmus_random *random) {
    for (int i = 0; i < PODOCYTES; i++) {
        float x = 0, y = 0;
        for (int try = 0; try < 40; try++) {
            x = phantom_between(random, -0.05f, 1.05f);
            y = phantom_between(random, -0.05f, 1.05f);
            float distance = phantom_field_place(field, x, y).outline;
            if (distance > 0.13f && distance < 0.26f)
                break;
        }
        made->podocyte[i] = phantom_blob_make(x, y, phantom_between(random, 0.13f, 0.22f), 0.25f, random);
        made->podocyte_nucleus[i] = phantom_blob_make(x, y, phantom_between(random, 0.07f, 0.11f), 0.15f, random);
    }
}

/* A mesangial cell, an endothelial nucleus on the mesangial side of a loop, and sometimes a red cell. */
static cells make_cells(const phantom_field *field, cmus_random *random) {
    cells made = {.feet_period = phantom_between(random, 0.03f, 0.045f)};
    place_podocytes(field, &made, random);
    const phantom_blob *mesangium = &field->mesangium, *loop = &field->loop[0], *last = &field->loop[field->loops - 1];
    float spread = field->has_membrane ? 0.35f * mesangium->radius : 0.2f;
    made.mesangial = phantom_blob_make(mesangium->x + phantom_between(random, -spread, spread),
                                       mesangium->y + phantom_between(random, -spread, spread),
                                       phantom_between(random, 0.06f, 0.085f), 0.2f, random);
    float angle = field->has_membrane && field->has_mesangium ? atan2f(mesangium->y - last->y, mesangium->x - last->x)
                                                              : phantom_between(random, 0, 6.2831853f);
    float reach = (field->has_membrane && field->has_mesangium ? 0.35f : 0.6f) * last->radius;
    made.endothelial = phantom_blob_make(last->x + reach * cosf(angle), last->y + reach * sinf(angle),
                                         phantom_between(random, 0.04f, 0.065f), 0.3f, random);
    made.has_red_cell = cmus_random_uniform(random) < 0.3;
    made.red_cell = phantom_blob_make(loop->x + phantom_between(random, -0.05f, 0.05f),
                                      loop->y + phantom_between(random, -0.05f, 0.05f),
                                      phantom_between(random, 0.05f, 0.08f), 0.25f, random);
    return made;
}

/* Chromatin: clumps within, a darker rim. */
static float nucleus_tone(float distance, float clumps) {
    float tone = CYTOPLASM + 0.04f - 0.13f * phantom_cover(0.15f - clumps, 0.15f);
    return phantom_mix(tone, DARKEST + 0.03f, phantom_cover(fabsf(distance + 0.008f) - 0.006f, 0.005f));
}

/* Urinary space with podocytes: bodies away from the membrane, foot processes on it. */
static float outside_tone(const phantom_field *field, const cells *made, const phantom_place *place, float x, float y,
                          float fine, float feet) {
    float tone = SPACE + 0.02f * fine;
    for (int i = 0; i < PODOCYTES; i++) {
        float body = fmaxf(phantom_blob_distance(&made->podocyte[i], x, y), 0.055f - place->outline) + 0.015f * feet;
        float nucleus = fmaxf(phantom_blob_distance(&made->podocyte_nucleus[i], x, y), 0.085f - place->outline);
        tone = phantom_mix(tone, CYTOPLASM + 0.07f * fine, phantom_cover(body, 0.006f));
        tone = phantom_mix(tone, nucleus_tone(nucleus, fine), phantom_cover(nucleus, 0.004f));
    }
    if (place->outline > 0.06f)
        return tone;
    const phantom_blob *loop = &field->loop[place->nearest];
    float arc = atan2f(y - loop->y, x - loop->x) * loop->radius / made->feet_period;
    float gap = sinf(6.2831853f * arc + 2.6f * feet), height = 0.020f + 0.016f * feet;
    float cover = phantom_cover(place->outline - height, 0.006f) * phantom_cover(-0.3f - gap, 0.35f);
    return phantom_mix(tone, FOOT + 0.05f * fine, cover);
}

/* Endothelium with its pores, then the lumen with specks of plasma, a nucleus and sometimes a red cell. */
static float lumen_tone(const cells *made, const phantom_field *field, const phantom_place *place, float x, float y,
                        float tone, float fine, float fibres) {
    float wall = phantom_cover(place->lumen - 0.013f, 0.004f) * phantom_cover(-0.5f - fine - fibres, 0.2f);
    tone = phantom_mix(tone, FOOT + 0.03f * fine, wall);
    float plasma = LIGHT - 0.07f * phantom_cover(0.5f - fine, 0.3f);
    if (made->has_red_cell && place->nearest == 0) {
        float red = fmaxf(phantom_blob_distance(&made->red_cell, x, y), place->lumen + 0.02f);
        plasma = phantom_mix(plasma, DARKEST, phantom_cover(red, 0.005f));
    }
    if (place->nearest == field->loops - 1) {
        float nucleus = fmaxf(phantom_blob_distance(&made->endothelial, x, y), place->lumen - 0.006f);
        plasma = phantom_mix(plasma, CYTOPLASM - 0.04f + 0.05f * fine, phantom_cover(nucleus - 0.014f, 0.005f));
        plasma = phantom_mix(plasma, nucleus_tone(nucleus, fine), phantom_cover(nucleus, 0.004f));
    }
    return phantom_mix(tone, plasma, phantom_cover(place->lumen + 0.003f * fibres, 0.005f));
}

/* Mesangial matrix with its cell, capillaries. */
static float inside_tone(const phantom_field *field, const cells *made, const phantom_place *place, float x, float y,
                         float fine, float fibres) {
    float tone = MATRIX + 0.11f * fibres + 0.04f * fine;
    if (field->has_mesangium) {
        float nucleus = fmaxf(phantom_blob_distance(&made->mesangial, x, y), 0.02f - place->lumen);
        tone = phantom_mix(tone, CYTOPLASM + 0.06f * fine, phantom_cover(nucleus - 0.025f - 0.02f * fibres, 0.008f));
        tone = phantom_mix(tone, nucleus_tone(nucleus, fine), phantom_cover(nucleus, 0.004f));
    }
    return place->lumen < 0.03f ? lumen_tone(made, field, place, x, y, tone, fine, fibres) : tone;
}

static void draw_tissue(const phantom_field *field, const texture *made, phantom_plane *tone, cmus_random *random) {
    int size = tone->size;
    cells others = make_cells(field, random);
    for (int i = 0; i < size * size; i++) {
        float x = ((float)(i % size) + 0.5f) / (float)size + made->shift_x.at[i];
        float y = ((float)(i / size) + 0.5f) / (float)size + made->shift_y.at[i];
        phantom_place place = phantom_field_place(field, x, y);
        float fine = made->fine.at[i], fibres = made->fibres.at[i];
        float value = place.outline > 0 ? outside_tone(field, &others, &place, x, y, fine, made->feet.at[i])
                                        : inside_tone(field, &others, &place, x, y, fine, fibres);
        float membrane = fmaxf(place.outline, -place.outline - field->membrane);
        if (field->has_membrane)
            value = phantom_mix(value, MEMBRANE + 0.02f * fine, phantom_cover(membrane, 0.004f));
        tone->at[i] = value;
    }
}

/* Compartments of an image that are free of deposits. Drawn from a stream of their own, so that they change nothing
 * else. */
typedef struct spared_places {
    bool mesangium, membrane;
} spared_places;

static spared_places draw_spared(const phantom_options *options, const uint64_t ids[2]) {
    cmus_random random = cmus_random_begin(options->seed, "phantom spared", ids, 2);
    bool mesangium = cmus_random_uniform(&random) < options->tem_spared;
    return (spared_places){mesangium, cmus_random_uniform(&random) < options->tem_spared};
}

/* How many deposits go where. A field that shows one place only has all that it can show there. */
static void draw_deposits(const phantom_case *plan, phantom_quality quality, spared_places spared,
                          const phantom_field *field, const texture *made, phantom_plane *tone, uint8_t *mask,
                          cmus_random *random) {
    int total = (int)lroundf((float)plan->amount * phantom_between(random, DEPOSITS_LOW, DEPOSITS_HIGH));
    int mesangial = (int)lround(plan->mesangial * total), epithelial = total - mesangial;
    if (quality == PHANTOM_LOOP_ONLY)
        epithelial = epithelial ? total : 0;
    if (quality == PHANTOM_MESANGIUM_ONLY)
        mesangial = mesangial ? total : 0;
    mesangial = spared.mesangium ? 0 : mesangial;
    epithelial = spared.membrane ? 0 : epithelial;
    phantom_ellipse deposits[PHANTOM_MAX_DEPOSITS];
    int in_mesangium, count = phantom_deposits_make(field, mesangial, epithelial, random, deposits, &in_mesangium);
    int size = tone->size;
    phantom_plane rough = phantom_plane_make(size);
    phantom_fractal(&rough, 20, 2, 0.006f, 0.6f, random);
    for (int i = 0; i < size * size; i++) {
        float x = ((float)(i % size) + 0.5f) / (float)size + made->shift_x.at[i];
        float y = ((float)(i / size) + 0.5f) / (float)size + made->shift_y.at[i];
        for (int k = 0; k < count; k++) {
            float distance = phantom_ellipse_distance(&deposits[k], x, y) + rough.at[i];
            if (distance > 0.02f)
                continue;
            tone->at[i] = phantom_mix(tone->at[i], DEPOSIT + 4 * rough.at[i], phantom_cover(distance, 0.006f));
            if (distance < 0)
                mask[i] = k < in_mesangium ? PHANTOM_MASK_MESANGIUM : PHANTOM_MASK_GBM;
        }
    }
    phantom_plane_free(&rough);
}

/* The microscope: focus, uneven beam, contrast, brightness, film grain. */
static void expose(phantom_plane *tone, float focus, cmus_random *random) {
    int size = tone->size;
    phantom_blur(tone, focus);
    float contrast = phantom_between(random, 0.72f, 1.1f), shift = phantom_between(random, -0.10f, 0.08f);
    float slope_x = phantom_between(random, -0.12f, 0.12f), slope_y = phantom_between(random, -0.12f, 0.12f);
    float gamma = phantom_between(random, 0.85f, 1.2f);
    for (int i = 0; i < size * size; i++) {
        float x = ((float)(i % size) + 0.5f) / (float)size - 0.5f, y = ((float)(i / size) + 0.5f) / (float)size - 0.5f;
        float value = 0.55f + (tone->at[i] - 0.55f) * contrast + shift + slope_x * x + slope_y * y;
        tone->at[i] = powf(phantom_clamp(value, 0, 1), gamma);
    }
    float grain = phantom_between(random, 0.012f, 0.05f);
    phantom_plane noise = phantom_plane_make(size);
    phantom_grain(&noise, grain, random);
    phantom_blur(&noise, 0.35f / (float)size);
    for (int i = 0; i < size * size; i++)
        tone->at[i] = phantom_clamp(tone->at[i] + noise.at[i], 0, 1);
    phantom_plane_free(&noise);
}

void phantom_draw_tem(const phantom_options *options, const phantom_case *plan, int number, phantom_picture *picture) {
    uint64_t ids[2] = {plan->index, (uint64_t)number};
    cmus_random random = cmus_random_begin(options->seed, "phantom tem", ids, 2);
    phantom_quality quality = plan->tem[number];
    phantom_plane tone = {picture->size, picture->pixels};
    memset(picture->mask, PHANTOM_MASK_NONE, (size_t)picture->size * (size_t)picture->size);
    memset(picture->pixels, 0, (size_t)picture->size * (size_t)picture->size * sizeof(float));
    if (quality == PHANTOM_NO_MEMBRANE || quality == PHANTOM_GRID_BAR) {
        phantom_draw_cell(&tone, &random);
        if (quality == PHANTOM_GRID_BAR)
            phantom_draw_bar(&tone, &random);
    } else {
        phantom_field field = phantom_field_make(quality, &random);
        texture made = make_texture(picture->size, &random);
        draw_tissue(&field, &made, &tone, &random);
        if (quality != PHANTOM_UNFOCUSED) /* no place can be told there: none is drawn or marked */
            draw_deposits(plan, quality, draw_spared(options, ids), &field, &made, &tone, picture->mask, &random);
        free_texture(&made);
    }
    float focus = phantom_between(&random, 0.001f, 0.005f);
    expose(&tone, quality == PHANTOM_UNFOCUSED ? UNFOCUSED_SIGMA : focus, &random);
}
