/* OM: a PAS- or silver-stained (PASM) glomerulus. Stains absorb light by Beer's law; the diagnosis shows weakly only.
 */
#include <math.h>
#include <string.h>

#include "cmus/memory.h"
#include "phantom.h"

static const float TAU = 6.2831853f;
static const float SILVER = 0.4f;         /* part of the cases that is stained by silver */
static const float FEATURE_SPREAD = 0.2f; /* relative standard deviation of thickness and width in any class */
enum { MAX_NUCLEI = 420, MAX_TUBULES = 24 };

/* Absorption of red, green and blue by one unit of a stain. */
typedef struct stain {
    float matrix[3], nuclei[3], cytoplasm[3];
} stain;

typedef struct tissue {
    phantom_tuft tuft;
    float wall, stalk; /* thickness of loop walls; width of the mesangial stalk */
    int nuclei, tubules;
    phantom_ellipse nucleus[MAX_NUCLEI];
    phantom_blob tubule[MAX_TUBULES];
} tissue;

/* Densities of the stains in a pixel. */
typedef struct density {
    float matrix, nuclei, cytoplasm;
} density;

static stain draw_stain(cmus_random *random) {
    static const float pas[3] = {0.42f, 1.25f, 0.68f}, silver[3] = {1.25f, 1.45f, 1.35f};
    static const float blue[3] = {1.25f, 1.05f, 0.50f}, pink[3] = {0.14f, 0.50f, 0.27f},
                       gray[3] = {0.22f, 0.42f, 0.34f};
    bool is_silver = phantom_between(random, 0, 1) < SILVER;
    float strength = expf(phantom_between(random, -0.35f, 0.35f));
    stain drawn;
    for (int c = 0; c < 3; c++) {
        drawn.matrix[c] = strength * (is_silver ? silver[c] : pas[c]) * expf(phantom_between(random, -0.15f, 0.15f));
        drawn.nuclei[c] = strength * blue[c] * expf(phantom_between(random, -0.15f, 0.15f));
        drawn.cytoplasm[c] = strength * (is_silver ? gray[c] : pink[c]) * expf(phantom_between(random, -0.2f, 0.2f));
    }
    return drawn;
}

static bool add_nucleus(tissue *made, float x, float y, float turn, cmus_random *random) {
    if (made->nuclei == MAX_NUCLEI)
        return false;
    phantom_ellipse nucleus = {.x = x, .y = y, .cosine = cosf(turn), .sine = sinf(turn)};
    nucleus.along = phantom_between(random, 0.012f, 0.020f);
    nucleus.across = nucleus.along * phantom_between(random, 0.55f, 0.9f);
    nucleus.tone = phantom_between(random, 0.7f, 1.15f);
    for (int i = 0; i < made->nuclei; i++)
        if (hypotf(made->nucleus[i].x - x, made->nucleus[i].y - y) < 0.024f)
            return false;
    made->nucleus[made->nuclei++] = nucleus;
    return true;
}

/* Tubules where they do not touch the capsule or each other, with nuclei in their walls. */
static void place_tubules(tissue *made, cmus_random *random) {
    const phantom_tuft *tuft = &made->tuft;
    for (int i = 0; i < 500 && made->tubules < MAX_TUBULES; i++) {
        float radius = phantom_between(random, 0.07f, 0.12f);
        float x = phantom_between(random, -0.08f, 1.08f), y = phantom_between(random, -0.08f, 1.08f);
        bool is_free = hypotf(x - tuft->x, y - tuft->y) > tuft->capsule + radius + 0.015f;
        for (int k = 0; k < made->tubules && is_free; k++)
            is_free = hypotf(x - made->tubule[k].x, y - made->tubule[k].y) > radius + made->tubule[k].radius + 0.008f;
        if (is_free)
            made->tubule[made->tubules++] = phantom_blob_make(x, y, radius, 0.08f, random);
    }
    for (int k = 0; k < made->tubules; k++) {
        int count = 5 + (int)cmus_random_below(random, 4);
        float begin = phantom_between(random, 0, TAU);
        for (int i = 0; i < count; i++) {
            float angle = begin + TAU * (float)i / (float)count + phantom_between(random, -0.3f, 0.3f);
            float reach = made->tubule[k].radius * 0.72f;
            add_nucleus(made, made->tubule[k].x + reach * cosf(angle), made->tubule[k].y + reach * sinf(angle), angle,
                        random);
        }
    }
}

/* Nuclei of the tuft lie outside the lumens, most of them near the mesangium. */
static void place_nuclei(tissue *made, float count, cmus_random *random) {
    const phantom_tuft *tuft = &made->tuft;
    int placed = 0;
    for (int i = 0; i < 2000 && placed < (int)count; i++) {
        float angle = phantom_between(random, 0, TAU), reach = tuft->radius * sqrtf(phantom_between(random, 0, 1.05f));
        float x = tuft->x + reach * cosf(angle), y = tuft->y + reach * sinf(angle);
        float lumen = phantom_tuft_loop_distance(tuft, x, y), stalk = phantom_tuft_branch_distance(tuft, x, y);
        if (lumen > -0.004f && (stalk < 0.02f || (lumen < 0.02f && phantom_between(random, 0, 1) < 0.5f)))
            placed += add_nucleus(made, x, y, phantom_between(random, 0, TAU), random);
    }
    int parietal = 6 + (int)cmus_random_below(random, 6);
    for (int i = 0; i < parietal; i++) {
        float angle = phantom_between(random, 0, TAU), reach = tuft->capsule - 0.008f;
        add_nucleus(made, tuft->x + reach * cosf(angle), tuft->y + reach * sinf(angle), angle + 0.25f * TAU, random);
    }
}

/* The weak cues: wider mesangium in IgAN, thicker walls in MN, more cells in LN, all within the spread of any class. */
static tissue draw_anatomy(const phantom_options *options, const phantom_case *plan, cmus_random *random) {
    float cue = (float)options->om_cue, place = (float)plan->mesangial - 0.5f;
    tissue made = {.nuclei = 0};
    made.stalk = 0.048f * expf(FEATURE_SPREAD * (phantom_normal(random) + cue * place));
    made.wall = 0.0085f * expf(FEATURE_SPREAD * (phantom_normal(random) - cue * place));
    float cells = 105 * expf(FEATURE_SPREAD * (phantom_normal(random) + cue * (0.25f - fabsf(place))));
    made.tuft = phantom_tuft_make(phantom_between(random, 0.35f, 0.41f), made.stalk, random);
    place_nuclei(&made, cells, random);
    place_tubules(&made, random);
    return made;
}

/* The tuft and the space around it. */
static density tuft_density(const tissue *made, float x, float y, float rough, float fibres) {
    float loop = phantom_tuft_loop_distance(&made->tuft, x, y), stalk = phantom_tuft_branch_distance(&made->tuft, x, y);
    float edge = fminf(loop - 0.022f, stalk - 0.028f) + 0.008f * rough;
    float body = phantom_cover(edge, 0.004f), lumen = phantom_cover(loop + 1.2f * made->wall + 0.006f * fibres, 0.006f);
    density drawn = {.cytoplasm = body * (1 - 0.8f * lumen) * (0.85f + 0.35f * fibres)};
    float wall = phantom_cover(fabsf(loop) - 0.5f * made->wall, 0.006f) * (0.75f + 0.4f * fibres);
    float rim = phantom_cover(fabsf(edge + 0.004f) - 0.002f, 0.005f) * 0.35f;
    float matrix = phantom_cover(stalk + 0.012f * rough, 0.012f) * (1 - lumen) * (0.6f + 0.45f * fibres);
    drawn.matrix = fmaxf(0.12f * body * (1 - lumen), fmaxf(fmaxf(wall * 0.85f, rim), matrix));
    return drawn;
}

/* Tubules in loose tissue. */
static density outer_density(const tissue *made, float x, float y, float rough, float fibres) {
    density drawn = {.matrix = 0.10f + 0.06f * fibres, .cytoplasm = 0.45f + 0.2f * rough};
    for (int k = 0; k < made->tubules; k++) {
        float d = phantom_blob_distance(&made->tubule[k], x, y);
        if (d > 0.02f)
            continue;
        float lumen = phantom_cover(d + made->tubule[k].radius * (0.62f + 0.1f * rough), 0.01f);
        float inside = phantom_cover(d, 0.004f);
        drawn.cytoplasm = phantom_mix(drawn.cytoplasm, (0.95f + 0.2f * fibres) * (1 - 0.9f * lumen), inside);
        drawn.matrix = phantom_mix(drawn.matrix, 0.06f, inside);
        drawn.matrix = fmaxf(drawn.matrix, 0.6f * phantom_cover(fabsf(d) - 0.003f, 0.004f));
    }
    return drawn;
}

static density pixel_density(const tissue *made, float x, float y, float rough, float fibres) {
    const phantom_tuft *tuft = &made->tuft;
    float distance = hypotf(x - tuft->x, y - tuft->y) + 0.012f * rough;
    density drawn = {0};
    if (distance > tuft->capsule)
        drawn = outer_density(made, x, y, rough, fibres);
    else
        drawn = tuft_density(made, x, y, rough, fibres);
    float capsule = phantom_cover(fabsf(distance - tuft->capsule) - 0.005f, 0.005f);
    drawn.matrix = fmaxf(drawn.matrix, 0.95f * capsule);
    return drawn;
}

/* Where nuclei are, 0 ... 1, drawn one by one since each covers few pixels. */
static void draw_nuclei(const tissue *made, phantom_plane *plane, const phantom_plane *fine) {
    int size = plane->size;
    for (int k = 0; k < made->nuclei; k++) {
        const phantom_ellipse *nucleus = &made->nucleus[k];
        float side = (float)size, reach = nucleus->along + 0.01f;
        int left = (int)fmaxf(0, (nucleus->x - reach) * side), top = (int)fmaxf(0, (nucleus->y - reach) * side);
        int right = (int)fminf(side - 1, (nucleus->x + reach) * side);
        int bottom = (int)fminf(side - 1, (nucleus->y + reach) * side);
        for (int row = top; row <= bottom; row++)
            for (int column = left; column <= right; column++) {
                float x = ((float)column + 0.5f) / side, y = ((float)row + 0.5f) / side;
                float cover = phantom_cover(phantom_ellipse_distance(nucleus, x, y), 0.004f);
                float *at = &plane->at[row * size + column];
                *at = fmaxf(*at, cover * nucleus->tone * (0.9f + 0.25f * fine->at[row * size + column]));
            }
    }
}

static void draw_light(const tissue *made, const stain *stains, phantom_picture *picture, cmus_random *random) {
    int size = picture->size, count = size * size;
    phantom_plane rough = phantom_plane_make(size), fibres = phantom_plane_make(size),
                  nuclei = phantom_plane_make(size), shift_x = phantom_plane_make(size),
                  shift_y = phantom_plane_make(size);
    phantom_fractal(&rough, 6, 3, 0.6f, 0.6f, random);
    phantom_fractal(&fibres, 28, 3, 0.6f, 0.8f, random);
    phantom_fractal(&shift_x, 7, 4, 0.016f, 0.6f, random);
    phantom_fractal(&shift_y, 7, 4, 0.016f, 0.6f, random);
    draw_nuclei(made, &nuclei, &fibres);
    float lamp[3];
    for (int c = 0; c < 3; c++)
        lamp[c] = phantom_between(random, 0.93f, 1.0f);
    for (int i = 0; i < count; i++) {
        float x = ((float)(i % size) + 0.5f) / (float)size, y = ((float)(i / size) + 0.5f) / (float)size;
        density drawn = pixel_density(made, x + shift_x.at[i], y + shift_y.at[i], rough.at[i], fibres.at[i]);
        float blue = nuclei.at[i], matrix = drawn.matrix * (1 - 0.8f * fminf(blue, 1));
        for (int c = 0; c < 3; c++)
            picture->pixels[c * count + i] = lamp[c] * expf(-(matrix * stains->matrix[c] + blue * stains->nuclei[c] +
                                                              drawn.cytoplasm * stains->cytoplasm[c] + 0.03f));
    }
    phantom_plane_free(&rough);
    phantom_plane_free(&fibres);
    phantom_plane_free(&nuclei);
    phantom_plane_free(&shift_x);
    phantom_plane_free(&shift_y);
}

void phantom_draw_om(const phantom_options *options, const phantom_case *plan, phantom_picture *picture) {
    cmus_random random = cmus_random_begin(options->seed, "phantom om", &plan->index, 1);
    tissue *made = cmus_allocate(1, sizeof *made);
    *made = draw_anatomy(options, plan, &random);
    stain stains = draw_stain(&random);
    memset(picture->mask, PHANTOM_MASK_NONE, (size_t)picture->size * (size_t)picture->size);
    draw_light(made, &stains, picture, &random);
    float focus = phantom_between(&random, 0.001f, 0.004f), noise = phantom_between(&random, 0.005f, 0.02f);
    int count = picture->size * picture->size;
    for (int c = 0; c < 3; c++) {
        phantom_plane channel = {picture->size, picture->pixels + c * count};
        phantom_blur(&channel, focus);
        phantom_grain(&channel, noise, &random);
        for (int i = 0; i < count; i++)
            channel.at[i] = phantom_clamp(channel.at[i], 0, 1);
    }
    cmus_free(made);
}
