/* Seconds of decoding alone, with all threads: pack_decode LIST, the paths of image files, one a line. Files are in
 * memory before the clock starts; nothing is resized, hashed or kept. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "image.h"

static const size_t LIMIT = (size_t)2 << 30;

typedef struct file {
    const char *path;
    char *data;
    size_t size;
} file;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* list: its line breaks become ends of texts, which the files point to. */
static file *read_files(char *list, size_t *count) {
    file *files = NULL;
    size_t capacity = 0;
    for (char *path = strtok(list, "\n"); path; path = strtok(NULL, "\n")) {
        files = cmus_grow(files, &capacity, *count + 1, sizeof *files);
        file *one = &files[(*count)++];
        one->path = path;
        if (cmus_file_read(path, LIMIT, &one->data, &one->size) != CMUS_OK)
            cmus_fatal("%s", cmus_last_error());
    }
    return files;
}

/* Returns the pixels decoded. */
static double decode_all(const file *files, size_t count) {
    cmus_decode_options options = cmus_decode_defaults();
    double pixels = 0;
#pragma omp parallel reduction(+ : pixels)
    {
        cmus_image image = {0};
#pragma omp for schedule(dynamic)
        for (size_t i = 0; i < count; i++) {
            if (cmus_image_decode((const uint8_t *)files[i].data, files[i].size, &options, &image) != CMUS_OK)
                cmus_fatal("%s: %s", files[i].path, cmus_last_error());
            pixels += (double)image.width * image.height;
        }
        cmus_image_free(&image);
    }
    return pixels;
}

int main(int argc, char **argv) {
    char *list = NULL;
    size_t size, count = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: pack_decode LIST\n");
        return 2;
    }
    if (cmus_file_read(argv[1], LIMIT, &list, &size) != CMUS_OK)
        cmus_fatal("%s", cmus_last_error());
    file *files = read_files(list, &count);
    double start = now(), pixels = decode_all(files, count);
    printf("%.6f seconds, %zu images, %.1f megapixels\n", now() - start, count, pixels / 1e6);
    for (size_t i = 0; i < count; i++)
        cmus_free(files[i].data);
    cmus_free(files);
    cmus_free(list);
    return 0;
}
