/* PNG files. A changed byte nearly always breaks the checksum of its chunk, which ends the reading. So each input is
 * read as it is and, if it is refused, once more with the checksums that its chunks should have. */
#include <string.h>
#include <zlib.h>

#include "cmus/memory.h"
#include "fuzz.h"
#include "fuzz_image.h"

static const char signature[8] = "\x89PNG\r\n\x1a\n";

static uint32_t big_endian(const uint8_t *from) {
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

/* A chunk is its length, 4 bytes of name, the content and the CRC-32 of name and content. */
static void repair_checksums(uint8_t *data, size_t size) {
    size_t place = sizeof signature;
    while (size - place >= 12) {
        size_t length = big_endian(data + place);
        if (length > size - place - 12)
            return;
        uint32_t sum = (uint32_t)crc32(0, data + place + 4, (uInt)(4 + length));
        place += 8 + length;
        for (int i = 0; i < 4; i++)
            data[place++] = (uint8_t)(sum >> (24 - 8 * i));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < sizeof signature || memcmp(data, signature, sizeof signature) != 0)
        return 0;
    if (cmus_fuzz_image(data, size) == CMUS_OK)
        return 0;
    uint8_t *repaired = cmus_allocate_raw(size, 1);
    memcpy(repaired, data, size);
    repair_checksums(repaired, size);
    cmus_fuzz_image(repaired, size);
    cmus_free(repaired);
    return 0;
}
