/* Resized images on disk, in files of some neighbouring ones, with what is known of each.
 *
 * A block is what ranks and threads share out, and what a killed run is continued from: it says which images it is of
 * and how they were made, and a checksum finds any damage, so it is used again as a whole or made anew. All checks come
 * before the first shard, each source image is decoded once, and memory does not grow with the number of images.
 */
#ifndef CMUS_BLOCK_H
#define CMUS_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmus/file.h"
#include "image.h"
#include "measure.h"

/* What is known of an image after it was decoded. */
typedef struct cmus_prepared_image {
    char *damage;                      /* why it can't be used, without its name; NULL: it can. Owned. */
    uint64_t place;                    /* of its pixels in its block */
    uint64_t pixels;                   /* their XXH3 */
    uint8_t sha256[CMUS_SHA256_BYTES]; /* of the source file */
    cmus_image_measures measures;
    cmus_image_type type;
    int bits, width, height; /* of the source image, upright */
    bool gray;               /* all pixels: the block holds one channel */
    bool more_pages, has_position, has_person;
} cmus_prepared_image;

/* Where blocks are, and how images are dealt out to them. */
typedef struct cmus_block_store {
    const char *folder;
    int image_size;
    size_t images, images_per_block;
} cmus_block_store;

cmus_block_store cmus_block_store_of(const char *folder, int image_size, size_t images);
size_t cmus_block_count(const cmus_block_store *store);
/* The images of a block: from *first on. Returns how many. */
size_t cmus_block_images(const cmus_block_store *store, size_t block, size_t *first);

/* A block that is made: pixels of its images one after another, of a size that is enough for RGB. */
typedef struct cmus_block_buffer {
    uint8_t *bytes;
    size_t used;
} cmus_block_buffer;

void cmus_block_buffer_begin(const cmus_block_store *store, cmus_block_buffer *buffer);
void cmus_block_buffer_end(cmus_block_buffer *buffer);
/* Empties it for the next block. */
void cmus_block_buffer_clear(cmus_block_buffer *buffer);
/* Where the pixels of the next image go: room for [S][S][3]. */
uint8_t *cmus_block_buffer_room(const cmus_block_buffer *buffer);
/* Keeps `size` bytes that were put there; sets prepared->place and prepared->pixels. */
void cmus_block_buffer_keep(cmus_block_buffer *buffer, size_t size, cmus_prepared_image *prepared);

/* Writes the block. key: what it depends on; prepared [images of the block]. IO. */
cmus_status cmus_block_write(const cmus_block_store *store, size_t block, uint64_t key, cmus_block_buffer *buffer,
                             const cmus_prepared_image *prepared);

/* Fills in prepared [images of the block] and returns true if the block is there, of this key, and whole. */
bool cmus_block_read(const cmus_block_store *store, size_t block, uint64_t key, cmus_prepared_image *prepared);

/* What is known of some images, as bytes that another process of the same program can read. free with cmus_free(). */
void cmus_prepared_pack(const cmus_prepared_image *prepared, size_t count, uint8_t **bytes, size_t *size);
/* False if the bytes are not of `count` images. */
bool cmus_prepared_unpack(const uint8_t *bytes, size_t size, cmus_prepared_image *prepared, size_t count);
void cmus_prepared_free(cmus_prepared_image *prepared, size_t count);

/* Reads the pixels of an image: [S][S] if prepared->gray, else [S][S][3]. May be called by several threads. IO;
 * CHECKSUM if they are not those that were written. */
cmus_status cmus_block_pixels(const cmus_block_store *store, size_t image, const cmus_prepared_image *prepared,
                              uint8_t *pixels);

#endif
