#include "prepare.h"

#include <string.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/program.h"
#include "cmus/stop.h"
#include "source_file.h"

typedef struct work {
    const cmus_communicator *communicator;
    const cmus_case_list *list;
    const cmus_block_store *store;
    const cmus_prepare_options *options;
    cmus_prepared_image *prepared;
} work;

/* Reads and decodes image i; a file that can't be used is no failure, but a damage. */
static bool decode_image(const work *self, size_t i, cmus_source_buffer *source, cmus_image *image) {
    cmus_prepared_image *own = &self->prepared[i];
    cmus_status status = cmus_source_read(self->list->images[i].path, source);
    if (status == CMUS_OK) {
        cmus_sha256_bytes(source->bytes, source->size, own->sha256);
        status = cmus_image_decode(source->bytes, source->size, &self->options->decode, image);
    }
    if (status != CMUS_OK)
        own->damage = cmus_copy_string(cmus_last_error());
    return status == CMUS_OK;
}

/* What a thread works with; images follow each other in the same memory. */
typedef struct hands {
    cmus_source_buffer source;
    cmus_image image;
    cmus_block_buffer buffer;
} hands;

static void prepare_image(const work *self, size_t i, hands *with) {
    cmus_image *image = &with->image;
    if (!decode_image(self, i, &with->source, image))
        return;
    cmus_prepared_image *own = &self->prepared[i];
    int size = self->store->image_size;
    size_t count = (size_t)size * (size_t)size;
    uint8_t *pixels = cmus_block_buffer_room(&with->buffer);
    cmus_image_resize(image, self->options->filter, size, size, pixels);
    own->gray = image->channels == 1 || cmus_pixels_to_gray(pixels, count);
    own->type = image->type;
    own->bits = image->bits;
    own->width = image->width;
    own->height = image->height;
    own->more_pages = image->more_pages;
    own->has_position = image->has_position;
    own->has_person = image->has_person;
    cmus_measure_image(image, pixels, size, own->gray ? 1 : 3, &own->measures);
    cmus_block_buffer_keep(&with->buffer, own->gray ? count : 3 * count, own);
}

/* What the content of a block depends on: the program, the options, and which files there are in which state. */
static uint64_t block_key(const work *self, size_t first, size_t count) {
    const cmus_decode_options *decode = &self->options->decode;
    const int64_t common[] = {self->store->image_size, self->options->filter, decode->pixel_limit,
                              decode->window_low,      decode->window_high,   (int64_t)sizeof(cmus_prepared_image)};
    const char *version = cmus_version(), *revision = cmus_git_revision();
    uint64_t key = cmus_hash_bytes(version, strlen(version));
    uint64_t parts[] = {key, cmus_hash_bytes(revision, strlen(revision)), cmus_hash_bytes(common, sizeof common)};
    key = cmus_hash_bytes(parts, sizeof parts);
    for (size_t i = first; i < first + count; i++) {
        const char *path = self->list->images[i].path;
        cmus_file_state state = cmus_file_state_of(path);
        uint64_t more[] = {key, cmus_hash_bytes(path, strlen(path)), cmus_hash_bytes(&state, sizeof state)};
        key = cmus_hash_bytes(more, sizeof more);
    }
    return key;
}

/* A block with a damaged image is not taken again: the user may have mended what keeps its size and time, such as
 * rights to read it. */
static bool has_damage(const cmus_prepared_image *prepared, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (prepared[i].damage)
            return true;
    return false;
}

static void forget(cmus_prepared_image *prepared, size_t count) {
    for (size_t i = 0; i < count; i++)
        cmus_free(prepared[i].damage);
    memset(prepared, 0, count * sizeof *prepared);
}

/* The key is taken before the files are read: a change in between makes the block one that is not taken again. */
static cmus_status prepare_block(const work *self, size_t block, hands *own, size_t *continued) {
    size_t first, count = cmus_block_images(self->store, block, &first);
    uint64_t key = block_key(self, first, count);
    cmus_prepared_image *prepared = self->prepared + first;
    if (cmus_block_read(self->store, block, key, prepared)) {
        if (!has_damage(prepared, count)) {
            *continued += count;
            return CMUS_OK;
        }
        forget(prepared, count);
    }
    cmus_block_buffer_clear(&own->buffer);
    for (size_t i = first; i < first + count; i++) {
        CMUS_TRY(cmus_stop_check());
        prepare_image(self, i, own);
    }
    return cmus_block_write(self->store, block, key, &own->buffer, prepared);
}

/* Blocks of this rank, and images in them. */
static size_t own_blocks(const work *self, size_t *images) {
    size_t blocks = 0, first, rank = (size_t)self->communicator->rank;
    *images = 0;
    for (size_t b = rank; b < cmus_block_count(self->store); b += (size_t)self->communicator->ranks, blocks++)
        *images += cmus_block_images(self->store, b, &first);
    return blocks;
}

/* All blocks of this rank; the first failure to write stops the others. */
static cmus_status prepare_own(const work *self, size_t *continued) {
    size_t images, blocks = own_blocks(self, &images), done = 0, there = 0;
    size_t rank = (size_t)self->communicator->rank, ranks = (size_t)self->communicator->ranks;
    cmus_status first_status = CMUS_OK;
    char *message = NULL;
    cmus_progress progress = {0};
    if (rank == 0)
        cmus_progress_begin(&progress, "decoded", ranks > 1 ? "images of rank 0" : "images", (int64_t)images);
#pragma omp parallel reduction(+ : there)
    {
        hands own = {0};
        bool stopped = false;
        cmus_block_buffer_begin(self->store, &own.buffer);
#pragma omp for schedule(dynamic)
        for (size_t b = 0; b < blocks; b++) {
            if (stopped)
                continue;
            size_t first, block = rank + b * ranks;
            cmus_status status = prepare_block(self, block, &own, &there);
#pragma omp critical
            {
                if (status != CMUS_OK && first_status == CMUS_OK) {
                    first_status = status;
                    message = cmus_copy_string(cmus_last_error());
                }
                stopped = first_status != CMUS_OK;
                done += cmus_block_images(self->store, block, &first);
                if (rank == 0)
                    cmus_progress_update(&progress, (int64_t)done);
            }
        }
        cmus_block_buffer_end(&own.buffer);
        cmus_source_buffer_free(&own.source);
        cmus_image_free(&own.image);
    }
    *continued = there;
    if (first_status != CMUS_OK) {
        cmus_fail(first_status, "%s", message); /* the message belongs to the thread that failed */
        cmus_free(message);
        return first_status;
    }
    if (rank == 0)
        cmus_progress_end(&progress, (int64_t)done);
    return CMUS_OK;
}

/* Every rank gets the records of all blocks. */
static void share_records(const work *self, size_t *continued) {
    const cmus_communicator *communicator = self->communicator;
    for (int root = 0; root < communicator->ranks; root++) {
        for (size_t b = (size_t)root; b < cmus_block_count(self->store); b += (size_t)communicator->ranks) {
            size_t first, count = cmus_block_images(self->store, b, &first), size = 0;
            uint8_t *bytes = NULL;
            if (communicator->rank == root)
                cmus_prepared_pack(self->prepared + first, count, &bytes, &size);
            cmus_broadcast(communicator, &size, sizeof size, root);
            if (communicator->rank != root)
                bytes = cmus_allocate(size, 1);
            cmus_broadcast(communicator, bytes, size, root);
            if (communicator->rank != root && !cmus_prepared_unpack(bytes, size, self->prepared + first, count))
                cmus_fatal("what is known of block %zu did not arrive whole", b);
            cmus_free(bytes);
        }
    }
    double sum = (double)*continued;
    cmus_sum_doubles(communicator, &sum, 1);
    *continued = (size_t)sum;
}

cmus_status cmus_prepare_images(const cmus_communicator *communicator, const cmus_case_list *list,
                                const cmus_block_store *store, const cmus_prepare_options *options,
                                cmus_prepared_image *prepared, size_t *continued) {
    work self = {communicator, list, store, options, prepared};
    cmus_status status = cmus_agree(communicator, prepare_own(&self, continued));
    if (status == CMUS_OK && communicator->ranks > 1)
        share_records(&self, continued);
    return status;
}
