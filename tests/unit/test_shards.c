/* Shards beyond the usual: data sets that lack a modality, compressed images, chunks as HDF5's own filters make and
 * read them, statistics of the image files. */
#include <hdf5.h>
#include <string.h>

#include "cmus/chunk.h"
#include "cmus/dataset.h"
#include "cmus/memory.h"
#include "scratch_dataset.h"
#include "statistics.h"
#include "unit.h"

enum { SIDE = 8, PIXELS = SIDE * SIDE, CASES = 5, BAG = 3 };
static const char folder[] = "shards_scratch";

static int bag_of(int case_index) {
    return 1 + case_index % BAG;
}

static scratch_dataset dataset_of(int cases) {
    return (scratch_dataset){.folder = folder, .cases = cases, .side = SIDE, .bag_of = bag_of};
}

/* Data in which deflate finds something, nothing but zeros, nothing but 255, or nothing. */
static void fill(uint8_t *data, size_t size, int pattern) {
    uint32_t state = 12345;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525u + 1013904223u;
        data[i] = pattern == 0 ? (uint8_t)(i / 7) : pattern == 1 ? 0 : pattern == 2 ? 255 : (uint8_t)(state >> 24);
    }
}

/* The chunk of a dataset of `size` bytes as HDF5's own filters store it. */
static size_t store_by_hdf5(const uint8_t *data, size_t size, int level, uint8_t *stored, uint32_t *skipped) {
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), properties = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t dimensions = size, start = 0, bytes = 0;
    H5Pset_fapl_core(access, 1 << 16, false);
    H5Pset_chunk(properties, 1, &dimensions);
    if (level > 0)
        H5Pset_deflate(properties, (unsigned)level);
    H5Pset_fletcher32(properties);
    hid_t file = H5Fcreate("by_hdf5", H5F_ACC_TRUNC, H5P_DEFAULT, access);
    hid_t space = H5Screate_simple(1, &dimensions, NULL);
    hid_t dataset = H5Dcreate2(file, "bytes", H5T_STD_U8LE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    CU_ASSERT_FATAL(H5Dwrite(dataset, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    CU_ASSERT_FATAL(H5Dget_chunk_storage_size(dataset, &start, &bytes) >= 0);
    CU_ASSERT_FATAL(H5Dread_chunk(dataset, H5P_DEFAULT, &start, skipped, stored) >= 0);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Fclose(file);
    H5Pclose(properties);
    H5Pclose(access);
    return (size_t)bytes;
}

static void chunks_are_those_of_hdf5(void) {
    static const size_t sizes[] = {1, 2, 3, 63, 64, 65, 192, 720, 722, 4097, 50176, 150528};
    static const int levels[] = {0, 1, 6, 9};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int pattern = 0; pattern < 4; pattern++)
            for (int l = 0; l < 4; l++) {
                size_t size = sizes[i], room = cmus_chunk_room(size, levels[l]) + 64;
                uint8_t *data = cmus_allocate(size, 1), *ours = cmus_allocate(room, 1);
                uint8_t *theirs = cmus_allocate(room, 1), *back = cmus_allocate(size, 1);
                uint32_t our_mask = 0, their_mask = 0;
                fill(data, size, pattern);
                size_t length = cmus_chunk_store(data, size, levels[l], ours, &our_mask);
                size_t expected = store_by_hdf5(data, size, levels[l], theirs, &their_mask);
                /* HDF5 keeps what deflate made a little larger */
                if (!our_mask) {
                    CU_ASSERT_EQUAL_FATAL(length, expected);
                    CU_ASSERT_EQUAL(their_mask, 0);
                    CU_ASSERT_EQUAL(memcmp(ours, theirs, length), 0);
                }
                CU_ASSERT_EQUAL(cmus_chunk_load(ours, length, levels[l] && !our_mask, back, size), CMUS_OK);
                CU_ASSERT_EQUAL(memcmp(back, data, size), 0);
                cmus_free(data);
                cmus_free(ours);
                cmus_free(theirs);
                cmus_free(back);
            }
}

/* Damage of a chunk: its bytes by the checksum; a right checksum over a wrong length by the length. */
static void damaged_chunks_are_refused(void) {
    uint8_t data[200], stored[400], back[201];
    uint32_t skipped;
    for (int level = 0; level < 2; level++) {
        fill(data, sizeof data, 0);
        size_t length = cmus_chunk_store(data, sizeof data, level, stored, &skipped);
        CU_ASSERT_EQUAL_FATAL(skipped, 0);
        int unnoticed = 0;
        for (size_t i = 0; i < length; i++) {
            stored[i] ^= 16;
            unnoticed += cmus_chunk_load(stored, length, level, back, sizeof data) != CMUS_ERROR_CHECKSUM;
            stored[i] ^= 16;
        }
        CU_ASSERT_EQUAL(unnoticed, 0);
        back[199] = 77;
        CU_ASSERT_EQUAL(cmus_chunk_load(stored, length, level, back, 199), CMUS_ERROR_FORMAT); /* no byte too many */
        CU_ASSERT_EQUAL(back[199], 77);
        CU_ASSERT_EQUAL(cmus_chunk_load(stored, length, level, back, 201), CMUS_ERROR_FORMAT);
        CU_ASSERT_EQUAL(cmus_chunk_load(stored, 3, level, back, sizeof data), CMUS_ERROR_FORMAT);
    }
}

/* The image that case i must have: its place in the order of the shard. */
static bool is_as_written(const scratch_dataset *files, cmus_dataset *dataset, int index, cmus_image_kind kind,
                          int image) {
    uint8_t rgb[3 * PIXELS], expected[3 * PIXELS];
    int side = SIDE, channels = kind == CMUS_IMAGE_TEM && files->tem_channels == 1 ? 1 : 3;
    size_t number = 0;
    for (int before = 0; before <= index; before++) {
        size_t own = 0;
        if (kind == CMUS_IMAGE_OM && before == index)
            break;
        own += !files->lacks[CMUS_IMAGE_OM];
        if (before < index || kind == CMUS_IMAGE_TEM)
            own += !files->lacks[CMUS_IMAGE_IM];
        if (before < index)
            own += (size_t)cmus_dataset_case(dataset, before).tem_count;
        number += own;
    }
    scratch_dataset_image(&side, number + (size_t)image, channels, expected);
    if (cmus_dataset_read_image(dataset, index, kind, image, rgb) != CMUS_OK)
        return false;
    for (int i = 0; i < 3 * PIXELS; i++)
        if (rgb[i] != expected[channels == 1 ? i / 3 : i])
            return false;
    return true;
}

static int count_wrong(const scratch_dataset *files, cmus_dataset *dataset) {
    int wrong = 0;
    for (int i = 0; i < files->cases; i++) {
        wrong += cmus_dataset_case(dataset, i).tem_count != (files->lacks[CMUS_IMAGE_TEM] ? 0 : bag_of(i));
        if (cmus_dataset_has(dataset, CMUS_IMAGE_OM))
            wrong += !is_as_written(files, dataset, i, CMUS_IMAGE_OM, 0);
        if (cmus_dataset_has(dataset, CMUS_IMAGE_IM))
            wrong += !is_as_written(files, dataset, i, CMUS_IMAGE_IM, 0);
        for (int k = 0; k < cmus_dataset_case(dataset, i).tem_count; k++)
            wrong += !is_as_written(files, dataset, i, CMUS_IMAGE_TEM, k);
    }
    return wrong;
}

/* From files, from memory after preloading, and as whole cases. */
static void check_reading(const scratch_dataset *files) {
    static const int cases[CASES] = {3, 0, 1, 4, 2};
    cmus_dataset *dataset;
    CU_ASSERT_EQUAL_FATAL(cmus_dataset_open(folder, &dataset), CMUS_OK);
    for (int kind = 0; kind < CMUS_IMAGE_KINDS; kind++)
        CU_ASSERT_EQUAL(cmus_dataset_has(dataset, (cmus_image_kind)kind), !files->lacks[kind]);
    CU_ASSERT_EQUAL(count_wrong(files, dataset), 0);
    uint8_t om[3 * PIXELS], im[3 * PIXELS], tem[BAG * 3 * PIXELS];
    for (int i = 0; i < CASES; i++)
        CU_ASSERT_EQUAL(cmus_dataset_read(dataset, i, 0, files->lacks[CMUS_IMAGE_OM] ? NULL : om,
                                          files->lacks[CMUS_IMAGE_IM] ? NULL : im,
                                          files->lacks[CMUS_IMAGE_TEM] ? NULL : tem),
                        CMUS_OK);
    size_t bytes = cmus_dataset_preload_bytes(dataset, cases, CASES, 0);
    uint8_t *memory = cmus_allocate(bytes + 1, 1);
    memory[bytes] = 77;
    CU_ASSERT_EQUAL(cmus_dataset_preload(dataset, memory, cases, CASES, 0, 0, 1), CMUS_OK);
    CU_ASSERT_EQUAL(memory[bytes], 77);
    CU_ASSERT_EQUAL(cmus_dataset_move_shard(dataset, 0, "shards_nowhere"), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(count_wrong(files, dataset), 0); /* all from memory now */
    cmus_dataset_close(dataset);
    cmus_free(memory);
}

/* What is not there is not in the file either. */
static void check_arrays(const scratch_dataset *files) {
    hid_t file = H5Fopen(scratch_dataset_shard(files), H5F_ACC_RDONLY, H5P_DEFAULT);
    int images = 0;
    for (int kind = 0; kind < CMUS_IMAGE_KINDS; kind++) {
        CU_ASSERT_EQUAL(H5Lexists(file, cmus_image_array((cmus_image_kind)kind), H5P_DEFAULT), !files->lacks[kind]);
        for (int i = 0; i < files->cases && !files->lacks[kind]; i++)
            images += kind == CMUS_IMAGE_TEM ? bag_of(i) : 1;
    }
    CU_ASSERT_EQUAL(H5Lexists(file, "tem_offset", H5P_DEFAULT), !files->lacks[CMUS_IMAGE_TEM]);
    hid_t source = H5Dopen2(file, "source", H5P_DEFAULT), space = H5Dget_space(source);
    CU_ASSERT_EQUAL(H5Sget_simple_extent_npoints(space), images);
    H5Sclose(space);
    H5Dclose(source);
    H5Fclose(file);
}

static void modalities_may_lack(void) {
    for (int lacks = 0; lacks < 7; lacks++) {
        scratch_dataset files = dataset_of(CASES);
        for (int kind = 0; kind < CMUS_IMAGE_KINDS; kind++)
            files.lacks[kind] = lacks >> kind & 1;
        files.tem_channels = lacks % 2 ? 3 : 1;
        scratch_dataset_write(&files);
        check_arrays(&files);
        check_reading(&files);
    }
}

static void what_needs_all_refuses(void) {
    scratch_dataset files = dataset_of(CASES);
    cmus_dataset *dataset;
    scratch_dataset_write(&files);
    CU_ASSERT_EQUAL_FATAL(cmus_dataset_open(folder, &dataset), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_dataset_needs_all(dataset, folder), CMUS_OK);
    cmus_dataset_close(dataset);
    files.lacks[CMUS_IMAGE_IM] = files.lacks[CMUS_IMAGE_TEM] = true;
    scratch_dataset_write(&files);
    CU_ASSERT_EQUAL_FATAL(cmus_dataset_open(folder, &dataset), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_dataset_needs_all(dataset, folder), CMUS_ERROR_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "shards_scratch: the data set lacks IM TEM images"));
    cmus_dataset_close(dataset);
}

/* Replaces a text in dataset.json, takes the manifest away, and opens. */
static cmus_status open_changed(const char *from, const char *to) {
    static const char path[] = "shards_scratch/dataset.json";
    char *text, *place;
    size_t size;
    CU_ASSERT_EQUAL_FATAL(cmus_file_read(path, 1 << 20, &text, &size), CMUS_OK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(place = strstr(text, from));
    char *changed = cmus_format_string("%.*s%s%s", (int)(place - text), text, to, place + strlen(from));
    cmus_file_write(path, changed, strlen(changed));
    const char *names[] = {"dataset.json"};
    cmus_manifest_write(folder, names, 1);
    cmus_dataset *dataset;
    cmus_status status = cmus_dataset_open(folder, &dataset);
    cmus_dataset_close(dataset);
    cmus_file_write(path, text, size);
    cmus_free(text);
    cmus_free(changed);
    return status;
}

static void modalities_are_checked(void) {
    scratch_dataset files = dataset_of(CASES);
    files.lacks[CMUS_IMAGE_IM] = true;
    scratch_dataset_write(&files);
#define LIST "\"om\",\n    \"tem\"\n"
    CU_ASSERT_EQUAL(open_changed(LIST, LIST), CMUS_OK);
    CU_ASSERT_EQUAL(open_changed(LIST, "\"tem\", \"om\""), CMUS_OK);
    CU_ASSERT_EQUAL(open_changed(LIST, "\"om\", \"im\", \"tem\""), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_changed("modalities", "somethings"), CMUS_ERROR_FORMAT); /* all three, as in files of before */
    CU_ASSERT_EQUAL(open_changed(LIST, "\"om\""), CMUS_ERROR_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "/tem is there"));
    CU_ASSERT_EQUAL(open_changed(LIST, "\"tem\""), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_changed(LIST, "\"om\", \"om\""), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_changed(LIST, "\"om\", \"tem\", \"tem\""), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_changed(LIST, "\"om\", \"em\""), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_changed(LIST, "\"om\", 1"), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_changed(LIST, ""), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_changed("[\n    " LIST "  ]", "\"om\""), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_changed("\"options\": {}", "\"options\": 1"), CMUS_ERROR_FORMAT);
    scratch_dataset whole = dataset_of(CASES);
    scratch_dataset_write(&whole);
    CU_ASSERT_EQUAL(open_changed("modalities", "somethings"), CMUS_OK);
}

/* HDF5's own filters read what was written. */
static void check_with_hdf5(const scratch_dataset *files) {
    hid_t file = H5Fopen(scratch_dataset_shard(files), H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t dataset = H5Dopen2(file, "om", H5P_DEFAULT);
    uint8_t om[CASES][3 * PIXELS], expected[3 * PIXELS];
    size_t number = 0;
    int side = SIDE;
    CU_ASSERT(H5Dread(dataset, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, om) >= 0);
    for (int i = 0; i < CASES; number += 2 + (size_t)bag_of(i++)) {
        scratch_dataset_image(&side, number, 3, expected);
        CU_ASSERT_EQUAL(memcmp(om[i], expected, sizeof expected), 0);
    }
    H5Dclose(dataset);
    H5Fclose(file);
}

static void images_may_be_compressed(void) {
    for (int level = 1; level <= CMUS_COMPRESSION_MAX; level += 4) {
        scratch_dataset files = dataset_of(CASES);
        files.compression = level;
        scratch_dataset_write(&files);
        check_with_hdf5(&files);
        check_reading(&files);
    }
}

/* Puts another /om into the shard, with these filters (0: end), and opens the data set. */
static cmus_status open_filtered(const H5Z_filter_t filters[2]) {
    scratch_dataset files = dataset_of(CASES);
    scratch_dataset_write(&files);
    hid_t file = H5Fopen(scratch_dataset_shard(&files), H5F_ACC_RDWR, H5P_DEFAULT);
    hsize_t size[4] = {CASES, SIDE, SIDE, 3}, chunk[4] = {1, SIDE, SIDE, 3};
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(4, size, NULL);
    H5Pset_chunk(properties, 4, chunk);
    for (int i = 0; i < 2; i++) {
        unsigned level = 3;
        bool deflate = filters[i] == H5Z_FILTER_DEFLATE;
        if (filters[i])
            H5Pset_filter(properties, filters[i], H5Z_FLAG_OPTIONAL, deflate, deflate ? &level : NULL);
    }
    H5Ldelete(file, "om", H5P_DEFAULT);
    hid_t om = H5Dcreate2(file, "om", H5T_STD_U8LE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    CU_ASSERT_FATAL(om >= 0);
    H5Dclose(om);
    H5Sclose(space);
    H5Pclose(properties);
    H5Fclose(file);
    cmus_dataset *dataset;
    cmus_status status = cmus_dataset_open(folder, &dataset);
    cmus_dataset_close(dataset);
    return status;
}

static void other_filters_are_refused(void) {
    enum { F = H5Z_FILTER_FLETCHER32, D = H5Z_FILTER_DEFLATE, S = H5Z_FILTER_SHUFFLE };
    CU_ASSERT_EQUAL(open_filtered((H5Z_filter_t[]){F, 0}), CMUS_OK);
    CU_ASSERT_EQUAL(open_filtered((H5Z_filter_t[]){D, F}), CMUS_OK);
    CU_ASSERT_EQUAL(open_filtered((H5Z_filter_t[]){F, D}), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_filtered((H5Z_filter_t[]){D, 0}), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_filtered((H5Z_filter_t[]){0, 0}), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_filtered((H5Z_filter_t[]){S, F}), CMUS_ERROR_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "/om is stored with the filter 'shuffle'"));
}

/* Two cases share an OM image, a third one was rejected: each file that is in the data set counts once. */
static void statistics_count_files_once(void) {
    cmus_source_image images[] = {{.kind = CMUS_IMAGE_OM},  {.kind = CMUS_IMAGE_OM},  {.kind = CMUS_IMAGE_TEM},
                                  {.kind = CMUS_IMAGE_TEM}, {.kind = CMUS_IMAGE_TEM}, {.kind = CMUS_IMAGE_OM}};
    cmus_source_case cases[] = {{.om = 0, .im = CMUS_NO_IMAGE, .first_tem = 2, .tem_count = 1},
                                {.om = 0, .im = CMUS_NO_IMAGE, .first_tem = 3, .tem_count = 2},
                                {.om = 1, .im = CMUS_NO_IMAGE, .first_tem = 2, .tem_count = 1}};
    const cmus_prepared_image prepared[] = {
        {.type = CMUS_JPEG, .bits = 8, .width = 100, .height = 90},
        {.type = CMUS_PNG, .bits = 8, .width = 300, .height = 50},
        {.type = CMUS_TIFF, .bits = 16, .width = 40, .height = 41, .gray = true},
        {.type = CMUS_TIFF, .bits = 8, .width = 20, .height = 22, .gray = true},
        {.type = CMUS_PNG, .bits = 8, .width = 30, .height = 33},
        {.type = CMUS_PNG, .bits = 1, .width = 7777, .height = 7777},
    };
    cmus_case_list list = {.cases = cases, .case_count = 3, .images = images, .image_count = 6};
    list.has[CMUS_IMAGE_OM] = list.has[CMUS_IMAGE_TEM] = true;
    char *text = cmus_describe_images(&list, prepared);
    CU_ASSERT_STRING_EQUAL(text, "{\"om\":{\"images\":2,\"types\":{\"jpeg\":1,\"png\":1,\"tiff\":0},\"gray\":0,"
                                 "\"bits\":{\"8\":2},\"width\":[100,100,300],\"height\":[50,50,90]},"
                                 "\"tem\":{\"images\":3,\"types\":{\"jpeg\":0,\"png\":1,\"tiff\":2},\"gray\":2,"
                                 "\"bits\":{\"8\":2,\"16\":1},\"width\":[20,30,40],\"height\":[22,33,41]}}");
    scratch_dataset files = dataset_of(CASES);
    files.statistics = text;
    scratch_dataset_write(&files);
    cmus_dataset_index index;
    char sha256[CMUS_SHA256_TEXT];
    CU_ASSERT_EQUAL_FATAL(cmus_dataset_index_read(folder, &index, sha256), CMUS_OK);
    CU_ASSERT_STRING_EQUAL(index.statistics, text);
    cmus_dataset_index_free(&index);
    cmus_free(text);
    cmus_folder_remove(folder);
}

int main(void) {
    static const unit_test tests[] = {
        {"chunks are those of HDF5", chunks_are_those_of_hdf5},
        {"damaged chunks are refused", damaged_chunks_are_refused},
        {"modalities may lack", modalities_may_lack},
        {"what needs all refuses", what_needs_all_refuses},
        {"modalities are checked", modalities_are_checked},
        {"images may be compressed", images_may_be_compressed},
        {"other filters are refused", other_filters_are_refused},
        {"statistics count files once", statistics_count_files_once},
    };
    return unit_main("shards", tests, sizeof tests / sizeof tests[0]);
}
