#include "cmus/base64.h"

#include "cmus/memory.h"

size_t cmus_base64_size(size_t size) {
    return (size + 2) / 3 * 4;
}

char *cmus_base64(const uint8_t *bytes, size_t size) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = cmus_allocate(cmus_base64_size(size) + 1, 1), *to = text;
    for (size_t i = 0; i < size; i += 3) {
        size_t here = size - i < 3 ? size - i : 3;
        uint32_t bits = (uint32_t)bytes[i] << 16;
        if (here > 1)
            bits |= (uint32_t)bytes[i + 1] << 8;
        if (here > 2)
            bits |= bytes[i + 2];
        *to++ = letters[bits >> 18];
        *to++ = letters[bits >> 12 & 63];
        *to++ = here > 1 ? letters[bits >> 6 & 63] : '=';
        *to++ = here > 2 ? letters[bits & 63] : '=';
    }
    return text;
}
