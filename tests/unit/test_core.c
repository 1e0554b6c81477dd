#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmus/csv.h"
#include "cmus/file.h"
#include "cmus/memory.h"
#include "cmus/random.h"
#include "cmus/roc_area.h"
#include "unit.h"

static void fail_keeps_message(void) {
    CU_ASSERT_EQUAL(cmus_fail(CMUS_ERROR_DATA, "%s is %d", "x", 3), CMUS_ERROR_DATA);
    CU_ASSERT_STRING_EQUAL(cmus_last_error(), "x is 3");
    CU_ASSERT_EQUAL(cmus_fail_in(CMUS_ERROR_IO, "file %d", 7), CMUS_ERROR_IO);
    CU_ASSERT_STRING_EQUAL(cmus_last_error(), "file 7: x is 3");
    CU_ASSERT_STRING_EQUAL(cmus_status_name(CMUS_ERROR_CHECKSUM), "CHECKSUM");
    CU_ASSERT_STRING_EQUAL(cmus_status_name((cmus_status)99), "UNKNOWN");
}

static void random_is_keyed(void) {
    uint64_t ids[2] = {1, 2}, other[2] = {2, 1};
    CU_ASSERT_EQUAL(cmus_random_key(5, "flip", ids, 2), cmus_random_key(5, "flip", ids, 2));
    CU_ASSERT_NOT_EQUAL(cmus_random_key(5, "flip", ids, 2), cmus_random_key(5, "flip", other, 2));
    CU_ASSERT_NOT_EQUAL(cmus_random_key(5, "flip", ids, 2), cmus_random_key(6, "flip", ids, 2));
    CU_ASSERT_NOT_EQUAL(cmus_random_key(5, "flip", ids, 2), cmus_random_key(5, "drop", ids, 2));
    /* the published first output of splitmix64 with seed 1234567 */
    CU_ASSERT_EQUAL(cmus_random_at(1234567, 0), 6457827717110365317u);
    CU_ASSERT_EQUAL(cmus_hash_text("a"), 0xAF63DC4C8601EC8Cu);
    cmus_random random = cmus_random_begin(1, "test", ids, 2);
    double sum = 0, squares = 0;
    enum { DRAWS = 200000 };
    for (int i = 0; i < DRAWS; i++) {
        double x = cmus_random_normal(&random);
        sum += x;
        squares += x * x;
    }
    CU_ASSERT_DOUBLE_EQUAL(sum / DRAWS, 0, 0.01);
    CU_ASSERT_DOUBLE_EQUAL(squares / DRAWS, 1, 0.02);
    int order[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, seen = 0;
    cmus_random_shuffle(&random, order, 10);
    for (int i = 0; i < 10; i++)
        seen |= 1 << order[i];
    CU_ASSERT_EQUAL(seen, 1023);
}

static void files_are_whole(void) {
    cmus_folder_remove("core_scratch");
    CU_ASSERT_EQUAL(cmus_folder_make("core_scratch/a/b"), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_file_write("core_scratch/a/one", "hello", 5), CMUS_OK);
    char *data;
    size_t size;
    CU_ASSERT_EQUAL(cmus_file_read("core_scratch/a/one", 5, &data, &size), CMUS_OK);
    CU_ASSERT_EQUAL(size, 5);
    CU_ASSERT_STRING_EQUAL(data, "hello");
    cmus_free(data);
    CU_ASSERT_EQUAL(cmus_file_read("core_scratch/a/one", 4, &data, &size), CMUS_ERROR_LIMIT);
    CU_ASSERT_EQUAL(cmus_file_read("core_scratch/a/none", 4, &data, &size), CMUS_ERROR_NOT_FOUND);
    cmus_file_writer *writer;
    CU_ASSERT_EQUAL(cmus_file_writer_open("core_scratch/a/one", &writer), CMUS_OK);
    cmus_file_writer_add(writer, "other", 5);
    cmus_file_writer_discard(writer);
    char **names;
    size_t count;
    CU_ASSERT_EQUAL(cmus_folder_list("core_scratch/a", &names, &count), CMUS_OK);
    CU_ASSERT_EQUAL(count, 2); /* "b" and "one": nothing of the discarded file */
    cmus_names_free(names, count);
    CU_ASSERT_EQUAL(cmus_file_write("core_scratch/none/x", "x", 1), CMUS_ERROR_IO);
    CU_ASSERT_EQUAL(cmus_folder_remove("core_scratch"), CMUS_OK);
    CU_ASSERT_FALSE(cmus_folder_exists("core_scratch"));
}

static void manifest_finds_changes(void) {
    char text[CMUS_SHA256_TEXT];
    cmus_sha256("abc", 3, text);
    CU_ASSERT_STRING_EQUAL(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const char *names[] = {"one", "two"};
    cmus_folder_remove("manifest_scratch");
    cmus_folder_make("manifest_scratch");
    CU_ASSERT_EQUAL(cmus_manifest_check("manifest_scratch"), CMUS_ERROR_NOT_FOUND);
    cmus_file_write("manifest_scratch/one", "1", 1);
    cmus_file_write("manifest_scratch/two", "2", 1);
    CU_ASSERT_EQUAL(cmus_manifest_write("manifest_scratch", names, 2), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_manifest_check("manifest_scratch"), CMUS_OK);
    cmus_file_write("manifest_scratch/two", "3", 1);
    CU_ASSERT_EQUAL(cmus_manifest_check("manifest_scratch"), CMUS_ERROR_CHECKSUM);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "manifest_scratch/two"));
    CU_ASSERT_EQUAL(cmus_manifest_check_file("manifest_scratch", "two"), CMUS_ERROR_CHECKSUM);
    CU_ASSERT_EQUAL(cmus_manifest_check_file("manifest_scratch", "one"), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_manifest_check_file("manifest_scratch", "three"), CMUS_ERROR_CHECKSUM);
    unlink("manifest_scratch/two");
    CU_ASSERT_EQUAL(cmus_manifest_check("manifest_scratch"), CMUS_ERROR_CHECKSUM);
    cmus_folder_remove("manifest_scratch");
}

static cmus_status parse(const char *text, cmus_csv *table) {
    cmus_file_write("csv_scratch.csv", text, strlen(text));
    cmus_status status = cmus_csv_read("csv_scratch.csv", 1 << 20, table);
    unlink("csv_scratch.csv");
    return status;
}

static void csv_follows_rfc4180(void) {
    cmus_csv table;
    CU_ASSERT_EQUAL_FATAL(parse("a,b\r\n\"x,\"\"y\n\",2\n,\n", &table), CMUS_OK);
    CU_ASSERT_EQUAL(table.rows, 2);
    CU_ASSERT_STRING_EQUAL(cmus_csv_cell(&table, 0, 0), "x,\"y\n");
    CU_ASSERT_STRING_EQUAL(cmus_csv_cell(&table, 0, 1), "2");
    CU_ASSERT_STRING_EQUAL(cmus_csv_cell(&table, 1, 1), "");
    CU_ASSERT_EQUAL(table.lines[1], 4);
    double number;
    long integer;
    CU_ASSERT_EQUAL(cmus_csv_number(&table, 0, 1, &number), CMUS_OK);
    CU_ASSERT_EQUAL(number, 2);
    CU_ASSERT_EQUAL(cmus_csv_integer(&table, 1, 1, &integer), CMUS_ERROR_FORMAT);
    size_t column;
    CU_ASSERT_EQUAL(cmus_csv_column(&table, "b", &column), CMUS_OK);
    CU_ASSERT_EQUAL(column, 1);
    CU_ASSERT_EQUAL(cmus_csv_column(&table, "c", &column), CMUS_ERROR_FORMAT);
    cmus_csv_free(&table);
    CU_ASSERT_EQUAL(parse("a,b\n1,2", &table), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(parse("a,b\n1\n", &table), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(parse("a,b\n\"1,2\n", &table), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(parse("", &table), CMUS_ERROR_FORMAT);
}

static cmus_status parse_hand_made(const char *text, cmus_csv *table) {
    return cmus_csv_parse(text, strlen(text), "cases.csv", true, table);
}

static void csv_accepts_hand_made(void) {
    cmus_csv table;
    CU_ASSERT_EQUAL_FATAL(parse_hand_made("\xEF\xBB\xBF"
                                          "a,b\r\n\r\n1,2\n \t\n\n3,\"4\n\"",
                                          &table),
                          CMUS_OK);
    CU_ASSERT_STRING_EQUAL(table.header[0], "a");
    CU_ASSERT_EQUAL_FATAL(table.rows, 2);
    CU_ASSERT_EQUAL(table.lines[0], 3);
    CU_ASSERT_EQUAL(table.lines[1], 6);
    CU_ASSERT_STRING_EQUAL(cmus_csv_cell(&table, 1, 1), "4\n");
    cmus_csv_free(&table);
    CU_ASSERT_EQUAL_FATAL(parse_hand_made("a,b", &table), CMUS_OK);
    CU_ASSERT_EQUAL(table.rows, 0);
    CU_ASSERT_STRING_EQUAL(table.header[1], "b");
    cmus_csv_free(&table);
    CU_ASSERT_EQUAL_FATAL(parse_hand_made("a,b\n1,", &table), CMUS_OK);
    CU_ASSERT_STRING_EQUAL(cmus_csv_cell(&table, 0, 1), "");
    cmus_csv_free(&table);
    CU_ASSERT_EQUAL(parse_hand_made("a,b\n1", &table), CMUS_ERROR_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "cases.csv, line 2"));
    CU_ASSERT_EQUAL(parse_hand_made("a,b\n1,\"2", &table), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(cmus_csv_parse("a\0b", 3, "cases.csv", true, &table), CMUS_ERROR_FORMAT);
}

static void roc_area_counts_pairs(void) {
    /* class 1: .9 and .5 against .5, .1: 1 + 1 + 1/2 + 1 of 4 pairs */
    const double p[] = {0.1, 0.9, 0.5, 0.5, 0.5, 0.5, 0.9, 0.1}, nan[] = {0.5, 0.5, NAN, NAN};
    const int labels[] = {1, 1, 0, 0};
    CU_ASSERT_DOUBLE_EQUAL(cmus_class_auc(p, labels, 4, 2, 1), 3.5 / 4, 1e-15);
    CU_ASSERT_DOUBLE_EQUAL(cmus_macro_auc(p, labels, 4, 2), 3.5 / 4, 1e-15);
    CU_ASSERT(isnan(cmus_macro_auc(p, (const int[]){1, 1, 1, 1}, 4, 2)));
    CU_ASSERT(isnan(cmus_class_auc(nan, (const int[]){0, 1}, 2, 2, 1)));
    CU_ASSERT(isnan(cmus_class_auc(p, labels, 0, 2, 1)));
}

static void places_are_told_by_real_paths(void) {
    CU_ASSERT_EQUAL(cmus_folder_make("core_places/in/deep"), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_folder_make("core_places/in2"), CMUS_OK);
    unlink("core_link");
    CU_ASSERT_EQUAL(symlink("core_places/in", "core_link"), 0);
    static const struct {
        const char *path, *folder;
        bool lies_in;
    } cases[] = {{"core_places/in/new/file", "core_places/in", true},
                 {"core_places/in", "core_places/in/", true},
                 {"core_link/file", "core_places", true},
                 {"core_places/in/deep/../../file", "core_places", true},
                 {"core_places/in2", "core_places/in", false},
                 {"core_places/file", "core_link", false},
                 {"new", "core_places", false},
                 {"new", ".", true},
                 {"/new", "core_places", false},
                 {"/new", "/", true},
                 {"core_places/nowhere", "core_places/nowhere", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (cmus_path_lies_in(cases[i].path, cases[i].folder) != cases[i].lies_in)
            CU_FAIL(cases[i].path);
}

static void names_sort_naturally(void) {
    CU_ASSERT(cmus_compare_natural("TEM_2.jpg", "TEM_10.jpg") < 0);
    CU_ASSERT(cmus_compare_natural("TEM_10.jpg", "TEM_10.png") < 0);
    CU_ASSERT(cmus_compare_natural("a", "a1") < 0);
    CU_ASSERT_EQUAL(cmus_compare_natural("a007", "a7"), 0);
}

int main(void) {
    static const unit_test tests[] = {
        {"fail keeps the message", fail_keeps_message},
        {"random numbers are keyed", random_is_keyed},
        {"files are written whole", files_are_whole},
        {"manifest finds changes", manifest_finds_changes},
        {"CSV by RFC 4180", csv_follows_rfc4180},
        {"CSV made by hand", csv_accepts_hand_made},
        {"natural order", names_sort_naturally},
        {"places", places_are_told_by_real_paths},
        {"area under the ROC curve", roc_area_counts_pairs},
    };
    return unit_main("core", tests, sizeof tests / sizeof tests[0]);
}
