/* What is measured of every image while it is at hand, so that the checks need not look at it again: what tells equal
 * and similar pictures (checks.h), and how bright it is. The same for every processor and number of threads. */
#ifndef CMUS_MEASURE_H
#define CMUS_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image.h"

typedef struct cmus_image_measures {
    uint64_t content;  /* equal for equal decoded pixels: XXH3 of the size and of them; of an image of more than
                        * a million pixels, of some rows and of the resized image */
    uint64_t likeness; /* perceptual hash of the resized image: few bits differ between similar images */
    uint8_t darkest, brightest; /* of the resized image's gray values, as of cmus_measure_gray() */
    float mean, deviation;      /* of the same */
    bool constant;              /* the resized image is of one colour */
} cmus_image_measures;

/* image: as decoded, upright, in full size, of one channel if it is gray; pixels: [size][size][channels], the same
 * resized.
 *
 * The perceptual hash is that of the DCT: C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash
 * Functions", 2010, section 3.2.1 (pHash): the gray image is reduced to 32 x 32 means (here of the resized image); of
 * its DCT the 8 x 8 lowest frequencies that are constant in neither direction are taken; a bit is set where the
 * coefficient is above their median. */
void cmus_measure_image(const cmus_image *image, const uint8_t *pixels, int size, int channels,
                        cmus_image_measures *measures);

/* The gray values that are measured: the mean of the channels, because a fluorescent stain is bright in one of them,
 * whichever it is. pixels: [count][channels], channels 1 or 3; gray: [count]. */
void cmus_measure_gray(const uint8_t *pixels, size_t count, int channels, uint8_t *gray);

/* Means over the cells of a grid, times 16: gray [size][size] to means [side][side]. Pixels are not cut in two: what is
 * compared has one size. */
void cmus_measure_means(const uint8_t *gray, int size, int side, int32_t *means);

#endif
