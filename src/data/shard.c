#include "shard.h"

#include <string.h>

#include "cmus/hdf5_error.h"
#include "cmus/memory.h"

static const char *const image_arrays[CMUS_SHARD_ARRAYS] = {
    [CMUS_IMAGE_TEM] = "tem", [CMUS_IMAGE_OM] = "om", [CMUS_IMAGE_IM] = "im"};

static void forget_ids(cmus_shard *shard) {
    shard->file = H5I_INVALID_HID;
    for (int i = 0; i < CMUS_SHARD_ARRAYS; i++)
        shard->images[i] = H5I_INVALID_HID;
}

const char *cmus_shard_case_id(const cmus_shard *shard, int index) {
    return shard->case_id + (size_t)index * shard->case_width;
}

const char *cmus_shard_patient_id(const cmus_shard *shard, int index) {
    return shard->patient_id + (size_t)index * shard->patient_width;
}

static void close_file(cmus_shard *shard) {
    if (shard->file >= 0)
        H5Fclose(shard->file);
    forget_ids(shard);
}

void cmus_shard_rest(cmus_shard *shard) {
    if (!shard->keep_open)
        close_file(shard);
}

void cmus_shard_free(cmus_shard *shard) {
    close_file(shard);
    cmus_free(shard->path);
    cmus_free(shard->tem_offset);
    cmus_free(shard->label);
    cmus_free(shard->case_id);
    cmus_free(shard->patient_id);
    memset(shard, 0, sizeof *shard);
    forget_ids(shard);
}

static cmus_status open_file(cmus_shard *shard) {
    if (shard->file >= 0)
        return CMUS_OK;
    cmus_hdf5_quiet();
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_file_locking(access, false, true); /* a shard is never changed; many network file systems have no locks */
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    shard->file = H5Fopen(shard->path, H5F_ACC_RDONLY, access);
    cmus_status status = CMUS_OK;
    if (shard->file < 0)
        status = cmus_hdf5_fail(CMUS_ERROR_FORMAT, shard->path, "not a usable shard");
    H5Pclose(access);
    return status;
}

cmus_status cmus_shard_move(cmus_shard *shard, char *path) {
    close_file(shard);
    cmus_free(shard->path);
    shard->path = path;
    return shard->keep_open ? open_file(shard) : CMUS_OK;
}

/* What a dataset of a shard must be like. */
typedef struct shape {
    const char *name;
    H5T_class_t type;
    size_t element; /* bytes; 0: any width of a string, which is then set */
    int rank;
    hsize_t size[4]; /* 0: any, which is then set */
} shape;

static cmus_status check_type(const cmus_shard *shard, hid_t dataset, shape *wanted, size_t widest) {
    hid_t type = H5Dget_type(dataset);
    bool right = type >= 0 && H5Tget_class(type) == wanted->type;
    size_t bytes = right ? H5Tget_size(type) : 0;
    if (right && wanted->type == H5T_STRING)
        right = H5Tis_variable_str(type) == 0 && bytes > 0 && bytes <= widest;
    else if (right)
        right = bytes == wanted->element && H5Tget_sign(type) == (bytes == 1 ? H5T_SGN_NONE : H5T_SGN_2);
    if (type >= 0)
        H5Tclose(type);
    wanted->element = bytes;
    return right ? CMUS_OK
                 : cmus_fail(CMUS_ERROR_FORMAT, "%s: /%s has a wrong type of elements", shard->path, wanted->name);
}

/* Chunks are taken into memory whole, so their size is limited: one image, or one whole array of numbers or texts. */
static cmus_status check_chunk(const cmus_shard *shard, hid_t dataset, const shape *wanted) {
    hid_t properties = H5Dget_create_plist(dataset);
    hsize_t chunk[4] = {0};
    bool right = properties >= 0 && H5Pget_layout(properties) == H5D_CHUNKED &&
                 H5Pget_chunk(properties, 4, chunk) == wanted->rank && H5Pget_nfilters(properties) >= 1;
    for (int i = 0; right && i < wanted->rank; i++)
        right = chunk[i] == (wanted->rank > 1 && i == 0 ? 1 : wanted->size[i]);
    if (properties >= 0)
        H5Pclose(properties);
    return right ? CMUS_OK : cmus_fail(CMUS_ERROR_FORMAT, "%s: /%s has wrong chunks", shard->path, wanted->name);
}

static cmus_status check_size(const cmus_shard *shard, hid_t dataset, shape *wanted) {
    hid_t space = H5Dget_space(dataset);
    hsize_t size[4] = {0};
    bool right = space >= 0 && H5Sget_simple_extent_ndims(space) == wanted->rank &&
                 H5Sget_simple_extent_dims(space, size, NULL) == wanted->rank;
    for (int i = 0; right && i < wanted->rank; i++) {
        right = wanted->size[i] ? size[i] == wanted->size[i] : size[i] > 0 && size[i] <= CMUS_SHARD_IMAGES;
        wanted->size[i] = size[i];
    }
    if (space >= 0)
        H5Sclose(space);
    return right ? CMUS_OK : cmus_fail(CMUS_ERROR_FORMAT, "%s: /%s has wrong dimensions", shard->path, wanted->name);
}

static cmus_status open_dataset(const cmus_shard *shard, shape *wanted, size_t widest, hid_t *dataset) {
    *dataset = H5Dopen2(shard->file, wanted->name, H5P_DEFAULT);
    if (*dataset < 0) {
        char what[64];
        snprintf(what, sizeof what, "/%s can't be opened", wanted->name);
        return cmus_hdf5_fail(CMUS_ERROR_FORMAT, shard->path, what);
    }
    cmus_status status = check_type(shard, *dataset, wanted, widest);
    if (status == CMUS_OK)
        status = check_size(shard, *dataset, wanted);
    if (status == CMUS_OK)
        status = check_chunk(shard, *dataset, wanted);
    if (status != CMUS_OK)
        H5Dclose(*dataset);
    return status;
}

static cmus_status read_failed(const cmus_shard *shard, const char *name) {
    char what[64];
    snprintf(what, sizeof what, "/%s can't be read", name);
    return cmus_hdf5_fail(CMUS_ERROR_FORMAT, shard->path, what);
}

/* Reads a whole array of numbers. */
static cmus_status read_numbers(const cmus_shard *shard, const char *name, hid_t memory_type, size_t element,
                                size_t count, void **numbers) {
    shape wanted = {.name = name, .type = H5T_INTEGER, .element = element, .rank = 1, .size = {count}};
    hid_t dataset;
    CMUS_TRY(open_dataset(shard, &wanted, 0, &dataset));
    *numbers = cmus_allocate(count, element);
    herr_t done = H5Dread(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, *numbers);
    cmus_status status = done < 0 ? read_failed(shard, name) : CMUS_OK;
    H5Dclose(dataset);
    return status;
}

/* Reads a whole array of texts; each takes *width bytes in *texts, the zero at its end included. */
static cmus_status read_texts(const cmus_shard *shard, const char *name, size_t count, size_t widest, char **texts,
                              size_t *width) {
    shape wanted = {.name = name, .type = H5T_STRING, .rank = 1, .size = {count}};
    hid_t dataset;
    CMUS_TRY(open_dataset(shard, &wanted, widest, &dataset));
    *width = wanted.element + 1;
    *texts = cmus_allocate(count, *width);
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, *width);
    H5Tset_cset(type, H5T_CSET_UTF8);
    herr_t done = H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, *texts);
    cmus_status status = done < 0 ? read_failed(shard, name) : CMUS_OK;
    H5Tclose(type);
    H5Dclose(dataset);
    for (size_t i = 0; status == CMUS_OK && i < count; i++)
        if (!(*texts)[i * *width])
            status = cmus_fail(CMUS_ERROR_FORMAT, "%s: /%s: text %zu is empty", shard->path, name, i);
    return status;
}

static cmus_status read_attribute(const cmus_shard *shard, const char *name, int *value) {
    hid_t attribute = H5Aopen(shard->file, name, H5P_DEFAULT);
    hid_t space = attribute < 0 ? H5I_INVALID_HID : H5Aget_space(attribute);
    hid_t type = attribute < 0 ? H5I_INVALID_HID : H5Aget_type(attribute);
    bool done = space >= 0 && type >= 0 && H5Sget_simple_extent_npoints(space) == 1 &&
                H5Tget_class(type) == H5T_INTEGER && H5Aread(attribute, H5T_NATIVE_INT, value) >= 0;
    if (type >= 0)
        H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    if (attribute >= 0)
        H5Aclose(attribute);
    return done ? CMUS_OK : read_failed(shard, name);
}

static cmus_status check_attribute(const cmus_shard *shard, const char *name, int expected) {
    int value = 0;
    CMUS_TRY(read_attribute(shard, name, &value));
    if (value != expected)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: the attribute %s is %d, but dataset.json says %d", shard->path, name,
                         value, expected);
    return CMUS_OK;
}

/* A shard of another data set may lie here by mistake: its labels would stand for other classes. */
static cmus_status check_classes(const cmus_shard *shard, const cmus_dataset_index *index) {
    enum { WIDTH = CMUS_ID_BYTES + 1 };
    hid_t attribute = H5Aopen(shard->file, "classes", H5P_DEFAULT);
    if (attribute < 0)
        return read_failed(shard, "classes");
    hid_t space = H5Aget_space(attribute), stored = H5Aget_type(attribute), type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, WIDTH);
    H5Tset_cset(type, H5T_CSET_UTF8);
    char *names = cmus_allocate((size_t)index->class_count, WIDTH);
    bool same = space >= 0 && stored >= 0 && H5Tget_class(stored) == H5T_STRING && H5Tis_variable_str(stored) == 0 &&
                H5Tget_size(stored) < WIDTH && H5Sget_simple_extent_npoints(space) == index->class_count &&
                H5Aread(attribute, type, names) >= 0;
    for (int i = 0; same && i < index->class_count; i++)
        same = strcmp(names + (size_t)i * WIDTH, index->classes[i]) == 0;
    cmus_free(names);
    H5Tclose(type);
    if (stored >= 0)
        H5Tclose(stored);
    if (space >= 0)
        H5Sclose(space);
    H5Aclose(attribute);
    return same ? CMUS_OK : cmus_fail(CMUS_ERROR_FORMAT, "%s: its classes are not those of dataset.json", shard->path);
}

/* Dimensions of the images against dataset.json and the bags. */
static cmus_status check_images(cmus_shard *shard) {
    hsize_t side = (hsize_t)shard->image_size, cases = (hsize_t)shard->cases;
    hsize_t tem = (hsize_t)shard->tem_offset[shard->cases];
    shape wanted[] = {
        {.name = "om", .type = H5T_INTEGER, .element = 1, .rank = 4, .size = {cases, side, side, 3}},
        {.name = "im", .type = H5T_INTEGER, .element = 1, .rank = 4, .size = {cases, side, side, 3}},
        {.name = "tem", .type = H5T_INTEGER, .element = 1, .rank = 4, .size = {tem, side, side, 0}},
    };
    for (int i = 0; i < 3; i++) {
        hid_t dataset;
        CMUS_TRY(open_dataset(shard, &wanted[i], 0, &dataset));
        H5Dclose(dataset);
    }
    if (wanted[2].size[3] != 1 && wanted[2].size[3] != 3)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: /tem has %llu channels instead of 1 or 3", shard->path,
                         (unsigned long long)wanted[2].size[3]);
    shard->tem_channels = (int)wanted[2].size[3];
    shape source = {.name = "source", .type = H5T_STRING, .rank = 1, .size = {2 * cases + tem}};
    hid_t dataset;
    CMUS_TRY(open_dataset(shard, &source, CMUS_SOURCE_BYTES, &dataset));
    H5Dclose(dataset);
    return CMUS_OK;
}

static cmus_status check_cases(const cmus_shard *shard, int classes) {
    if (shard->tem_offset[0] != 0 || shard->tem_offset[shard->cases] > CMUS_SHARD_IMAGES)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: /tem_offset is out of range", shard->path);
    for (int i = 0; i < shard->cases; i++) {
        if (shard->tem_offset[i] >= shard->tem_offset[i + 1])
            return cmus_fail(CMUS_ERROR_FORMAT, "%s: /tem_offset does not rise at case %d", shard->path, i);
        if (shard->label[i] < 0 || shard->label[i] >= classes)
            return cmus_fail(CMUS_ERROR_FORMAT, "%s: /label of case %d is %d, but there are %d classes", shard->path, i,
                             shard->label[i], classes);
    }
    return CMUS_OK;
}

static cmus_status load(cmus_shard *shard, const cmus_dataset_index *index) {
    size_t cases = (size_t)shard->cases;
    void *offset = NULL, *label = NULL;
    CMUS_TRY(open_file(shard));
    CMUS_TRY(check_attribute(shard, "format_version", CMUS_DATASET_FORMAT));
    CMUS_TRY(check_attribute(shard, "image_size", index->image_size));
    CMUS_TRY(check_classes(shard, index));
    cmus_status status = read_numbers(shard, "tem_offset", H5T_NATIVE_INT64, 8, cases + 1, &offset);
    shard->tem_offset = offset;
    CMUS_TRY(status);
    status = read_numbers(shard, "label", H5T_NATIVE_INT32, 4, cases, &label);
    shard->label = label;
    CMUS_TRY(status);
    CMUS_TRY(check_cases(shard, index->class_count));
    CMUS_TRY(check_images(shard));
    CMUS_TRY(read_texts(shard, "case_id", cases, CMUS_ID_BYTES, &shard->case_id, &shard->case_width));
    return read_texts(shard, "patient_id", cases, CMUS_ID_BYTES, &shard->patient_id, &shard->patient_width);
}

cmus_status cmus_shard_load(const char *folder, const cmus_dataset_index *index, const cmus_shard_entry *entry,
                            bool keep_open, cmus_shard *shard) {
    *shard = (cmus_shard){.path = cmus_path_join(folder, entry->file),
                          .cases = entry->cases,
                          .image_size = index->image_size,
                          .keep_open = keep_open};
    forget_ids(shard);
    if (!cmus_file_exists(shard->path))
        return cmus_fail(CMUS_ERROR_NOT_FOUND, "%s: the shard is missing, but dataset.json lists it", shard->path);
    cmus_status status = load(shard, index);
    cmus_shard_rest(shard);
    return status;
}

/* Opens an array of images for as long as the file is open. Without a cache of chunks: no image is read twice soon. */
static cmus_status open_images(cmus_shard *shard, cmus_image_kind kind, hid_t *dataset) {
    if (shard->images[kind] < 0) {
        hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
        H5Pset_chunk_cache(access, 0, 0, 0);
        shard->images[kind] = H5Dopen2(shard->file, image_arrays[kind], access);
        H5Pclose(access);
    }
    *dataset = shard->images[kind];
    return *dataset < 0 ? read_failed(shard, image_arrays[kind]) : CMUS_OK;
}

cmus_status cmus_shard_image(cmus_shard *shard, cmus_image_kind kind, int64_t number, uint8_t *image) {
    CMUS_TRY(open_file(shard));
    hid_t dataset;
    CMUS_TRY(open_images(shard, kind, &dataset));
    hsize_t side = (hsize_t)shard->image_size;
    hsize_t channels = kind == CMUS_IMAGE_TEM ? (hsize_t)shard->tem_channels : 3;
    hsize_t start[4] = {(hsize_t)number, 0, 0, 0}, size[4] = {1, side, side, channels};
    hid_t part = H5Dget_space(dataset), memory = H5Screate_simple(4, size, NULL);
    bool done = part >= 0 && memory >= 0 && H5Sselect_hyperslab(part, H5S_SELECT_SET, start, NULL, size, NULL) >= 0 &&
                H5Dread(dataset, H5T_NATIVE_UINT8, memory, part, H5P_DEFAULT, image) >= 0;
    cmus_status status = done ? CMUS_OK : read_failed(shard, image_arrays[kind]);
    if (memory >= 0)
        H5Sclose(memory);
    if (part >= 0)
        H5Sclose(part);
    return status;
}
