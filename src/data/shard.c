#include "shard.h"

#include <endian.h>
#include <string.h>

#include "cmus/chunk.h"
#include "cmus/hdf5_error.h"
#include "cmus/memory.h"

static void forget_ids(cmus_shard *shard) {
    shard->file = H5I_INVALID_HID;
    for (int i = 0; i < CMUS_IMAGE_KINDS; i++)
        shard->images[i] = H5I_INVALID_HID;
}

int64_t cmus_shard_images(const cmus_shard *shard) {
    int64_t single = shard->has[CMUS_IMAGE_OM] + shard->has[CMUS_IMAGE_IM];
    return single * shard->cases + shard->tem_offset[shard->cases];
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
    cmus_free(shard->source);
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
    bool compressed; /* is set; only images may be */
} shape;

static cmus_status check_type(const cmus_shard *shard, hid_t dataset, shape *wanted, size_t widest) {
    hid_t type = H5Dget_type(dataset);
    bool right = type >= 0 && H5Tget_class(type) == wanted->type;
    size_t bytes = right ? H5Tget_size(type) : 0;
    if (right && wanted->type == H5T_STRING)
        right = H5Tis_variable_str(type) == 0 && bytes > 0 && bytes <= widest && H5Tget_strpad(type) == H5T_STR_NULLPAD;
    else if (right) /* chunks are read as they are stored */
        right = bytes == wanted->element && H5Tget_sign(type) == (bytes == 1 ? H5T_SGN_NONE : H5T_SGN_2) &&
                H5Tget_precision(type) == 8 * bytes && H5Tget_order(type) == H5T_ORDER_LE;
    if (type >= 0)
        H5Tclose(type);
    wanted->element = bytes;
    return right ? CMUS_OK
                 : cmus_fail(CMUS_ERROR_FORMAT, "%s: /%s has a wrong type of elements", shard->path, wanted->name);
}

/* The filters are those of the writer: Fletcher-32, for images perhaps deflate before it. */
static cmus_status check_filters(const cmus_shard *shard, hid_t properties, shape *wanted) {
    int count = H5Pget_nfilters(properties);
    wanted->compressed = wanted->rank > 1 && count == 2;
    for (int i = 0; i < count; i++) {
        char name[64] = "";
        unsigned flags, config;
        size_t values = 0;
        H5Z_filter_t filter =
            H5Pget_filter2(properties, (unsigned)i, &flags, &values, NULL, sizeof name, name, &config);
        H5Z_filter_t expected = wanted->compressed && i == 0 ? H5Z_FILTER_DEFLATE : H5Z_FILTER_FLETCHER32;
        if (filter != expected)
            return cmus_fail(CMUS_ERROR_FORMAT,
                             "%s: /%s is stored with the filter '%s' (HDF5's number %d), in whose place %s should be",
                             shard->path, wanted->name, name, (int)filter,
                             expected == H5Z_FILTER_DEFLATE ? "deflate" : "Fletcher-32");
    }
    if (count != (wanted->compressed ? 2 : 1))
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: /%s has %d filters", shard->path, wanted->name, count);
    return CMUS_OK;
}

/* Chunks are taken into memory whole, so their size is limited: one image, or one whole array of numbers or texts. */
static cmus_status check_chunk(const cmus_shard *shard, hid_t dataset, shape *wanted) {
    hid_t properties = H5Dget_create_plist(dataset);
    hsize_t chunk[4] = {0};
    bool right = properties >= 0 && H5Pget_layout(properties) == H5D_CHUNKED &&
                 H5Pget_chunk(properties, 4, chunk) == wanted->rank;
    for (int i = 0; right && i < wanted->rank; i++)
        right = chunk[i] == (wanted->rank > 1 && i == 0 ? 1 : wanted->size[i]);
    cmus_status status = right ? check_filters(shard, properties, wanted)
                               : cmus_fail(CMUS_ERROR_FORMAT, "%s: /%s has wrong chunks", shard->path, wanted->name);
    if (properties >= 0)
        H5Pclose(properties);
    return status;
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

/* By a link to another file HDF5 would open whatever is named there, and wait for ever if it is a pipe. What is not
 * there at all is left to the opening. */
static cmus_status check_link(const cmus_shard *shard, const char *name) {
    H5L_info_t link = {.type = H5L_TYPE_HARD};
    if (H5Lget_info(shard->file, name, &link, H5P_DEFAULT) >= 0 && link.type != H5L_TYPE_HARD)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: /%s is a link to another place", shard->path, name);
    return CMUS_OK;
}

static cmus_status open_dataset(const cmus_shard *shard, shape *wanted, size_t widest, hid_t *dataset) {
    CMUS_TRY(check_link(shard, wanted->name));
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

/* Reads the chunk number `number` of an array of that rank: data [size]. */
static cmus_status read_chunk(const cmus_shard *shard, hid_t dataset, const char *name, int rank, bool compressed,
                              hsize_t number, void *data, size_t size) {
    hsize_t offset[4] = {number, 0, 0, 0}, stored_size = 0;
    const hsize_t *place = rank > 1 ? offset : &(hsize_t){0};
    if (H5Dget_chunk_storage_size(dataset, place, &stored_size) < 0)
        return read_failed(shard, name);
    if (stored_size > cmus_chunk_room(size, compressed))
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: /%s has a chunk of %llu bytes", shard->path, name,
                         (unsigned long long)stored_size);
    uint8_t *stored = cmus_allocate_raw((size_t)stored_size + 1, 1);
    uint32_t skipped = 0;
    cmus_status status = CMUS_OK;
    if (H5Dread_chunk(dataset, H5P_DEFAULT, place, &skipped, stored) < 0)
        status = read_failed(shard, name);
    else if (skipped > (compressed ? 1 : 0))
        status = cmus_fail(CMUS_ERROR_FORMAT, "%s: /%s has a chunk without a checksum", shard->path, name);
    else if ((status = cmus_chunk_load(stored, (size_t)stored_size, compressed && !skipped, data, size)) != CMUS_OK)
        status = cmus_fail(status, "%s: /%s can't be read: %s", shard->path, name, cmus_last_error());
    cmus_free(stored);
    return status;
}

/* Reads a whole array of numbers as they are stored: little-endian. */
static cmus_status read_numbers(const cmus_shard *shard, const char *name, size_t element, size_t count,
                                void *numbers) {
    shape wanted = {.name = name, .type = H5T_INTEGER, .element = element, .rank = 1, .size = {count}};
    hid_t dataset;
    CMUS_TRY(open_dataset(shard, &wanted, 0, &dataset));
    cmus_status status = read_chunk(shard, dataset, name, 1, false, 0, numbers, count * element);
    H5Dclose(dataset);
    return status;
}

static cmus_status read_labels(cmus_shard *shard) {
    size_t count = (size_t)shard->cases;
    shard->label = cmus_allocate(count, sizeof *shard->label);
    CMUS_TRY(read_numbers(shard, "label", sizeof *shard->label, count, shard->label));
    for (size_t i = 0; i < count; i++)
        shard->label[i] = (int32_t)le32toh((uint32_t)shard->label[i]);
    return CMUS_OK;
}

static cmus_status read_tem_offset(cmus_shard *shard) {
    size_t count = (size_t)shard->cases + 1;
    shard->tem_offset = cmus_allocate(count, sizeof *shard->tem_offset);
    if (!shard->has[CMUS_IMAGE_TEM])
        return CMUS_OK;
    CMUS_TRY(read_numbers(shard, "tem_offset", sizeof *shard->tem_offset, count, shard->tem_offset));
    for (size_t i = 0; i < count; i++)
        shard->tem_offset[i] = (int64_t)le64toh((uint64_t)shard->tem_offset[i]);
    return CMUS_OK;
}

/* Reads a whole array of texts; each takes *width bytes in *texts, the zero at its end included. */
static cmus_status read_texts(const cmus_shard *shard, const char *name, size_t count, size_t widest, char **texts,
                              size_t *width) {
    shape wanted = {.name = name, .type = H5T_STRING, .rank = 1, .size = {count}};
    hid_t dataset;
    CMUS_TRY(open_dataset(shard, &wanted, widest, &dataset));
    *width = wanted.element + 1;
    *texts = cmus_allocate(count, *width);
    char *padded = cmus_allocate_raw(count, wanted.element);
    cmus_status status = read_chunk(shard, dataset, name, 1, false, 0, padded, count * wanted.element);
    H5Dclose(dataset);
    for (size_t i = 0; status == CMUS_OK && i < count; i++) {
        memcpy(*texts + i * *width, padded + i * wanted.element, wanted.element);
        if (!(*texts)[i * *width])
            status = cmus_fail(CMUS_ERROR_FORMAT, "%s: /%s: text %zu is empty", shard->path, name, i);
    }
    cmus_free(padded);
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

/* A modality that dataset.json does not name must not be there. */
static cmus_status check_absence(const cmus_shard *shard, const char *name) {
    htri_t there = H5Lexists(shard->file, name, H5P_DEFAULT);
    if (there < 0)
        return read_failed(shard, name);
    if (there > 0)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: /%s is there, but dataset.json has no such modality", shard->path,
                         name);
    return CMUS_OK;
}

/* Dimensions of the images of one modality against dataset.json and the bags. */
static cmus_status check_kind(cmus_shard *shard, cmus_image_kind kind) {
    const char *name = cmus_image_array(kind);
    bool tem = kind == CMUS_IMAGE_TEM;
    hsize_t side = (hsize_t)shard->image_size;
    hsize_t count = (hsize_t)(tem ? shard->tem_offset[shard->cases] : shard->cases);
    shape wanted = {
        .name = name, .type = H5T_INTEGER, .element = 1, .rank = 4, .size = {count, side, side, tem ? 0 : 3}};
    hid_t dataset;
    CMUS_TRY(open_dataset(shard, &wanted, 0, &dataset));
    H5Dclose(dataset);
    shard->compressed[kind] = wanted.compressed;
    if (!tem)
        return CMUS_OK;
    if (wanted.size[3] != 1 && wanted.size[3] != 3)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: /tem has %llu channels instead of 1 or 3", shard->path,
                         (unsigned long long)wanted.size[3]);
    shard->tem_channels = (int)wanted.size[3];
    return CMUS_OK;
}

static cmus_status check_images(cmus_shard *shard) {
    for (int i = 0; i < CMUS_IMAGE_KINDS; i++) {
        cmus_image_kind kind = (cmus_image_kind)i;
        if (!shard->has[kind])
            CMUS_TRY(check_absence(shard, cmus_image_array(kind)));
        else
            CMUS_TRY(check_kind(shard, kind));
    }
    if (!shard->has[CMUS_IMAGE_TEM])
        CMUS_TRY(check_absence(shard, "tem_offset"));
    shape source = {.name = "source", .type = H5T_STRING, .rank = 1, .size = {(hsize_t)cmus_shard_images(shard)}};
    hid_t dataset;
    CMUS_TRY(open_dataset(shard, &source, CMUS_SOURCE_BYTES, &dataset));
    H5Dclose(dataset);
    return CMUS_OK;
}

static cmus_status check_cases(const cmus_shard *shard, int classes) {
    if (shard->tem_offset[0] != 0 || shard->tem_offset[shard->cases] > CMUS_SHARD_IMAGES)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: /tem_offset is out of range", shard->path);
    for (int i = 0; i < shard->cases; i++) {
        if (shard->has[CMUS_IMAGE_TEM] && shard->tem_offset[i] >= shard->tem_offset[i + 1])
            return cmus_fail(CMUS_ERROR_FORMAT, "%s: /tem_offset does not rise at case %d", shard->path, i);
        if (shard->label[i] < 0 || shard->label[i] >= classes)
            return cmus_fail(CMUS_ERROR_FORMAT, "%s: /label of case %d is %d, but there are %d classes", shard->path, i,
                             shard->label[i], classes);
    }
    return CMUS_OK;
}

static cmus_status load(cmus_shard *shard, const cmus_dataset_index *index) {
    size_t cases = (size_t)shard->cases;
    CMUS_TRY(open_file(shard));
    CMUS_TRY(check_attribute(shard, "format_version", CMUS_DATASET_FORMAT));
    CMUS_TRY(check_attribute(shard, "image_size", index->image_size));
    CMUS_TRY(check_classes(shard, index));
    CMUS_TRY(read_tem_offset(shard));
    CMUS_TRY(read_labels(shard));
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
    memcpy(shard->has, index->has, sizeof shard->has);
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
        shard->images[kind] = H5Dopen2(shard->file, cmus_image_array(kind), access);
        H5Pclose(access);
    }
    *dataset = shard->images[kind];
    return *dataset < 0 ? read_failed(shard, cmus_image_array(kind)) : CMUS_OK;
}

cmus_status cmus_shard_image(cmus_shard *shard, cmus_image_kind kind, int64_t number, uint8_t *image) {
    CMUS_TRY(open_file(shard));
    hid_t dataset;
    CMUS_TRY(open_images(shard, kind, &dataset));
    size_t side = (size_t)shard->image_size, channels = kind == CMUS_IMAGE_TEM ? (size_t)shard->tem_channels : 3;
    return read_chunk(shard, dataset, cmus_image_array(kind), 4, shard->compressed[kind], (hsize_t)number, image,
                      side * side * channels);
}

cmus_status cmus_shard_source(cmus_shard *shard, int index, cmus_image_kind kind, int image, const char **line) {
    if (!shard->source) {
        CMUS_TRY(open_file(shard));
        CMUS_TRY(read_texts(shard, "source", (size_t)cmus_shard_images(shard), CMUS_SOURCE_BYTES, &shard->source,
                            &shard->source_width));
    }
    int om = shard->has[CMUS_IMAGE_OM], im = shard->has[CMUS_IMAGE_IM];
    int64_t first = (int64_t)index * (om + im) + shard->tem_offset[index];
    int64_t number = first + (kind == CMUS_IMAGE_OM ? 0 : kind == CMUS_IMAGE_IM ? om : om + im + image);
    *line = shard->source + (size_t)number * shard->source_width;
    return CMUS_OK;
}
