#include "cmus/chunk.h"

#include <string.h>
#include <zlib.h>

#include "cmus/log.h"

/* The sums are taken in lanes, which the compiler makes vectors of. In a part, the second sums of a lane stay below
 * 2^32: PART (PART + 1) / 2 words of up to 65535. */
enum { LANES = 32, PART = 256 };

/* Adds the words [count * LANES] to the sums. */
static void add_part(const uint8_t *words, size_t count, uint64_t *sum, uint64_t *sum_of_sums) {
    uint32_t one[LANES] = {0}, two[LANES] = {0};
    for (size_t i = 0; i < count; i++) {
        uint16_t word[LANES];
        memcpy(word, words + i * sizeof word, sizeof word);
        for (int lane = 0; lane < LANES; lane++) {
            one[lane] += word[lane];
            two[lane] += one[lane];
        }
    }
    /* two[lane] counts a word once for its own and each later row; LANES sums a row, less those before its lane */
    *sum_of_sums += count * LANES * *sum;
    for (uint32_t lane = 0; lane < LANES; lane++) {
        *sum_of_sums += (uint64_t)LANES * two[lane] - (uint64_t)lane * one[lane];
        *sum += one[lane];
    }
}

/* Modulo 65535 as HDF5's folding leaves it: 0 only if nothing but zeros was added. */
static uint32_t fold(uint64_t sum) {
    return sum == 0 ? 0 : (uint32_t)((sum - 1) % 65535 + 1);
}

static uint32_t swap_bytes(uint32_t word) {
    return (word & 255) << 8 | word >> 8;
}

/* The words are summed in the order of bytes of this processor: modulo 65535, 256 times a word is the word with its
 * bytes swapped, so the bytes of the sums may be swapped at the end. */
uint32_t cmus_fletcher32(const void *data, size_t size) {
    const uint8_t *bytes = data;
    uint64_t sum = 0, sum_of_sums = 0;
    size_t rows = size / (2 * LANES);
    while (rows > 0) {
        size_t count = rows < PART ? rows : PART;
        add_part(bytes, count, &sum, &sum_of_sums);
        bytes += count * 2 * LANES;
        rows -= count;
        sum = fold(sum);
        sum_of_sums = fold(sum_of_sums);
    }
    for (size_t i = 0; i < size % (2 * LANES); i += 2) {
        uint8_t pair[2] = {bytes[i], i + 1 < size % (2 * LANES) ? bytes[i + 1] : 0};
        uint16_t word;
        memcpy(&word, pair, sizeof word);
        sum += word;
        sum_of_sums += sum;
    }
    uint32_t low = fold(sum), high = fold(sum_of_sums);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    low = swap_bytes(low);
    high = swap_bytes(high);
#endif
    return high << 16 | low;
}

size_t cmus_chunk_room(size_t size, int compression) {
    return (compression > 0 ? compressBound((uLong)size) : size) + CMUS_CHUNK_CHECK_BYTES;
}

size_t cmus_chunk_store(const void *data, size_t size, int compression, void *stored, uint32_t *skipped) {
    uint8_t *end = stored;
    uLongf length = compressBound((uLong)size);
    if (compression > 0 && compress2(stored, &length, data, (uLong)size, compression) != Z_OK)
        cmus_fatal("zlib can't compress %zu bytes at level %d", size, compression);
    *skipped = compression > 0 && length >= size;
    if (compression == 0 || *skipped) {
        if (data != stored)
            memcpy(stored, data, size);
        length = (uLongf)size;
    }
    uint32_t check = cmus_fletcher32(stored, length);
    end += length;
    for (int i = 0; i < CMUS_CHUNK_CHECK_BYTES; i++)
        end[i] = (uint8_t)(check >> 8 * i);
    return length + CMUS_CHUNK_CHECK_BYTES;
}

cmus_status cmus_chunk_load(const void *stored, size_t stored_size, bool deflated, void *data, size_t size) {
    if (stored_size < CMUS_CHUNK_CHECK_BYTES)
        return cmus_fail(CMUS_ERROR_FORMAT, "a chunk of %zu bytes is too short", stored_size);
    size_t length = stored_size - CMUS_CHUNK_CHECK_BYTES;
    const uint8_t *end = (const uint8_t *)stored + length;
    uint32_t check = cmus_fletcher32(stored, length);
    for (int i = 0; i < CMUS_CHUNK_CHECK_BYTES; i++)
        if (end[i] != (uint8_t)(check >> 8 * i))
            return cmus_fail(CMUS_ERROR_CHECKSUM, "the checksum of a chunk does not hold");
    uLongf got = (uLongf)size;
    if (!deflated) {
        if (length != size)
            return cmus_fail(CMUS_ERROR_FORMAT, "a chunk has %zu bytes instead of %zu", length, size);
        memcpy(data, stored, size);
    } else if (uncompress(data, &got, stored, (uLong)length) != Z_OK || got != size) {
        return cmus_fail(CMUS_ERROR_FORMAT, "a compressed chunk is not usable");
    }
    return CMUS_OK;
}
