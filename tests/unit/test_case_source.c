/* Cases to be predicted in trees and files; labels; what is refused, and what is said. */
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
#include "scratch_cases.h"

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
    begin_listening();
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
    begin_listening();
    CU_ASSERT_EQUAL(cmus_case_source_open_trees(trees, 2, &loud, &source), CMUS_ERROR_DATA);
    end_listening();
    expect_text(said, "case_source_tree/a/9: the case id 9 is also that of case_source_tree/b/9");
    expect_message("2 defects, listed above");
    begin_tree();
    add_case("a/A/9", 1);
    add_case("b/A/9", 1);
    begin_listening();
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
    const char *const trees[] = {TREE};
    cmus_case_source *source;
    begin_listening();
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
    begin_listening();
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
    CU_ASSERT_EQUAL(cmus_case_source_write_rejected(source, "case_source_rejected.csv", failed, reasons, 1), CMUS_OK);
    char *text;
    size_t size;
    CU_ASSERT_EQUAL_FATAL(cmus_file_read("case_source_rejected.csv", 10000, &text, &size), CMUS_OK);
    expect_text(text, "case_id,patient_id,class,why\n10,10,,\"a case without TEM image: ");
    expect_text(text, "\n11,11,,\"damaged,\\x0asay\"\n");
    cmus_free(text);
    unlink("case_source_rejected.csv");
    CU_ASSERT_EQUAL(cmus_case_source_write_rejected(source, "nowhere/x.csv", failed, reasons, 1), CMUS_ERROR_IO);
    cmus_case_source_close(source);
    remove_image("9/TEM_9.tif");
    remove_image("11/TEM_9.tif");
    refuse_tree(&skip, CMUS_ERROR_DATA, "no case is without errors");
    begin_tree();
    refuse_tree(&skip, CMUS_ERROR_DATA, "no case is in there; expected <class>/<patient>/OM_*.jpg");
    refuse_tree(&plain, CMUS_ERROR_DATA, "1 defects");
    cmus_folder_remove(TREE);
    refuse_tree(&plain, CMUS_ERROR_NOT_FOUND, TREE);
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
    const char *const trees[] = {TREE};
    const cmus_case_source_options options = {.image_size = SIDE, .labels = labels};
    cmus_case_source *source;
    write_text(labels, text);
    begin_listening();
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
        {"a tree with folders of classes", test_tree_of_classes},
        {"a tree without them, and single cases", test_tree_of_cases},
        {"trees of two forms", test_mixtures},
        {"equal ids", test_equal_ids},
        {"missing modalities", test_missing},
        {"cases with errors are left out", test_skipping},
        {"names that can't be ids", test_bad_names},
        {"prefixes", test_prefixes},
        {"damaged files", test_damage},
        {"files one by one", test_files},
        {"the window of 16-bit gray", test_window},
        {"labels", test_labels},
        {"labels that contradict", test_other_labels},
        {"labels that are refused", test_wrong_labels},
    };
    cmus_log_begin("test", 0, 1);
    int code = unit_main("case sources of trees and files", tests, sizeof tests / sizeof tests[0]);
    cmus_folder_remove(TREE);
    cmus_free(said);
    return code;
}
