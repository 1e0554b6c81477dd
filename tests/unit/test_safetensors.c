/* safetensors: what is written comes back; damaged files are refused; weights of other networks too. */
#include <string.h>
#include <unistd.h>

#include "cmus/cmusnet.h"
#include "cmus/file.h"
#include "cmus/memory.h"
#include "cmus/safetensors.h"
#include "cmus/weights.h"
#include "unit.h"

static const char PATH[] = "scratch.safetensors";

/* A tensor that is made when it is written. */
static void get_doubled(void *context, size_t count, void *values) {
    for (size_t i = 0; i < count; i++)
        ((float *)values)[i] = 2 * ((const float *)context)[i];
}

static void tensors_come_back(void) {
    float numbers[6] = {1, 2, 3, 4, 5, 6}, odd[3] = {7, 8, 9}, got[6];
    int64_t index[2] = {-1, 1LL << 40}, index_got[2];
    cmus_tensor_source sources[] = {
        {.name = "z", .type = "F32", .dimensions = 2, .shape = {2, 3}, .data = numbers},
        {.name = "m", .type = "I64", .dimensions = 1, .shape = {2}, .data = index},
        {.name = "a", .type = "F32", .dimensions = 1, .shape = {3}, .data = odd},
        {.name = "scalar", .type = "F32", .data = odd},
        {.name = "none", .type = "F32", .dimensions = 1, .shape = {0}, .data = odd},
        {.name = "called", .type = "F32", .dimensions = 2, .shape = {3, 2}, .context = numbers, .get = get_doubled}};
    enum { SOURCES = sizeof sources / sizeof sources[0] };
    CU_ASSERT_EQUAL_FATAL(cmus_safetensors_write(PATH, sources, SOURCES, NULL, 0), CMUS_OK);
    cmus_safetensors *file;
    CU_ASSERT_EQUAL_FATAL(cmus_safetensors_open(PATH, &file), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_safetensors_count(file), SOURCES);
    const cmus_stored_tensor *z = cmus_safetensors_find(file, "z"), *m = cmus_safetensors_find(file, "m");
    CU_ASSERT_PTR_NOT_NULL_FATAL(z);
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    CU_ASSERT(z->dimensions == 2 && z->shape[0] == 2 && z->shape[1] == 3 && z->elements == 6);
    CU_ASSERT_EQUAL(cmus_safetensors_read(file, z, got), CMUS_OK);
    CU_ASSERT_EQUAL(memcmp(got, numbers, sizeof numbers), 0);
    memset(got, 0, sizeof got);
    CU_ASSERT_EQUAL(cmus_safetensors_read_part(file, z, 2 * sizeof(float), 3 * sizeof(float), got), CMUS_OK);
    CU_ASSERT_EQUAL(memcmp(got, numbers + 2, 3 * sizeof(float)), 0);
    CU_ASSERT_EQUAL(got[3], 0);
    const cmus_stored_tensor *called = cmus_safetensors_find(file, "called");
    CU_ASSERT_PTR_NOT_NULL_FATAL(called);
    CU_ASSERT_EQUAL(cmus_safetensors_read(file, called, got), CMUS_OK);
    for (int i = 0; i < 6; i++)
        CU_ASSERT_EQUAL(got[i], 2 * numbers[i]);
    CU_ASSERT_EQUAL(cmus_safetensors_read(file, m, index_got), CMUS_OK);
    CU_ASSERT_EQUAL(memcmp(index, index_got, sizeof index), 0);
    CU_ASSERT_EQUAL(m->begin % 8, 0);
    CU_ASSERT_PTR_NULL(cmus_safetensors_find(file, "y"));
    cmus_safetensors_close(file);
    char *data;
    size_t size;
    cmus_file_read(PATH, 10000, &data, &size);
    uint64_t length;
    memcpy(&length, data, 8);
    CU_ASSERT_EQUAL(length % 8, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(data + 8, "\"__metadata__\":{\"format\":\"pt\"}"));
    cmus_free(data);
    unlink(PATH);
}

/* Writes a file of this header and so many zero bytes of data, and opens it. */
static cmus_status open_made(const char *header, uint64_t length, size_t data_bytes) {
    size_t text = strlen(header);
    char *bytes = cmus_allocate(8 + text + data_bytes, 1);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, text);
    cmus_file_write(PATH, bytes, 8 + text + data_bytes);
    cmus_free(bytes);
    cmus_safetensors *file;
    cmus_status status = cmus_safetensors_open(PATH, &file);
    cmus_safetensors_close(file);
    unlink(PATH);
    return status;
}

static void damaged_headers_are_refused(void) {
    static const struct {
        const char *header;
        size_t data;
        const char *message;
    } faults[] = {
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}", 8, "no JSON object"},
        {"[]", 0, "no JSON object"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 9, "1 bytes follow"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7, "outside the file"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12, "a hole"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "outside the file"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "do not agree"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "no size"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8, "no size"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,8],\"data_offsets\":[0,0]}}", 0, "overflow"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}}", 0, "do not agree"},
        {"{\"a\":{\"dtype\":\"F99\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "dtype"},
        {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "dtype"},
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, "shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8, "data_offsets"},
        {"{\"a\":3}", 0, "dtype"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}",
         12, "overlap"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}",
         16, "no JSON object"},
        {" {}", 0, "begin with a brace"},
        {"{}x", 0, "no JSON object"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0,4611686018427387904,8],\"data_offsets\":[0,0]}}", 0, "overflow"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[18446744073709551616],\"data_offsets\":[0,0]}}", 0, "no JSON object"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, "at most 8"},
        {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "no JSON object"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[4,4]}}",
         8, "overlap"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[4,4]}}", 4, "a hole"},
        {"{\"a\\u0000\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "no JSON object"},
        {"{\"a\\u001b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "control characters"},
        {"{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0, "no JSON object"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "no text"},
        {"{\"__metadata__\":{\"a\":\"\\u0000\"}}", 0, "no JSON object"},
        {"{\"__metadata__\":{\"\\n\":\"\"}}", 0, "control characters"},
        {"{\"__metadata__\":[]}", 0, "no JSON object"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        CU_ASSERT_EQUAL(open_made(faults[i].header, strlen(faults[i].header), faults[i].data), CMUS_ERROR_FORMAT);
        if (!strstr(cmus_last_error(), faults[i].message) || !strstr(cmus_last_error(), PATH)) {
            printf("\n%s: '%s' is not in '%s'\n", faults[i].header, faults[i].message, cmus_last_error());
            CU_FAIL("message");
        }
    }
    CU_ASSERT_EQUAL(open_made("{}", 2, 0), CMUS_OK);
    CU_ASSERT_EQUAL(open_made("{}", 3, 0), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_made("{}", UINT64_MAX, 0), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_made("", 0, 0), CMUS_ERROR_FORMAT);
}

/* Sizes of 0 are fine, and so are lines in metadata; lists in lists without end are not. */
static void odd_headers(void) {
    static const char *const fine[] = {"{\"a\":{\"dtype\":\"F32\",\"shape\":[8,0],\"data_offsets\":[0,0]}}  ",
                                       "{\"__metadata__\":{\"a\":\"1\\n2\"}}"};
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
        CU_ASSERT_EQUAL(open_made(fine[i], strlen(fine[i]), 0), CMUS_OK);
    enum { LEVELS = 1000000 };
    char *deep = cmus_allocate(LEVELS + 8, 1);
    memset(mempcpy(deep, "{\"a\":", 5), '[', LEVELS);
    CU_ASSERT_EQUAL(open_made(deep, LEVELS + 5, 0), CMUS_ERROR_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "depth"));
    cmus_free(deep);
}

/* `begin`, `part` so many times, with its %zu the number of the time, with commas between, `end`. */
static cmus_status open_repeated(const char *begin, const char *part, size_t times, const char *end) {
    char *text = cmus_allocate(strlen(begin) + times * (strlen(part) + 8) + strlen(end) + 1, 1);
    char *at = stpcpy(text, begin);
    for (size_t i = 0; i < times; i++) {
        at = i ? stpcpy(at, ",") : at;
        at += sprintf(at, part, i);
    }
    strcpy(at, end);
    cmus_status status = open_made(text, strlen(text), 0);
    cmus_free(text);
    return status;
}

/* Many small values would take far more memory than the file. */
static void headers_of_many_values(void) {
    static const char TENSOR[] = "\"%zu\":{\"dtype\":\"F32\",\"shape\":[0,1,1,1,1,1,1,1],\"data_offsets\":[0,0]}";
    static const struct {
        const char *begin, *part;
        size_t times;
        const char *end;
    } faults[] = {{"{\"a\":[", "[]", 3000000, "]}"},
                  {"{\"a\":{\"b\":[", "1", 3000000, "]}}"},
                  {"{\"__metadata__\":{", "\"%zu\":\"\"", 1000000, "}}"},
                  {"{", "\"%zu\":1", 1000000, "}"},
                  {"{", "\"%zu\":{}", 100000, "}"},
                  {"{\"a\\\"\":{\"\\\\\":[", "1", 3000000, "]}}"}};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        cmus_status status = open_repeated(faults[i].begin, faults[i].part, faults[i].times, faults[i].end);
        CU_ASSERT_EQUAL(status, CMUS_ERROR_LIMIT);
        CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "the header holds more"));
    }
    CU_ASSERT_EQUAL(open_repeated("{\"a\":{\"shape\":[", "[]", 4, "]}}"), CMUS_ERROR_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "depth"));
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed for a while */
    CU_ASSERT(cmus_peak_memory() < (size_t)100 << 20);
#endif
    CU_ASSERT_EQUAL(open_repeated("{\"__metadata__\":{\"a\":\"\\\"[[[[{,,\\\\\"},", TENSOR, 2000, "}"), CMUS_OK);
    CU_ASSERT_EQUAL(open_repeated("{\"__metadata__\":{", "\"%zu\":\"[\"", 60000, "}}"), CMUS_OK);
}

/* A sparse file with a header length beyond the limit takes no memory and no disk. */
static void huge_header_is_refused(void) {
    uint64_t length = 200000000;
    cmus_file_write(PATH, &length, sizeof length);
    CU_ASSERT_EQUAL(truncate(PATH, 300000000), 0);
    cmus_safetensors *file;
    CU_ASSERT_EQUAL(cmus_safetensors_open(PATH, &file), CMUS_ERROR_LIMIT);
    unlink(PATH);
}

static cmus_net *small_net(int classes) {
    cmus_net_config config = cmus_net_config_published();
    config.embed_dim = 8;
    config.image_size = 32;
    config.fusion_hidden = 8;
    config.classes = classes;
    for (int i = 0; i < CMUS_STAGES; i++) {
        config.depths[i] = 1;
        config.heads[i] = 1 << i;
    }
    cmus_net *net = NULL;
    if (cmus_net_create(&config, false, &net) != CMUS_OK)
        CU_FAIL_FATAL("network");
    cmus_parameters_initialize(cmus_net_parameters(net), 3, cmus_net_weights(net));
    return net;
}

static void weights_come_back(void) {
    cmus_net *net = small_net(3), *other = small_net(2);
    const cmus_parameters *parameters = cmus_net_parameters(net);
    float *weights = cmus_net_weights(net), *got = cmus_allocate(parameters->size, sizeof *got);
    CU_ASSERT_EQUAL_FATAL(cmus_weights_write(PATH, parameters, weights, NULL, 0), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_weights_read(PATH, parameters, got), CMUS_OK);
    CU_ASSERT_EQUAL(memcmp(got, weights, parameters->size * sizeof *got), 0);
    cmus_safetensors *file;
    CU_ASSERT_EQUAL_FATAL(cmus_safetensors_open(PATH, &file), CMUS_OK);
    const cmus_stored_tensor *index = cmus_safetensors_find(file, "OM_encoder.0.3.0.attn.relative_position_index");
    CU_ASSERT_PTR_NOT_NULL_FATAL(index);
    int64_t values[2401];
    CU_ASSERT_EQUAL(index->elements, 2401);
    CU_ASSERT_EQUAL(cmus_safetensors_read(file, index, values), CMUS_OK);
    CU_ASSERT_EQUAL(values[0], 6 * 13 + 6);
    CU_ASSERT_EQUAL(values[48], 0);         /* from the first token to the last */
    CU_ASSERT_EQUAL(values[48 * 49], 168);  /* and back */
    CU_ASSERT_EQUAL(values[1], 6 * 13 + 5); /* to the next column */
    CU_ASSERT_EQUAL(values[7], 5 * 13 + 6); /* to the next row */
    cmus_safetensors_close(file);
    char *warning;
    CU_ASSERT_EQUAL(cmus_weights_read(PATH, cmus_net_parameters(other), cmus_net_weights(other)), CMUS_ERROR_MISMATCH);
    CU_ASSERT_EQUAL(
        cmus_weights_initialize(PATH, false, cmus_net_parameters(other), cmus_net_weights(other), NULL, &warning),
        CMUS_OK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(warning);
    CU_ASSERT_PTR_NOT_NULL(strstr(warning, "8 tensors of the heads")); /* weight and bias of four heads */
    cmus_free(warning);
    cmus_free(got);
    cmus_net_free(net);
    cmus_net_free(other);
    unlink(PATH);
}

static void foreign_tensors_are_refused(void) {
    cmus_net *net = small_net(3);
    const cmus_parameters *parameters = cmus_net_parameters(net);
    float *weights = cmus_net_weights(net);
    cmus_parameters longer = {0};
    for (size_t i = 0; i < parameters->count; i++)
        cmus_parameters_add(&longer, CMUS_INITIAL_ZERO, 1, parameters->tensors[i].dimensions,
                            parameters->tensors[i].shape, "%s", parameters->tensors[i].name);
    cmus_parameters_add(&longer, CMUS_INITIAL_ZERO, 1, 1, (int[]){1}, "extra.weight");
    float *values = cmus_allocate(longer.size, sizeof *values);
    CU_ASSERT_EQUAL_FATAL(cmus_weights_write(PATH, &longer, values, NULL, 0), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_weights_read(PATH, parameters, weights), CMUS_ERROR_MISMATCH);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "extra.weight"));
    CU_ASSERT_EQUAL_FATAL(cmus_weights_write(PATH, parameters, weights, NULL, 0), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_weights_read(PATH, &longer, values), CMUS_ERROR_MISMATCH);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "'extra.weight' of the configured network is missing"));
    cmus_free(values);
    cmus_parameters_free(&longer);
    cmus_net_free(net);
    unlink(PATH);
}

int main(void) {
    static const unit_test tests[] = {
        {"tensors come back", tensors_come_back},
        {"damaged headers are refused", damaged_headers_are_refused},
        {"odd headers", odd_headers},
        {"headers of many values", headers_of_many_values},
        {"a huge header is refused", huge_header_is_refused},
        {"weights come back", weights_come_back},
        {"foreign tensors are refused", foreign_tensors_are_refused},
    };
    return unit_main("safetensors", tests, sizeof tests / sizeof tests[0]);
}
