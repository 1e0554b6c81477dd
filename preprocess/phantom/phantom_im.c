/* IM: granular green fluorescence on a dark ground, along capillary loops, in the mesangium, or both. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/memory.h"
#include "phantom.h"

static const float TAU = 6.2831853f;
static const float GRANULES = 1300;                              /* in a case of average amount */
static const float GRANULE_LOW = 0.0045f, GRANULE_HIGH = 0.008f; /* sigma */
static const float ACTIVE_LOW = 0.75f, ACTIVE_HIGH = 0.95f;      /* part of the loops or branches that is stained */
static const float FADED_SIGNAL = 0.012f, UNFOCUSED_SIGMA = 0.05f;
static const double LOOP_WEIGHT = 0.64; /* stain that a loop takes for the same amount, against the mesangium */
static const float STALK = 0.050f;

/* Places of granules: each piece (loop or branch) has its share of them, 0 if it is spared. */
typedef struct pieces {
    int count;
    float share[PHANTOM_MAX_LOOPS > PHANTOM_MAX_BRANCHES ? PHANTOM_MAX_LOOPS : PHANTOM_MAX_BRANCHES];
} pieces;

static void choose_active(pieces *chosen, cmus_random *random) {
    float active = phantom_between(random, ACTIVE_LOW, ACTIVE_HIGH), sum = 0;
    for (int i = 0; i < chosen->count; i++) {
        if (phantom_between(random, 0, 1) > active && i > 0)
            chosen->share[i] *= 0.1f;
        chosen->share[i] *= phantom_between(random, 0.6f, 1.4f);
        sum += chosen->share[i];
    }
    for (int i = 0; i < chosen->count; i++)
        chosen->share[i] /= sum;
}

static int choose_piece(const pieces *chosen, cmus_random *random) {
    float place = phantom_between(random, 0, 1);
    int i = 0;
    while (i < chosen->count - 1 && place >= chosen->share[i])
        place -= chosen->share[i++];
    return i;
}

static void add_granule(phantom_plane *plane, float x, float y, cmus_random *random) {
    float height = 0.35f * expf(0.45f * phantom_normal(random));
    phantom_spot(plane, x, y, phantom_between(random, GRANULE_LOW, GRANULE_HIGH), height);
}

/* On the outlines of the loops. */
static void stain_loops(const phantom_tuft *tuft, int granules, phantom_plane *plane, cmus_random *random) {
    pieces chosen = {.count = tuft->loops};
    for (int i = 0; i < tuft->loops; i++)
        chosen.share[i] = tuft->loop[i].radius;
    choose_active(&chosen, random);
    for (int k = 0; k < granules; k++) {
        const phantom_blob *loop = &tuft->loop[choose_piece(&chosen, random)];
        float angle = phantom_between(random, 0, TAU), ux = cosf(angle), uy = sinf(angle);
        float radius = phantom_blob_radius(loop, ux, uy) + 0.0045f * phantom_normal(random);
        add_granule(plane, loop->x + radius * ux, loop->y + radius * uy, random);
    }
}

/* Within the branches of the mesangium. */
static void stain_mesangium(const phantom_tuft *tuft, int granules, phantom_plane *plane, cmus_random *random) {
    pieces chosen = {.count = tuft->branches};
    for (int i = 0; i < tuft->branches; i++) {
        const phantom_branch *branch = &tuft->branch[i];
        chosen.share[i] = branch->width * hypotf(branch->x1 - branch->x0, branch->y1 - branch->y0);
    }
    choose_active(&chosen, random);
    for (int k = 0; k < granules; k++) {
        const phantom_branch *branch = &tuft->branch[choose_piece(&chosen, random)];
        float along = phantom_between(random, -0.03f, 1.03f), aside = 0.36f * branch->width;
        float x = phantom_mix(branch->x0, branch->x1, along) + aside * phantom_normal(random);
        float y = phantom_mix(branch->y0, branch->y1, along) + aside * phantom_normal(random);
        add_granule(plane, x, y, random);
    }
}

static void mark(const phantom_plane *mesangium, const phantom_plane *loops, uint8_t *mask) {
    const float least = 0.15f;
    for (int i = 0; i < mesangium->size * mesangium->size; i++)
        if (mesangium->at[i] > least || loops->at[i] > least)
            mask[i] = mesangium->at[i] > loops->at[i] ? PHANTOM_MASK_MESANGIUM : PHANTOM_MASK_GBM;
}

/* The tissue's own weak light: the tuft, tubules around it, haze. */
static void draw_ground(const phantom_tuft *tuft, phantom_plane *ground, cmus_random *random) {
    int size = ground->size;
    phantom_plane haze = phantom_plane_make(size), grains = phantom_plane_make(size);
    phantom_fractal(&haze, 4, 3, 0.5f, 0.6f, random);
    phantom_fractal(&grains, 30, 2, 0.6f, 0.8f, random);
    float tissue = phantom_between(random, 0.03f, 0.08f), around = phantom_between(random, 0.01f, 0.06f);
    for (int i = 0; i < size * size; i++) {
        float x = ((float)(i % size) + 0.5f) / (float)size, y = ((float)(i / size) + 0.5f) / (float)size;
        float distance = hypotf(x - tuft->x, y - tuft->y);
        float inside = phantom_cover(distance - tuft->radius, 0.03f);
        float outside = phantom_cover(tuft->capsule - distance, 0.02f);
        float light = 0.018f + inside * tissue * (1 + 0.5f * grains.at[i]) +
                      outside * around * (0.6f + 0.8f * haze.at[i] + 0.3f * grains.at[i]);
        float capsule = phantom_cover(fabsf(distance - tuft->capsule) - 0.004f, 0.008f);
        ground->at[i] = fmaxf(0, light + 0.5f * tissue * capsule + 0.012f * haze.at[i]);
    }
    phantom_plane_free(&haze);
    phantom_plane_free(&grains);
}

/* Bright granules of no meaning somewhere in the image, as every real section has. */
static void add_debris(phantom_plane *signal, cmus_random *random) {
    int count = 5 + (int)cmus_random_below(random, 25);
    for (int i = 0; i < count; i++)
        add_granule(signal, phantom_between(random, 0, 1), phantom_between(random, 0, 1), random);
}

static int compare_light(const void *a, const void *b) {
    float first = *(const float *)a, second = *(const float *)b;
    return (first > second) - (first < second);
}

/* Replaces each value by the part of the pixels that are darker, 0 ... 1. */
static void to_ranks(phantom_plane *light) {
    int count = light->size * light->size;
    float *sorted = cmus_allocate_raw((size_t)count, sizeof *sorted);
    memcpy(sorted, light->at, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, compare_light);
    for (int i = 0; i < count; i++) {
        int low = 0, high = count;
        while (low < high) {
            int middle = (low + high) / 2;
            if (sorted[middle] < light->at[i])
                low = middle + 1;
            else
                high = middle;
        }
        light->at[i] = (float)low / (float)count;
    }
    cmus_free(sorted);
}

/* The exposure. Loops and mesangium spread the same amount of stain over different areas, which colours would betray:
 * so each image gets a distribution of brightness that was drawn without regard to its class; only the places differ.
 */
static void expose(phantom_plane *light, float amount, cmus_random *random) {
    float stained = amount * phantom_between(random, 0.11f, 0.18f), dark = phantom_between(random, 0.02f, 0.05f);
    float tissue = phantom_between(random, 0.03f, 0.13f), top = phantom_between(random, 0.6f, 1.0f);
    float slope = phantom_between(random, 0.8f, 1.5f);
    to_ranks(light);
    for (int i = 0; i < light->size * light->size; i++) {
        float rank = light->at[i], bright = fmaxf(0, rank - 1 + stained) / stained;
        light->at[i] = dark + tissue * rank * rank + (top - dark - tissue) * powf(bright, slope);
    }
}

/* The camera: green light with a little of the other colours, noise. */
static void take_picture(const phantom_plane *light, phantom_picture *picture, cmus_random *random) {
    int size = picture->size, count = size * size;
    float red = phantom_between(random, 0.05f, 0.18f), blue = phantom_between(random, 0.05f, 0.2f);
    phantom_plane grain = phantom_plane_make(size);
    phantom_grain(&grain, phantom_between(random, 0.008f, 0.03f), random);
    for (int i = 0; i < count; i++) {
        float green = light->at[i], noise = grain.at[i] * (0.4f + green);
        picture->pixels[i] = phantom_clamp(red * green + 0.3f * green * green * green * green + 0.3f * noise, 0, 1);
        picture->pixels[count + i] = phantom_clamp(green + noise, 0, 1);
        picture->pixels[2 * count + i] = phantom_clamp(blue * green + 0.3f * noise, 0, 1);
    }
    phantom_plane_free(&grain);
}

static void add_plane(phantom_plane *sum, const phantom_plane *term, float weight) {
    for (int i = 0; i < sum->size * sum->size; i++)
        sum->at[i] += weight * term->at[i];
}

void phantom_draw_im(const phantom_options *options, const phantom_case *plan, phantom_picture *picture) {
    cmus_random random = cmus_random_begin(options->seed, "phantom im", &plan->index, 1);
    int size = picture->size;
    phantom_tuft tuft = phantom_tuft_make(phantom_between(&random, 0.40f, 0.46f), STALK, &random);
    phantom_plane mesangium = phantom_plane_make(size), loops = phantom_plane_make(size),
                  ground = phantom_plane_make(size), glow = phantom_plane_make(size);
    int granules = (int)(GRANULES * (float)plan->amount * phantom_between(&random, 0.8f, 1.2f));
    /* What has faded or is out of focus tells nothing of the place: it is drawn alike for all classes. */
    double part = plan->im == PHANTOM_GOOD ? plan->mesangial : 0.5;
    /* Loops are longer than branches: the same granules would show less there. */
    double on_branches = part * (1 - LOOP_WEIGHT), on_loops = (1 - part) * LOOP_WEIGHT;
    int mesangial = (int)lround(on_branches / (on_branches + on_loops) * granules);
    stain_mesangium(&tuft, mesangial, &mesangium, &random);
    stain_loops(&tuft, granules - mesangial, &loops, &random);
    memset(picture->mask, PHANTOM_MASK_NONE, (size_t)size * (size_t)size);
    if (plan->im == PHANTOM_GOOD)
        mark(&mesangium, &loops, picture->mask);
    add_plane(&loops, &mesangium, 1);
    phantom_plane *signal = &loops;
    phantom_blur(signal, plan->im == PHANTOM_UNFOCUSED ? UNFOCUSED_SIGMA : phantom_between(&random, 0.001f, 0.005f));
    if (plan->im == PHANTOM_FADED)
        for (int i = 0; i < size * size; i++)
            signal->at[i] *= FADED_SIGNAL;
    add_debris(signal, &random);
    add_plane(&glow, signal, 1);
    phantom_blur(&glow, 0.015f);
    add_plane(signal, &glow, 0.6f);
    draw_ground(&tuft, &ground, &random);
    add_plane(signal, &ground, 1);
    if (plan->im != PHANTOM_FADED)
        expose(signal, (float)plan->amount, &random);
    take_picture(signal, picture, &random);
    phantom_plane_free(&mesangium);
    phantom_plane_free(&loops);
    phantom_plane_free(&ground);
    phantom_plane_free(&glow);
}
