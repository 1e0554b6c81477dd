/* Cases to be predicted: data sets, trees and files; labels; what is refused, and what is said. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmus/case_source.h"
#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "image_recipe.h"
#include "made_tiff.h"
#include "scratch_dataset.h"
#include "unit.h"

enum { SIDE = 8, IMAGE = SIDE * SIDE * 3, MOST_TEM = 4 };
static const char data_folder[] = "case_source_data", tree[] = "case_source_tree", said_file[] = "case_source_said.txt";
static const cmus_case_source_options plain = {.image_size = SIDE, .quiet = true};

/* What was printed since the last call of listen(). */
static char *said;
static int kept_stderr = -1;

static void listen(void) {
    fflush(stderr);
    kept_stderr = dup(STDERR_FILENO);
    CU_ASSERT_PTR_NOT_NULL_FATAL(freopen(said_file, "w", stderr));
}

static void end_listening(void) {
    size_t size;
    fflush(stderr);
    dup2(kept_stderr, STDERR_FILENO);
    close(kept_stderr);
    cmus_free(said);
    CU_ASSERT_EQUAL_FATAL(cmus_file_read(said_file, 100000, &said, &size), CMUS_OK);
    unlink(said_file);
}

static void expect_text(const char *text, const char *wanted) {
    if (!strstr(text, wanted))
        fprintf(stderr, "'%s' is not in: %s\n", wanted, text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, wanted));
}

/* The message of the failure that was just had. */
static void expect_message(const char *wanted) {
    expect_text(cmus_last_error(), wanted);
}

static void write_text(const char *path, const char *text) {
    CU_ASSERT_EQUAL_FATAL(cmus_file_write(path, text, strlen(text)), CMUS_OK);
}

/* A gray TIFF of SIDE x SIDE pixels: byte i is shade + i % 7, or 16 bits with 256 times that. */
static void write_image(const char *path, int shade, int bits) {
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

/* The shade of an image in the tree, by its path, so that most differ from each other. */
static int shade_of(const char *name) {
    unsigned sum = 0;
    for (; *name; name++)
        sum = sum * 31 + (unsigned char)*name;
    return 1 + (int)(sum % 200);
}

static char *tree_path(const char *name) {
    return cmus_path_join(tree, name);
}

static void add_image(const char *name) {
    char *path = tree_path(name), *folder = cmus_copy_string(path);
    *strrchr(folder, '/') = 0;
    CU_ASSERT_EQUAL_FATAL(cmus_folder_make(folder), CMUS_OK);
    write_image(path, shade_of(name), 8);
    cmus_free(folder);
    cmus_free(path);
}

static void add_case(const char *folder, int tem_count) {
    char name[256];
    for (int i = -2; i < tem_count; i++) {
        snprintf(name, sizeof name, "%s/%s_%d.tif", folder, i == -2 ? "OM" : i == -1 ? "IM" : "TEM", i < 0 ? 1 : i + 9);
        add_image(name);
    }
}

static void remove_image(const char *name) {
    char *path = tree_path(name);
    CU_ASSERT_EQUAL(unlink(path), 0);
    cmus_free(path);
}

static void begin_tree(void) {
    cmus_folder_remove(tree);
    CU_ASSERT_EQUAL_FATAL(cmus_folder_make(tree), CMUS_OK);
}

static cmus_case_source *open_tree(const cmus_case_source_options *options) {
    const char *const trees[] = {tree};
    cmus_case_source *source;
    cmus_status status = cmus_case_source_open_trees(trees, 1, options, &source);
    if (status != CMUS_OK)
        fprintf(stderr, "%s\n", cmus_last_error());
    CU_ASSERT_EQUAL_FATAL(status, CMUS_OK);
    return source;
}

static void refuse_tree(const cmus_case_source_options *options, cmus_status wanted, const char *message) {
    const char *const trees[] = {tree};
    cmus_case_source *source = (cmus_case_source *)&source;
    CU_ASSERT_EQUAL(cmus_case_source_open_trees(trees, 1, options, &source), wanted);
    CU_ASSERT_PTR_NULL(source);
    expect_message(message);
}

/* Whether all pixels are those of the file of that name in the tree. */
static bool is_image(const uint8_t *rgb, const char *name) {
    for (int i = 0; i < SIDE * SIDE; i++)
        for (int c = 0; c < 3; c++)
            if (rgb[3 * i + c] != shade_of(name) + i % 7)
                return false;
    return true;
}

static void expect_case(const cmus_case_source *source, int index, const char *id, const char *class_name, int tem) {
    cmus_case_facts facts = cmus_case_source_case(source, index);
    CU_ASSERT_STRING_EQUAL(facts.case_id, id);
    CU_ASSERT_EQUAL(facts.tem_count, tem);
    if (class_name && facts.class_name)
        CU_ASSERT_STRING_EQUAL(facts.class_name, class_name);
    CU_ASSERT_EQUAL(class_name == NULL, facts.class_name == NULL);
}

static void expect_name(cmus_case_source *source, int index, cmus_image_kind kind, int image, const char *wanted) {
    char *name = cmus_case_source_image_name(source, index, kind, image);
    CU_ASSERT_STRING_EQUAL(name, wanted);
    cmus_free(name);
}

/* --- data sets --- */

static int bag_of(int case_index) {
    return 1 + case_index % 3;
}

static void write_dataset(bool om, bool im, bool tem) {
    scratch_dataset scratch = {.folder = data_folder,
                               .cases = 6,
                               .side = SIDE,
                               .bag_of = bag_of,
                               .tem_channels = 1,
                               .lacks = {[CMUS_IMAGE_OM] = !om, [CMUS_IMAGE_IM] = !im, [CMUS_IMAGE_TEM] = !tem}};
    scratch_dataset_write(&scratch);
}

static void write_splits(const char *folds) {
    char *path = cmus_path_join(data_folder, "splits.csv"), text[512] = "case_id,patient_id,class,repeat,fold\n";
    for (int i = 0; i < 6; i++) {
        const char *name = i % 2 ? "B" : "A";
        size_t end = strlen(text);
        snprintf(text + end, sizeof text - end, "%s/p%d,%s/p%d,%s,0,%.*s\n", name, i, name, i, name,
                 folds[i] == 'h' ? 7 : 1, folds[i] == 'h' ? "holdout" : folds + i);
    }
    write_text(path, text);
    cmus_free(path);
}

static void refuse_data(const char *fold, const cmus_case_source_options *options, cmus_status wanted,
                        const char *message) {
    cmus_case_source *source = (cmus_case_source *)&source;
    CU_ASSERT_EQUAL(cmus_case_source_open_data(data_folder, fold, options, &source), wanted);
    CU_ASSERT_PTR_NULL(source);
    expect_message(message);
}

static void test_data(void) {
    cmus_case_source *source;
    write_dataset(true, true, true);
    CU_ASSERT_EQUAL_FATAL(cmus_case_source_open_data(data_folder, NULL, &plain, &source), CMUS_OK);
    CU_ASSERT_EQUAL_FATAL(cmus_case_source_count(source), 6);
    CU_ASSERT_EQUAL(cmus_case_source_class_count(source), 2);
    CU_ASSERT_STRING_EQUAL(cmus_case_source_class(source, 1), "B");
    expect_case(source, 2, "A/p2", "A", 3);
    expect_case(source, 5, "B/p5", "B", 3);
    expect_name(source, 2, CMUS_IMAGE_TEM, 2, "file");
    CU_ASSERT_EQUAL(cmus_case_source_rejected(source), 0);
    uint8_t om[IMAGE], im[IMAGE], tem[MOST_TEM * IMAGE], wanted[IMAGE];
    int side = SIDE;
    memset(tem, 9, sizeof tem);
    CU_ASSERT_EQUAL(cmus_case_source_read(source, 1, 1, om, im, tem), CMUS_OK);
    scratch_dataset_image(&side, 3, 3, wanted); /* after OM, IM and a TEM image of case 0 */
    CU_ASSERT_EQUAL(memcmp(om, wanted, IMAGE), 0);
    scratch_dataset_image(&side, 4, 3, wanted);
    CU_ASSERT_EQUAL(memcmp(im, wanted, IMAGE), 0);
    scratch_dataset_image(&side, 5, 1, wanted);
    for (int i = 0; i < SIDE * SIDE; i++)
        CU_ASSERT(tem[3 * i] == wanted[i] && tem[3 * i + 1] == wanted[i] && tem[3 * i + 2] == wanted[i]);
    CU_ASSERT_EQUAL(tem[IMAGE], 9); /* max_tem */
    cmus_case_source_close(source);
}

static void test_folds(void) {
    cmus_case_source *source;
    write_dataset(true, true, true);
    refuse_data("0", &plain, CMUS_ERROR_NOT_FOUND, "splits.csv");
    write_splits("0011hh");
    CU_ASSERT_EQUAL_FATAL(cmus_case_source_open_data(data_folder, "1", &plain, &source), CMUS_OK);
    CU_ASSERT_EQUAL_FATAL(cmus_case_source_count(source), 2);
    expect_case(source, 1, "B/p3", "B", 1);
    uint8_t om[IMAGE], wanted[IMAGE];
    int side = SIDE;
    CU_ASSERT_EQUAL(cmus_case_source_read(source, 0, 1, om, wanted, (uint8_t[IMAGE]){0}), CMUS_OK);
    scratch_dataset_image(&side, 7, 3, wanted); /* 3 and 4 images before it */
    CU_ASSERT_EQUAL(memcmp(om, wanted, IMAGE), 0);
    char *one = cmus_case_source_fingerprint(source);
    cmus_case_source_close(source);
    CU_ASSERT_EQUAL_FATAL(cmus_case_source_open_data(data_folder, "holdout", &plain, &source), CMUS_OK);
    expect_case(source, 0, "A/p4", "A", 2);
    char *other = cmus_case_source_fingerprint(source);
    CU_ASSERT_STRING_NOT_EQUAL(one, other);
    cmus_free(one);
    cmus_free(other);
    cmus_case_source_close(source);
    refuse_data("2", &plain, CMUS_ERROR_ARGUMENT, "no fold '2': its folds are 0 to 1");
    refuse_data("-1", &plain, CMUS_ERROR_ARGUMENT, "no fold '-1'");
    refuse_data("1x", &plain, CMUS_ERROR_ARGUMENT, "no fold '1x'");
    refuse_data("", &plain, CMUS_ERROR_ARGUMENT, "no fold ''");
    write_splits("001111");
    refuse_data("holdout", &plain, CMUS_ERROR_DATA, "no case is held out");
}

static void test_data_refusals(void) {
    cmus_case_source_options options = plain, lacking = plain;
    cmus_case_source *source;
    options.image_size = 16;
    lacking.allow_missing = true;
    write_dataset(false, true, true);
    refuse_data(NULL, &options, CMUS_ERROR_MISMATCH, "pack the cases again with --size 16");
    refuse_data(NULL, &plain, CMUS_ERROR_DATA, "lacks OM images: --allow-missing");
    CU_ASSERT_EQUAL_FATAL(cmus_case_source_open_data(data_folder, NULL, &lacking, &source), CMUS_OK);
    CU_ASSERT(!cmus_case_source_case(source, 0).has[CMUS_IMAGE_OM]);
    CU_ASSERT(cmus_case_source_case(source, 0).has[CMUS_IMAGE_IM]);
    uint8_t om[IMAGE], im[IMAGE], tem[IMAGE], zeros[IMAGE] = {0};
    memset(om, 1, sizeof om);
    CU_ASSERT_EQUAL(cmus_case_source_read(source, 0, 1, om, im, tem), CMUS_OK);
    CU_ASSERT_EQUAL(memcmp(om, zeros, IMAGE), 0);
    CU_ASSERT_EQUAL(cmus_case_source_read(source, 0, 1, NULL, im, tem), CMUS_OK);
    cmus_case_source_close(source);
    write_dataset(true, true, false);
    refuse_data(NULL, &lacking, CMUS_ERROR_DATA, "lacks TEM images: the network looks at OM and IM by");
    cmus_folder_remove(data_folder);
    refuse_data(NULL, &plain, CMUS_ERROR_NOT_FOUND, data_folder);
}

static void test_other_images(void) {
    cmus_case_source_options options = {.image_size = SIDE, .images = "{\"resize\": \"box\", \"window\": [1, 2]}"};
    cmus_case_source *source;
    write_dataset(true, true, true);
    listen();
    CU_ASSERT_EQUAL(cmus_case_source_open_data(data_folder, NULL, &options, &source), CMUS_OK);
    end_listening();
    cmus_case_source_close(source);
    expect_text(said,
                "packed with --filter bilinear without --window, but what the network was trained on with --filter "
                "box --window 1,2");
    options.images = "{\"resize\": \"bilinear\", \"window\": \"range of each image\"}";
    listen();
    CU_ASSERT_EQUAL(cmus_case_source_open_data(data_folder, NULL, &options, &source), CMUS_OK);
    end_listening();
    cmus_case_source_close(source);
    CU_ASSERT_STRING_EQUAL(said, "");
    options.images = "[]";
    refuse_data(NULL, &options, CMUS_ERROR_FORMAT, "training data");
}

static void test_recipe(void) {
    cmus_image_recipe recipe;
    CU_ASSERT_EQUAL(cmus_image_recipe_read(NULL, &recipe), CMUS_OK);
    CU_ASSERT_EQUAL(recipe.filter, CMUS_BILINEAR);
    CU_ASSERT_EQUAL(recipe.decode.pixel_limit, cmus_decode_defaults().pixel_limit);
    CU_ASSERT_EQUAL(cmus_image_recipe_read("{}", &recipe), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_image_recipe_read("{\"resize\": \"lanczos\", \"window\": [500, 4000], \"pixel_limit\": 77, "
                                           "\"deidentified\": false}",
                                           &recipe),
                    CMUS_OK);
    CU_ASSERT_EQUAL(recipe.filter, CMUS_LANCZOS);
    CU_ASSERT_EQUAL(recipe.decode.window_low, 500);
    CU_ASSERT_EQUAL(recipe.decode.window_high, 4000);
    CU_ASSERT_EQUAL(recipe.decode.pixel_limit, 77);
    static const char *const wrong[] = {"",
                                        "{",
                                        "[1]",
                                        "{\"resize\": \"nearest\"}",
                                        "{\"resize\": 1}",
                                        "{\"window\": [5]}",
                                        "{\"window\": [5, 4]}",
                                        "{\"window\": [5, 65536]}",
                                        "{\"window\": [-1, 4]}",
                                        "{\"window\": [1, 4, 5]}",
                                        "{\"window\": [1.5, 4]}",
                                        "{\"window\": 5}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CU_ASSERT_EQUAL(cmus_image_recipe_read(wrong[i], &recipe), CMUS_ERROR_FORMAT);
}

/* --- trees --- */

static void test_tree_of_classes(void) {
    begin_tree();
    add_case("B/10", 3);
    add_case("B/9", 1);
    add_case("A/9", 2);
    CU_ASSERT_EQUAL(mkdir("case_source_tree/C", 0777), 0); /* a class may lack cases */
    cmus_case_source *source = open_tree(&plain);
    CU_ASSERT_EQUAL_FATAL(cmus_case_source_count(source), 3);
    CU_ASSERT_EQUAL(cmus_case_source_class_count(source), 0);
    expect_case(source, 0, "A/9", "A", 2);
    expect_case(source, 1, "B/9", "B", 1);
    expect_case(source, 2, "B/10", "B", 3);
    CU_ASSERT_STRING_EQUAL(cmus_case_source_case(source, 2).patient_id, "10");
    expect_name(source, 2, CMUS_IMAGE_OM, 0, "OM_1.tif");
    expect_name(source, 2, CMUS_IMAGE_TEM, 1, "TEM_10.tif");
    uint8_t om[IMAGE], im[IMAGE], tem[MOST_TEM * IMAGE];
    memset(tem, 0, sizeof tem);
    CU_ASSERT_EQUAL(cmus_case_source_read(source, 2, 2, om, im, tem), CMUS_OK);
    CU_ASSERT(is_image(om, "B/10/OM_1.tif"));
    CU_ASSERT(is_image(im, "B/10/IM_1.tif"));
    CU_ASSERT(is_image(tem, "B/10/TEM_9.tif")); /* 9 before 10 */
    CU_ASSERT(is_image(tem + IMAGE, "B/10/TEM_10.tif"));
    CU_ASSERT_EQUAL(tem[2 * IMAGE], 0);
    CU_ASSERT_EQUAL(cmus_case_source_read(source, 2, 0, om, im, tem), CMUS_OK);
    CU_ASSERT(is_image(tem + 2 * IMAGE, "B/10/TEM_11.tif"));
    CU_ASSERT_EQUAL(cmus_case_source_read(source, 0, 3, om, im, tem), CMUS_OK); /* more than there are */
    CU_ASSERT(is_image(tem + IMAGE, "A/9/TEM_10.tif"));
    CU_ASSERT(is_image(tem + 2 * IMAGE, "B/10/TEM_11.tif"));
    cmus_case_source_close(source);
}

static void test_tree_of_cases(void) {
    begin_tree();
    add_case("x10", 1);
    add_case("x9", 2);
    write_text("case_source_tree/notes.txt", "-");
    cmus_case_source_options loud = {.image_size = SIDE};
    listen();
    cmus_case_source *source = open_tree(&loud);
    end_listening();
    expect_text(said, "notes.txt: is not used: not in a folder of a case");
    CU_ASSERT_EQUAL_FATAL(cmus_case_source_count(source), 2);
    expect_case(source, 0, "x9", NULL, 2);
    expect_case(source, 1, "x10", NULL, 1);
    CU_ASSERT_STRING_EQUAL(cmus_case_source_case(source, 0).patient_id, "x9");
    uint8_t om[IMAGE], im[IMAGE], tem[MOST_TEM * IMAGE];
    CU_ASSERT_EQUAL(cmus_case_source_read(source, 0, 0, om, im, tem), CMUS_OK);
    CU_ASSERT(is_image(tem + IMAGE, "x9/TEM_10.tif"));
    cmus_case_source_close(source);
    /* folders of cases, one by one, as a shell's * gives them, and as "." */
    const char *const trees[] = {"case_source_tree/x9/", "case_source_tree/x10"};
    CU_ASSERT_EQUAL_FATAL(cmus_case_source_open_trees(trees, 2, &plain, &source), CMUS_OK);
    CU_ASSERT_EQUAL_FATAL(cmus_case_source_count(source), 2);
    expect_case(source, 0, "x9", NULL, 2);
    expect_case(source, 1, "x10", NULL, 1);
    cmus_case_source_close(source);
    const char *const dot[] = {"."};
    CU_ASSERT_EQUAL_FATAL(chdir("case_source_tree/x9"), 0);
    CU_ASSERT_EQUAL(cmus_case_source_open_trees(dot, 1, &plain, &source), CMUS_OK);
    CU_ASSERT_EQUAL_FATAL(chdir("../.."), 0);
    expect_case(source, 0, "x9", NULL, 2);
    cmus_case_source_close(source);
}

static void test_mixtures(void) {
    begin_tree();
    add_case("A/9", 1);
    add_image("10/OM_1.tif");
    refuse_tree(&plain, CMUS_ERROR_DATA,
                "case_source_tree: images lie at two depths, as case_source_tree/10/OM_1.tif and "
                "case_source_tree/A/9/IM_1.tif do");
    begin_tree();
    add_case("9", 1);
    add_image("OM_1.tif");
    refuse_tree(&plain, CMUS_ERROR_DATA, "as case_source_tree/OM_1.tif and case_source_tree/9/IM_1.tif do");
    /* trees may differ from each other */
    begin_tree();
    add_case("classes/A/9", 1);
    add_case("cases/9", 1);
    const char *const trees[] = {"case_source_tree/cases", "case_source_tree/classes"};
    cmus_case_source *source;
    CU_ASSERT_EQUAL_FATAL(cmus_case_source_open_trees(trees, 2, &plain, &source), CMUS_OK);
    CU_ASSERT_EQUAL_FATAL(cmus_case_source_count(source), 2);
    expect_case(source, 0, "A/9", "A", 1);
    expect_case(source, 1, "9", NULL, 1);
    cmus_case_source_close(source);
}

static void test_equal_ids(void) {
    const char *const trees[] = {"case_source_tree/a", "case_source_tree/b"};
    cmus_case_source_options loud = {.image_size = SIDE};
    cmus_case_source *source;
    begin_tree();
    add_case("a/9", 1);
    add_case("b/9", 1);
    listen();
    CU_ASSERT_EQUAL(cmus_case_source_open_trees(trees, 2, &loud, &source), CMUS_ERROR_DATA);
    end_listening();
    expect_text(said, "case_source_tree/a/9: the case id 9 is also that of case_source_tree/b/9");
    expect_message("2 defects, listed above");
    begin_tree();
    add_case("a/A/9", 1);
    add_case("b/A/9", 1);
    listen();
    CU_ASSERT_EQUAL(cmus_case_source_open_trees(trees, 2, &loud, &source), CMUS_ERROR_DATA);
    end_listening();
    expect_text(said, "the same class and patient are in case_source_tree/b/A/9 too");
}

static void test_missing(void) {
    cmus_case_source_options loud = {.image_size = SIDE}, lacking = plain;
    lacking.allow_missing = true;
    begin_tree();
    add_case("9", 1);
    add_case("10", 1);
    remove_image("9/OM_1.tif");
    remove_image("9/IM_1.tif");
    const char *const trees[] = {tree};
    cmus_case_source *source;
    listen();
    CU_ASSERT_EQUAL(cmus_case_source_open_trees(trees, 1, &loud, &source), CMUS_ERROR_DATA);
    end_listening();
    expect_text(said, "case_source_tree/9: a case without OM and IM images: --allow-missing predicts it by");
    source = open_tree(&lacking);
    CU_ASSERT_EQUAL_FATAL(cmus_case_source_count(source), 2);
    cmus_case_facts facts = cmus_case_source_case(source, 0);
    CU_ASSERT(!facts.has[CMUS_IMAGE_OM] && !facts.has[CMUS_IMAGE_IM] && facts.has[CMUS_IMAGE_TEM]);
    CU_ASSERT(cmus_case_source_case(source, 1).has[CMUS_IMAGE_OM]);
    uint8_t om[IMAGE], im[IMAGE], tem[IMAGE], zeros[IMAGE] = {0};
    memset(im, 1, sizeof im);
    CU_ASSERT_EQUAL(cmus_case_source_read(source, 0, 0, om, im, tem), CMUS_OK);
    CU_ASSERT_EQUAL(memcmp(im, zeros, IMAGE), 0);
    CU_ASSERT(is_image(tem, "9/TEM_9.tif"));
    cmus_case_source_close(source);
    remove_image("10/TEM_9.tif");
    lacking.quiet = false;
    listen();
    CU_ASSERT_EQUAL(cmus_case_source_open_trees(trees, 1, &lacking, &source), CMUS_ERROR_DATA);
    end_listening();
    expect_text(said, "case_source_tree/10: a case without TEM image: the network looks at OM and IM by questions");
}

static void test_skipping(void) {
    cmus_case_source_options skip = plain;
    skip.skip_errors = true;
    begin_tree();
    add_case("9", 1);
    add_case("10", 1);
    add_case("11", 1);
    remove_image("10/TEM_9.tif");
    cmus_case_source *source = open_tree(&skip);
    CU_ASSERT_EQUAL_FATAL(cmus_case_source_count(source), 2);
    expect_case(source, 1, "11", NULL, 1);
    CU_ASSERT_EQUAL(cmus_case_source_rejected(source), 1);
    const int failed[] = {1};
    const char *const reasons[] = {"damaged,\nsay"};
    CU_ASSERT_EQUAL(cmus_case_source_write_rejected(source, said_file, failed, reasons, 1), CMUS_OK);
    char *text;
    size_t size;
    CU_ASSERT_EQUAL_FATAL(cmus_file_read(said_file, 10000, &text, &size), CMUS_OK);
    expect_text(text, "case_id,patient_id,class,why\n10,10,,\"a case without TEM image: ");
    expect_text(text, "\n11,11,,\"damaged,\\x0asay\"\n");
    cmus_free(text);
    unlink(said_file);
    CU_ASSERT_EQUAL(cmus_case_source_write_rejected(source, "nowhere/x.csv", failed, reasons, 1), CMUS_ERROR_IO);
    cmus_case_source_close(source);
    remove_image("9/TEM_9.tif");
    remove_image("11/TEM_9.tif");
    refuse_tree(&skip, CMUS_ERROR_DATA, "no case is without errors");
    begin_tree();
    refuse_tree(&skip, CMUS_ERROR_DATA, "no case is in there; expected <class>/<patient>/OM_*.jpg");
    refuse_tree(&plain, CMUS_ERROR_DATA, "1 defects");
    cmus_folder_remove(tree);
    refuse_tree(&plain, CMUS_ERROR_NOT_FOUND, tree);
}

/* Folders whose names can't be parts of ids: of a class, and of a case. */
static void test_bad_names(void) {
    cmus_case_source_options skip = plain;
    skip.skip_errors = true;
    begin_tree();
    add_case("A/9", 1);
    add_case("\xFF/10", 1);
    refuse_tree(&plain, CMUS_ERROR_DATA, "1 defects");
    cmus_case_source *source = open_tree(&skip);
    CU_ASSERT_EQUAL(cmus_case_source_count(source), 1);
    CU_ASSERT_EQUAL(cmus_case_source_rejected(source), 1);
    cmus_case_source_close(source);
    begin_tree();
    add_case("9", 1);
    add_case("\xFF", 1);
    refuse_tree(&plain, CMUS_ERROR_DATA, "1 defects");
    source = open_tree(&skip);
    CU_ASSERT_EQUAL(cmus_case_source_count(source), 1);
    CU_ASSERT_EQUAL(cmus_case_source_rejected(source), 1);
    cmus_case_source_close(source);
}

/* What all ranks but one are asked for. */
static void test_quiet(void) {
    static const char labels[] = "case_source_labels.csv";
    cmus_case_source_options options = plain;
    cmus_case_source *source;
    options.images = "{\"resize\": \"box\"}";
    options.labels = labels;
    write_text(labels, "case_id,class\nx,y\n");
    write_dataset(true, true, true);
    begin_tree();
    add_case("9", 1);
    write_text("case_source_tree/notes.txt", "-");
    listen();
    CU_ASSERT_EQUAL(cmus_case_source_open_data(data_folder, NULL, &options, &source), CMUS_OK);
    cmus_case_source_close(source);
    source = open_tree(&options);
    cmus_case_source_close(source);
    end_listening();
    unlink(labels);
    CU_ASSERT_STRING_EQUAL(said, "");
}

static void test_prefixes(void) {
    const char *good[] = {"IF=IM"}, *wrong[] = {"IF=IM", "x=y"};
    cmus_case_source_options options = plain;
    begin_tree();
    add_case("9", 1);
    remove_image("9/IM_1.tif");
    add_image("9/IF_1.tif");
    refuse_tree(&plain, CMUS_ERROR_DATA, "1 defects");
    options.prefixes = good;
    options.prefix_count = 1;
    cmus_case_source *source = open_tree(&options);
    expect_name(source, 0, CMUS_IMAGE_IM, 0, "IF_1.tif");
    cmus_case_source_close(source);
    options.prefixes = wrong;
    options.prefix_count = 2;
    refuse_tree(&options, CMUS_ERROR_ARGUMENT, "--prefix is 'x=y'");
    options = plain;
    options.images = "{\"resize\": \"nearest\"}";
    refuse_tree(&options, CMUS_ERROR_FORMAT, "the filter \"nearest\" is not known");
}

/* Several threads fail; the message is that of the first image, and names it. */
static void test_damage(void) {
    begin_tree();
    add_case("9", 4);
    write_text("case_source_tree/9/TEM_10.tif", "II*");
    write_text("case_source_tree/9/TEM_11.tif", "");
    cmus_case_source *source = open_tree(&plain);
    uint8_t om[IMAGE], im[IMAGE], tem[MOST_TEM * IMAGE];
    omp_set_num_threads(4);
    for (int i = 0; i < 20; i++) {
        CU_ASSERT_EQUAL(cmus_case_source_read(source, 0, 0, om, im, tem), CMUS_ERROR_FORMAT);
        expect_message("case 9: case_source_tree/9/TEM_10.tif: not a JPEG, PNG or TIFF file");
    }
    CU_ASSERT_EQUAL(cmus_case_source_read(source, 0, 1, om, im, tem), CMUS_OK);
    remove_image("9/OM_1.tif");
    CU_ASSERT_EQUAL(cmus_case_source_read(source, 0, 1, om, im, tem), CMUS_ERROR_NOT_FOUND);
    expect_message("case 9: case_source_tree/9/OM_1.tif: ");
    cmus_case_source_close(source);
    cmus_case_source_options small = plain;
    small.pixel_limit = SIDE * SIDE - 1;
    add_case("9", 1);
    source = open_tree(&small);
    CU_ASSERT_EQUAL(cmus_case_source_read(source, 0, 1, om, im, tem), CMUS_ERROR_LIMIT);
    cmus_case_source_close(source);
}

/* --- files --- */

static void refuse_files(const char *id, const char *om, const char *im, const char *const *tem, size_t count,
                         cmus_status wanted, const char *message) {
    cmus_case_source *source = (cmus_case_source *)&source;
    CU_ASSERT_EQUAL(cmus_case_source_open_files(id, om, im, tem, count, &plain, &source), wanted);
    CU_ASSERT_PTR_NULL(source);
    expect_message(message);
}

static void test_files(void) {
    static const char om_file[] = "case_source_tree/a/OM_1.tif", im_file[] = "case_source_tree/a/IM_1.tif";
    const char *const bag[] = {"case_source_tree/a/TEM_10.tif", "case_source_tree/a/TEM_9.tif"};
    const char *const twice[] = {bag[0], "./case_source_tree/a/TEM_10.tif"}, *const gone[] = {"nowhere/x.tif"};
    const char *const folder[] = {"case_source_tree/a"};
    begin_tree();
    add_case("a", 2);
    cmus_case_source *source;
    CU_ASSERT_EQUAL_FATAL(cmus_case_source_open_files("one", om_file, im_file, bag, 2, &plain, &source), CMUS_OK);
    CU_ASSERT_EQUAL_FATAL(cmus_case_source_count(source), 1);
    expect_case(source, 0, "one", NULL, 2);
    CU_ASSERT_STRING_EQUAL(cmus_case_source_case(source, 0).patient_id, "one");
    expect_name(source, 0, CMUS_IMAGE_TEM, 0, "TEM_9.tif"); /* in natural order */
    uint8_t om[IMAGE], im[IMAGE], tem[MOST_TEM * IMAGE];
    CU_ASSERT_EQUAL(cmus_case_source_read(source, 0, 0, om, im, tem), CMUS_OK);
    CU_ASSERT(is_image(om, "a/OM_1.tif") && is_image(im, "a/IM_1.tif"));
    CU_ASSERT(is_image(tem, "a/TEM_9.tif") && is_image(tem + IMAGE, "a/TEM_10.tif"));
    cmus_case_source_close(source);
    refuse_files("", om_file, im_file, bag, 2, CMUS_ERROR_ARGUMENT, "'' can't be the id of a case");
    refuse_files("a\nb", om_file, im_file, bag, 2, CMUS_ERROR_ARGUMENT, "can't be the id of a case");
    refuse_files("a", NULL, im_file, bag, 2, CMUS_ERROR_DATA, "a case without OM image: --allow-missing");
    refuse_files("a", NULL, NULL, bag, 2, CMUS_ERROR_DATA, "a case without OM and IM images: --allow-missing");
    refuse_files("a", om_file, im_file, bag, 0, CMUS_ERROR_DATA, "a case without TEM image: the network looks");
    refuse_files("a", om_file, im_file, gone, 1, CMUS_ERROR_NOT_FOUND, "nowhere/x.tif: No such file");
    refuse_files("a", om_file, im_file, folder, 1, CMUS_ERROR_IO, "case_source_tree/a: is no file");
    refuse_files("a", om_file, im_file, twice, 2, CMUS_ERROR_ARGUMENT, "given as TEM image, is the same file as");
    refuse_files(
        "a", om_file, om_file, bag, 2, CMUS_ERROR_ARGUMENT,
        "case_source_tree/a/OM_1.tif, given as IM image, is the same file as case_source_tree/a/OM_1.tif, given "
        "as OM image");
    cmus_case_source_options lacking = plain;
    lacking.allow_missing = true;
    CU_ASSERT_EQUAL_FATAL(cmus_case_source_open_files("one", om_file, NULL, bag, 2, &lacking, &source), CMUS_OK);
    CU_ASSERT(cmus_case_source_case(source, 0).has[CMUS_IMAGE_OM]);
    CU_ASSERT(!cmus_case_source_case(source, 0).has[CMUS_IMAGE_IM]);
    cmus_case_source_close(source);
}

/* 16-bit gray goes through the window of the training data. */
static void test_window(void) {
    begin_tree();
    add_case("a", 1);
    write_image("case_source_tree/a/TEM_9.tif", 100, 16);
    cmus_case_source_options options = plain;
    uint8_t om[IMAGE], im[IMAGE], tem[IMAGE];
    for (int windowed = 0; windowed < 2; windowed++) {
        options.images = windowed ? "{\"window\": [0, 51200]}" : NULL;
        cmus_case_source *source = open_tree(&options);
        CU_ASSERT_EQUAL(cmus_case_source_read(source, 0, 0, om, im, tem), CMUS_OK);
        CU_ASSERT_EQUAL(tem[0], windowed ? 128 : 0); /* 25600 in the window, or the least of the image */
        CU_ASSERT_EQUAL(tem[3 * 6], windowed ? 135 : 255);
        cmus_case_source_close(source);
    }
}

/* --- labels --- */

static cmus_case_source *open_labelled(const char *text, cmus_status wanted, const char *message) {
    static const char labels[] = "case_source_labels.csv";
    const char *const trees[] = {tree};
    const cmus_case_source_options options = {.image_size = SIDE, .labels = labels};
    cmus_case_source *source;
    write_text(labels, text);
    listen();
    CU_ASSERT_EQUAL(cmus_case_source_open_trees(trees, 1, &options, &source), wanted);
    end_listening();
    unlink(labels);
    if (wanted != CMUS_OK)
        expect_message(message);
    else if (message)
        expect_text(said, message);
    else
        CU_ASSERT_STRING_EQUAL(said, "");
    return source;
}

static void test_labels(void) {
    begin_tree();
    add_case("9", 1);
    add_case("10", 1);
    cmus_case_source *source = open_labelled("\xEF\xBB\xBF"
                                             "other,Case_ID, class \n1, 10 ,MN\n\n2,9,\"a, b\"",
                                             CMUS_OK, NULL);
    expect_case(source, 0, "9", "a, b", 1);
    expect_case(source, 1, "10", "MN", 1);
    char *one = cmus_case_source_fingerprint(source);
    cmus_case_source_close(source);
    source = open_labelled("case_id,label\n9,MN\n11,MN\n12,MN\n", CMUS_OK,
                           "2 of its 3 cases are not in case_source_tree "
                           "(the first: 11)");
    expect_text(said, "it has no class for 1 of 2 cases, which stay without one (the first: 10)");
    expect_case(source, 0, "9", "MN", 1);
    expect_case(source, 1, "10", NULL, 1);
    char *other = cmus_case_source_fingerprint(source);
    CU_ASSERT_STRING_NOT_EQUAL(one, other);
    cmus_free(one);
    cmus_free(other);
    cmus_case_source_close(source);
    source = open_labelled("case_id,class\n9,\n10,MN\n", CMUS_OK, "no class for 1 of 2 cases");
    expect_case(source, 0, "9", NULL, 1);
    cmus_case_source_close(source);
}

static void test_other_labels(void) {
    begin_tree();
    add_case("A/9", 1);
    add_case("B/9", 1);
    cmus_case_source *source = open_labelled("class,case_id\nA,A/9\nA,B/9\n", CMUS_OK,
                                             "it has another class than case_source_tree for 1 cases, and is followed "
                                             "(the first: B/9 is B there, A here)");
    expect_case(source, 1, "B/9", "A", 1);
    cmus_case_source_close(source);
    source = open_labelled("class,case_id\nA,A/9\n", CMUS_OK, NULL); /* the folder's class stays */
    expect_case(source, 1, "B/9", "B", 1);
    cmus_case_source_close(source);
}

static void test_wrong_labels(void) {
    begin_tree();
    add_case("9", 1);
    open_labelled("case_id,class\n9,A\n10,A\n9,A\n", CMUS_ERROR_DATA,
                  "the case 9 is there twice, in line 2 and line 4");
    open_labelled("id,class\n9,A\n", CMUS_ERROR_FORMAT, "case_source_labels.csv: there is no column 'case_id'");
    open_labelled("case_id,diagnosis\n9,A\n", CMUS_ERROR_FORMAT, "no column 'class' or 'label'");
    open_labelled("case_id,class\n9,A\n,B\n", CMUS_ERROR_FORMAT, "line 3: the case id is empty");
    open_labelled("case_id,class\n9,\xCD\xF5\n", CMUS_ERROR_FORMAT, "line 2: not UTF-8");
    open_labelled("case_id,class\n9\n", CMUS_ERROR_FORMAT, "line 2: 1 fields, but the header has 2");
    open_labelled("", CMUS_ERROR_FORMAT, "empty file");
    cmus_case_source_options options = plain;
    options.labels = "nowhere.csv";
    refuse_tree(&options, CMUS_ERROR_NOT_FOUND, "nowhere.csv");
}

int main(void) {
    static const unit_test tests[] = {
        {"a packed data set", test_data},
        {"folds of a data set", test_folds},
        {"data sets that are refused", test_data_refusals},
        {"a data set made by other options", test_other_images},
        {"how images were made", test_recipe},
        {"a tree with folders of classes", test_tree_of_classes},
        {"a tree without them, and single cases", test_tree_of_cases},
        {"trees of two forms", test_mixtures},
        {"equal ids", test_equal_ids},
        {"missing modalities", test_missing},
        {"cases with errors are left out", test_skipping},
        {"names that can't be ids", test_bad_names},
        {"nothing is said", test_quiet},
        {"prefixes", test_prefixes},
        {"damaged files", test_damage},
        {"files one by one", test_files},
        {"the window of 16-bit gray", test_window},
        {"labels", test_labels},
        {"labels that contradict", test_other_labels},
        {"labels that are refused", test_wrong_labels},
    };
    cmus_log_begin("test", 0, 1);
    int code = unit_main("case sources", tests, sizeof tests / sizeof tests[0]);
    cmus_folder_remove(tree);
    cmus_folder_remove(data_folder);
    cmus_free(said);
    return code;
}
