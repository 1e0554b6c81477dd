/* Cases of packed data sets to be predicted: folds, what is refused, how their images were made. */
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
#include "scratch_cases.h"
#include "scratch_dataset.h"

static const char data_folder[] = "case_source_data";

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
    cmus_folder_remove(TREE);
    cmus_folder_remove(data_folder);
    refuse_data(NULL, &plain, CMUS_ERROR_NOT_FOUND, data_folder);
}

static void test_other_images(void) {
    cmus_case_source_options options = {.image_size = SIDE, .images = "{\"resize\": \"box\", \"window\": [1, 2]}"};
    cmus_case_source *source;
    write_dataset(true, true, true);
    begin_listening();
    CU_ASSERT_EQUAL(cmus_case_source_open_data(data_folder, NULL, &options, &source), CMUS_OK);
    end_listening();
    cmus_case_source_close(source);
    expect_text(said,
                "packed with --filter bilinear without --window, but what the network was trained on with --filter "
                "box --window 1,2");
    options.images = "{\"resize\": \"bilinear\", \"window\": \"range of each image\"}";
    begin_listening();
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
    begin_listening();
    CU_ASSERT_EQUAL(cmus_case_source_open_data(data_folder, NULL, &options, &source), CMUS_OK);
    cmus_case_source_close(source);
    source = open_tree(&options);
    cmus_case_source_close(source);
    end_listening();
    unlink(labels);
    CU_ASSERT_STRING_EQUAL(said, "");
}

int main(void) {
    static const unit_test tests[] = {
        {"a packed data set", test_data},
        {"folds of a data set", test_folds},
        {"data sets that are refused", test_data_refusals},
        {"a data set made by other options", test_other_images},
        {"how images were made", test_recipe},
        {"nothing is said", test_quiet},
    };
    cmus_log_begin("test", 0, 1);
    int code = unit_main("case sources of data sets", tests, sizeof tests / sizeof tests[0]);
    cmus_folder_remove(TREE);
    cmus_folder_remove(data_folder);
    cmus_free(said);
    return code;
}
