/* Names by keyed hashes, and their map. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmus/csv.h"
#include "cmus/file.h"
#include "cmus/memory.h"
#include "identity.h"
#include "unit.h"

static const char KEY[] = "0123456789abcdef", OTHER_KEY[] = "0123456789abcdeg";
static const char KEY_FILE[] = "identity_key", MAP[] = "identity_map.csv";

static cmus_identity *open_identity(const char *key) {
    cmus_identity *identity = NULL;
    CU_ASSERT_EQUAL_FATAL(cmus_file_write(KEY_FILE, key, strlen(key)), CMUS_OK);
    CU_ASSERT_EQUAL_FATAL(cmus_identity_open(KEY_FILE, &identity), CMUS_OK);
    return identity;
}

/* RFC 4231, test cases 1 and 2. */
static void test_hmac(void) {
    char text[CMUS_SHA256_TEXT], key[20];
    memset(key, 0x0b, sizeof key);
    cmus_hmac_sha256(key, sizeof key, "Hi There", 8, text);
    CU_ASSERT_STRING_EQUAL(text, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    cmus_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, text);
    CU_ASSERT_STRING_EQUAL(text, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void expect_equal(char *a, char *b, bool equal) {
    CU_ASSERT_EQUAL(strcmp(a, b) == 0, equal);
    cmus_free(a);
    cmus_free(b);
}

static void test_names(void) {
    cmus_identity *one = open_identity(KEY), *again = open_identity(KEY), *other = open_identity(OTHER_KEY);
    expect_equal(cmus_identity_patient(NULL, "Li"), cmus_copy_string("Li"), true);
    expect_equal(cmus_identity_patient(one, "Li"), cmus_identity_patient(again, "Li"), true);
    expect_equal(cmus_identity_patient(one, "Li"), cmus_identity_patient(one, "Lu"), false);
    expect_equal(cmus_identity_patient(one, "Li"), cmus_identity_patient(other, "Li"), false);
    char *patient = cmus_identity_patient(one, "Li"), *one_case = cmus_identity_case(one, "Li");
    CU_ASSERT_EQUAL(strlen(patient), 18);
    CU_ASSERT_EQUAL(strncmp(patient, "p-", 2), 0);
    CU_ASSERT_STRING_NOT_EQUAL(patient + 2, one_case + 2);
    cmus_free(patient);
    char *source = cmus_identity_source(one, "MN/Li/TEM_7.tif", "Li", CMUS_IMAGE_TEM, 2);
    CU_ASSERT_EQUAL(strncmp(source, one_case, strlen(one_case)), 0);
    CU_ASSERT_STRING_EQUAL(source + strlen(one_case), "/TEM_3");
    cmus_free(source);
    cmus_free(one_case);
    cmus_identity_close(one);
    cmus_identity_close(again);
    cmus_identity_close(other);
}

static void test_map(void) {
    unlink(MAP);
    cmus_identity *one = open_identity(KEY);
    cmus_free(cmus_identity_patient(one, "Li, \"W\"\n"));
    cmus_free(cmus_identity_patient(one, "Li, \"W\"\n"));
    CU_ASSERT_EQUAL(cmus_identity_write_map(one, MAP), CMUS_OK);
    cmus_identity_close(one);
    one = open_identity(KEY); /* a second data set with the same key */
    cmus_free(cmus_identity_case(one, "MN/Wu"));
    CU_ASSERT_EQUAL(cmus_identity_write_map(one, MAP), CMUS_OK);
    cmus_identity_close(one);
    cmus_csv table;
    CU_ASSERT_EQUAL_FATAL(cmus_csv_read(MAP, 10000, &table), CMUS_OK);
    CU_ASSERT_EQUAL(table.rows, 2);
    CU_ASSERT_STRING_EQUAL(cmus_csv_cell(&table, 0, 2), "MN/Wu");
    CU_ASSERT_STRING_EQUAL(cmus_csv_cell(&table, 1, 2), "Li, \"W\"\n");
    cmus_csv_free(&table);
    struct stat info;
    CU_ASSERT_EQUAL(stat(MAP, &info), 0);
    CU_ASSERT_EQUAL(info.st_mode & 0777, 0600);
}

/* A line of another name with the same hash, as a collision would make. */
static void test_collision(void) {
    cmus_identity *one = open_identity(KEY);
    char *hashed = cmus_identity_patient(one, "Li");
    char *text = cmus_format_string("kind,hashed,true\npatient,%s,Lu\n", hashed);
    CU_ASSERT_EQUAL(cmus_file_write(MAP, text, strlen(text)), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_identity_write_map(one, MAP), CMUS_ERROR_DATA);
    cmus_free(text);
    cmus_free(hashed);
    cmus_identity_close(one);
}

static void test_refusals(void) {
    cmus_identity *identity;
    CU_ASSERT_EQUAL(cmus_file_write(KEY_FILE, KEY, 15), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_identity_open(KEY_FILE, &identity), CMUS_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(cmus_identity_open("identity_nowhere", &identity), CMUS_ERROR_NOT_FOUND);
    CU_ASSERT_EQUAL(cmus_file_write(MAP, "kind,hashed\n", 12), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_identity_check_map(MAP), CMUS_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(cmus_identity_check_map(KEY_FILE), CMUS_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(cmus_file_write(MAP, "", 0), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_identity_check_map(MAP), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_identity_check_map("identity_nowhere"), CMUS_OK);
}

int main(void) {
    static const unit_test tests[] = {
        {"HMAC-SHA256 is that of RFC 4231", test_hmac},       {"names", test_names},
        {"the map keeps old lines and is private", test_map}, {"a collision is found", test_collision},
        {"bad keys and places are refused", test_refusals},
    };
    return unit_main("identity", tests, sizeof tests / sizeof tests[0]);
}
