/* Texts of cmus-report: valid UTF-8, escaped HTML, pictures inside a page. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmus/file.h"
#include "cmus/memory.h"
#include "cmus/utf8.h"
#include "report/html_picture.h"
#include "report/report_text.h"
#include "unit.h"

/* Compares a new text and frees it. */
static bool is(char *text, const char *expected) {
    bool same = strcmp(text, expected) == 0;
    if (!same)
        printf("\n    '%s' in place of '%s'\n", text, expected);
    cmus_free(text);
    return same;
}

static const char path[] = "test_report_text.out";

static char *written(void) {
    char *text = NULL;
    size_t size;
    CU_ASSERT_EQUAL_FATAL(cmus_file_read(path, 1 << 20, &text, &size), CMUS_OK);
    unlink(path);
    return text;
}

static char *html(const char *text) {
    cmus_file_writer *writer;
    CU_ASSERT_EQUAL_FATAL(cmus_file_writer_open(path, &writer), CMUS_OK);
    cmus_file_writer_html(writer, text);
    CU_ASSERT_EQUAL_FATAL(cmus_file_writer_commit(writer), CMUS_OK);
    return written();
}

static void test_valid(void) {
    CU_ASSERT(is(cmus_utf8_valid("MN/p1 äß€😀"), "MN/p1 äß€😀"));
    CU_ASSERT(is(cmus_utf8_valid("a\xFFz"), "a�z"));
    CU_ASSERT(is(cmus_utf8_valid("a\xC0\xAFz"), "a��z"));               /* overlong '/' */
    CU_ASSERT(is(cmus_utf8_valid("\xED\xA0\x80"), "���"));              /* a surrogate */
    CU_ASSERT(is(cmus_utf8_valid("\xF4\x90\x80\x80"), "����"));         /* above U+10FFFF */
    CU_ASSERT(is(cmus_utf8_valid("cut \xE2\x82"), "cut ��"));           /* ends within a character */
    CU_ASSERT(is(cmus_utf8_valid("line\nend\x1B[0m"), "line�end�[0m")); /* control characters */
    CU_ASSERT(is(cmus_utf8_valid(""), ""));
}

static void test_short(void) {
    CU_ASSERT(is(cmus_utf8_shorten("nephritis", 9), "nephritis"));
    CU_ASSERT(is(cmus_utf8_shorten("nephritis", 8), "nephrit…"));
    CU_ASSERT(is(cmus_utf8_shorten("äöüß", 3), "äö…"));
    CU_ASSERT(is(cmus_utf8_shorten("", 3), ""));
}

static void test_html(void) {
    CU_ASSERT(is(html("<script>alert('x')</script>"), "&#60;script&#62;alert(&#39;x&#39;)&#60;/script&#62;"));
    CU_ASSERT(is(html("a & b \"c\""), "a &#38; b &#34;c&#34;"));
    CU_ASSERT(is(html("plain ä"), "plain ä"));
    CU_ASSERT(is(html("\x80<"), "�&#60;"));
}

static void test_percent(void) {
    CU_ASSERT(is(report_percent(0.95372), "95.37"));
    CU_ASSERT(is(report_percent(NAN), "undefined"));
    CU_ASSERT(is(report_percent_spread(0.95372, 0.0241), "95.37 ± 2.41"));
    CU_ASSERT(is(report_percent_spread(0.5, NAN), "50.00"));
    CU_ASSERT(is(report_percent_spread(NAN, NAN), "undefined"));
}

static void test_picture(void) {
    char name[] = "roc", svg[] =
                             "<?xml version=\"1.0\"?>\n<svg viewBox=\"0 0 1 1\"><title>Gnuplot</title><desc>x</desc>"
                             "<g id='a'><use href='#a' fill=\"url(#b)\"/><text>id='a' </text></g></svg>\n";
    report_picture picture = {name, svg};
    cmus_file_writer *writer;
    CU_ASSERT_EQUAL_FATAL(cmus_file_writer_open(path, &writer), CMUS_OK);
    report_html_picture(writer, &picture, "ROC");
    CU_ASSERT_EQUAL_FATAL(cmus_file_writer_commit(writer), CMUS_OK);
    CU_ASSERT(is(written(), "<figure><svg role=\"img\" aria-label=\"ROC\" viewBox=\"0 0 1 1\">"
                            "<g id='roc-a'><use href='#roc-a' fill=\"url(#roc-b)\"/><text>id='a' </text></g></svg>\n"
                            "</figure>\n"));
}

int main(void) {
    static const unit_test tests[] = {
        {"invalid UTF-8 and control characters", test_valid},
        {"shortened names", test_short},
        {"HTML is escaped", test_html},
        {"percent", test_percent},
        {"an SVG inside a page", test_picture},
    };
    return unit_main("report_text", tests, sizeof tests / sizeof tests[0]);
}
