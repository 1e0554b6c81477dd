/* Decoding of JPEG, PNG and TIFF files and resizing. Everything is read from memory; nothing is shared between threads.
 */
#ifndef CMUS_IMAGE_H
#define CMUS_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmus/status.h"

/* The kind of file an image came from. */
typedef enum cmus_image_type { CMUS_JPEG, CMUS_PNG, CMUS_TIFF } cmus_image_type;

typedef struct cmus_image {
    int width, height, channels; /* 1: gray, 3: RGB */
    uint8_t *pixels;             /* [height][width][channels] */
    size_t capacity;             /* bytes that `pixels` has room for */
    cmus_image_type type;
    int bits;          /* of a sample in the file */
    bool more_pages;   /* a TIFF file of several images, of which this is the first */
    bool has_position; /* its tags hold GPS coordinates */
    bool has_person;   /* its tags hold texts that may name a person or a hospital */
} cmus_image;

/* Filters of resizing, each that of Pillow's of the same name (CMUS_LANCZOS: Image.LANCZOS, three lobes). */
typedef enum cmus_filter { CMUS_BILINEAR, CMUS_BOX, CMUS_BICUBIC, CMUS_LANCZOS } cmus_filter;
enum { CMUS_FILTERS = 4 };
/* Their names on command lines and in dataset.json, by cmus_filter. */
extern const char *const cmus_filter_names[CMUS_FILTERS];

typedef struct cmus_decode_options {
    int64_t pixel_limit; /* larger images are refused before memory is taken; it bounds memory, too: see the README */
    /* These values of 16-bit gray become 0 and 255; low >= high: the darkest and the brightest pixel of each image. */
    int window_low, window_high;
} cmus_decode_options;

/* 300 million pixels, each image's own range. */
cmus_decode_options cmus_decode_defaults(void);

/* Decodes a file's content as gray or RGB, upright by its EXIF orientation, transparent pixels over white; an RGB file
 * with nothing but gray comes out as gray. What kind of file it is, is seen by its first bytes. FORMAT (any damage,
 * also what the libraries only warn of), LIMIT; the message does not name the file. image: zeros, or
 * one of before, whose memory is used again. Free it by cmus_image_free(). */
cmus_status cmus_image_decode(const uint8_t *data, size_t size, const cmus_decode_options *options, cmus_image *image);
void cmus_image_free(cmus_image *image);

/* With antialias, bit for bit as Pillow's Image.resize((width, height), filter).
 * pixels: [height][width][channels of the image]. */
void cmus_image_resize(const cmus_image *image, cmus_filter filter, int width, int height, uint8_t *pixels);

/* RGB pixels [count][3] to gray ones [count] in place, if red, green and blue are equal in all of them; else they stay
 * and false is returned. */
bool cmus_pixels_to_gray(uint8_t *pixels, size_t count);

/* Stretches [count] samples to 8 bits by the window of the options. */
void cmus_image_from_16_bit(const uint16_t *samples, size_t count, const cmus_decode_options *options, uint8_t *pixels);

/* The decoders of one kind each, and what they share. cmus_image_begin() checks the size and takes the memory. */
cmus_status cmus_image_begin(uint64_t width, uint64_t height, int channels, const cmus_decode_options *options,
                             cmus_image *image);
/* Turns and mirrors the image by the EXIF orientation 1 to 8; others are 1. */
void cmus_image_orient(cmus_image *image, int orientation);
/* CMUS_ERROR_LIMIT if a decoder would need `bytes` beside the image's own pixels and that is more than 16 a pixel and
 * 16 MiB: no format needs so much but by a wrong or malicious size. */
cmus_status cmus_image_check_memory(const cmus_image *image, uint64_t bytes);
cmus_status cmus_decode_jpeg(const uint8_t *data, size_t size, const cmus_decode_options *options, cmus_image *image);
cmus_status cmus_decode_png(const uint8_t *data, size_t size, const cmus_decode_options *options, cmus_image *image);
cmus_status cmus_decode_tiff(const uint8_t *data, size_t size, const cmus_decode_options *options, cmus_image *image);

#endif
