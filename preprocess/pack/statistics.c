#include "statistics.h"

#include <jansson.h>
#include <stdlib.h>

#include "cmus/memory.h"

enum { TYPES = 3 };
static const char *const type_names[TYPES] = {[CMUS_JPEG] = "jpeg", [CMUS_PNG] = "png", [CMUS_TIFF] = "tiff"};

/* The used images of one modality. */
typedef struct image_sizes {
    size_t count;
    int *width, *height, *bits; /* [count], later sorted */
} image_sizes;

static int compare_integers(const void *a, const void *b) {
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* [smallest, median, largest]; of an even number the lower median, so that it is a size that is there. */
static json_t *describe_range(int *values, size_t count) {
    qsort(values, count, sizeof *values, compare_integers);
    return json_pack("[i, i, i]", values[0], values[(count - 1) / 2], values[count - 1]);
}

/* {"8": 12, "16": 3}: how many have so many bits, in rising order. */
static json_t *describe_bits(int *bits, size_t count) {
    json_t *object = json_object();
    qsort(bits, count, sizeof *bits, compare_integers);
    for (size_t first = 0, end; first < count; first = end) {
        char name[16];
        for (end = first; end < count && bits[end] == bits[first];)
            end++;
        snprintf(name, sizeof name, "%d", bits[first]);
        json_object_set_new(object, name, json_integer((json_int_t)(end - first)));
    }
    return object;
}

static json_t *describe_kind(const cmus_case_list *list, const cmus_prepared_image *prepared, const bool *used,
                             cmus_image_kind kind, image_sizes *sizes) {
    json_int_t types[TYPES] = {0}, gray = 0;
    sizes->count = 0;
    for (size_t i = 0; i < list->image_count; i++) {
        if (!used[i] || list->images[i].kind != kind)
            continue;
        types[prepared[i].type]++;
        gray += prepared[i].gray;
        sizes->width[sizes->count] = prepared[i].width;
        sizes->height[sizes->count] = prepared[i].height;
        sizes->bits[sizes->count++] = prepared[i].bits;
    }
    json_t *named = json_object();
    for (int type = 0; type < TYPES; type++)
        json_object_set_new(named, type_names[type], json_integer(types[type]));
    json_t *bits = describe_bits(sizes->bits, sizes->count);
    return json_pack("{s:I, s:o, s:I, s:o, s:o, s:o}", "images", (json_int_t)sizes->count, "types", named, "gray", gray,
                     "bits", bits, "width", describe_range(sizes->width, sizes->count), "height",
                     describe_range(sizes->height, sizes->count));
}

/* The images of cases that are in the data set; those of rejected cases stay in the list. */
static bool *mark_used(const cmus_case_list *list) {
    bool *used = cmus_allocate(list->image_count, sizeof *used);
    for (size_t i = 0; i < list->case_count; i++) {
        const cmus_source_case *one = &list->cases[i];
        if (list->has[CMUS_IMAGE_OM])
            used[one->om] = true;
        if (list->has[CMUS_IMAGE_IM])
            used[one->im] = true;
        for (int tem = 0; list->has[CMUS_IMAGE_TEM] && tem < one->tem_count; tem++)
            used[one->first_tem + (size_t)tem] = true;
    }
    return used;
}

char *cmus_describe_images(const cmus_case_list *list, const cmus_prepared_image *prepared) {
    static const cmus_image_kind order[CMUS_IMAGE_KINDS] = {CMUS_IMAGE_OM, CMUS_IMAGE_IM, CMUS_IMAGE_TEM};
    bool *used = mark_used(list);
    image_sizes sizes = {.width = cmus_allocate(list->image_count, sizeof(int)),
                         .height = cmus_allocate(list->image_count, sizeof(int)),
                         .bits = cmus_allocate(list->image_count, sizeof(int))};
    json_t *root = json_object();
    for (int i = 0; i < CMUS_IMAGE_KINDS; i++)
        if (list->has[order[i]])
            json_object_set_new(root, cmus_image_array(order[i]),
                                describe_kind(list, prepared, used, order[i], &sizes));
    char *text = json_dumps(root, JSON_COMPACT), *copy = cmus_copy_string(text);
    free(text);
    json_decref(root);
    cmus_free(sizes.width);
    cmus_free(sizes.height);
    cmus_free(sizes.bits);
    cmus_free(used);
    return copy;
}
