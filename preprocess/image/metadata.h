/* What the tags and texts of an image file tell beside the picture: which way is up, and whether they may tell who or
 * where it is from. Only yes or no is found out: no text of a tag is kept, shown or stored.
 *
 * Everything is read from memory; damaged tags are skipped, as the picture does not depend on them. The time is bounded
 * whatever the tags are. README.md lists what counts.
 */
#ifndef CMUS_METADATA_H
#define CMUS_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cmus_metadata {
    int orientation;   /* EXIF 1 to 8; 0: nothing valid was found */
    bool has_position; /* GPS coordinates */
    bool has_person;   /* texts that may name a person or a hospital */
} cmus_metadata;

/* Each of these adds to `found`, which begins as zeroes. */

/* A TIFF or BigTIFF file of either byte order, or the same in EXIF data: the first directory and the EXIF and GPS
 * directories that it names. Layout: TIFF 6.0, Exif 2.32 (CIPA DC-008). */
void cmus_metadata_tiff(const uint8_t *data, size_t size, cmus_metadata *found);

/* The content of a JPEG marker, without its length: APP1 (EXIF or XMP), APP13 (IPTC) or COM; others tell nothing.
 * marker: the second byte, such as 0xE1. */
void cmus_metadata_jpeg(int marker, const uint8_t *data, size_t size, cmus_metadata *found);

/* The content of a PNG chunk: eXIf, tEXt, zTXt or iTXt; others tell nothing. Compressed text is judged by its keyword.
 */
void cmus_metadata_png(const char *name, const uint8_t *data, size_t size, cmus_metadata *found);

#endif
