/* TEM images without membrane: a tubular cell with nucleus and mitochondria, a bar of the grid. */
#include <math.h>

#include "phantom.h"

static const float CYTOPLASM = 0.68f, MITOCHONDRION = 0.50f, VACUOLE = 0.88f, BAR = 0.16f;
enum { MITOCHONDRIA = 26, VACUOLES = 5 };

static phantom_ellipse draw_mitochondrion(float lie, cmus_random *random) {
    float angle = lie + phantom_between(random, -0.4f, 0.4f);
    return (phantom_ellipse){.x = phantom_between(random, 0, 1),
                             .y = phantom_between(random, 0, 1),
                             .along = phantom_between(random, 0.04f, 0.085f),
                             .across = phantom_between(random, 0.02f, 0.03f),
                             .cosine = cosf(angle),
                             .sine = sinf(angle),
                             .tone = MITOCHONDRION + phantom_between(random, -0.04f, 0.06f)};
}

/* A mitochondrion's tone at a distance from its outline: membrane and cristae across it. */
static float cristae(const phantom_ellipse *body, float distance, float x, float y) {
    float along = (x - body->x) * body->cosine + (y - body->y) * body->sine;
    float stripes = 0.05f * sinf(along * 420);
    return body->tone + stripes - 0.06f * phantom_cover(fabsf(distance + 0.004f) - 0.003f, 0.003f);
}

static float cell_tone(const phantom_ellipse *bodies, const phantom_blob *nucleus, const phantom_blob *vacuoles,
                       float fine, float x, float y) {
    float tone = CYTOPLASM + 0.06f * fine;
    for (int i = 0; i < MITOCHONDRIA; i++) {
        float distance = phantom_ellipse_distance(&bodies[i], x, y);
        if (distance < 0.01f)
            tone = phantom_mix(tone, cristae(&bodies[i], distance, x, y), phantom_cover(distance, 0.004f));
    }
    for (int i = 0; i < VACUOLES; i++)
        tone = phantom_mix(tone, VACUOLE, phantom_cover(phantom_blob_distance(&vacuoles[i], x, y), 0.005f));
    float distance = phantom_blob_distance(nucleus, x, y);
    float chromatin = CYTOPLASM - 0.14f * phantom_cover(0.2f - fine, 0.2f);
    chromatin = phantom_mix(chromatin, 0.46f, phantom_cover(fabsf(distance + 0.012f) - 0.008f, 0.006f));
    return phantom_mix(tone, chromatin, phantom_cover(distance, 0.004f));
}

void phantom_draw_cell(phantom_plane *tone, cmus_random *random) {
    int size = tone->size;
    float lie = phantom_between(random, 0, 3.1415927f);
    phantom_ellipse bodies[MITOCHONDRIA];
    for (int i = 0; i < MITOCHONDRIA; i++)
        bodies[i] = draw_mitochondrion(lie, random);
    phantom_blob nucleus = phantom_blob_make(phantom_between(random, 0, 1), phantom_between(random, 0, 1),
                                             phantom_between(random, 0.16f, 0.26f), 0.12f, random);
    phantom_blob vacuoles[VACUOLES];
    for (int i = 0; i < VACUOLES; i++)
        vacuoles[i] = phantom_blob_make(phantom_between(random, 0, 1), phantom_between(random, 0, 1),
                                        phantom_between(random, 0.015f, 0.06f), 0.2f, random);
    phantom_plane fine = phantom_plane_make(size);
    phantom_fractal(&fine, 22, 3, 0.6f, 0.8f, random);
    for (int i = 0; i < size * size; i++) {
        float x = ((float)(i % size) + 0.5f) / (float)size, y = ((float)(i / size) + 0.5f) / (float)size;
        tone->at[i] = cell_tone(bodies, &nucleus, vacuoles, fine.at[i], x, y);
    }
    phantom_plane_free(&fine);
}

/* A straight, slightly rough edge; beyond it the bar, which lets no electrons through. */
void phantom_draw_bar(phantom_plane *tone, cmus_random *random) {
    int size = tone->size;
    float angle = phantom_between(random, 0, 6.2831853f), reach = phantom_between(random, -0.25f, 0.1f);
    float nx = cosf(angle), ny = sinf(angle), glow = phantom_between(random, 0.02f, 0.06f);
    phantom_plane rough = phantom_plane_make(size);
    phantom_fractal(&rough, 12, 2, 0.006f, 0.6f, random);
    for (int i = 0; i < size * size; i++) {
        float x = ((float)(i % size) + 0.5f) / (float)size - 0.5f, y = ((float)(i / size) + 0.5f) / (float)size - 0.5f;
        float distance = reach - x * nx - y * ny + rough.at[i];
        tone->at[i] = phantom_mix(tone->at[i], BAR, phantom_cover(distance, 0.006f));
        tone->at[i] += 0.10f * expf(-fabsf(distance) / glow);
    }
    phantom_plane_free(&rough);
}
