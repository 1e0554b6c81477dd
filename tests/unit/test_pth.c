/* PyTorch's files: those that PyTorch wrote (tests/golden/pth) are read to the last element, and damaged or hostile
 * ones are refused with a message. */
#include <string.h>
#include <unistd.h>
#include <zip.h>

#include "cmus/file.h"
#include "cmus/memory.h"
#include "pth.h"
#include "unit.h"

static const char PATH[] = "scratch.pth";

/* Bytes with zeros among them. */
typedef struct bytes {
    const char *data;
    size_t size;
} bytes;
#define BYTES(literal)                                                                                                 \
    { (literal), sizeof(literal) - 1 }

static char *golden_path(const char *name) {
    return cmus_path_join(PTH_GOLDEN, name);
}

static char *golden_bytes(const char *name, size_t *size) {
    char *path = golden_path(name), *data;
    if (cmus_file_read(path, 1 << 20, &data, size) != CMUS_OK)
        CU_FAIL_FATAL("golden file");
    cmus_free(path);
    return data;
}

/* The message must hold the text and the path. */
static void check_message(const char *what, const char *path, const char *message) {
    if (strstr(cmus_last_error(), message) && strstr(cmus_last_error(), path))
        return;
    printf("\n%s: '%s' is not in '%s'\n", what, message, cmus_last_error());
    CU_FAIL("message");
}

/* Opens a file and reads all of its tensors; the first failure counts. */
static cmus_status read_all(const char *path) {
    cmus_pth *file;
    cmus_status status = cmus_pth_open(path, &file);
    for (size_t i = 0; file && i < cmus_pth_count(file) && status == CMUS_OK; i++) {
        void *values = cmus_allocate_raw(cmus_pth_tensor(file, i)->bytes, 1);
        status = cmus_pth_read(file, cmus_pth_tensor(file, i), values);
        cmus_free(values);
    }
    cmus_pth_close(file);
    return status;
}

static cmus_status read_bytes(const char *data, size_t size) {
    cmus_file_write_scratch(PATH, &(cmus_bytes){data, size}, 1);
    cmus_status status = read_all(PATH);
    unlink(PATH);
    return status;
}

/* What PyTorch wrote. */

/* to: a small number of that type; the count of its bytes. */
static size_t encode(const char *type, int64_t value, char to[8]) {
    static const uint16_t halves[] = {0, 0x3C00, 0x4000, 0x4200, 0x4400}; /* 0 to 4 in binary16 */
    double wide = (double)value;
    float single = (float)value;
    if (strcmp(type, "F64") == 0)
        memcpy(to, &wide, 8);
    else if (strcmp(type, "F32") == 0)
        memcpy(to, &single, 4);
    else if (strcmp(type, "BF16") == 0)
        memcpy(to, (char *)&single + 2, 2); /* the upper half */
    else if (strcmp(type, "F16") == 0)
        memcpy(to, &halves[value], 2);
    else
        memcpy(to, &value, 8);
    return strstr(type, "64") ? 8 : strstr(type, "32") ? 4 : strstr(type, "16") ? 2 : 1;
}

typedef struct expected_tensor {
    const char *name, *type;
    int dimensions;
    int64_t shape[3];
    int values[24];
} expected_tensor;

/* As tests/golden/make_pth_golden.py makes them. */
static const expected_tensor golden[] = {
    {"plain", "F32", 2, {3, 4}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
    {"transposed", "F32", 2, {4, 3}, {0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}},
    {"part", "F32", 2, {2, 2}, {5, 6, 9, 10}},
    {"steps", "F32", 2, {2, 2}, {0, 3, 8, 11}},
    {"permuted", "F32", 3, {4, 2, 3}, {0, 4, 8,  12, 16, 20, 1, 5, 9,  13, 17, 21,
                                       2, 6, 10, 14, 18, 22, 3, 7, 11, 15, 19, 23}},
    {"middle", "F32", 2, {2, 4}, {4, 5, 6, 7, 16, 17, 18, 19}},
    {"expanded", "F32", 2, {3, 2}, {0, 1, 0, 1, 0, 1}},
    {"empty", "F32", 2, {0, 3}, {0}},
    {"parameter", "F32", 1, {4}, {0, 1, 2, 3}},
    {"scalar", "I64", 0, {0}, {5}},
    {"bool", "BOOL", 1, {3}, {0, 1, 1}},
    {"double", "F64", 1, {5}, {0, 1, 2, 3, 4}},
    {"half", "F16", 1, {5}, {0, 1, 2, 3, 4}},
    {"bfloat", "BF16", 1, {5}, {0, 1, 2, 3, 4}},
    {"long", "I64", 1, {5}, {0, 1, 2, 3, 4}},
    {"int", "I32", 1, {5}, {0, 1, 2, 3, 4}},
    {"short", "I16", 1, {5}, {0, 1, 2, 3, 4}},
    {"char", "I8", 1, {5}, {0, 1, 2, 3, 4}},
    {"byte", "U8", 1, {5}, {0, 1, 2, 3, 4}},
};
enum { GOLDEN = sizeof golden / sizeof *golden, FLOATS = 9 };

static void check_tensor(cmus_pth *file, const expected_tensor *wanted) {
    const cmus_stored_tensor *tensor = NULL;
    for (size_t i = 0; i < cmus_pth_count(file); i++)
        if (strcmp(cmus_pth_tensor(file, i)->name, wanted->name) == 0)
            tensor = cmus_pth_tensor(file, i);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tensor);
    size_t elements = 1;
    CU_ASSERT_STRING_EQUAL(tensor->type, wanted->type);
    CU_ASSERT_EQUAL_FATAL(tensor->dimensions, wanted->dimensions);
    for (int i = 0; i < wanted->dimensions; i++) {
        CU_ASSERT_EQUAL(tensor->shape[i], wanted->shape[i]);
        elements *= (size_t)wanted->shape[i];
    }
    CU_ASSERT_EQUAL_FATAL(tensor->elements, elements);
    char one[8], *values = cmus_allocate(tensor->bytes, 1);
    CU_ASSERT_EQUAL(tensor->bytes, elements * encode(wanted->type, 0, one));
    CU_ASSERT_EQUAL(cmus_pth_read(file, tensor, values), CMUS_OK);
    for (size_t i = 0; i < elements; i++) {
        size_t size = encode(wanted->type, wanted->values[i], one);
        CU_ASSERT_EQUAL(memcmp(values + i * size, one, size), 0);
    }
    cmus_free(values);
}

static void check_golden(const char *name, const char *kind, const expected_tensor *wanted, size_t count) {
    char *path = golden_path(name);
    cmus_pth *file;
    if (cmus_pth_open(path, &file) != CMUS_OK) {
        printf("\n%s\n", cmus_last_error());
        CU_FAIL_FATAL("open");
    }
    CU_ASSERT_STRING_EQUAL(cmus_pth_kind(file), kind);
    CU_ASSERT_EQUAL(cmus_pth_count(file), count);
    for (size_t i = 0; i < count; i++)
        check_tensor(file, &wanted[i]);
    for (size_t i = count; i-- > 0;) /* in another order, too: the storage in memory must be the right one */
        check_tensor(file, &wanted[i]);
    cmus_pth_close(file);
    cmus_free(path);
}

static const char ZIP[] = "PyTorch zip archive", LEGACY[] = "PyTorch file of before 1.6";

static void files_of_pytorch_are_read(void) {
    static const expected_tensor layer[] = {{"layer.weight", "F32", 2, {2, 3}, {0, 1, 2, 3, 4, 5}},
                                            {"layer.bias", "F32", 1, {2}, {0, 1}}};
    check_golden("zip.pth", ZIP, golden, GOLDEN);
    check_golden("legacy.pth", LEGACY, golden, GOLDEN);
    check_golden("protocol4.pth", ZIP, golden, GOLDEN);
    check_golden("pytorch2_little.pth", ZIP, golden, FLOATS);
    check_golden("pytorch2_big.pth", ZIP, golden, FLOATS);
    check_golden("checkpoint.pth", ZIP, layer, 2);
    check_golden("checkpoint_legacy.pth", LEGACY, layer, 2);
}

static void programs_are_refused(void) {
    static const char *const files[][2] = {{"module.pth", "calls 'torch.nn.modules.linear.Linear'"},
                                           {"module_legacy.pth", "calls 'torch.nn.modules.linear.Linear'"},
                                           {"script.pth", "TorchScript"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = golden_path(files[i][0]);
        CU_ASSERT_EQUAL(read_all(path), CMUS_ERROR_FORMAT);
        check_message(files[i][0], path, files[i][1]);
        check_message(files[i][0], path, "state_dict()");
        cmus_free(path);
    }
}

static void kinds_are_told_apart(void) {
    static const struct {
        bytes head;
        bool known;
    } heads[] = {{BYTES("PK\3\4\0\0\0\0\0\0"), true},
                 {BYTES("\x80\2\x8a\12\x6c\xfc\x9c\x46\xf9"), true},
                 {BYTES("\x80\2}q\0."), true},
                 {BYTES("\x80\2\0\0\0\0\0\0{\"a"), false}, /* safetensors with headers of such lengths */
                 {BYTES("PK\3\4\0\0\0\0{\"a"), false},
                 {BYTES("PK"), false},
                 {BYTES(""), false},
                 {BYTES("\x89HDF\r\n\x1a\n"), false}};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        CU_ASSERT_EQUAL(cmus_pth_recognise(heads[i].head.data, heads[i].head.size), heads[i].known);
    CU_ASSERT_EQUAL(read_all("nowhere.pth"), CMUS_ERROR_NOT_FOUND);
    CU_ASSERT_EQUAL(read_all("."), CMUS_ERROR_IO);
    CU_ASSERT_EQUAL(read_bytes("weights", 7), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(read_bytes("", 0), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(read_bytes("\x80\2}q\0.", 6), CMUS_ERROR_FORMAT);
    check_message("another pickle", PATH, "did not write");
}

/* Damage. */

static void cut_files_are_refused(void) {
    static const char *const names[] = {"zip.pth", "legacy.pth"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t size, accepted = 0;
        char *data = golden_bytes(names[i], &size);
        for (size_t length = 0; length < size; length++)
            accepted += read_bytes(data, length) == CMUS_OK;
        CU_ASSERT_EQUAL(accepted, 0);
        CU_ASSERT_EQUAL(read_bytes(data, size), CMUS_OK);
        cmus_free(data);
    }
}

/* One bit of each byte: whatever is said to it, nothing crashes; and what is not weights is mostly seen. */
static void changed_files_do_no_harm(void) {
    static const char *const names[] = {"zip.pth", "legacy.pth"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t size, refused = 0;
        char *data = golden_bytes(names[i], &size);
        for (size_t at = 0; at < size; at++) {
            data[at] ^= (char)(1 << at % 8);
            refused += read_bytes(data, size) != CMUS_OK;
            data[at] ^= (char)(1 << at % 8);
        }
        CU_ASSERT(refused > size / 4);
        cmus_free(data);
    }
}

/* Changes the byte at `offset` after the first place that holds `wanted` in zip.pth, and reads it. */
static cmus_status read_changed(const void *wanted, size_t wanted_size, size_t offset) {
    size_t size;
    char *data = golden_bytes("zip.pth", &size), *at = memmem(data, size, wanted, wanted_size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    at[offset] ^= 1;
    cmus_status status = read_bytes(data, size);
    cmus_free(data);
    return status;
}

static void checksums_are_compared(void) {
    static const float numbers[] = {0, 1, 2, 3, 4, 5};
    CU_ASSERT_EQUAL(read_changed(numbers, sizeof numbers, 9), CMUS_ERROR_CHECKSUM);
    check_message("a number", PATH, "data/0");
    CU_ASSERT_EQUAL(read_changed("transposed", 10, 3), CMUS_ERROR_CHECKSUM);
    check_message("a name", PATH, "data.pkl");
}

/* Replaces the first place of legacy.pth that holds `wanted`, and reads it. */
static cmus_status read_legacy(bytes wanted, bytes other, size_t more) {
    size_t size;
    char *data = golden_bytes("legacy.pth", &size), *at = memmem(data, size, wanted.data, wanted.size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    CU_ASSERT_EQUAL_FATAL(wanted.size, other.size);
    memcpy(at, other.data, other.size);
    char *longer = cmus_allocate(size + more, 1);
    memcpy(longer, data, size);
    cmus_status status = read_bytes(longer, size + more);
    cmus_free(longer);
    cmus_free(data);
    return status;
}

static void damaged_files_of_before_1_6(void) {
    static const struct {
        bytes wanted, other;
        size_t more;
        const char *message;
    } faults[] = {
        {BYTES("\x8a\12\x6c\xfc"), BYTES("\x8a\12\x6d\xfc"), 0, "did not write"},
        {BYTES("M\xe9\3."), BYTES("M\xe8\3."), 0, "1001"},
        {BYTES("M\xe9\3."), BYTES("M\xe9\3."), 1, "1 bytes follow"},
        {BYTES("\14\0\0\0\0\0\0\0\0\0\0\0\0\0\x80?"), BYTES("\15\0\0\0\0\0\0\0\0\0\0\0\0\0\x80?"), 0, "another size"},
        {BYTES("\14\0\0\0\0\0\0\0\0\0\0\0\0\0\x80?"), BYTES("\14\0\0\0\0\0\0\x80\0\0\0\0\0\0\x80?"), 0, "another size"},
        {BYTES("]q\0(X"), BYTES("}q\0(X"), 0, "no list"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        CU_ASSERT_EQUAL(read_legacy(faults[i].wanted, faults[i].other, faults[i].more), CMUS_ERROR_FORMAT);
        check_message(faults[i].message, PATH, faults[i].message);
    }
}

/* Archives made here. */

typedef struct archive_entry {
    const char *name;
    bytes data;
    bool deflated;
} archive_entry;

static void add_entry(zip_t *archive, const archive_entry *one) {
    zip_source_t *source = zip_source_buffer(archive, one->data.data, one->data.size, 0);
    zip_int64_t index = zip_file_add(archive, one->name, source, 0);
    if (index < 0 ||
        zip_set_file_compression(archive, (zip_uint64_t)index, one->deflated ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0) != 0)
        CU_FAIL_FATAL("libzip");
}

static void write_archive(const archive_entry *entries, size_t count) {
    zip_t *archive = zip_open(PATH, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    for (size_t i = 0; i < count; i++)
        add_entry(archive, &entries[i]);
    if (zip_close(archive) != 0)
        CU_FAIL_FATAL("libzip");
}

static cmus_status read_archive(const archive_entry *entries, size_t count) {
    write_archive(entries, count);
    cmus_status status = read_all(PATH);
    unlink(PATH);
    return status;
}

static const char numbers_12[48], numbers_2[8];

/* An archive of this pickle with two storages: "0" of 12 floats and "1" of 2. */
static cmus_status read_pickle(bytes pickle) {
    const archive_entry entries[] = {{"a/data.pkl", pickle, false},
                                     {"a/data/0", {numbers_12, sizeof numbers_12}, false},
                                     {"a/data/1", {numbers_2, sizeof numbers_2}, false},
                                     {"a/version", BYTES("3\n"), false}};
    return read_archive(entries, sizeof entries / sizeof *entries);
}

/* Parts of pickles; lengths are octal. */
#define STORAGE(type, key, elements)                                                                                   \
    "(X\7\0\0\0storagectorch\n" type "Storage\nX\1\0\0\0" key "X\3\0\0\0cpu" elements "tQ"
#define TENSOR(storage, offset, sizes, strides)                                                                        \
    "ctorch._utils\n_rebuild_tensor_v2\n(" storage offset sizes strides "\x89}tR"
#define FLOATS_12 STORAGE("Float", "0", "K\14")
#define RIGHT TENSOR(FLOATS_12, "K\0", "K\14\x85", "K\1\x85")
#define SHAPED(offset, sizes, strides) "\x80\2}X\1\0\0\0a" TENSOR(FLOATS_12, offset, sizes, strides) "s."
#define LARGE "\x8a\10\0\0\0\0\0\0\0\x40" /* 2^62 */

static const struct {
    bytes pickle;
    const char *message;
} faults[] = {
    {BYTES("\x80\2cos\nsystem\nX\4\0\0\0true\x85R."), "calls 'os.system', which no file of weights needs"},
    {BYTES("\x80\2cos\nsystem\n"), "calls 'os.system'"}, /* where it is met */
    {BYTES("\x80\4\x8c\10builtins\x8c\4"
           "eval\x93)R."),
     "calls 'builtins.eval'"},
    {BYTES("\x80\2ctorch\x1b[2J\nload\n)R."), "calls 'torch\xEF\xBF\xBD[2J.load'"},
    {BYTES("\x80\2ctorch._utils\n_rebuild_tensor_v3\n)R."), "calls 'torch._utils._rebuild_tensor_v3'"},
    {BYTES("\x80\2ctorch\nFloatStorage\n)R."), "calls 'torch.FloatStorage'"},
    {BYTES("\x80\2}X\1\0\0\0a(X\6\0\0\0moduletQs."), "whole module"},
    {BYTES("\x80\2}X\1\0\0\0aK\1Qs."), "no storage"},
    {BYTES("\x80\2}X\1\0\0\0a(X\7\0\0\0storageK\1K\1K\1K\1tQs."), "without type, key or size"},
    {BYTES("\x80\2}X\1\0\0\0a" STORAGE("Float", "0", "J\xff\xff\xff\xff") "s."), "without type, key or size"},
    {BYTES("\x80\2}X\1\0\0\0a" STORAGE("Double", "0", LARGE) "s."), "size of a storage overflows"},
    {BYTES("\x80\2}X\1\0\0\0a" STORAGE("Float", "0", "K\14}") "s."), "before 0.4"},
    {BYTES("\x80\2}X\1\0\0\0a" STORAGE("Float", "0", "K\15") "s."), "its size is not that"},
    {BYTES("\x80\2}X\1\0\0\0a" STORAGE("Float", "7", "K\14") "s."), "not in the archive"},
    {BYTES("\x80\2}X\1\0\0\0a" STORAGE("Float", "\n", "K\14") "s."), "not in the archive"},
    {BYTES("\x80\2}X\1\0\0\0a" FLOATS_12 "sX\1\0\0\0b" STORAGE("Int", "0", "K\14") "s."), "two types or sizes"},
    {BYTES("\x80\2}X\1\0\0\0a" FLOATS_12 "sX\1\0\0\0b" STORAGE("Float", "0", "K\13") "s."), "two types or sizes"},
    {BYTES(SHAPED("K\0", "K\15\x85", "K\1\x85")), "outside its storage of 12"},
    {BYTES(SHAPED("K\1", "K\14\x85", "K\1\x85")), "outside its storage of 12"},
    {BYTES(SHAPED("K\14", ")", ")")), "outside its storage of 12"},
    {BYTES(SHAPED("K\0", "K\4K\4\x86", "K\3K\1\x86")), "outside its storage of 12"},
    {BYTES(SHAPED("K\0", "K\5\x85", LARGE "\x85")), "outside its storage of 12"},
    {BYTES(SHAPED(LARGE, LARGE LARGE "\x86", "K\0K\0\x86")), "overflows"},
    {BYTES(SHAPED("K\0", "K\0" LARGE LARGE "\x87", "K\0K\0K\0\x87")), "overflows"},
    {BYTES(SHAPED("K\0", "J\xff\xff\xff\xff\x85", "K\1\x85")), "no size"},
    {BYTES(SHAPED("K\0", "K\2\x85", "J\xff\xff\xff\xff\x85")), "no size"},
    {BYTES(SHAPED("K\0", "\x8a\1\xff\x85", "K\1\x85")), "no size"},
    {BYTES(SHAPED("K\0", "K\2\x85", ")")), "1 sizes and 0 strides"},
    {BYTES(SHAPED("K\0", "K\2", "K\1\x85")), "no tuple"},
    {BYTES(SHAPED("K\0", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t", ")")), "no tuple of at most 8"},
    {BYTES(SHAPED("J\xff\xff\xff\xff", ")", ")")), "without storage or offset"},
    {BYTES("\x80\2}X\1\0\0\0a" TENSOR("N", "K\0", ")", ")") "s."), "without storage or offset"},
    {BYTES("\x80\2}X\1\0\0\0actorch._utils\n_rebuild_parameter\nN\x85Rs."), "no tensor"},
    {BYTES("\x80\2}X\1\0\0\0a" RIGHT "sX\1\0\0\0a" RIGHT "s."), "'a' is given twice"},
    {BYTES("\x80\2}X\0\0\0\0" RIGHT "s."), "no text of 1 to"},
    {BYTES("\x80\2}K\1" RIGHT "s."), "no text of 1 to"},
    {BYTES("\x80\2}X\2\0\0\0a\0" RIGHT "s."), "no text of 1 to"},
    {BYTES("\x80\2}X\2\0\0\0a\x1b" RIGHT "s."), "no clean UTF-8"},
    {BYTES("\x80\2}X\2\0\0\0\xc3(" RIGHT "s."), "no clean UTF-8"},
    {BYTES("\x80\2}."), "no state dict"},
    {BYTES("\x80\2N."), "no state dict"},
    {BYTES("\x80\2}X\5\0\0\0modelK\1s."), "no state dict"},
    {BYTES("\x80\2}(X\1\0\0\0aK\1X\1\0\0\0bu."), "a key without a value"},
    {BYTES("\x80\2]X\1\0\0\0a" RIGHT "s."), "no dict"},
    {BYTES("\x80\2}K\1a."), "no list"},
    {BYTES("\x80\2}r\xf0\xff\xff\x7f."), "far from the others"},
    {BYTES("\x80\2h\0."), "that is empty"},
    {BYTES("\x80\2}q\2h\1."), "that is empty"},
    {BYTES("\x80\2j\xff\xff\xff\xff."), "that is empty"},
    {BYTES("\x80\2q\0."), "too few values"},
    {BYTES("\x80\2."), "too few values"},
    {BYTES("\x80\2}(s."), "too few values"},
    {BYTES("\x80\2}R."), "too few values"},
    {BYTES("\x80\2}t."), "no mark"},
    {BYTES("\x80\2}}R."), "can't be called"},
    {BYTES("\x80\2K\1}b."), "no dict"},
    {BYTES("\x80\2]\x93."), "too few values"},
    {BYTES("\x80\2]]\x93."), "no text"},
    {BYTES("\x80\2ccollections\nOrderedDict\nK\1\x85R."), "no list of pairs"},
    {BYTES("\x80\2ccollections\nOrderedDict\n]K\1a\x85R."), "no list of pairs"},
    {BYTES("\x80\2(ios\nsystem\n."), "opcode 0x69"},
    {BYTES("\x80\11}."), "not known"},
    {BYTES("\x80\2}"), "cut short"},
    {BYTES("\x80\2X\xff\xff\xff\xff"
           "a."),
     "cut short"},
    {BYTES("\x80\4\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
           "a."),
     "cut short"},
    {BYTES("\x80\2ctorch"), "cut short"},
    {BYTES("\x80\2}X\1\0\0\0a" RIGHT "s.N"), "1 bytes follow"},
};

static void hostile_pickles_are_refused(void) {
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        CU_ASSERT_EQUAL(read_pickle(faults[i].pickle), CMUS_ERROR_FORMAT);
        check_message(faults[i].message, PATH, faults[i].message);
    }
}

static void odd_pickles_are_read(void) {
    static const bytes right[] = {
        BYTES("\x80\2}X\1\0\0\0a" RIGHT "s."),
        /* of Python 2: an OrderedDict of a list of pairs, texts of bytes, a memo that begins at 1 */
        BYTES("\x80\2ccollections\nOrderedDict\nq\1](](U\1aq\2" RIGHT "ee\x85R."),
        /* a dict that contains itself, under "net" too */
        BYTES("\x80\2}q\0(X\1\0\0\0ah\0X\3\0\0\0neth\0X\1\0\0\0b" RIGHT "u."),
        /* beside the tensors: None, a list, bytes, a float, a number as key */
        BYTES("\x80\2}(X\1\0\0\0aNX\1\0\0\0b]X\1\0\0\0cC\1zX\1\0\0\0dG\0\0\0\0\0\0\0\0K\1K\2X\1\0\0\0e" RIGHT "u."),
        BYTES(SHAPED("K\13", ")", ")")),
        BYTES(SHAPED("K\0", "K\0\x85", "K\1\x85")),
        BYTES(SHAPED("K\0", "\x8a\0\x85", "\x8a\1\1\x85")),
    };
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        if (read_pickle(right[i]) != CMUS_OK) {
            printf("\n%zu: %s\n", i, cmus_last_error());
            CU_FAIL("refused");
        }
}

/* A pickle of parts, each so many times. */
typedef struct pickle_part {
    bytes text;
    size_t times;
} pickle_part;

static cmus_status read_parts(const pickle_part *parts, size_t count) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += parts[i].text.size * parts[i].times;
    char *data = cmus_allocate_raw(size, 1), *at = data;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < parts[i].times; k++)
            at = mempcpy(at, parts[i].text.data, parts[i].text.size);
    cmus_status status = read_pickle((bytes){data, size});
    cmus_free(data);
    return status;
}

static void small_files_stay_small(void) {
    static const pickle_part values[] = {{BYTES("\x80\2]"), 1}, {BYTES(")a"), 2000000}};
    static const pickle_part stack[] = {{BYTES("\x80\2"), 1}, {BYTES("("), 2000000}};
    static const pickle_part dicts[] = {{BYTES("\x80\2ccollections\nOrderedDict\nq\0]("), 1},
                                        {BYTES("NN\x86"), 2000},
                                        {BYTES("e\x85q\1"), 1},
                                        {BYTES("h\0h\1R"), 2000}};
    static const pickle_part long_pickle[] = {{BYTES("\x80\2"), 8388609}};
    static const pickle_part shared[] = {{BYTES("\x80\2}X\1\0\0\0z)"), 1}, /* each tuple holds the one before twice */
                                         {BYTES("q\0h\0\x86"), 100000},
                                         {BYTES("sX\1\0\0\0a" RIGHT "s."), 1}};
    static const pickle_part tensors[] = {
        {BYTES("\x80\2}(X\1\0\0\0aq\0" RIGHT "q\1"), 1}, {BYTES("h\0h\1"), 100000}, {BYTES("u."), 1}};
    static const bytes repeated = BYTES(SHAPED("K\0", "J\0\0\0\x40\x85", "K\0\x85"));
    CU_ASSERT_EQUAL(read_pickle(repeated), CMUS_ERROR_LIMIT);
    check_message("repeated", PATH, "'a': its storage is repeated");
    CU_ASSERT_EQUAL(read_parts(values, 2), CMUS_ERROR_LIMIT);
    check_message("values", PATH, "values");
    CU_ASSERT_EQUAL(read_parts(stack, 2), CMUS_ERROR_LIMIT);
    check_message("stack", PATH, "a stack of more");
    CU_ASSERT_EQUAL(read_parts(dicts, 4), CMUS_ERROR_LIMIT);
    check_message("dicts", PATH, "dicts are made of more");
    CU_ASSERT_EQUAL(read_parts(long_pickle, 1), CMUS_ERROR_LIMIT);
    check_message("bytes", PATH, "beyond the limit");
    CU_ASSERT_EQUAL(read_parts(tensors, 3), CMUS_ERROR_LIMIT);
    check_message("tensors", PATH, "more than 65536 tensors");
    CU_ASSERT_EQUAL(read_parts(shared, 3), CMUS_OK);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed for a while */
    CU_ASSERT(cmus_peak_memory() < (size_t)300 << 20);
#endif
}

/* Many tensors of two storages of a MiB each: half of them of the first and then half of the second, or in turn. */
static cmus_status open_pair(bool grouped, cmus_pth **file) {
    enum { LARGE_BYTES = 1 << 20, TENSORS = 1000 };
    static const bytes parts[] = {BYTES(TENSOR(STORAGE("Float", "0", "J\0\0\4\0"), "K\0", "K\1\x85", "K\1\x85")),
                                  BYTES(TENSOR(STORAGE("Float", "1", "J\0\0\4\0"), "K\0", "K\1\x85", "K\1\x85"))};
    char *pickle = cmus_allocate(TENSORS * 512, 1), *at = mempcpy(pickle, "\x80\2}", 3);
    for (size_t i = 0; i < TENSORS; i++) {
        const bytes *part = &parts[grouped ? i >= TENSORS / 2 : i % 2];
        at = mempcpy(at, "X\4\0\0\0", 5);
        at += sprintf(at, "%04zu", i);
        at = mempcpy(mempcpy(at, part->data, part->size), "s", 1);
    }
    *at++ = '.';
    char *large = cmus_allocate(LARGE_BYTES, 1);
    const archive_entry entries[] = {{"a/data.pkl", {pickle, (size_t)(at - pickle)}, false},
                                     {"a/data/0", {large, LARGE_BYTES}, false},
                                     {"a/data/1", {large, LARGE_BYTES}, false}};
    write_archive(entries, sizeof entries / sizeof *entries);
    cmus_free(large);
    cmus_free(pickle);
    cmus_status status = cmus_pth_open(PATH, file);
    unlink(PATH);
    return status;
}

/* A storage that is large is not read for each of many small tensors. */
static void storages_are_read_seldom(void) {
    cmus_pth *file;
    CU_ASSERT_EQUAL(open_pair(false, &file), CMUS_ERROR_LIMIT);
    check_message("alternate", PATH, "change too often between large storages");
    CU_ASSERT_EQUAL_FATAL(open_pair(true, &file), CMUS_OK);
    float value;
    size_t count = cmus_pth_count(file), failed = 0;
    for (size_t i = 0; i < count; i++)
        failed += cmus_pth_read(file, cmus_pth_tensor(file, i), &value) != CMUS_OK;
    CU_ASSERT_EQUAL(failed, 0);
    cmus_status status = CMUS_OK;
    for (size_t i = 0; i < count && status == CMUS_OK; i++)
        status = cmus_pth_read(file, cmus_pth_tensor(file, i % 2 ? count - 1 : 0), &value);
    CU_ASSERT_EQUAL(status, CMUS_ERROR_LIMIT);
    check_message("read", PATH, "read anew too often");
    cmus_pth_close(file);
}

static void hostile_archives_are_refused(void) {
#define PICKLE BYTES("\x80\2}X\1\0\0\0a" RIGHT "s.")
#define STORED                                                                                                         \
    { "a/data/0", {numbers_12, sizeof numbers_12}, false }
    static const struct {
        archive_entry entries[4];
        size_t count;
        const char *message;
    } archives[] = {
        {{{"a/data.pkl", PICKLE, false}, {"a/data/0", {numbers_12, sizeof numbers_12}, true}}, 2, "compressed"},
        {{{"a/data.pkl", PICKLE, true}, STORED}, 2, "compressed"},
        {{{"a/data.pkl", PICKLE, false}, {"b/data.pkl", PICKLE, false}, STORED}, 3, "more than one data.pkl"},
        {{{"a/b/data.pkl", PICKLE, false}, STORED}, 2, "no data.pkl"},
        {{{"data.pkl", PICKLE, false}, STORED}, 2, "no data.pkl"},
        {{{"a/data.pkl", PICKLE, false}, {"b/data/0", {numbers_12, sizeof numbers_12}, false}},
         2,
         "not in the archive"},
        {{{"a/data.pkl", PICKLE, false}, {"a/data/0", {numbers_12, 47}, false}}, 2, "its size is not that"},
        {{{"a/data.pkl", PICKLE, false}, {"a/byteorder", BYTES("middle"), false}, STORED}, 3, "neither"},
        {{{"a/data.pkl", PICKLE, false}, {"a/byteorder", BYTES("little endian"), false}, STORED}, 3, "neither"},
        {{{"a/data.pkl", PICKLE, false}, {"a/byteorder", BYTES("big\0"), false}, STORED}, 3, "neither"},
        {{{"a/data.pkl", PICKLE, false}, {"a/constants.pkl", BYTES(")."), false}, STORED}, 3, "TorchScript"},
        {{{"a/data.pkl", PICKLE, false}, {"a/code/x.py", BYTES(""), false}, STORED}, 3, "TorchScript"},
        {{{"a/data.pkl", PICKLE, false}, {"a/x\n", BYTES(""), false}, STORED}, 3, "clean name"},
    };
    for (size_t i = 0; i < sizeof archives / sizeof *archives; i++) {
        CU_ASSERT_EQUAL(read_archive(archives[i].entries, archives[i].count), CMUS_ERROR_FORMAT);
        check_message(archives[i].message, PATH, archives[i].message);
    }
}

/* Two names in one archive for the same bytes, as libzip does not write it: the name of an entry changed in place. */
static void names_given_twice_are_refused(void) {
    size_t size;
    char *data = golden_bytes("zip.pth", &size);
    for (char *at = data; (at = memmem(at, size - (size_t)(at - data), "zip/data/1", 10)); at++)
        if (at[10] < '0' || at[10] > '9')
            at[9] = '0';
    CU_ASSERT_EQUAL(read_bytes(data, size), CMUS_ERROR_FORMAT);
    check_message("twice", PATH, "or that of another one");
    cmus_free(data);
}

/* Made by hand: what PyTorch of before 1.6 writes first, a pickle, the keys of the storages, the storages. */
static void hostile_files_of_before_1_6(void) {
#define FIRST "\x80\2\x8a\12\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2M\xe9\3.\x80\2}."
#define KEYS(first, second) "\x80\2](X\1\0\0\0" first "X\1\0\0\0" second "e."
#define NONE TENSOR(STORAGE("Float", "0", "K\0"), "K\0", "K\0\x85", "K\1\x85")
#define OTHER STORAGE("Float", "1", "K\0")
#define COUNT "\0\0\0\0\0\0\0\0"
    static const bytes right =
        BYTES(FIRST "\x80\2}X\1\0\0\0a" NONE "sX\1\0\0\0b" OTHER "s." KEYS("1", "0") COUNT COUNT);
    static const struct {
        bytes file;
        const char *message;
    } files[] = {
        {BYTES(FIRST "\x80\2}X\1\0\0\0a" NONE "sX\1\0\0\0b" OTHER "s." KEYS("1", "1") COUNT COUNT), "names one twice"},
        {BYTES(FIRST "\x80\2}X\1\0\0\0a" NONE "sX\1\0\0\0b" OTHER "s." KEYS("1", "2") COUNT COUNT), "not that of"},
        {BYTES(FIRST "\x80\2}X\1\0\0\0a" NONE "s." KEYS("0", "1") COUNT COUNT), "not that of"},
        {BYTES(FIRST "\x80\2}X\1\0\0\0a" NONE "sX\1\0\0\0b" OTHER "s.\x80\2](K\1K\2e." COUNT COUNT), "not that of"},
        /* so many elements that their bytes lead back in the file */
        {BYTES(FIRST "\x80\2}X\1\0\0\0a" STORAGE(
             "Float", "0", "\x8a\10\xff\xff\xff\xff\xff\xff\xff\x3f") "s.\x80\2]"
                                                                      "X\1\0\0\0"
                                                                      "0"
                                                                      "a.\xff\xff\xff\xff\xff\xff\xff\x3f"),
         "cut short"},
    };
    CU_ASSERT_EQUAL(read_bytes(right.data, right.size), CMUS_OK);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        CU_ASSERT_EQUAL(read_bytes(files[i].file.data, files[i].file.size), CMUS_ERROR_FORMAT);
        check_message(files[i].message, PATH, files[i].message);
    }
}

int main(void) {
    static const unit_test tests[] = {
        {"files of PyTorch are read", files_of_pytorch_are_read},
        {"programs are refused", programs_are_refused},
        {"kinds are told apart", kinds_are_told_apart},
        {"cut files are refused", cut_files_are_refused},
        {"changed files do no harm", changed_files_do_no_harm},
        {"checksums are compared", checksums_are_compared},
        {"damaged files of before 1.6", damaged_files_of_before_1_6},
        {"hostile pickles are refused", hostile_pickles_are_refused},
        {"odd pickles are read", odd_pickles_are_read},
        {"small files stay small", small_files_stay_small},
        {"storages are read seldom", storages_are_read_seldom},
        {"hostile archives are refused", hostile_archives_are_refused},
        {"names given twice are refused", names_given_twice_are_refused},
        {"hostile files of before 1.6", hostile_files_of_before_1_6},
    };
    return unit_main("pth", tests, sizeof tests / sizeof tests[0]);
}
