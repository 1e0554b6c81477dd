/* Base64 (RFC 4648, with padding): pictures in data URIs, and the hash of the script in the page's policy. */
#ifndef CMUS_BASE64_H
#define CMUS_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* Letters that `size` bytes become. */
size_t cmus_base64_size(size_t size);

/* A new text; free with cmus_free(). */
char *cmus_base64(const uint8_t *bytes, size_t size);

#endif
