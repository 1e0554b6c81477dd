#include "shard_recipe.h"

#include <hdf5.h>
#include <stdbool.h>
#include <string.h>

#include "cmus/chunk.h"
#include "cmus/hdf5_error.h"
#include "cmus/memory.h"

enum {
    OBJECTS = 11,
    TEM_OFFSET = 0,
    SOURCE = 4,
    FIRST_ATTRIBUTE = 8,
    RANKS = 5,
    VALUES = 8,
    TEXT = 24,
    MOST_BYTES = 1 << 16
};

/* What a recipe may change of an object. DIMENSION and CHUNK: + axis. */
enum property {
    KIND,
    TYPE,
    RANK,
    LAYOUT,
    FILTERS,
    FILL,
    VALUE,
    LETTER,
    STORED,
    DIMENSION,
    CHUNK = DIMENSION + RANKS,
    PROPERTIES = CHUNK + RANKS
};
enum kind { NORMAL, ABSENT, GROUP, NAMED_TYPE, SOFT_LINK, SOFT_LOOP, HARD_LINK, EXTERNAL_LINK, KINDS };
enum layout { CHUNKED, CONTIGUOUS, COMPACT, GROWING_ONE, GROWING_ALL, EXTERNAL_FILE, VIRTUAL, LAYOUTS };
/* Bits of FILTERS, in the order in which they are applied. */
enum filter { SHUFFLE = 1, DEFLATE = 2, FLETCHER = 4, SCALE_OFFSET = 8, NBIT = 16, EARLY_FLETCHER = 32, SZIP = 64 };

typedef struct object {
    const char *name;
    int kind, type, layout, filters, fill, rank;
    unsigned stored; /* how the first chunk is stored; 0: as HDF5 does */
    hsize_t size[RANKS], chunk[RANKS];
    int64_t values[VALUES];   /* the first numbers; the others are 0 */
    char texts[VALUES][TEXT]; /* or the first texts */
    unsigned type_detail;     /* width of texts, bits of numbers, by the type */
} object;

const char *const cmus_recipe_classes[CMUS_RECIPE_CLASSES] = {"A", "B"};

enum type {
    U8,
    I32,
    I64,
    TEXTS,
    BIG_I64,
    I8,
    U16,
    FLOAT,
    DOUBLE,
    LONG_TEXTS,
    COMPOUND,
    ENUMERATION,
    OPAQUE,
    ARRAY,
    REFERENCE,
    BITS,
    TYPES
};

static hid_t fixed_texts(size_t width) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, width ? width : 1);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

/* A whole number of fewer bits than its bytes have. */
static hid_t cut_number(hid_t whole, unsigned detail) {
    hid_t type = H5Tcopy(whole);
    if (detail) {
        H5Tset_precision(type, 1 + detail % 64);
        H5Tset_offset(type, detail / 64 % 64);
    }
    return type;
}

static hid_t made_type(int kind, unsigned detail) {
    hid_t type;
    switch (kind) {
    case COMPOUND:
        type = H5Tcreate(H5T_COMPOUND, 8);
        H5Tinsert(type, "a", 0, H5T_STD_I32LE);
        H5Tinsert(type, "b", 4, H5T_STD_U8LE);
        return type;
    case ENUMERATION:
        type = H5Tenum_create(H5T_STD_I32LE);
        H5Tenum_insert(type, "one", &(int){1});
        return type;
    case ARRAY:
        return H5Tarray_create2(H5T_STD_U8LE, 1, &(hsize_t){1 + detail % 300});
    case OPAQUE:
        return H5Tcreate(H5T_OPAQUE, 1 + detail % 4096);
    default: /* text of any length */
        type = H5Tcopy(H5T_C_S1);
        H5Tset_size(type, H5T_VARIABLE);
        return type;
    }
}

static hid_t make_type(const object *what) {
    switch (what->type) {
    case U8:
        return cut_number(H5T_STD_U8LE, what->type_detail);
    case I8:
        return H5Tcopy(H5T_STD_I8LE);
    case U16:
        return H5Tcopy(H5T_STD_U16LE);
    case I32:
        return cut_number(H5T_STD_I32LE, what->type_detail);
    case I64:
        return cut_number(H5T_STD_I64LE, what->type_detail);
    case BIG_I64:
        return H5Tcopy(H5T_STD_I64BE);
    case FLOAT:
        return H5Tcopy(H5T_IEEE_F32LE);
    case DOUBLE:
        return H5Tcopy(H5T_IEEE_F64BE);
    case TEXTS:
        return fixed_texts(what->type_detail);
    case REFERENCE:
        return H5Tcopy(H5T_STD_REF_OBJ);
    case BITS:
        return H5Tcopy(H5T_STD_B8LE);
    default:
        return made_type(what->type, what->type_detail);
    }
}

static object numbers(const char *name, int type, hsize_t count) {
    return (object){.name = name, .type = type, .filters = FLETCHER, .rank = 1, .size = {count}, .chunk = {count}};
}

static object texts(const char *name, hsize_t count, unsigned width) {
    object made = numbers(name, TEXTS, count);
    made.type_detail = width;
    for (int i = 0; i < VALUES; i++)
        snprintf(made.texts[i], TEXT, "%c%d", name[0], i % 2);
    return made;
}

static object images(const char *name, hsize_t count, hsize_t channels) {
    enum { S = CMUS_RECIPE_SIDE };
    return (object){.name = name,
                    .type = U8,
                    .filters = FLETCHER,
                    .rank = 4,
                    .size = {count, S, S, channels},
                    .chunk = {1, S, S, channels}};
}

static object scalar(const char *name, int64_t value) {
    return (object){.name = name, .type = I32, .values = {value}};
}

static void make_right(object right[OBJECTS]) {
    enum { N = CMUS_RECIPE_CASES, T = CMUS_RECIPE_TEM };
    const object all[OBJECTS] = {numbers("tem_offset", I64, N + 1),
                                 numbers("label", I32, N),
                                 texts("case_id", N, 2),
                                 texts("patient_id", N, 2),
                                 texts("source", 2 * N + T, 2),
                                 images("om", N, 3),
                                 images("im", N, 3),
                                 images("tem", T, 1),
                                 scalar("format_version", CMUS_DATASET_FORMAT),
                                 scalar("image_size", CMUS_RECIPE_SIDE),
                                 texts("classes", CMUS_RECIPE_CLASSES, 1)};
    memcpy(right, all, sizeof all);
    memcpy(right[0].values, (int64_t[]){0, 1, T}, 3 * sizeof(int64_t));
    right[1].values[1] = 1;
    for (int i = 0; i < CMUS_RECIPE_CLASSES; i++)
        strcpy(right[10].texts[i], cmus_recipe_classes[i]);
}

/* Small numbers as they are, large ones as a power of two, less one now and then. */
static hsize_t any_size(unsigned value) {
    return value < 4096 ? value : ((hsize_t)1 << (value >> 8 & 63)) - (value & 1);
}

static void change(object *what, unsigned property, unsigned value) {
    switch (property) {
    case KIND:
        what->kind = (int)(value % KINDS);
        break;
    case TYPE:
        what->type = (int)(value % TYPES);
        what->type_detail = value / TYPES;
        break;
    case RANK:
        what->rank = (int)(value % (RANKS + 2)) - 1;
        break;
    case LAYOUT:
        what->layout = (int)(value % LAYOUTS);
        break;
    case FILTERS:
        what->filters = (int)(value & 127);
        break;
    case FILL:
        what->fill = (int)value;
        break;
    case VALUE:
        what->values[value % VALUES] = (int16_t)value / VALUES;
        break;
    case STORED:
        what->stored = value;
        break;
    case LETTER:
        what->texts[value % VALUES][value / VALUES % TEXT] = (char)(value / 256);
        break;
    default:
        if (property < CHUNK)
            what->size[property - DIMENSION] = any_size(value);
        else
            what->chunk[property - CHUNK] = any_size(value);
    }
}

static hid_t make_space(const object *what, bool growing_all) {
    if (what->rank <= 0)
        return H5Screate(what->rank == 0 ? H5S_SCALAR : H5S_NULL);
    hsize_t largest[RANKS];
    bool growing = what->layout == GROWING_ONE || growing_all;
    for (int i = 0; i < what->rank; i++)
        largest[i] = growing && (i == 0 || growing_all) ? H5S_UNLIMITED : what->size[i];
    return H5Screate_simple(what->rank, what->size, largest);
}

static void add_filters(hid_t properties, int filters) {
    if (filters & EARLY_FLETCHER)
        H5Pset_fletcher32(properties);
    if (filters & SHUFFLE)
        H5Pset_shuffle(properties);
    if (filters & NBIT)
        H5Pset_nbit(properties);
    if (filters & SCALE_OFFSET)
        H5Pset_scaleoffset(properties, H5Z_SO_INT, 0);
    if (filters & SZIP)
        H5Pset_szip(properties, H5_SZIP_NN_OPTION_MASK, 8);
    if (filters & DEFLATE)
        H5Pset_deflate(properties, 1);
    if (filters & FLETCHER)
        H5Pset_fletcher32(properties);
}

static hid_t make_properties(const object *what, hid_t space) {
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(properties, false);
    if (what->fill & 1)
        H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER);
    if (what->fill & 2)
        H5Pset_alloc_time(properties, H5D_ALLOC_TIME_INCR);
    switch (what->layout) {
    case CONTIGUOUS:
        H5Pset_layout(properties, H5D_CONTIGUOUS);
        break;
    case COMPACT:
        H5Pset_layout(properties, H5D_COMPACT);
        break;
    case EXTERNAL_FILE:
        H5Pset_external(properties, "/dev/zero", 0, H5F_UNLIMITED);
        break;
    case VIRTUAL:
        H5Pset_virtual(properties, space, "/dev/null", "x", space);
        break;
    default:
        if (what->rank > 0)
            H5Pset_chunk(properties, what->rank, what->chunk);
        add_filters(properties, what->filters);
    }
    return properties;
}

/* The values as `count` elements of the type, or NULL if that is too large or makes no sense. */
static void *make_content(const object *what, hid_t type, size_t count, hid_t *given) {
    size_t width = H5Tget_size(type);
    bool any_length = H5Tis_variable_str(type) > 0;
    if (count == 0 || count > MOST_BYTES || width * count > MOST_BYTES || H5Tget_class(type) == H5T_REFERENCE)
        return NULL;
    H5T_class_t class = H5Tget_class(type);
    bool number = class == H5T_INTEGER || class == H5T_FLOAT;
    *given = number ? H5T_NATIVE_INT64 : type;
    size_t element = number ? sizeof(int64_t) : width;
    char *content = cmus_allocate(count, element);
    for (size_t i = 0; i < count; i++)
        if (number)
            memcpy(content + i * element, &what->values[i < VALUES ? i : VALUES - 1], element);
        else if (any_length)
            memcpy(content + i * element, &(const char *){what->texts[i % VALUES]}, element);
        else
            memcpy(content + i * element, what->texts[i % VALUES], element < TEXT ? element : TEXT);
    return content;
}

/* Puts a chunk of zeros into the first place without HDF5's filters, perhaps longer or shorter than it should be, or
 * deflated where it should not. Bits of `stored`: 0, 1: HDF5's mask of filters that were left out; 2: deflated; 3:
 * wrong checksum; 4, 5: bytes cut off; 6 to 9: logarithm of the elements; 10: 17 instead of zeros. */
static void write_stored(hid_t dataset, unsigned stored) {
    size_t size = (size_t)1 << (stored >> 6 & 15);
    uint8_t *content = cmus_allocate(size, 1), *chunk = cmus_allocate(cmus_chunk_room(size, 1), 1);
    if (stored >> 10 & 1)
        memset(content, 17, size);
    uint32_t skipped;
    size_t length = cmus_chunk_store(content, size, stored & 4 ? 1 : 0, chunk, &skipped);
    if (stored & 8)
        chunk[length - 1] ^= 1;
    length -= (stored >> 4 & 3) < length ? stored >> 4 & 3 : 0;
    H5Dwrite_chunk(dataset, H5P_DEFAULT, stored & 3, (hsize_t[RANKS]){0}, length, chunk);
    cmus_free(chunk);
    cmus_free(content);
}

/* HDF5 lists all chunks of an array, and takes a chunk into memory, as soon as it writes one. Its own count of elements
 * may overflow. */
static bool is_small(const object *what, hid_t type, hid_t space) {
    hssize_t count = H5Sget_simple_extent_npoints(space);
    hsize_t chunk = H5Tget_size(type);
    for (int i = 0; i < what->rank; i++) {
        if (what->size[i] >= 1 << 12)
            return false;
        if (chunk < MOST_BYTES)
            chunk *= what->chunk[i] < MOST_BYTES ? what->chunk[i] : MOST_BYTES;
    }
    return count > 0 && count < MOST_BYTES && (what->layout == CONTIGUOUS || chunk < MOST_BYTES);
}

static void fill_dataset(hid_t dataset, const object *what, hid_t type, hid_t space) {
    bool elsewhere = what->layout == EXTERNAL_FILE || what->layout == VIRTUAL;
    bool odd = what->filters & (NBIT | SCALE_OFFSET | SZIP); /* which HDF5 1.10.8 can't always apply without crashing */
    if (what->fill & 4 || elsewhere || odd || !is_small(what, type, space))
        return;
    hid_t given = type;
    void *content = make_content(what, type, (size_t)H5Sget_simple_extent_npoints(space), &given);
    hid_t transfer = H5Pcreate(H5P_DATASET_XFER);
    H5Pset_buffer(transfer, MOST_BYTES, NULL,
                  NULL); /* else a megabyte for each array is cleared, most of the time of a run */
    if (content)
        H5Dwrite(dataset, given, H5S_ALL, H5S_ALL, transfer, content);
    H5Pclose(transfer);
    cmus_free(content);
    if (what->stored)
        write_stored(dataset, what->stored);
}

static void write_dataset(hid_t file, const object *what) {
    hid_t type = make_type(what), space = make_space(what, what->layout == GROWING_ALL);
    hid_t properties = make_properties(what, space);
    hid_t dataset = H5Dcreate2(file, what->name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    if (dataset >= 0) {
        fill_dataset(dataset, what, type, space);
        H5Dclose(dataset);
    }
    H5Pclose(properties);
    if (space >= 0)
        H5Sclose(space);
    H5Tclose(type);
}

static void write_attribute(hid_t file, const object *what) {
    hid_t type = make_type(what), space = make_space(what, false), given = type;
    hssize_t count = space < 0 ? -1 : H5Sget_simple_extent_npoints(space);
    if (count >= 0 && count < MOST_BYTES) { /* HDF5 takes all of an attribute into memory */
        hid_t attribute = H5Acreate2(file, what->name, type, space, H5P_DEFAULT, H5P_DEFAULT);
        void *content = attribute < 0 ? NULL : make_content(what, type, (size_t)count, &given);
        if (content)
            H5Awrite(attribute, given, content);
        cmus_free(content);
        if (attribute >= 0)
            H5Aclose(attribute);
    }
    if (space >= 0)
        H5Sclose(space);
    H5Tclose(type);
}

static void write_object(hid_t file, const object *what, bool attribute) {
    hid_t made = H5I_INVALID_HID;
    switch (what->kind) {
    case NORMAL:
        attribute ? write_attribute(file, what) : write_dataset(file, what);
        break;
    case GROUP:
        made = H5Gcreate2(file, what->name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        break;
    case NAMED_TYPE:
        made = make_type(what);
        H5Tcommit2(file, what->name, made, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        break;
    case SOFT_LINK:
        H5Lcreate_soft("tem", file, what->name, H5P_DEFAULT, H5P_DEFAULT);
        break;
    case SOFT_LOOP:
        H5Lcreate_soft(what->name, file, what->name, H5P_DEFAULT, H5P_DEFAULT);
        break;
    case HARD_LINK:
        H5Lcreate_hard(file, "/", file, what->name, H5P_DEFAULT, H5P_DEFAULT);
        break;
    case EXTERNAL_LINK:
        H5Lcreate_external("/dev/null", "/", file, what->name, H5P_DEFAULT, H5P_DEFAULT);
        break;
    default: /* absent */
        break;
    }
    if (made >= 0)
        H5Oclose(made);
}

/* Leaves out what belongs to a modality that the shard is not to have. */
static void drop_modalities(const bool has[CMUS_IMAGE_KINDS], object objects[OBJECTS]) {
    if (!has[CMUS_IMAGE_TEM])
        objects[TEM_OFFSET].kind = ABSENT;
    objects[SOURCE].size[0] = 0;
    for (int kind = 0; kind < CMUS_IMAGE_KINDS; kind++)
        for (int i = SOURCE + 1; i < FIRST_ATTRIBUTE; i++)
            if (strcmp(objects[i].name, cmus_image_array((cmus_image_kind)kind)) == 0) {
                objects[i].kind = has[kind] ? NORMAL : ABSENT;
                objects[SOURCE].size[0] += has[kind] ? objects[i].size[0] : 0;
            }
    objects[SOURCE].chunk[0] = objects[SOURCE].size[0];
}

void cmus_shard_recipe_write(const char *path, const bool has[CMUS_IMAGE_KINDS], const uint8_t *recipe, size_t size) {
    object objects[OBJECTS];
    make_right(objects);
    drop_modalities(has, objects);
    for (; size >= 4; recipe += 4, size -= 4)
        change(&objects[recipe[0] % OBJECTS], recipe[1] % PROPERTIES, recipe[2] + 256u * recipe[3]);
    cmus_hdf5_quiet();
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), creation = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    H5Pset_file_locking(access, false, true);
    H5Pset_obj_track_times(creation, false);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, creation, access);
    for (int i = 0; i < OBJECTS && file >= 0; i++)
        write_object(file, &objects[i], i >= FIRST_ATTRIBUTE);
    if (file >= 0)
        H5Fclose(file);
    H5Pclose(creation);
    H5Pclose(access);
}
