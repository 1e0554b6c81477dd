/* What the parts of cmus-phantom share: the plan of a case, pictures, and the anatomy that is drawn.
 *
 * Coordinates are in units of the image's side: x to the right, y down, both 0 ... 1 in the image. Signed distances are
 * negative inside. Each drawing takes its numbers from keys (seed, purpose, case, image): nothing depends on other
 * cases.
 */
#ifndef CMUS_PHANTOM_H
#define CMUS_PHANTOM_H

#include <stdbool.h>
#include <stdint.h>

#include "cmus/random.h"
#include "cmus/status.h"

enum { PHANTOM_CLASSES = 3, PHANTOM_MAX_BAG = 32, PHANTOM_MAX_SIZE = 2048, PHANTOM_MIN_SIZE = 32 };

typedef enum phantom_class { PHANTOM_IGAN, PHANTOM_MN, PHANTOM_LN } phantom_class;
/* "IgAN", "MN", "LN" */
extern const char *const phantom_class_names[PHANTOM_CLASSES];

/* What can be seen in an image. */
typedef enum phantom_quality {
    PHANTOM_GOOD,
    PHANTOM_FADED,          /* IM: the fluorescence is gone */
    PHANTOM_UNFOCUSED,      /* IM, TEM: so blurred that no place can be told */
    PHANTOM_LOOP_ONLY,      /* TEM: a capillary loop without mesangium */
    PHANTOM_MESANGIUM_ONLY, /* TEM: mesangium without membrane */
    PHANTOM_NO_MEMBRANE,    /* TEM: a tubular cell */
    PHANTOM_GRID_BAR,       /* TEM: a bar of the grid hides the tissue */
    PHANTOM_QUALITIES
} phantom_quality;
/* "good", "faded", ... for truth.csv */
extern const char *const phantom_quality_names[PHANTOM_QUALITIES];

typedef struct phantom_options {
    int cases, size, bag_min, bag_max;
    uint64_t seed;
    phantom_class classes[PHANTOM_CLASSES];
    int class_count;
    double two_cases;   /* share of the patients who have two cases */
    double im_faded;    /* probability that the IM image of a case shows no place */
    double tem_partial; /* probability that no TEM image of a case shows both compartments */
    double off_target;  /* probability that a TEM image is off target */
    double tem_spared;  /* probability that a compartment of a TEM image is free of deposits, as in focal disease */
    double om_cue;      /* shift of the OM features between the classes, in their standard deviations */
} phantom_options;

/* What a case shows, before anything is drawn. */
typedef struct phantom_case {
    uint64_t index;
    phantom_class class;
    int patient;      /* from 1 */
    double amount;    /* deposits in all, about 0.6 ... 1.4: independent of the class */
    double mesangial; /* the part of them that is in the mesangium: IgAN 1, MN 0, LN about a half */
    phantom_quality im;
    int tem_count;
    phantom_quality tem[PHANTOM_MAX_BAG];
} phantom_case;

/* The options that are used when none are given. */
phantom_options phantom_defaults(void);
/* Plans all cases: case i depends on the options but not on their number. Free the array by cmus_free(). */
phantom_case *phantom_plan(const phantom_options *options);
/* Whether a TEM image of this quality shows membrane or mesangium. */
bool phantom_on_target(phantom_quality quality);

/* ---- pictures ---- */

/* One float a pixel, [size][size]. */
typedef struct phantom_plane {
    int size;
    float *at;
} phantom_plane;

/* Values of a mask. */
enum { PHANTOM_MASK_NONE = 0, PHANTOM_MASK_MESANGIUM = 128, PHANTOM_MASK_GBM = 255 };

/* A picture of floats 0 ... 1, [channels][size][size], and where deposits are, [size][size]; the memory is the
 * caller's. */
typedef struct phantom_picture {
    int size, channels;
    float *pixels;
    uint8_t *mask;
} phantom_picture;

/* A zeroed plane; free it with phantom_plane_free(). */
phantom_plane phantom_plane_make(int size);
void phantom_plane_free(phantom_plane *plane);
/* ADDS smooth noise of about unit range with `cells` cells a side and amplitude `amount`. */
void phantom_noise(phantom_plane *plane, float cells, float amount, cmus_random *random);
/* ADDS `octaves` layers of noise, each with twice the cells and `decay` times the amplitude of the one before. */
void phantom_fractal(phantom_plane *plane, float cells, int octaves, float amount, float decay, cmus_random *random);
/* ADDS white noise of that standard deviation. */
void phantom_grain(phantom_plane *plane, float deviation, cmus_random *random);
/* Gaussian blur; sigma in units of the side. */
void phantom_blur(phantom_plane *plane, float sigma);
/* ADDS a Gaussian spot; sigma in units of the side, at least half a pixel is used with the same sum. */
void phantom_spot(phantom_plane *plane, float x, float y, float sigma, float height);
/* How much of a pixel lies inside: 1 for distances well below 0, 0 well above; `softness` in units of the side. */
float phantom_cover(float distance, float softness);
static inline float phantom_mix(float from, float to, float part) {
    return from + (to - from) * part;
}
static inline float phantom_clamp(float value, float low, float high) {
    return value < low ? low : value > high ? high : value;
}
/* Numbers in [low, high) and with standard deviation 1, as floats. */
float phantom_between(cmus_random *random, float low, float high);
float phantom_normal(cmus_random *random);

/* ---- shapes ---- */

/* A wobbly disc: radius * (1 + c2 cos 2t + s2 sin 2t + c3 cos 3t + s3 sin 3t). */
typedef struct phantom_blob {
    float x, y, radius, c2, s2, c3, s3;
} phantom_blob;

phantom_blob phantom_blob_make(float x, float y, float radius, float wobble, cmus_random *random);
/* About the signed distance from the outline. */
float phantom_blob_distance(const phantom_blob *blob, float x, float y);
/* Radius in the direction of the unit vector. */
float phantom_blob_radius(const phantom_blob *blob, float ux, float uy);

typedef struct phantom_branch {
    float x0, y0, x1, y1, width;
} phantom_branch;
float phantom_branch_distance(const phantom_branch *branch, float x, float y);

typedef struct phantom_ellipse {
    float x, y, along, across, cosine, sine; /* half axes */
    float tone;
} phantom_ellipse;
float phantom_ellipse_distance(const phantom_ellipse *ellipse, float x, float y);

/* A glomerular tuft as OM and IM show it: mesangial branches from the vascular pole, capillary loops along them. */
enum { PHANTOM_MAX_LOOPS = 40, PHANTOM_MAX_BRANCHES = 24 };
typedef struct phantom_tuft {
    float x, y, radius, capsule;
    int loops, branches;
    phantom_blob loop[PHANTOM_MAX_LOOPS];
    phantom_branch branch[PHANTOM_MAX_BRANCHES];
} phantom_tuft;

/* `radius` is that of the tuft, `width` that of the mesangial stalk. */
phantom_tuft phantom_tuft_make(float radius, float width, cmus_random *random);
float phantom_tuft_loop_distance(const phantom_tuft *tuft, float x, float y);
float phantom_tuft_branch_distance(const phantom_tuft *tuft, float x, float y);

/* Part of a lobule as TEM shows it: loops around mesangium inside one membrane. */
enum { PHANTOM_FIELD_LOOPS = 3, PHANTOM_MAX_DEPOSITS = 32 };
typedef struct phantom_field {
    int loops;
    phantom_blob loop[PHANTOM_FIELD_LOOPS];
    bool has_mesangium, has_membrane;
    phantom_blob mesangium;
    float membrane; /* thickness of the basement membrane */
} phantom_field;

/* Distances of a point of a field. */
typedef struct phantom_place {
    float outline;   /* from the outer side of the membrane; negative inside */
    float lumen;     /* from the nearest capillary lumen */
    float mesangium; /* from the mesangium; large if there is none */
    int nearest;     /* loop with the nearest lumen */
} phantom_place;

phantom_field phantom_field_make(phantom_quality quality, cmus_random *random);
phantom_place phantom_field_place(const phantom_field *field, float x, float y);
/* Puts at most `mesangial` deposits into the mesangium and `epithelial` ones on the outer side of the membrane;
 * deposits [PHANTOM_MAX_DEPOSITS]. Returns how many there are; the first *in_mesangium are mesangial. */
int phantom_deposits_make(const phantom_field *field, int mesangial, int epithelial, cmus_random *random,
                          phantom_ellipse *deposits, int *in_mesangium);

/* ---- the three modalities ---- */

/* picture->channels 3 */
void phantom_draw_om(const phantom_options *options, const phantom_case *plan, phantom_picture *picture);
void phantom_draw_im(const phantom_options *options, const phantom_case *plan, phantom_picture *picture);
/* picture->channels 1; image `number` of the bag, from 0 */
void phantom_draw_tem(const phantom_options *options, const phantom_case *plan, int number, phantom_picture *picture);
/* The tissue of off-target TEM images: PHANTOM_NO_MEMBRANE and what is beside a PHANTOM_GRID_BAR. */
void phantom_draw_cell(phantom_plane *tone, cmus_random *random);
void phantom_draw_bar(phantom_plane *tone, cmus_random *random);

/* ---- files ---- */

/* Writes a JPEG (1 or 3 channels) and, if mask_path is not NULL, the mask as PNG. IO. */
cmus_status phantom_write_jpeg(const char *path, const phantom_picture *picture);
cmus_status phantom_write_mask(const char *path, const phantom_picture *picture);

/* Draws all cases into `folder`, which appears whole or not at all. IO; DATA if the folder is there and not empty. */
cmus_status phantom_write_tree(const phantom_options *options, const char *folder);

#endif
