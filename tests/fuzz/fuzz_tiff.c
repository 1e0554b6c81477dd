/* TIFF files, plain and big, in both byte orders. Bytes of another kind are left to the other targets. */
#include <string.h>

#include "fuzz.h"
#include "fuzz_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size >= 4 && (memcmp(data, "II", 2) == 0 || memcmp(data, "MM", 2) == 0))
        cmus_fuzz_image(data, size);
    return 0;
}
