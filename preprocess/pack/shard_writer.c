#include "shard_writer.h"

#include <hdf5.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/chunk.h"
#include "cmus/hdf5_error.h"
#include "cmus/memory.h"
#include "cmus/program.h"

/* HDF5 lets the file in memory grow by this step, and fills it with zeros: little enough to stay in the cache until the
 * next image comes. */
static const size_t GROWTH = (size_t)256 << 10;

/* HDF5 wants a name, would first read a file of that name, and opens none twice at the same time. */
static char *name_of_no_file(const char *path) {
    return cmus_format_string("/dev/null/%s", path);
}

static cmus_status failed(const char *path, const char *name) {
    char what[64];
    snprintf(what, sizeof what, "%s can't be made", name);
    return cmus_hdf5_fail(CMUS_ERROR_IO, path, what);
}

/* The bytes of the file while HDF5 builds it, and after HDF5 has closed it: H5Fget_file_image() gives the bytes of an
 * open file, whose superblock HDF5 1.10 leaves with a wrong checksum. The room is taken at once: growing would fault
 * in every page anew. */
typedef struct memory_file {
    uint8_t *bytes;
    size_t size, room;
} memory_file;

static void *resize_bytes(void *bytes, size_t size, H5FD_file_image_op_t operation, void *data) {
    (void)bytes;
    (void)operation;
    memory_file *memory = data;
    if (size > memory->room) {
        size_t room = size + memory->room / 2;
        uint8_t *larger = cmus_allocate_raw(room, 1);
        if (memory->bytes)
            memcpy(larger, memory->bytes, memory->size);
        cmus_free(memory->bytes);
        memory->bytes = larger;
        memory->room = room;
    }
    memory->size = size;
    return memory->bytes;
}

static void *first_bytes(size_t size, H5FD_file_image_op_t operation, void *data) {
    return resize_bytes(NULL, size, operation, data);
}

/* They stay with the memory_file. */
static herr_t keep_bytes(void *bytes, H5FD_file_image_op_t operation, void *data) {
    (void)bytes;
    (void)operation;
    (void)data;
    return 0;
}

static void *same_data(void *data) {
    return data;
}

static herr_t keep_data(void *data) {
    (void)data;
    return 0;
}

/* The format of HDF5 1.10, which has checksums on all structures, without times of creation. */
static hid_t begin_file(const char *path, memory_file *memory) {
    H5FD_file_image_callbacks_t callbacks = {.image_malloc = first_bytes,
                                             .image_memcpy = NULL,
                                             .image_realloc = resize_bytes,
                                             .image_free = keep_bytes,
                                             .udata_copy = same_data,
                                             .udata_free = keep_data,
                                             .udata = memory};
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), creation = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_file_image_callbacks(access, &callbacks);
    H5Pset_fapl_core(access, GROWTH, false);
    H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    H5Pset_obj_track_times(creation, false);
    char *name = name_of_no_file(path);
    hid_t file = H5Fcreate(name, H5F_ACC_TRUNC, creation, access);
    cmus_free(name);
    H5Pclose(access);
    H5Pclose(creation);
    return file;
}

/* A dataset of checked chunks: one image each, or one for a whole array. Fletcher-32 covers the stored bytes. Shuffle
 * would do nothing, as a pixel's sample is one byte. */
static hid_t make_dataset(hid_t file, const char *name, hid_t type, int rank, const hsize_t *size, int compression) {
    hsize_t chunk[4];
    memcpy(chunk, size, (size_t)rank * sizeof *chunk);
    if (rank > 1)
        chunk[0] = 1;
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(rank, size, NULL);
    H5Pset_obj_track_times(properties, false);
    H5Pset_chunk(properties, rank, chunk);
    if (compression > 0)
        H5Pset_deflate(properties, (unsigned)compression);
    H5Pset_fletcher32(properties);
    hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    H5Sclose(space);
    H5Pclose(properties);
    return dataset;
}

static cmus_status write_numbers(hid_t file, const char *path, const char *name, hid_t stored, hid_t given,
                                 size_t count, const void *numbers) {
    hid_t dataset = make_dataset(file, name, stored, 1, &(hsize_t){count}, 0);
    herr_t done = dataset < 0 ? -1 : H5Dwrite(dataset, given, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers);
    cmus_status status = done < 0 ? failed(path, name) : CMUS_OK;
    if (dataset >= 0)
        H5Dclose(dataset);
    return status;
}

/* Texts of one length, padded with zeros: HDF5 keeps those of any length in a heap that has no checksum. */
static hid_t pad_texts(const char *const *texts, size_t count, char **padded) {
    size_t width = 1;
    for (size_t i = 0; i < count; i++)
        width = strlen(texts[i]) > width ? strlen(texts[i]) : width;
    *padded = cmus_allocate(count, width);
    for (size_t i = 0; i < count; i++)
        memcpy(*padded + i * width, texts[i], strlen(texts[i]));
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, width);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

static cmus_status write_texts(hid_t file, const char *path, const char *name, size_t count, const char *const *texts) {
    char *padded;
    hid_t type = pad_texts(texts, count, &padded);
    cmus_status status = write_numbers(file, path, name, type, type, count, padded);
    H5Tclose(type);
    cmus_free(padded);
    return status;
}

/* An attribute of one value (count 0) or of an array. */
static cmus_status write_attribute(hid_t file, const char *path, const char *name, hid_t type, size_t count,
                                   const void *values) {
    hid_t space = count == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &(hsize_t){count}, NULL);
    hid_t attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    herr_t done = attribute < 0 ? -1 : H5Awrite(attribute, type, values);
    cmus_status status = done < 0 ? failed(path, name) : CMUS_OK;
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    return status;
}

static cmus_status write_attributes(hid_t file, const char *path, const cmus_shard_content *content) {
    int32_t version = CMUS_DATASET_FORMAT, size = content->image_size;
    const char *tool = cmus_version();
    CMUS_TRY(write_attribute(file, path, "format_version", H5T_STD_I32LE, 0, &version));
    CMUS_TRY(write_attribute(file, path, "image_size", H5T_STD_I32LE, 0, &size));
    char *padded;
    hid_t type = pad_texts(&tool, 1, &padded);
    cmus_status status = write_attribute(file, path, "tool_version", type, 0, padded);
    H5Tclose(type);
    cmus_free(padded);
    CMUS_TRY(status);
    type = pad_texts(content->classes, (size_t)content->class_count, &padded);
    status = write_attribute(file, path, "classes", type, (size_t)content->class_count, padded);
    H5Tclose(type);
    cmus_free(padded);
    return status;
}

/* Images that each case has besides its bag. */
static size_t single_images(const cmus_shard_content *content) {
    return (size_t)content->has[CMUS_IMAGE_OM] + (size_t)content->has[CMUS_IMAGE_IM];
}

/* Which of the shard's images, in the order of `source`, is image i of the modality; *bag: the case of TEM image i. */
static size_t number_of(const cmus_shard_content *content, cmus_image_kind kind, size_t i, int *bag) {
    if (kind != CMUS_IMAGE_TEM)
        return single_images(content) * i + (size_t)content->tem_offset[i] +
               (kind == CMUS_IMAGE_IM && content->has[CMUS_IMAGE_OM]);
    while (content->tem_offset[*bag + 1] <= (int64_t)i)
        ++*bag;
    return i + single_images(content) * (size_t)(*bag + 1);
}

/* Critical: HDF5 is mostly built without threads. */
static cmus_status put_chunk(hid_t dataset, const char *path, const char *name, size_t i, uint32_t skipped, size_t size,
                             const uint8_t *stored) {
    const hsize_t place[4] = {i, 0, 0, 0};
    cmus_status status = CMUS_OK;
#pragma omp critical(cmus_hdf5)
    if (H5Dwrite_chunk(dataset, H5P_DEFAULT, skipped, place, size, stored) < 0)
        status = failed(path, name);
    return status;
}

/* The images are made chunks here, and not by HDF5's filters, which take several times as long for the same bytes. */
static cmus_status fill_images(hid_t dataset, const char *path, const cmus_shard_content *content, cmus_image_kind kind,
                               size_t count, int channels) {
    size_t side = (size_t)content->image_size, bytes = side * side * (size_t)channels;
    uint8_t *stored = cmus_allocate_raw(cmus_chunk_room(bytes, content->compression), 1), *pixels = stored;
    if (content->compression > 0)
        pixels = cmus_allocate_raw(bytes, 1);
    cmus_status status = CMUS_OK;
    int bag = 0;
    for (size_t i = 0; i < count && status == CMUS_OK; i++) {
        status = content->image(content->data, number_of(content, kind, i, &bag), channels, pixels);
        if (status != CMUS_OK)
            break;
        uint32_t skipped;
        size_t size = cmus_chunk_store(pixels, bytes, content->compression, stored, &skipped);
        status = put_chunk(dataset, path, cmus_image_array(kind), i, skipped, size, stored);
    }
    if (pixels != stored)
        cmus_free(pixels);
    cmus_free(stored);
    return status;
}

static cmus_status write_images(hid_t file, const char *path, const cmus_shard_content *content, cmus_image_kind kind) {
    if (!content->has[kind])
        return CMUS_OK;
    bool tem = kind == CMUS_IMAGE_TEM;
    size_t count = (size_t)(tem ? content->tem_offset[content->cases] : content->cases);
    int channels = tem ? content->tem_channels : 3;
    hsize_t side = (hsize_t)content->image_size, size[4] = {count, side, side, (hsize_t)channels};
    hid_t dataset;
    cmus_status status = CMUS_OK;
#pragma omp critical(cmus_hdf5)
    {
        dataset = make_dataset(file, cmus_image_array(kind), H5T_STD_U8LE, 4, size, content->compression);
        if (dataset < 0)
            status = failed(path, cmus_image_array(kind));
    }
    CMUS_TRY(status);
    status = fill_images(dataset, path, content, kind, count, channels);
#pragma omp critical(cmus_hdf5)
    H5Dclose(dataset);
    return status;
}

/* All but the images. */
static cmus_status fill_tables(hid_t file, const char *path, const cmus_shard_content *content) {
    size_t cases = (size_t)content->cases, tem = (size_t)content->tem_offset[cases];
    CMUS_TRY(write_attributes(file, path, content));
    if (content->has[CMUS_IMAGE_TEM])
        CMUS_TRY(
            write_numbers(file, path, "tem_offset", H5T_STD_I64LE, H5T_NATIVE_INT64, cases + 1, content->tem_offset));
    CMUS_TRY(write_numbers(file, path, "label", H5T_STD_I32LE, H5T_NATIVE_INT32, cases, content->label));
    CMUS_TRY(write_texts(file, path, "case_id", cases, content->case_id));
    CMUS_TRY(write_texts(file, path, "patient_id", cases, content->patient_id));
    return write_texts(file, path, "source", single_images(content) * cases + tem, content->source);
}

static cmus_status fill_images_of_all(hid_t file, const char *path, const cmus_shard_content *content) {
    CMUS_TRY(write_images(file, path, content, CMUS_IMAGE_OM));
    CMUS_TRY(write_images(file, path, content, CMUS_IMAGE_IM));
    return write_images(file, path, content, CMUS_IMAGE_TEM);
}

/* The file ends where its superblock (version 2 or 3, 8-byte addresses) says; the memory goes on to the next step. */
static size_t file_size(const memory_file *memory) {
    enum { VERSION = 8, ADDRESS_BYTES = 9, END_OF_FILE = 28 };
    if (memory->size < 48 || memory->bytes[VERSION] < 2 || memory->bytes[ADDRESS_BYTES] != 8)
        return 0;
    uint64_t size = 0;
    for (int i = 7; i >= 0; i--)
        size = size << 8 | memory->bytes[END_OF_FILE + i];
    return size <= memory->size ? (size_t)size : 0;
}

static cmus_status save_file(const char *path, const memory_file *memory, char sha256[CMUS_SHA256_TEXT]) {
    size_t size = file_size(memory);
    if (size == 0)
        return cmus_fail(CMUS_ERROR_IO, "%s: HDF5 made no usable file in memory", path);
    cmus_file_writer *writer;
    CMUS_TRY(cmus_file_writer_open(path, &writer));
    cmus_file_writer_add(writer, memory->bytes, size);
    cmus_sha256(memory->bytes, size, sha256); /* while the disk works */
    return cmus_file_writer_commit(writer);
}

/* About the bytes of the file, rather more: HDF5's own structures are small beside the images. */
static size_t expected_size(const cmus_shard_content *content) {
    enum { FOR_AN_IMAGE = 256 /* index, checksum and source */ };
    size_t pixels = (size_t)content->image_size * (size_t)content->image_size, cases = (size_t)content->cases;
    size_t rgb = single_images(content) * cases, tem = (size_t)content->tem_offset[cases];
    return rgb * (3 * pixels + FOR_AN_IMAGE) + tem * ((size_t)content->tem_channels * pixels + FOR_AN_IMAGE) +
           ((size_t)1 << 20);
}

cmus_status cmus_shard_write(const char *path, const cmus_shard_content *content, char sha256[CMUS_SHA256_TEXT]) {
    memory_file memory = {.room = expected_size(content)};
    memory.bytes = cmus_allocate_raw(memory.room, 1);
    hid_t file;
    cmus_status status;
#pragma omp critical(cmus_hdf5)
    {
        cmus_hdf5_quiet();
        file = begin_file(path, &memory);
        status = file < 0 ? failed(path, "the shard") : fill_tables(file, path, content);
    }
    if (status == CMUS_OK)
        status = fill_images_of_all(file, path, content);
#pragma omp critical(cmus_hdf5)
    if (file >= 0 && H5Fclose(file) < 0 && status == CMUS_OK)
        status = failed(path, "the shard");
    if (status == CMUS_OK)
        status = save_file(path, &memory, sha256);
    cmus_free(memory.bytes);
    return status;
}
