/* A data set written and read again; damage of every kind. */
#include <hdf5.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmus/dataset.h"
#include "cmus/dataset_index.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "shard_writer.h"
#include "unit.h"

enum { SIDE = 8, PIXELS = SIDE * SIDE, CASES = 4 };
static const char folder[] = "dataset_scratch";
static const char shard_path[] = "dataset_scratch/shard-00000.h5";

static const int64_t tem_offset[2][3] = {{0, 2, 3}, {0, 1, 4}};
static const int32_t label[2][2] = {{0, 1}, {1, 2}};
static const char *const case_id[2][2] = {{"A/p1", "B/p1"}, {"B/p\xC3\xA4,2", "C/007"}};
static const char *const patient_id[2][2] = {{"p1", "p1"}, {"p\xC3\xA4,2", "007"}};
static const char *const classes[3] = {"A", "B", "C"};

/* Image `number` of a shard: a value that tells pixel, channel and image apart. */
static uint8_t pixel_of(size_t number, int pixel, int channel) {
    return (uint8_t)(number * 37 + (size_t)pixel * 3 + (size_t)channel * 90);
}

static cmus_status give_image(void *data, size_t number, int channels, uint8_t *pixels) {
    (void)data;
    for (int i = 0; i < PIXELS; i++)
        for (int c = 0; c < channels; c++)
            pixels[i * channels + c] = pixel_of(number, i, c);
    return CMUS_OK;
}

/* Two shards, the first with gray TEM images. */
static void write_dataset(void) {
    static const char *const source[8] = {"0  a", "1  b", "2  c", "3  d", "4  e", "5  f", "6  g", "7  long/name"};
    cmus_shard_entry entries[2] = {{.file = "shard-00000.h5", .cases = 2}, {.file = "shard-00001.h5", .cases = 2}};
    cmus_folder_remove(folder);
    CU_ASSERT_EQUAL_FATAL(cmus_folder_make(folder), CMUS_OK);
    for (int s = 0; s < 2; s++) {
        cmus_shard_content content = {.image_size = SIDE,
                                      .classes = classes,
                                      .class_count = 3,
                                      .cases = 2,
                                      .has = {true, true, true},
                                      .tem_offset = tem_offset[s],
                                      .label = label[s],
                                      .case_id = case_id[s],
                                      .patient_id = patient_id[s],
                                      .source = source,
                                      .tem_channels = s ? 3 : 1,
                                      .image = give_image};
        char *path = cmus_path_join(folder, entries[s].file);
        CU_ASSERT_EQUAL_FATAL(cmus_shard_write(path, &content, entries[s].sha256), CMUS_OK);
        cmus_free(path);
    }
    cmus_dataset_index index = {.tool_version = "1",
                                .image_size = SIDE,
                                .class_count = 3,
                                .classes = (char **)classes,
                                .has = {true, true, true},
                                .cases = CASES,
                                .patients = 3,
                                .images = 15,
                                .options = "{\"a\": 1}",
                                .shard_count = 2,
                                .shards = entries};
    CU_ASSERT_EQUAL_FATAL(cmus_dataset_index_write(folder, &index, NULL, 0), CMUS_OK);
}

/* Case `in_shard` of a shard was read into these buffers as it was written. */
static bool is_as_written(int shard, int in_shard, int tem_count, const uint8_t *om, const uint8_t *im,
                          const uint8_t *tem) {
    size_t first = 2 * (size_t)in_shard + (size_t)tem_offset[shard][in_shard];
    bool same = true;
    for (int i = 0; i < PIXELS; i++)
        for (int c = 0; c < 3; c++) {
            same = same && om[3 * i + c] == pixel_of(first, i, c) && im[3 * i + c] == pixel_of(first + 1, i, c);
            for (int k = 0; k < tem_count; k++)
                same = same && tem[3 * (k * PIXELS + i) + c] == pixel_of(first + 2 + (size_t)k, i, shard == 0 ? 0 : c);
        }
    return same;
}

/* Reads everything; OK only if every case can be read. Counts cases that were read, but differ. */
static cmus_status read_all(int *differ) {
    uint8_t om[3 * PIXELS], im[3 * PIXELS], tem[9 * PIXELS];
    cmus_dataset *dataset;
    CMUS_TRY(cmus_dataset_open(folder, &dataset));
    cmus_status status = CMUS_OK;
    for (int i = 0; i < CASES; i++) {
        cmus_status one = cmus_dataset_read(dataset, i, 0, om, im, tem);
        if (one != CMUS_OK)
            status = one;
        else if (!is_as_written(i / 2, i % 2, cmus_dataset_case(dataset, i).tem_count, om, im, tem))
            ++*differ;
    }
    cmus_dataset_close(dataset);
    return status;
}

static void reads_what_was_written(void) {
    write_dataset();
    cmus_dataset *dataset;
    CU_ASSERT_EQUAL_FATAL(cmus_dataset_open(folder, &dataset), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_dataset_image_size(dataset), SIDE);
    CU_ASSERT_EQUAL(cmus_dataset_class_count(dataset), 3);
    CU_ASSERT_STRING_EQUAL(cmus_dataset_class_name(dataset, 2), "C");
    CU_ASSERT_EQUAL(cmus_dataset_case_count(dataset), CASES);
    CU_ASSERT_EQUAL(strlen(cmus_dataset_hash(dataset)), 64);
    CU_ASSERT_STRING_EQUAL(cmus_dataset_options(dataset), "{\"a\":1}");
    for (int i = 0; i < CASES; i++) {
        cmus_case_info info = cmus_dataset_case(dataset, i);
        CU_ASSERT_STRING_EQUAL(info.case_id, case_id[i / 2][i % 2]);
        CU_ASSERT_STRING_EQUAL(info.patient_id, patient_id[i / 2][i % 2]);
        CU_ASSERT_EQUAL(info.label, label[i / 2][i % 2]);
        CU_ASSERT_EQUAL(info.tem_count, tem_offset[i / 2][i % 2 + 1] - tem_offset[i / 2][i % 2]);
        CU_ASSERT_EQUAL(cmus_dataset_find(dataset, info.case_id), i);
    }
    CU_ASSERT_EQUAL(cmus_dataset_find(dataset, "A/p2"), -1);
    uint8_t om[3 * PIXELS], im[3 * PIXELS], tem[9 * PIXELS];
    tem[6 * PIXELS] = 77;
    CU_ASSERT_EQUAL(cmus_dataset_read(dataset, 3, 2, om, im, tem), CMUS_OK);
    CU_ASSERT(is_as_written(1, 1, 2, om, im, tem));
    CU_ASSERT_EQUAL(tem[6 * PIXELS], 77); /* no more than max_tem images */
    cmus_dataset_close(dataset);
    int differ = 0;
    CU_ASSERT_EQUAL(read_all(&differ), CMUS_OK);
    CU_ASSERT_EQUAL(differ, 0);
}

/* In any order of images, each is what the reading of whole cases gives. */
static void images_one_by_one_are_the_case(void) {
    write_dataset();
    cmus_dataset *dataset;
    CU_ASSERT_EQUAL_FATAL(cmus_dataset_open(folder, &dataset), CMUS_OK);
    for (int i = CASES - 1; i >= 0; i--) {
        uint8_t om[3 * PIXELS], im[3 * PIXELS], tem[9 * PIXELS], one[3 * PIXELS + 1];
        one[3 * PIXELS] = 77;
        CU_ASSERT_EQUAL(cmus_dataset_read(dataset, i, 0, om, im, tem), CMUS_OK);
        for (int k = cmus_dataset_case(dataset, i).tem_count - 1; k >= 0; k--) {
            CU_ASSERT_EQUAL(cmus_dataset_read_image(dataset, i, CMUS_IMAGE_TEM, k, one), CMUS_OK);
            CU_ASSERT_EQUAL(memcmp(one, tem + (size_t)k * 3 * PIXELS, 3 * PIXELS), 0);
        }
        CU_ASSERT_EQUAL(cmus_dataset_read_image(dataset, i, CMUS_IMAGE_IM, 0, one), CMUS_OK);
        CU_ASSERT_EQUAL(memcmp(one, im, sizeof im), 0);
        CU_ASSERT_EQUAL(cmus_dataset_read_image(dataset, i, CMUS_IMAGE_OM, 0, one), CMUS_OK);
        CU_ASSERT_EQUAL(memcmp(one, om, sizeof om), 0);
        CU_ASSERT_EQUAL(one[3 * PIXELS], 77);
    }
    cmus_dataset_close(dataset);
}

/* Reads all images one by one, from wherever they come; counts those that are not as written. */
static int count_wrong_images(cmus_dataset *dataset) {
    int wrong = 0;
    for (int i = 0; i < CASES; i++) {
        int tem_count = cmus_dataset_case(dataset, i).tem_count;
        uint8_t images[5][3 * PIXELS];
        wrong += cmus_dataset_read_image(dataset, i, CMUS_IMAGE_OM, 0, images[0]) != CMUS_OK;
        wrong += cmus_dataset_read_image(dataset, i, CMUS_IMAGE_IM, 0, images[1]) != CMUS_OK;
        for (int k = 0; k < tem_count; k++)
            wrong += cmus_dataset_read_image(dataset, i, CMUS_IMAGE_TEM, k, images[2 + k]) != CMUS_OK;
        wrong += !is_as_written(i / 2, i % 2, tem_count, images[0], images[1], images[2]);
    }
    return wrong;
}

/* Two readers share the memory and fill it in turns. Afterwards they need the files only for what is not in it. */
static void preloaded_images_are_those_of_the_files(void) {
    enum { STORED = 3 };
    static const int cases[STORED] = {2, 0, 3};
    static const int max_tem[] = {0, 2};
    /* RGB of OM and IM; gray TEM images of shard 0, RGB ones of shard 1 */
    static const size_t bytes[] = {(18 + 3 * 1 + 2 + 3 * 3) * PIXELS, (18 + 3 * 1 + 2 + 3 * 2) * PIXELS};
    for (int turn = 0; turn < 2; turn++) {
        write_dataset();
        cmus_dataset *readers[2];
        for (int r = 0; r < 2; r++)
            CU_ASSERT_EQUAL_FATAL(cmus_dataset_open(folder, &readers[r]), CMUS_OK);
        CU_ASSERT_EQUAL_FATAL(cmus_dataset_preload_bytes(readers[0], cases, STORED, max_tem[turn]), bytes[turn]);
        uint8_t *memory = cmus_allocate(bytes[turn] + 1, 1);
        memory[bytes[turn]] = 77;
        for (int r = 0; r < 2; r++)
            CU_ASSERT_EQUAL(cmus_dataset_preload(readers[r], memory, cases, STORED, max_tem[turn], r, 2), CMUS_OK);
        CU_ASSERT_EQUAL(memory[bytes[turn]], 77);
        CU_ASSERT_EQUAL(count_wrong_images(readers[0]), 0);
        CU_ASSERT_EQUAL(count_wrong_images(readers[1]), 0);
        for (int s = 0; s < 2; s++)
            CU_ASSERT_EQUAL(cmus_dataset_move_shard(readers[0], s, "dataset_nowhere"), CMUS_ERROR_FORMAT);
        /* case 1, and with max_tem 2 the third TEM image of case 3, are not in memory */
        CU_ASSERT_EQUAL(count_wrong_images(readers[0]), turn == 0 ? 3 + 1 : 3 + 1 + 1 + 1);
        CU_ASSERT_EQUAL(count_wrong_images(readers[1]), 0);
        for (int r = 0; r < 2; r++)
            cmus_dataset_close(readers[r]);
        cmus_free(memory);
    }
}

/* Damage among the cases of a share fails this share, and no other. */
static void damage_is_found_at_preloading(void) {
    write_dataset();
    static const int cases[CASES] = {0, 1, 2, 3};
    uint8_t memory[CASES * 15 * PIXELS];
    cmus_dataset *dataset;
    CU_ASSERT_EQUAL_FATAL(cmus_dataset_open(folder, &dataset), CMUS_OK);
    uint8_t om[3 * PIXELS];
    CU_ASSERT_EQUAL(cmus_dataset_read_image(dataset, 1, CMUS_IMAGE_OM, 0, om), CMUS_OK);
    char *bytes;
    size_t size;
    CU_ASSERT_EQUAL_FATAL(cmus_file_read(shard_path, 1 << 20, &bytes, &size), CMUS_OK);
    char *place = memmem(bytes, size, om, sizeof om);
    CU_ASSERT_PTR_NOT_NULL_FATAL(place);
    FILE *file = fopen(shard_path, "r+b");
    fseek(file, place - bytes + 5, SEEK_SET);
    fputc(place[5] ^ 1, file);
    fclose(file);
    CU_ASSERT_EQUAL(cmus_dataset_preload(dataset, memory, cases, CASES, 0, 1, 2), CMUS_ERROR_CHECKSUM);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), shard_path));
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "B/p1"));
    CU_ASSERT_EQUAL(cmus_dataset_read_image(dataset, 1, CMUS_IMAGE_OM, 0, om), CMUS_ERROR_CHECKSUM); /* from the file */
    CU_ASSERT_EQUAL(cmus_dataset_preload(dataset, memory, cases, CASES, 0, 0, 2), CMUS_OK);
    cmus_dataset_close(dataset);
    cmus_free(bytes);
}

/* A moved shard is read from its copy, the other one from where it was. */
static void moved_shards_are_read_from_the_copy(void) {
    static const char copies[] = "dataset_copies";
    write_dataset();
    cmus_dataset *dataset;
    CU_ASSERT_EQUAL_FATAL(cmus_dataset_open(folder, &dataset), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_dataset_shard_count(dataset), 2);
    CU_ASSERT_EQUAL(cmus_dataset_shard_of(dataset, 1), 0);
    CU_ASSERT_EQUAL(cmus_dataset_shard_of(dataset, 2), 1);
    CU_ASSERT_STRING_EQUAL(cmus_dataset_shard(dataset, 1)->file, "shard-00001.h5");
    char *bytes, *copy = cmus_path_join(copies, cmus_dataset_shard(dataset, 0)->file);
    size_t size;
    CU_ASSERT_EQUAL_FATAL(cmus_file_read(shard_path, 1 << 20, &bytes, &size), CMUS_OK);
    cmus_folder_make(copies);
    CU_ASSERT_EQUAL_FATAL(cmus_file_write(copy, bytes, size), CMUS_OK);
    unlink(shard_path);
    CU_ASSERT_EQUAL(cmus_dataset_move_shard(dataset, 0, copies), CMUS_OK);
    unlink(copy); /* a shard that was moved is open */
    CU_ASSERT_EQUAL(count_wrong_images(dataset), 0);
    cmus_dataset_close(dataset);
    cmus_folder_remove(copies);
    cmus_free(bytes);
    cmus_free(copy);
}

/* A flipped byte is found, or lies where nobody reads; it never changes what is read and never crashes. */
static void opening_can_be_tried(void) {
    write_dataset();
    CU_ASSERT_EQUAL(cmus_dataset_try(folder), CMUS_OK);
    CU_ASSERT_EQUAL(unlink(shard_path), 0);
    CU_ASSERT_EQUAL(cmus_dataset_try(folder), CMUS_ERROR_NOT_FOUND);
}

static void flipped_bytes_are_found(void) {
    enum { STEP = 5 };
    write_dataset();
    char *bytes;
    size_t size;
    int unnoticed = 0, differ = 0, unnamed = 0, flips = 0;
    CU_ASSERT_EQUAL_FATAL(cmus_file_read(shard_path, 1 << 20, &bytes, &size), CMUS_OK);
    for (size_t i = 0; i < size; i += STEP, flips++) {
        bytes[i] = (char)(bytes[i] ^ (1 << i % 8));
        FILE *file = fopen(shard_path, "r+b"); /* without fsync: thousands of them */
        CU_ASSERT_FATAL(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
        bytes[i] = (char)(bytes[i] ^ (1 << i % 8));
        cmus_status status = read_all(&differ);
        unnoticed += status == CMUS_OK;
        unnamed += status != CMUS_OK && !strstr(cmus_last_error(), shard_path);
    }
    printf("%d flips, %d in unused bytes ", flips, unnoticed);
    CU_ASSERT_EQUAL(differ, 0);
    CU_ASSERT_EQUAL(unnamed, 0);
    CU_ASSERT(unnoticed < flips / 2);
    cmus_free(bytes);
}

static void cut_files_are_found(void) {
    write_dataset();
    char *bytes;
    size_t size;
    int differ = 0;
    CU_ASSERT_EQUAL_FATAL(cmus_file_read(shard_path, 1 << 20, &bytes, &size), CMUS_OK);
    for (size_t length = 0; length < size; length += size / 50) {
        CU_ASSERT_EQUAL_FATAL(cmus_file_write(shard_path, bytes, length), CMUS_OK);
        CU_ASSERT_NOT_EQUAL(read_all(&differ), CMUS_OK);
        CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), shard_path));
    }
    unlink(shard_path);
    CU_ASSERT_EQUAL(read_all(&differ), CMUS_ERROR_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), shard_path));
    cmus_free(bytes);
}

/* Replaces a text in dataset.json and in its line of the manifest; the status of opening it. */
static cmus_status open_changed(const char *from, const char *to) {
    static const char path[] = "dataset_scratch/dataset.json";
    write_dataset();
    char *text, *place;
    size_t size;
    cmus_file_read(path, 1 << 20, &text, &size);
    place = strstr(text, from);
    CU_ASSERT_PTR_NOT_NULL_FATAL(place);
    char *changed = cmus_format_string("%.*s%s%s", (int)(place - text), text, to, place + strlen(from));
    cmus_file_write(path, changed, strlen(changed));
    const char *names[] = {"dataset.json"};
    cmus_manifest_write(folder, names, 1);
    cmus_free(text);
    cmus_free(changed);
    int differ = 0;
    return read_all(&differ);
}

static void wrong_descriptions_are_refused(void) {
    CU_ASSERT_EQUAL(open_changed("\"cases\": 4", "\"cases\": 5"), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_changed("\"patients\": 3", "\"patients\": 4"), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_changed("\"images\": 15", "\"images\": 16"), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_changed("\"image_size\": 8", "\"image_size\": 16"), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_changed("\"image_size\": 8", "\"image_size\": 1000000"), CMUS_ERROR_LIMIT);
    CU_ASSERT_EQUAL(open_changed("\"image_size\": 8", "\"image_size\": \"8\""), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_changed("\"format_version\": 1", "\"format_version\": 2"), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_changed("\"B\"", "\"X\""), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_changed("\"B\"", "\"A\""), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_changed("\"C\"\n", "\"C\", \"D\"\n"), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_changed("shard-00001.h5", "../x/shard.h5"), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_changed("shard-00001.h5", "shard-00000.h5"), CMUS_ERROR_FORMAT); /* cases twice */
    CU_ASSERT_EQUAL(open_changed("{", "["), CMUS_ERROR_FORMAT);
    CU_ASSERT_EQUAL(open_changed("\"A\"", "\"A\""), CMUS_OK);
    cmus_file_write("dataset_scratch/dataset.json", "{}", 2);
    int differ = 0;
    CU_ASSERT_EQUAL(read_all(&differ), CMUS_ERROR_CHECKSUM);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "dataset.json"));
    cmus_folder_remove(folder);
    CU_ASSERT_EQUAL(read_all(&differ), CMUS_ERROR_NOT_FOUND);
}

/* The link `name` of the first shard becomes a soft one, to what it was before, or one to another file. */
static void replace_link(const char *name, const char *other_file) {
    hid_t file = H5Fopen(shard_path, H5F_ACC_RDWR, H5P_DEFAULT);
    CU_ASSERT(file >= 0);
    CU_ASSERT(H5Lmove(file, name, file, "before", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    herr_t linked = other_file ? H5Lcreate_external(other_file, "/before", file, name, H5P_DEFAULT, H5P_DEFAULT)
                               : H5Lcreate_soft("/before", file, name, H5P_DEFAULT, H5P_DEFAULT);
    CU_ASSERT(linked >= 0);
    H5Fclose(file);
}

static void links_to_elsewhere_are_refused(void) {
    static const char *const arrays[] = {"om", "tem", "label", "tem_offset", "case_id", "source"};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        for (int external = 0; external < 2; external++) {
            cmus_dataset *dataset;
            write_dataset();
            replace_link(arrays[i], external ? "shard-00000.h5" : NULL);
            CU_ASSERT_EQUAL(cmus_dataset_open(folder, &dataset), CMUS_ERROR_FORMAT);
            CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "is a link to another place"));
        }
    cmus_folder_remove(folder);
}

int main(void) {
    static const unit_test tests[] = {
        {"reads what was written", reads_what_was_written},
        {"images one by one are the case", images_one_by_one_are_the_case},
        {"preloaded images are those of the files", preloaded_images_are_those_of_the_files},
        {"damage is found at preloading", damage_is_found_at_preloading},
        {"moved shards are read from the copy", moved_shards_are_read_from_the_copy},
        {"opening can be tried", opening_can_be_tried},
        {"flipped bytes are found", flipped_bytes_are_found},
        {"cut files are found", cut_files_are_found},
        {"wrong descriptions are refused", wrong_descriptions_are_refused},
        {"links to elsewhere are refused", links_to_elsewhere_are_refused},
    };
    return unit_main("data set", tests, sizeof tests / sizeof tests[0]);
}
