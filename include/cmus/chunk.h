/* A chunk of a shard as it lies in the file: its bytes, deflated if the shard is compressed, and then 4 bytes of
 * Fletcher-32. What HDF5's own filters make and read, byte for byte; done here because HDF5 copies each chunk several
 * times on its way, and when it reads does not prove that an unpacked chunk is as long as it should be. Not collective;
 * safe in threads.
 *
 * Fletcher-32 comes last, over the stored bytes: damage is found before zlib sees it.
 */
#ifndef CMUS_CHUNK_H
#define CMUS_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmus/status.h"

enum {
    CMUS_COMPRESSION_MAX = 9,  /* levels of deflate: 1 to 9; 0: none */
    CMUS_CHUNK_CHECK_BYTES = 4 /* of the Fletcher-32 */
};

/* Fletcher-32 of HDF5 (H5_checksum_fletcher32): the sums, modulo 65535, of big-endian 16-bit words and of these sums;
 * an odd last byte is the upper half of a word. */
uint32_t cmus_fletcher32(const void *data, size_t size);

/* Room that the stored form of `size` bytes may need. */
size_t cmus_chunk_room(size_t size, int compression);

/* Makes the stored form of data [size] in stored [cmus_chunk_room()] and returns its length. Uncompressed, `data` may
 * be `stored` itself. *skipped: HDF5's mask of the filters that were left out: 1 if deflate would not have made it
 * smaller, else 0. */
size_t cmus_chunk_store(const void *data, size_t size, int compression, void *stored, uint32_t *skipped);

/* Gets data [size] back from stored [stored_size]; `deflated`: deflate was not left out. CHECKSUM if the Fletcher-32
 * does not hold, FORMAT if there are not exactly `size` bytes in it; the message has no path. */
cmus_status cmus_chunk_load(const void *stored, size_t stored_size, bool deflated, void *data, size_t size);

#endif
