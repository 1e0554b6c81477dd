#include "block.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cmus/memory.h"

/* A block file: MAGIC, key, bytes of pixels; the pixels; the records with their texts; XXH3 of all before. */
static const uint64_t MAGIC = 0x324B434F4C423173; /* changes with the form of the records */
/* So many blocks, if there are as many images, that threads and ranks have about the same work. */
enum { HEADER_BYTES = 24, HASH_BYTES = 8, MOST_IMAGES = 16, BLOCKS_TO_SHARE = 128 };
static const size_t BLOCK_BYTES = (size_t)4 << 20;
static const size_t FILE_LIMIT = (size_t)1 << 31;

static size_t pixels_of(const cmus_block_store *store) {
    return (size_t)store->image_size * (size_t)store->image_size;
}

cmus_block_store cmus_block_store_of(const char *folder, int image_size, size_t images) {
    cmus_block_store store = {.folder = folder, .image_size = image_size, .images = images};
    size_t fit = BLOCK_BYTES / (3 * pixels_of(&store)), shared = images / BLOCKS_TO_SHARE;
    size_t most = shared < MOST_IMAGES ? shared : MOST_IMAGES;
    store.images_per_block = most < 1 || fit < 1 ? 1 : fit < most ? fit : most;
    return store;
}

size_t cmus_block_count(const cmus_block_store *store) {
    return (store->images + store->images_per_block - 1) / store->images_per_block;
}

size_t cmus_block_images(const cmus_block_store *store, size_t block, size_t *first) {
    *first = block * store->images_per_block;
    size_t rest = store->images - *first;
    return rest < store->images_per_block ? rest : store->images_per_block;
}

void cmus_block_buffer_begin(const cmus_block_store *store, cmus_block_buffer *buffer) {
    buffer->bytes = cmus_allocate_raw(HEADER_BYTES + store->images_per_block * 3 * pixels_of(store), 1);
    buffer->used = HEADER_BYTES;
}

void cmus_block_buffer_end(cmus_block_buffer *buffer) {
    cmus_free(buffer->bytes);
}

void cmus_block_buffer_clear(cmus_block_buffer *buffer) {
    buffer->used = HEADER_BYTES;
}

uint8_t *cmus_block_buffer_room(const cmus_block_buffer *buffer) {
    return buffer->bytes + buffer->used;
}

void cmus_block_buffer_keep(cmus_block_buffer *buffer, size_t size, cmus_prepared_image *prepared) {
    prepared->place = buffer->used;
    prepared->pixels = cmus_hash_bytes(buffer->bytes + buffer->used, size);
    buffer->used += size;
}

static char *block_path(const cmus_block_store *store, size_t block) {
    return cmus_format_string("%s/block-%07zu", store->folder, block);
}

/* Records as they lie in memory, then the texts of damages with their ends. */
void cmus_prepared_pack(const cmus_prepared_image *prepared, size_t count, uint8_t **bytes, size_t *size) {
    *size = count * sizeof *prepared;
    for (size_t i = 0; i < count; i++)
        *size += prepared[i].damage ? strlen(prepared[i].damage) + 1 : 0;
    *bytes = cmus_allocate(*size, 1);
    memcpy(*bytes, prepared, count * sizeof *prepared);
    char *text = (char *)*bytes + count * sizeof *prepared;
    for (size_t i = 0; i < count; i++)
        if (prepared[i].damage)
            text = stpcpy(text, prepared[i].damage) + 1;
}

bool cmus_prepared_unpack(const uint8_t *bytes, size_t size, cmus_prepared_image *prepared, size_t count) {
    size_t place = count * sizeof *prepared;
    if (size < place)
        return false;
    memcpy(prepared, bytes, place);
    bool whole = true;
    for (size_t i = 0; i < count; i++) {
        if (!prepared[i].damage)
            continue;
        prepared[i].damage = NULL; /* it pointed into another process */
        size_t length = strnlen((const char *)bytes + place, size - place);
        whole = whole && length < size - place;
        if (whole) {
            prepared[i].damage = cmus_copy_string((const char *)bytes + place);
            place += length + 1;
        }
    }
    return whole && place == size;
}

void cmus_prepared_free(cmus_prepared_image *prepared, size_t count) {
    for (size_t i = 0; i < count; i++)
        cmus_free(prepared[i].damage);
    cmus_free(prepared);
}

cmus_status cmus_block_write(const cmus_block_store *store, size_t block, uint64_t key, cmus_block_buffer *buffer,
                             const cmus_prepared_image *prepared) {
    size_t first, count = cmus_block_images(store, block, &first), size;
    uint8_t *records;
    const uint64_t header[] = {MAGIC, key, buffer->used - HEADER_BYTES};
    memcpy(buffer->bytes, header, HEADER_BYTES);
    cmus_prepared_pack(prepared, count, &records, &size);
    const uint64_t hashes[] = {cmus_hash_bytes(buffer->bytes, buffer->used), cmus_hash_bytes(records, size)};
    const uint64_t hash = cmus_hash_bytes(hashes, sizeof hashes);
    const cmus_bytes parts[] = {{buffer->bytes, buffer->used}, {records, size}, {&hash, sizeof hash}};
    char *path = block_path(store, block);
    cmus_status status = cmus_file_write_scratch(path, parts, sizeof parts / sizeof parts[0]);
    cmus_free(path);
    cmus_free(records);
    return status;
}

static size_t pixel_bytes(const cmus_block_store *store, const cmus_prepared_image *prepared) {
    return (prepared->gray ? 1 : 3) * pixels_of(store);
}

/* Whether the pixels of all images lie before `end`. */
static bool are_inside(const cmus_block_store *store, const cmus_prepared_image *prepared, size_t count, size_t end) {
    for (size_t i = 0; i < count; i++)
        if (!prepared[i].damage && (prepared[i].place < HEADER_BYTES || prepared[i].place > end ||
                                    pixel_bytes(store, &prepared[i]) > end - prepared[i].place))
            return false;
    return true;
}

/* Whether the file's bytes are a block of this key, and its records. */
static bool parse_block(const cmus_block_store *store, const uint8_t *bytes, size_t size, uint64_t key,
                        cmus_prepared_image *prepared, size_t count) {
    uint64_t header[3], hash;
    if (size < HEADER_BYTES + HASH_BYTES)
        return false;
    memcpy(header, bytes, HEADER_BYTES);
    size_t room = size - HEADER_BYTES - HASH_BYTES;
    if (header[0] != MAGIC || header[1] != key || header[2] > room || header[2] > count * 3 * pixels_of(store))
        return false;
    size_t end = HEADER_BYTES + (size_t)header[2], rest = size - HASH_BYTES - end;
    const uint64_t hashes[] = {cmus_hash_bytes(bytes, end), cmus_hash_bytes(bytes + end, rest)};
    memcpy(&hash, bytes + size - HASH_BYTES, HASH_BYTES);
    return hash == cmus_hash_bytes(hashes, sizeof hashes) && cmus_prepared_unpack(bytes + end, rest, prepared, count) &&
           are_inside(store, prepared, count, end);
}

bool cmus_block_read(const cmus_block_store *store, size_t block, uint64_t key, cmus_prepared_image *prepared) {
    size_t first, count = cmus_block_images(store, block, &first), size;
    char *path = block_path(store, block), *bytes;
    bool good = cmus_file_read(path, FILE_LIMIT, &bytes, &size) == CMUS_OK;
    if (good) {
        good = parse_block(store, (const uint8_t *)bytes, size, key, prepared, count);
        cmus_free(bytes);
        if (!good) {
            for (size_t i = 0; i < count; i++)
                cmus_free(prepared[i].damage);
            memset(prepared, 0, count * sizeof *prepared);
        }
    }
    cmus_free(path);
    return good;
}

static cmus_status read_at(const char *path, uint64_t place, uint8_t *bytes, size_t size) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return cmus_fail(CMUS_ERROR_IO, "can't read %s: %s", path, strerror(errno));
    size_t done = 0;
    ssize_t got = 1;
    while (done < size && (got > 0 || (got < 0 && errno == EINTR))) {
        got = pread(descriptor, bytes + done, size - done, (off_t)(place + done));
        done += got > 0 ? (size_t)got : 0;
    }
    int error = got < 0 ? errno : EIO;
    close(descriptor);
    return done == size ? CMUS_OK : cmus_fail(CMUS_ERROR_IO, "can't read %s: %s", path, strerror(error));
}

cmus_status cmus_block_pixels(const cmus_block_store *store, size_t image, const cmus_prepared_image *prepared,
                              uint8_t *pixels) {
    char *path = block_path(store, image / store->images_per_block);
    size_t bytes = pixel_bytes(store, prepared);
    cmus_status status = read_at(path, prepared->place, pixels, bytes);
    if (status == CMUS_OK && cmus_hash_bytes(pixels, bytes) != prepared->pixels)
        status = cmus_fail(CMUS_ERROR_CHECKSUM, "%s: not what was written a while ago; is the disk damaged?", path);
    cmus_free(path);
    return status;
}
