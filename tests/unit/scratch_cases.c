#include "scratch_cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmus/file.h"
#include "cmus/memory.h"
#include "made_tiff.h"

static const char said_file[] = "case_source_said.txt";

char *said;
static int kept_stderr = -1;

void begin_listening(void) {
    fflush(stderr);
    kept_stderr = dup(STDERR_FILENO);
    CU_ASSERT_PTR_NOT_NULL_FATAL(freopen(said_file, "w", stderr));
}

void end_listening(void) {
    size_t size;
    fflush(stderr);
    dup2(kept_stderr, STDERR_FILENO);
    close(kept_stderr);
    cmus_free(said);
    CU_ASSERT_EQUAL_FATAL(cmus_file_read(said_file, 100000, &said, &size), CMUS_OK);
    unlink(said_file);
}

void expect_text(const char *text, const char *wanted) {
    if (!strstr(text, wanted))
        fprintf(stderr, "'%s' is not in: %s\n", wanted, text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, wanted));
}

/* The message of the failure that was just had. */
void expect_message(const char *wanted) {
    expect_text(cmus_last_error(), wanted);
}

void write_text(const char *path, const char *text) {
    CU_ASSERT_EQUAL_FATAL(cmus_file_write(path, text, strlen(text)), CMUS_OK);
}

/* A gray TIFF of SIDE x SIDE pixels: byte i is shade + i % 7, or 16 bits with 256 times that. */
void write_image(const char *path, int shade, int bits) {
    uint8_t pixels[SIDE * SIDE * 2];
    size_t bytes = (size_t)(SIDE * SIDE * bits / 8);
    for (int i = 0; i < SIDE * SIDE; i++)
        if (bits == 8)
            pixels[i] = (uint8_t)(shade + i % 7);
        else {
            pixels[2 * i] = 0;
            pixels[2 * i + 1] = (uint8_t)(shade + i % 7);
        }
    made_tiff file = made_begin(true, false, 9);
    made_value(&file, 256, 4, SIDE);
    made_value(&file, 257, 4, SIDE);
    made_value(&file, 258, 3, (uint64_t)bits);
    made_value(&file, 259, 3, 1);
    made_value(&file, 262, 3, 1);
    made_value(&file, 273, 4, file.size);
    made_value(&file, 277, 3, 1);
    made_value(&file, 278, 4, SIDE);
    made_value(&file, 279, 4, bytes);
    memcpy(file.bytes + file.size, pixels, bytes);
    CU_ASSERT_EQUAL_FATAL(cmus_file_write(path, file.bytes, file.size + bytes), CMUS_OK);
}

/* The shade of an image in the TREE, by its path, so that most differ from each other. */
static int shade_of(const char *name) {
    unsigned sum = 0;
    for (; *name; name++)
        sum = sum * 31 + (unsigned char)*name;
    return 1 + (int)(sum % 200);
}

char *tree_path(const char *name) {
    return cmus_path_join(TREE, name);
}

void add_image(const char *name) {
    char *path = tree_path(name), *folder = cmus_copy_string(path);
    *strrchr(folder, '/') = 0;
    CU_ASSERT_EQUAL_FATAL(cmus_folder_make(folder), CMUS_OK);
    write_image(path, shade_of(name), 8);
    cmus_free(folder);
    cmus_free(path);
}

void add_case(const char *folder, int tem_count) {
    char name[256];
    for (int i = -2; i < tem_count; i++) {
        snprintf(name, sizeof name, "%s/%s_%d.tif", folder, i == -2 ? "OM" : i == -1 ? "IM" : "TEM", i < 0 ? 1 : i + 9);
        add_image(name);
    }
}

void remove_image(const char *name) {
    char *path = tree_path(name);
    CU_ASSERT_EQUAL(unlink(path), 0);
    cmus_free(path);
}

void begin_tree(void) {
    cmus_folder_remove(TREE);
    CU_ASSERT_EQUAL_FATAL(cmus_folder_make(TREE), CMUS_OK);
}

cmus_case_source *open_tree(const cmus_case_source_options *options) {
    const char *const trees[] = {TREE};
    cmus_case_source *source;
    cmus_status status = cmus_case_source_open_trees(trees, 1, options, &source);
    if (status != CMUS_OK)
        fprintf(stderr, "%s\n", cmus_last_error());
    CU_ASSERT_EQUAL_FATAL(status, CMUS_OK);
    return source;
}

void refuse_tree(const cmus_case_source_options *options, cmus_status wanted, const char *message) {
    const char *const trees[] = {TREE};
    cmus_case_source *source = (cmus_case_source *)&source;
    CU_ASSERT_EQUAL(cmus_case_source_open_trees(trees, 1, options, &source), wanted);
    CU_ASSERT_PTR_NULL(source);
    expect_message(message);
}

/* Whether all pixels are those of the file of that name in the tree. */
bool is_image(const uint8_t *rgb, const char *name) {
    for (int i = 0; i < SIDE * SIDE; i++)
        for (int c = 0; c < 3; c++)
            if (rgb[3 * i + c] != shade_of(name) + i % 7)
                return false;
    return true;
}

void expect_case(const cmus_case_source *source, int index, const char *id, const char *class_name, int tem) {
    cmus_case_facts facts = cmus_case_source_case(source, index);
    CU_ASSERT_STRING_EQUAL(facts.case_id, id);
    CU_ASSERT_EQUAL(facts.tem_count, tem);
    if (class_name && facts.class_name)
        CU_ASSERT_STRING_EQUAL(facts.class_name, class_name);
    CU_ASSERT_EQUAL(class_name == NULL, facts.class_name == NULL);
}

void expect_name(cmus_case_source *source, int index, cmus_image_kind kind, int image, const char *wanted) {
    char *name = cmus_case_source_image_name(source, index, kind, image);
    CU_ASSERT_STRING_EQUAL(name, wanted);
    cmus_free(name);
}
