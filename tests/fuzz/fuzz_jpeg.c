/* JPEG files. Bytes of another kind are left to the other targets. */
#include <string.h>

#include "fuzz.h"
#include "fuzz_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size >= 3 && memcmp(data, "\xFF\xD8\xFF", 3) == 0)
        cmus_fuzz_image(data, size);
    return 0;
}
