/* .npy files of whole numbers, as NumPy writes them, damaged, and of other kinds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/memory.h"
#include "npy.h"
#include "unit.h"

enum { SIZE = 512 };

typedef struct file {
    char bytes[SIZE];
    size_t size;
} file;

/* A file of format `version`.0 with this header and these bytes behind it. */
static file make(int version, const char *header, const void *content, size_t size) {
    file made = {.bytes = "\x93NUMPY"};
    size_t length = strlen(header), begin = version == 1 ? 10 : 12;
    made.bytes[6] = (char)version;
    made.bytes[8] = (char)(length & 255);
    made.bytes[9] = (char)(length >> 8);
    memcpy(made.bytes + begin, header, length);
    memcpy(made.bytes + begin + length, content, size);
    made.size = begin + length + size;
    return made;
}

static cmus_status parse(const file *from, int64_t **values, size_t *count) {
    char *exact = malloc(from->size ? from->size : 1); /* a sanitizer sees a read behind its end */
    memcpy(exact, from->bytes, from->size);
    cmus_status status = cmus_npy_parse(exact, from->size, "a.npy", values, count);
    free(exact);
    return status;
}

#define HEADER(type, shape) "{'descr': '" type "', 'fortran_order': False, 'shape': " shape ", }          \n"

static void all_layouts_are_read(void) {
    static const struct {
        int version;
        const char *header, *content;
        int bytes;
        int64_t values[2];
    } files[] = {
        {1, HEADER("<i8", "(2,)"), "\5\0\0\0\0\0\0\0\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 16, {5, -2}},
        {2, HEADER(">i8", "(2,)"), "\0\0\0\0\0\0\1\5\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFE", 16, {261, -2}},
        {3, HEADER("<i4", "(2,)"), "\5\1\0\0\xFE\xFF\xFF\xFF", 8, {261, -2}},
        {1, HEADER(">i4", "(2,)"), "\0\0\1\5\xFF\xFF\xFF\xFE", 8, {261, -2}},
        {1, HEADER("<u4", "(2,)"), "\5\1\0\0\xFE\xFF\xFF\xFF", 8, {261, 4294967294}},
        {1, HEADER(">u4", "(2,)"), "\0\0\1\5\xFF\xFF\xFF\xFE", 8, {261, 4294967294}},
        {1, HEADER("<u8", "(2,)"), "\5\1\0\0\0\0\0\0\xFE\xFF\xFF\xFF\0\0\0\0", 16, {261, 4294967294}},
        {1, HEADER(">u8", "(2,)"), "\0\0\0\0\0\0\1\5\0\0\0\0\xFF\xFF\xFF\xFE", 16, {261, 4294967294}},
        {1, "{\"shape\":(2,),\"descr\":\"<i4\",\"fortran_order\":False}\n", "\5\0\0\0\6\0\0\0", 8, {5, 6}},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        file made = make(files[i].version, files[i].header, files[i].content, (size_t)files[i].bytes);
        int64_t *values;
        size_t count;
        CU_ASSERT_EQUAL_FATAL(parse(&made, &values, &count), CMUS_OK);
        CU_ASSERT_EQUAL_FATAL(count, 2);
        CU_ASSERT(values[0] == files[i].values[0] && values[1] == files[i].values[1]);
        cmus_free(values);
    }
    file empty = make(1, HEADER("<i8", "(0,)"), "", 0);
    int64_t *values;
    size_t count = 1;
    CU_ASSERT_EQUAL(parse(&empty, &values, &count), CMUS_OK);
    CU_ASSERT_EQUAL(count, 0);
    cmus_free(values);
}

static void other_files_are_refused_by_name(void) {
    static const struct {
        const char *header, *words;
        cmus_status status;
    } wrong[] = {
        {HEADER("<f8", "(2,)"), "'<f8' (floating point)", CMUS_ERROR_FORMAT},
        {HEADER("|b1", "(2,)"), "truth values", CMUS_ERROR_FORMAT},
        {HEADER("|O", "(2,)"), "Python objects", CMUS_ERROR_FORMAT},
        {HEADER("<i2", "(2,)"), "another size", CMUS_ERROR_FORMAT},
        {HEADER("<U4", "(2,)"), "texts", CMUS_ERROR_FORMAT},
        {HEADER("", "(2,)"), "of the type ''", CMUS_ERROR_FORMAT},
        {"{'descr': [('a', '<i8')], 'fortran_order': False, 'shape': (2,), }\n", "structured", CMUS_ERROR_FORMAT},
        {"{'descr': '<i8', 'fortran_order': True, 'shape': (2,), }\n", "Fortran", CMUS_ERROR_FORMAT},
        {HEADER("<i8", "(1, 2)"), "one dimension", CMUS_ERROR_FORMAT},
        {HEADER("<i8", "(2,1)"), "one dimension", CMUS_ERROR_FORMAT},
        {HEADER("<i8", "()"), "one dimension", CMUS_ERROR_FORMAT},
        {HEADER("<i8", "(2)"), "one dimension", CMUS_ERROR_FORMAT},
        {HEADER("<i8", "(-2,)"), "negative", CMUS_ERROR_FORMAT},
        {HEADER("<i8", "(3,)"), "should hold 3 numbers of 8 bytes, but has 16", CMUS_ERROR_FORMAT},
        {HEADER("<i8", "(1,)"), "should hold 1 numbers of 8 bytes, but has 16", CMUS_ERROR_FORMAT},
        {HEADER("<i8", "(2305843009213693954,)"), "should hold 2305843009213693954", CMUS_ERROR_FORMAT}, /* wraps */
        {HEADER("<i8", "(99999999999999999999999,)"), "more numbers than any file", CMUS_ERROR_FORMAT},
        {HEADER("<u8", "(2,)"), "number 1 (from 0) is 18446744073709551614", CMUS_ERROR_LIMIT},
        {"{'descr': '<i8', 'shape': (2,), }\n", "lacks", CMUS_ERROR_FORMAT},
        {"{'descr': '<i8', 'descr': '<i8', 'fortran_order': False, 'shape': (2,), }\n", "twice", CMUS_ERROR_FORMAT},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (2,), 'more': 1, }\n", "unknown", CMUS_ERROR_FORMAT},
        {"{'descr': '<i8' 'fortran_order': False, 'shape': (2,), }\n", "comma", CMUS_ERROR_FORMAT},
        {"{'descr': '<i8', 'fortran_order': 0, 'shape': (2,), }\n", "neither True nor False", CMUS_ERROR_FORMAT},
        {"{'descr': '<i8\n", "too long or strange", CMUS_ERROR_FORMAT},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (2,), } __import__\n", "does not end", CMUS_ERROR_FORMAT},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }", "does not end", CMUS_ERROR_FORMAT},
    };
    static const char content[17] = "\5\0\0\0\0\0\0\0\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        file made = make(1, wrong[i].header, content, 16);
        int64_t *values;
        size_t count;
        CU_ASSERT_EQUAL(parse(&made, &values, &count), wrong[i].status);
        CU_ASSERT_PTR_NULL(values);
        if (!strstr(cmus_last_error(), wrong[i].words))
            printf("\n%s: %s\n", wrong[i].words, cmus_last_error());
        CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), wrong[i].words));
        CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "a.npy"));
    }
    file made = make(4, HEADER("<i8", "(2,)"), content, 16);
    int64_t *values;
    size_t count;
    CU_ASSERT_EQUAL(parse(&made, &values, &count), CMUS_ERROR_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "format 4.0"));
}

/* Cut anywhere it is refused; with any bit flipped it is read or refused, and a sanitizer has nothing to say. */
static void damage_does_no_harm(void) {
    static const char content[17] = "\5\0\0\0\0\0\0\0\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
    for (int version = 1; version <= 2; version++) {
        file whole = make(version, HEADER("<i8", "(2,)"), content, 16);
        int64_t *values;
        size_t count;
        for (size_t size = 0; size < whole.size; size++) {
            file cut = whole;
            cut.size = size;
            CU_ASSERT_EQUAL(parse(&cut, &values, &count), CMUS_ERROR_FORMAT);
        }
        for (size_t bit = 0; bit < 8 * whole.size; bit++) {
            file flipped = whole;
            flipped.bytes[bit / 8] = (char)(flipped.bytes[bit / 8] ^ 1 << bit % 8);
            if (parse(&flipped, &values, &count) == CMUS_OK)
                CU_ASSERT(count == 2 || count == 4);
            cmus_free(values);
        }
    }
}

int main(void) {
    static const unit_test tests[] = {
        {"all layouts are read", all_layouts_are_read},
        {"other files are refused by name", other_files_are_refused_by_name},
        {"damage does no harm", damage_does_no_harm},
    };
    return unit_main(".npy files", tests, sizeof tests / sizeof tests[0]);
}
