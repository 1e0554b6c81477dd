/* Blocks: what is written is read again; a block that is damaged, cut off, forged or another one is none. Source files
 * that can't be read. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block.h"
#include "cmus/memory.h"
#include "source_file.h"
#include "unit.h"

enum { SIZE = 8, PIXELS = SIZE * SIZE, IMAGES = 21, KEY = 77, FIRST = 16, COUNT = 5 };

static const char folder[] = "block_scratch";

static cmus_block_store make_store(void) {
    CU_ASSERT_EQUAL_FATAL(cmus_folder_remove(folder), CMUS_OK);
    CU_ASSERT_EQUAL_FATAL(cmus_folder_make(folder), CMUS_OK);
    cmus_block_store store = cmus_block_store_of(folder, SIZE, IMAGES);
    store.images_per_block = FIRST;
    return store;
}

static uint8_t pixel(size_t image, size_t i) {
    return (uint8_t)(31 * image + 7 * i);
}

/* Images 16 to 20, block 1: gray ones and ones with colour in turn; number 18 is damaged. `place` of number 20 is moved
 * by `forged`. */
static cmus_prepared_image *write_block(const cmus_block_store *store, uint64_t forged) {
    cmus_prepared_image *prepared = cmus_allocate(COUNT, sizeof *prepared);
    cmus_block_buffer buffer;
    cmus_block_buffer_begin(store, &buffer);
    for (size_t i = 0; i < COUNT; i++) {
        prepared[i].width = 100 + (int)i;
        prepared[i].gray = i % 2 == 0;
        memset(prepared[i].sha256, (int)i, sizeof prepared[i].sha256);
        if (i == 2) {
            prepared[i].damage = cmus_copy_string("damaged PNG: cut off");
            continue;
        }
        size_t bytes = (prepared[i].gray ? 1 : 3) * PIXELS;
        uint8_t *room = cmus_block_buffer_room(&buffer);
        for (size_t k = 0; k < bytes; k++)
            room[k] = pixel(FIRST + i, k);
        cmus_block_buffer_keep(&buffer, bytes, &prepared[i]);
    }
    prepared[COUNT - 1].place += forged;
    CU_ASSERT_EQUAL(cmus_block_write(store, 1, KEY, &buffer, prepared), CMUS_OK);
    cmus_block_buffer_end(&buffer);
    return prepared;
}

/* Whether block 1 can be read; if not, nothing must be left in the records. */
static bool reads(const cmus_block_store *store, uint64_t key) {
    cmus_prepared_image *found = cmus_allocate(COUNT, sizeof *found), *nothing = cmus_allocate(COUNT, sizeof *nothing);
    bool read = cmus_block_read(store, 1, key, found);
    CU_ASSERT(read || memcmp(found, nothing, COUNT * sizeof *found) == 0);
    cmus_prepared_free(found, COUNT);
    cmus_prepared_free(nothing, COUNT);
    return read;
}

static void test_dealing(void) {
    cmus_block_store small = cmus_block_store_of(folder, 8, 4100), large = cmus_block_store_of(folder, 4096, 3);
    size_t first;
    CU_ASSERT_EQUAL(cmus_block_count(&small), 257);
    CU_ASSERT_EQUAL(cmus_block_images(&small, 256, &first), 4);
    CU_ASSERT_EQUAL(first, 4096);
    cmus_block_store few = cmus_block_store_of(folder, 8, 301), fewer = cmus_block_store_of(folder, 8, 18);
    CU_ASSERT_EQUAL(cmus_block_count(&few), 151); /* enough for threads and ranks to share */
    CU_ASSERT_EQUAL(cmus_block_images(&few, 150, &first), 1);
    CU_ASSERT_EQUAL(cmus_block_count(&fewer), 18);
    CU_ASSERT_EQUAL(cmus_block_count(&large), 3);
    CU_ASSERT_EQUAL(cmus_block_images(&large, 2, &first), 1);
    cmus_block_store none = cmus_block_store_of(folder, 224, 0);
    CU_ASSERT_EQUAL(cmus_block_count(&none), 0);
}

static void test_reading(void) {
    cmus_block_store store = make_store();
    cmus_prepared_image *written = write_block(&store, 0), *read = cmus_allocate(COUNT, sizeof *read);
    CU_ASSERT_FATAL(cmus_block_read(&store, 1, KEY, read));
    for (size_t i = 0; i < COUNT; i++) {
        uint8_t pixels[3 * PIXELS];
        size_t bytes = (written[i].gray ? 1 : 3) * PIXELS, wrong = 0;
        CU_ASSERT_EQUAL(read[i].width, written[i].width);
        CU_ASSERT_EQUAL(memcmp(read[i].sha256, written[i].sha256, sizeof read[i].sha256), 0);
        CU_ASSERT_EQUAL(read[i].damage == NULL, i != 2);
        if (read[i].damage) {
            CU_ASSERT_STRING_EQUAL(read[i].damage, written[i].damage);
            continue;
        }
        CU_ASSERT_EQUAL(cmus_block_pixels(&store, FIRST + i, &read[i], pixels), CMUS_OK);
        for (size_t k = 0; k < bytes; k++)
            wrong += pixels[k] != pixel(FIRST + i, k);
        CU_ASSERT_EQUAL(wrong, 0);
    }
    CU_ASSERT(!reads(&store, KEY + 1));
    cmus_prepared_free(written, COUNT);
    cmus_prepared_free(read, COUNT);
}

static void write_bytes(const char *path, const char *bytes, size_t size) {
    CU_ASSERT_EQUAL_FATAL(cmus_file_write_scratch(path, &(cmus_bytes){bytes, size}, 1), CMUS_OK);
}

static void test_damage(void) {
    cmus_block_store store = make_store();
    cmus_prepared_free(write_block(&store, 0), COUNT);
    char *path = cmus_path_join(folder, "block-0000001"), *other = cmus_path_join(folder, "block-0000000"), *bytes;
    size_t size, accepted = 0;
    CU_ASSERT_EQUAL_FATAL(cmus_file_read(path, 1 << 20, &bytes, &size), CMUS_OK);
    for (size_t i = 0; i < size; i++) {
        bytes[i] ^= 4;
        write_bytes(path, bytes, size);
        accepted += reads(&store, KEY);
        bytes[i] ^= 4;
    }
    CU_ASSERT_EQUAL(accepted, 0);
    for (size_t cut = 0; cut < size; cut++) {
        write_bytes(path, bytes, cut);
        accepted += reads(&store, KEY);
    }
    CU_ASSERT_EQUAL(accepted, 0);
    write_bytes(path, bytes, size + 1); /* with the zero byte behind */
    CU_ASSERT(!reads(&store, KEY));
    write_bytes(path, bytes, size);
    CU_ASSERT(reads(&store, KEY));
    unlink(path);
    CU_ASSERT(!reads(&store, KEY));
    write_bytes(other, bytes, size); /* block 0 has 16 images, not 5 */
    cmus_prepared_image found[FIRST] = {{0}};
    CU_ASSERT(!cmus_block_read(&store, 0, KEY, found));
    cmus_free(bytes);
    cmus_free(path);
    cmus_free(other);
}

/* Blocks with the right checksum whose images would lie outside. */
static void test_forged(void) {
    cmus_block_store store = make_store();
    const uint64_t forged[] = {1, UINT64_MAX, (uint64_t)1 << 40, (uint64_t)-4000};
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
        cmus_prepared_free(write_block(&store, forged[i]), COUNT);
        bool inside = forged[i] == UINT64_MAX; /* a byte before is still inside; its hash is wrong */
        CU_ASSERT_EQUAL(reads(&store, KEY), inside);
    }
}

static void test_changed_pixels(void) {
    cmus_block_store store = make_store();
    cmus_prepared_image *prepared = write_block(&store, 0);
    uint8_t pixels[3 * PIXELS];
    char *path = cmus_path_join(folder, "block-0000001"), *bytes;
    size_t size;
    CU_ASSERT_EQUAL_FATAL(cmus_file_read(path, 1 << 20, &bytes, &size), CMUS_OK);
    bytes[prepared[1].place + 100] ^= 1;
    write_bytes(path, bytes, size);
    CU_ASSERT_EQUAL(cmus_block_pixels(&store, FIRST, &prepared[0], pixels), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_block_pixels(&store, FIRST + 1, &prepared[1], pixels), CMUS_ERROR_CHECKSUM);
    write_bytes(path, bytes, 100);
    CU_ASSERT_EQUAL(cmus_block_pixels(&store, FIRST + 1, &prepared[1], pixels), CMUS_ERROR_IO);
    unlink(path);
    CU_ASSERT_EQUAL(cmus_block_pixels(&store, FIRST + 1, &prepared[1], pixels), CMUS_ERROR_IO);
    cmus_free(bytes);
    cmus_free(path);
    cmus_prepared_free(prepared, COUNT);
}

static void test_unpacking(void) {
    cmus_block_store store = make_store();
    cmus_prepared_image *prepared = write_block(&store, 0);
    uint8_t *bytes;
    size_t size, accepted = 0;
    cmus_prepared_pack(prepared, COUNT, &bytes, &size);
    for (size_t cut = 0; cut < size; cut++) {
        cmus_prepared_image *found = cmus_allocate(COUNT, sizeof *found);
        uint8_t *exact = cmus_allocate_raw(cut, 1); /* so that reading behind it is seen by a sanitizer */
        memcpy(exact, bytes, cut);
        accepted += cmus_prepared_unpack(exact, cut, found, COUNT);
        cmus_free(exact);
        cmus_prepared_free(found, COUNT);
    }
    uint8_t *longer = cmus_allocate(size + 1, 1);
    cmus_prepared_image *found = cmus_allocate(COUNT, sizeof *found);
    memcpy(longer, bytes, size);
    accepted += cmus_prepared_unpack(longer, size + 1, found, COUNT);
    CU_ASSERT_EQUAL(accepted, 0);
    cmus_prepared_free(found, COUNT);
    cmus_free(longer);
    cmus_free(bytes);
    cmus_prepared_free(prepared, COUNT);
}

/* Messages must not name the file. */
static void test_sources(void) {
    make_store();
    cmus_source_buffer buffer = {0};
    char *path = cmus_path_join(folder, "patient"), *pipe = cmus_path_join(folder, "patient.pipe");
    CU_ASSERT_EQUAL(cmus_source_read(path, &buffer), CMUS_ERROR_NOT_FOUND);
    CU_ASSERT_PTR_NULL(strstr(cmus_last_error(), "patient"));
    CU_ASSERT_EQUAL(cmus_source_read(folder, &buffer), CMUS_ERROR_IO);
    CU_ASSERT_EQUAL_FATAL(mkfifo(pipe, 0600), 0);
    CU_ASSERT_EQUAL(cmus_source_read(pipe, &buffer), CMUS_ERROR_IO);
    CU_ASSERT_PTR_NULL(strstr(cmus_last_error(), "patient"));
    for (size_t size = 0; size < 100000; size = 3 * size + 1) {
        char *bytes = cmus_allocate_raw(size, 1);
        memset(bytes, (int)size, size);
        write_bytes(path, bytes, size);
        CU_ASSERT_EQUAL(cmus_source_read(path, &buffer), CMUS_OK);
        CU_ASSERT_EQUAL_FATAL(buffer.size, size);
        CU_ASSERT_EQUAL(memcmp(buffer.bytes, bytes, size), 0);
        cmus_free(bytes);
    }
    cmus_file_state before = cmus_file_state_of(path);
    write_bytes(path, "other", 5);
    cmus_file_state after = cmus_file_state_of(path);
    CU_ASSERT_NOT_EQUAL(memcmp(&before, &after, sizeof before), 0);
    cmus_source_buffer_free(&buffer);
    cmus_free(path);
    cmus_free(pipe);
    CU_ASSERT_EQUAL(cmus_folder_remove(folder), CMUS_OK);
}

int main(void) {
    static const unit_test tests[] = {
        {"dealing images out", test_dealing},
        {"reading again", test_reading},
        {"damaged", test_damage},
        {"places outside", test_forged},
        {"pixels changed", test_changed_pixels},
        {"records cut off", test_unpacking},
        {"source files", test_sources},
    };
    return unit_main("block", tests, sizeof tests / sizeof tests[0]);
}
