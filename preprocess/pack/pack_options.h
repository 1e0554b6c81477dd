/* The command line of cmus-pack. */
#ifndef CMUS_PACK_OPTIONS_H
#define CMUS_PACK_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "case_list.h"
#include "image.h"

/* What to do with cases that can't be packed. */
typedef enum cmus_on_error { CMUS_STOP, CMUS_SKIP } cmus_on_error;

typedef struct cmus_pack_options {
    const char **sources; /* SRC..., or the one DIR that --preview or --describe looks at */
    size_t source_count;
    const char *manifest, *out;
    const char *verify, *describe, *preview;
    const char *key_file, *map; /* --deidentify, --map */
    cmus_scan_options scan;     /* without identity */
    cmus_on_error on_error;
    int image_size, shard_mb, compression;
    cmus_filter filter;
    cmus_decode_options decode;
    char *class_text; /* what scan.classes points into */
} cmus_pack_options;

/* Reads the command line on every rank; wrong usage ends the program with exit code 2. Free by
 * cmus_pack_options_free(). */
void cmus_pack_options_parse(int rank, int argc, char **argv, cmus_pack_options *options);
void cmus_pack_options_free(cmus_pack_options *options);

/* How the images were made, for dataset.json: a JSON object; free with cmus_free(). */
char *cmus_pack_options_describe(const cmus_pack_options *options);

#endif
