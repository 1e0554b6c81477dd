/* Small pictures of packed images, to be put into a page. */
#ifndef CMUS_THUMBNAIL_H
#define CMUS_THUMBNAIL_H

#include <stdint.h>

/* The square RGB picture [size][size][3], made `side` pixels wide, as JPEG in base64; free with cmus_free(). A picture
 * whose pixels are all gray takes one channel. quality: 1 to 100, as libjpeg's. */
char *cmus_thumbnail(const uint8_t *rgb, int size, int side, int quality);

#endif
