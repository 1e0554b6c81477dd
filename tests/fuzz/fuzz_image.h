/* What the targets of JPEG, PNG and TIFF share. */
#ifndef CMUS_FUZZ_IMAGE_H
#define CMUS_FUZZ_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "cmus/status.h"

/* Decodes a file's bytes as cmus-pack does, but with a limit of 65536 pixels, which keeps runs short; resizes the image
 * by every filter; frees it. Returns the status of decoding. */
cmus_status cmus_fuzz_image(const uint8_t *data, size_t size);

#endif
