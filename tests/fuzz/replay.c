/* Runs a fuzz target on files and on all files of folders: the corpus as a plain test, or a single finding under a
 * debugger.
 *   replay_NAME PATH...
 * The name of each file is printed before it is run: the last one is that which crashed. */
#include <stdio.h>
#include <stdlib.h>

#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "fuzz.h"

static const size_t FILE_LIMIT = (size_t)1 << 26;

static void replay_file(const char *path) {
    char *text;
    size_t size;
    printf("%s\n", path);
    fflush(stdout);
    if (cmus_file_read(path, FILE_LIMIT, &text, &size) != CMUS_OK)
        cmus_fatal("%s", cmus_last_error());
    uint8_t *exact = malloc(size); /* no byte more than the input has, so that a sanitizer sees what reads beyond it */
    if (!exact && size > 0)
        cmus_fatal("out of memory");
    for (size_t i = 0; i < size; i++)
        exact[i] = (uint8_t)text[i];
    cmus_free(text);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static size_t replay_folder(const char *folder) {
    char **names;
    size_t count;
    if (cmus_folder_list(folder, &names, &count) != CMUS_OK)
        cmus_fatal("%s", cmus_last_error());
    for (size_t i = 0; i < count; i++) {
        char *path = cmus_path_join(folder, names[i]);
        replay_file(path);
        cmus_free(path);
    }
    cmus_names_free(names, count);
    return count;
}

int main(int argc, char **argv) {
    size_t count = 0;
    cmus_log_begin("replay", 0, 1);
    for (int i = 1; i < argc; i++) {
        if (cmus_folder_exists(argv[i])) {
            count += replay_folder(argv[i]);
        } else {
            replay_file(argv[i]);
            count++;
        }
    }
    printf("%zu inputs\n", count);
    return count > 0 ? 0 : 1;
}
