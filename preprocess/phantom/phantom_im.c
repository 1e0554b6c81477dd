/* IM: granular green fluorescence on a dark ground, along capillary loops, in the mesangium, or both. */
#include <math.h>
#include <string.h>

#include "cmus/memory.h"
#include "phantom.h"

static const float TAU = 6.2831853f;
static const float GRANULES = 900;                               /* in a case of average amount */
static const float GRANULE_LOW = 0.0045f, GRANULE_HIGH = 0.008f; /* sigma */
static const float ACTIVE_LOW = 0.65f, ACTIVE_HIGH = 0.95f;      /* part of the loops or branches that is stained */
static const float FADED_SIGNAL = 0.05f, UNFOCUSED_SIGMA = 0.06f;
static const float STALK = 0.052f;

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

/* The camera: green light with a little of the other colours, exposure, noise. */
static void expose(const phantom_plane *signal, const phantom_plane *ground, phantom_picture *picture,
                   cmus_random *random) {
    int size = picture->size, count = size * size;
    float gain = expf(phantom_between(random, -0.6f, 0.35f)), red = phantom_between(random, 0.02f, 0.14f),
          blue = phantom_between(random, 0.02f, 0.16f), noise = phantom_between(random, 0.008f, 0.03f);
    phantom_plane grain = phantom_plane_make(size);
    phantom_grain(&grain, noise, random);
    for (int i = 0; i < count; i++) {
        float light = signal->at[i] * gain, green = 1 - expf(-1.3f * light);
        float base = ground->at[i] + grain.at[i] * (0.4f + green);
        picture->pixels[i] = phantom_clamp(red * green + 0.35f * base + 0.3f * green * green * green, 0, 1);
        picture->pixels[count + i] = phantom_clamp(green + base, 0, 1);
        picture->pixels[2 * count + i] = phantom_clamp(blue * green + 0.30f * base, 0, 1);
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
    int mesangial = (int)lround(plan->mesangial * granules);
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
    phantom_blur(&glow, 0.02f);
    add_plane(signal, &glow, 0.35f);
    draw_ground(&tuft, &ground, &random);
    expose(signal, &ground, picture, &random);
    phantom_plane_free(&mesangium);
    phantom_plane_free(&loops);
    phantom_plane_free(&ground);
    phantom_plane_free(&glow);
}
