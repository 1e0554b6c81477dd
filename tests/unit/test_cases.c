/* Finding cases: names, findings and the files made of them, manifests from memory. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "case_list.h"
#include "cmus/csv.h"
#include "cmus/dataset_index.h"
#include "cmus/file.h"
#include "cmus/memory.h"
#include "findings.h"
#include "manifest.h"
#include "names.h"
#include "unit.h"

static const char FILE_NAME[] = "cases_scratch.csv";

static void expect_escaped(const char *text, const char *wanted) {
    char *escaped = cmus_name_escape(text);
    CU_ASSERT_STRING_EQUAL(escaped, wanted);
    cmus_free(escaped);
}

static void test_escape(void) {
    expect_escaped("王 a", "王 a");
    expect_escaped("\xCD\xF5\n\x7F", "\\xcd\\xf5\\x0a\\x7f");
    expect_escaped("a\xE7\x8E", "a\\xe7\\x8e"); /* cut off */
    CU_ASSERT(cmus_name_is_utf8("a\tb\n\xC2\x85王"));
    CU_ASSERT(!cmus_name_is_utf8("a\xC2"));
    CU_ASSERT(!cmus_name_is_utf8("\xC0\x80"));
}

static void expect_trimmed(const char *text, const char *wanted) {
    char *copy = cmus_copy_string(text);
    CU_ASSERT_STRING_EQUAL(cmus_name_trim(copy), wanted);
    cmus_free(copy);
}

static void test_trim(void) {
    expect_trimmed(" \t a b \r\n", "a b");
    expect_trimmed("\xE3\x80\x80王\xC2\xA0", "王");
    expect_trimmed(" \xC2\xA0", "");
}

/* How many of the patient ids are said to be like another. */
static size_t count_similar(const char *const *ids, size_t count) {
    cmus_placed_name names[8];
    cmus_findings findings = {0};
    for (size_t i = 0; i < count; i++)
        names[i] = (cmus_placed_name){ids[i], "line"};
    cmus_names_report_similar_patients(names, count, NULL, &findings);
    size_t found = findings.count;
    CU_ASSERT_EQUAL(findings.defects, 0);
    cmus_findings_free(&findings);
    return found;
}

static void test_similar(void) {
    CU_ASSERT_EQUAL(count_similar((const char *const[]){"p1", "p1", "p2"}, 3), 0);
    CU_ASSERT_EQUAL(count_similar((const char *const[]){"p1", "P1", "p1", "P1"}, 4), 1);
    CU_ASSERT_EQUAL(count_similar((const char *const[]){"007", "7", "70", "7 "}, 4), 2);
    CU_ASSERT_EQUAL(count_similar((const char *const[]){"A-01-002", "a-1-2", "A-10-2"}, 3), 1);
    CU_ASSERT_EQUAL(count_similar((const char *const[]){"Ｐ１２", "p12", "王 1", "王1"}, 4), 2);
    CU_ASSERT_EQUAL(count_similar((const char *const[]){"100", "10", "1", "p100"}, 4), 0);
    CU_ASSERT_EQUAL(count_similar((const char *const[]){"0", "00", "", "o"}, 4), 1);
    /* accents as parts of letters, as characters of their own, capital, left out */
    CU_ASSERT_EQUAL(
        count_similar((const char *const[]){"Jos\u00E9", "Jose\u0301", "JOS\u00C9", "jose", "Josa\u0301"}, 5), 3);
    CU_ASSERT_EQUAL(count_similar((const char *const[]){"Nguy\u1EC5n", "Nguye\u0302\u0303n"}, 2), 1);
    CU_ASSERT_EQUAL(count_similar((const char *const[]){"\u0141uk", "\u0142uk", "2\u00D73", "2\u00F73"}, 4), 1);
    CU_ASSERT_EQUAL(count_similar((const char *const[]){"\u738B", "\u7389", "\u0416", "\u0436"}, 4), 0);
}

static void test_findings(void) {
    cmus_findings findings = {0};
    for (int i = 0; i < 3; i++)
        cmus_findings_add(&findings, i == 1 ? CMUS_DEFECT : CMUS_WARNING, i ? "c,1" : NULL, "a\xFF", "number %d", i);
    cmus_findings_add_kind(&findings, "number %d", CMUS_WARNING, NULL, "b", "%s", "x");
    CU_ASSERT_EQUAL(findings.count, 4);
    CU_ASSERT_EQUAL(findings.defects, 1);
    CU_ASSERT_EQUAL_FATAL(findings.kind_count, 2); /* warnings and defects apart */
    CU_ASSERT_EQUAL(findings.kinds[findings.list[3].kind].count, 3);
    CU_ASSERT_EQUAL(cmus_findings_write(FILE_NAME, &findings), CMUS_OK);
    char *text;
    size_t size;
    CU_ASSERT_EQUAL_FATAL(cmus_file_read(FILE_NAME, 10000, &text, &size), CMUS_OK);
    CU_ASSERT_STRING_EQUAL(text, "severity,case,file,what\nwarning,,a\\xff,number 0\nerror,\"c,1\",a\\xff,number 1\n"
                                 "warning,\"c,1\",a\\xff,number 2\nwarning,,b,x\n");
    cmus_free(text);
    unlink(FILE_NAME);
    CU_ASSERT_EQUAL(cmus_findings_write("nowhere/findings.csv", &findings), CMUS_ERROR_IO);
    cmus_findings_free(&findings);
}

typedef struct scanned {
    cmus_findings findings;
    cmus_case_list list;
} scanned;

static const cmus_scan_options all_kinds = {.has = {true, true, true}};

static cmus_status parse(const char *text, const cmus_scan_options *options, scanned *result) {
    memset(result, 0, sizeof *result);
    return cmus_manifest_parse(text, strlen(text), "m.csv", NULL, options, &result->findings, &result->list);
}

static void free_scanned(scanned *result) {
    cmus_findings_free(&result->findings);
    cmus_case_list_free(&result->list);
}

static void test_manifest(void) {
    scanned got;
    CU_ASSERT_EQUAL_FATAL(parse("case_id,patient_id,class,om,im,tem\nx,p,MN,o10;o9,i,t2;t1\ny,p,IgAN,o9,i,t1;t2\n"
                                "z,p,MN,o3,i3,t2;t3",
                                &all_kinds, &got),
                          CMUS_OK);
    const cmus_case_list *list = &got.list;
    CU_ASSERT_EQUAL(got.findings.defects, 0);
    CU_ASSERT_EQUAL_FATAL(list->case_count, 3);
    CU_ASSERT_STRING_EQUAL(list->classes[0], "IgAN"); /* sorted */
    CU_ASSERT_STRING_EQUAL(list->cases[0].case_id, "y");
    CU_ASSERT_STRING_EQUAL(list->cases[1].place, "m.csv, line 2");
    CU_ASSERT_EQUAL(list->cases[1].label, 1);
    CU_ASSERT_STRING_EQUAL(list->images[list->cases[1].om].source, "o9"); /* the first in natural order */
    CU_ASSERT_EQUAL(list->cases[0].om, list->cases[1].om);
    CU_ASSERT_EQUAL(list->cases[0].im, list->cases[1].im);
    CU_ASSERT_EQUAL(list->cases[0].first_tem, list->cases[1].first_tem);
    /* a bag that shares only some files lies together all the same */
    CU_ASSERT_STRING_EQUAL(list->images[list->cases[2].first_tem].source, "t2");
    CU_ASSERT_STRING_EQUAL(list->images[list->cases[2].first_tem + 1].source, "t3");
    CU_ASSERT_EQUAL(list->image_count, 8);
    free_scanned(&got);
}

static void test_rejected(void) {
    scanned got;
    CU_ASSERT_EQUAL_FATAL(
        parse("case_id,patient_id,class,om,im,tem\nx,p,MN,o,i,t\ny,q,MN,o,i2,t2\nz,r,MN,o3,,\n,s,MN,a,b,c\n"
              "w,u,MN,d,e,f\nw,u,MN,g,h,j",
              &all_kinds, &got),
        CMUS_OK);
    CU_ASSERT_EQUAL_FATAL(got.list.case_count, 6);
    for (size_t i = 0; i < got.list.case_count; i++)
        CU_ASSERT_PTR_NOT_NULL(got.list.cases[i].rejected);
    CU_ASSERT_EQUAL(got.findings.defects, 6);
    for (size_t i = 0; i < got.list.image_count; i++) /* what two patients share is not read */
        CU_ASSERT_STRING_NOT_EQUAL(got.list.images[i].source, "o");
    CU_ASSERT_EQUAL(cmus_rejected_write(FILE_NAME, &got.list), CMUS_OK);
    cmus_csv table;
    CU_ASSERT_EQUAL_FATAL(cmus_csv_read(FILE_NAME, 10000, &table), CMUS_OK);
    CU_ASSERT_EQUAL_FATAL(table.rows, 6);
    CU_ASSERT_STRING_EQUAL(cmus_csv_cell(&table, 2, 3), "a case without IM and TEM images");
    cmus_csv_free(&table);
    unlink(FILE_NAME);
    cmus_case_list_drop_rejected(&got.list);
    CU_ASSERT_EQUAL(got.list.case_count, 0);
    free_scanned(&got);
}

static void test_long_ids(void) {
    char id[CMUS_ID_BYTES + 2], text[2 * CMUS_ID_BYTES];
    cmus_scan_options every = all_kinds;
    scanned got;
    for (int extra = 0; extra < 2; extra++) {
        memset(id, 'x', sizeof id);
        id[CMUS_ID_BYTES + extra] = 0;
        snprintf(text, sizeof text, "case_id,patient_id,class,om,im,tem\n%s,p,MN,o,i,t\n", id);
        for (int k = 0; k < 2; k++) { /* with the OM image's name it is too long in any case */
            every.every_om = k == 1;
            CU_ASSERT_EQUAL_FATAL(parse(text, &every, &got), CMUS_OK);
            CU_ASSERT_EQUAL(got.findings.defects > 0, extra + k > 0);
            free_scanned(&got);
        }
    }
}

static void test_too_many_classes(void) {
    char text[4096] = "case_id,patient_id,class,om,im,tem\n";
    scanned got;
    for (int i = 0; i <= CMUS_DATASET_CLASSES; i++) {
        size_t length = strlen(text);
        snprintf(text + length, sizeof text - length, "c%d,p%d,class%d,o%d,i%d,t%d\n", i, i, i, i, i, i);
    }
    CU_ASSERT_EQUAL(parse(text, &all_kinds, &got), CMUS_ERROR_LIMIT);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "m.csv, line 34"));
    free_scanned(&got);
}

int main(void) {
    static const unit_test tests[] = {
        {"any bytes can be shown", test_escape},
        {"blanks are trimmed", test_trim},
        {"similar patient ids", test_similar},
        {"findings have kinds and go into a file", test_findings},
        {"a manifest: order, shared files", test_manifest},
        {"a manifest: what is rejected", test_rejected},
        {"ids that are too long", test_long_ids},
        {"too many classes", test_too_many_classes},
    };
    return unit_main("cases", tests, sizeof tests / sizeof tests[0]);
}
