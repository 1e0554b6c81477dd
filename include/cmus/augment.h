/* Random choices of training, and images as the network takes them. Every choice is keyed by what it is for: (seed,
 * epoch, case, modality, image, layer); a case's number is cmus_hash_text() of its id. Not collective.
 */
#ifndef CMUS_AUGMENT_H
#define CMUS_AUGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "cmus/cmusnet.h"

/* What the choices of one image are keyed by. */
typedef struct cmus_image_key {
    uint64_t seed, case_hash;
    int epoch;
    cmus_modality modality;
    int image; /* in the bag of its modality */
} cmus_image_key;

/* Flips, each with probability 0.5. */
typedef struct cmus_flips {
    bool horizontal, vertical;
} cmus_flips;

cmus_flips cmus_draw_flips(const cmus_image_key *key);

/* Stochastic depth of one image: factors [blocks][2: attention, MLP], each 0 or 1 / (1 - p); probability [blocks]. */
void cmus_draw_depth(const cmus_image_key *key, const double *probability, int blocks, float *factors);

/* Dropout of one case in the fusion head: factors [hidden], each 0 or 1 / (1 - probability). */
void cmus_draw_dropout(uint64_t seed, int epoch, uint64_t case_hash, double probability, int hidden, float *factors);

/* bytes [size][size][3] to planes [3][size][size]: (x / 255 - mean) / standard deviation of each channel, flipped. */
void cmus_normalize_image(const uint8_t *bytes, int size, cmus_flips flips, float *planes);

#endif
