#include "case_list.h"

#include <string.h>
#include <strings.h>

#include "cmus/file.h"
#include "cmus/memory.h"
#include "names.h"

const char *cmus_image_kind_name(cmus_image_kind kind) {
    return kind == CMUS_IMAGE_OM ? "OM" : kind == CMUS_IMAGE_IM ? "IM" : "TEM";
}

int cmus_image_kind_parse(const char *word, size_t length) {
    for (int kind = 0; kind < CMUS_IMAGE_KINDS; kind++) {
        const char *name = cmus_image_kind_name((cmus_image_kind)kind);
        if (strlen(name) == length && strncasecmp(word, name, length) == 0)
            return kind;
    }
    return CMUS_IMAGE_KINDS;
}

bool cmus_name_prefix_parse(const char *text, cmus_name_prefix *prefix) {
    const char *equals = strrchr(text, '=');
    int kind = equals ? cmus_image_kind_parse(equals + 1, strlen(equals + 1)) : CMUS_IMAGE_KINDS;
    if (!equals || equals == text || kind == CMUS_IMAGE_KINDS)
        return false;
    *prefix = (cmus_name_prefix){cmus_format_string("%.*s", (int)(equals - text), text), (cmus_image_kind)kind};
    return true;
}

size_t cmus_case_list_add_class(cmus_case_list *list, const char *name) {
    list->classes = cmus_grow(list->classes, &list->class_capacity, list->class_count + 1, sizeof *list->classes);
    list->classes[list->class_count] = cmus_copy_string(name);
    return list->class_count++;
}

size_t cmus_case_list_add_case(cmus_case_list *list, const cmus_source_case *one) {
    list->cases = cmus_grow(list->cases, &list->case_capacity, list->case_count + 1, sizeof *list->cases);
    list->cases[list->case_count] = *one;
    return list->case_count++;
}

size_t cmus_case_list_add_image(cmus_case_list *list, const cmus_source_image *image) {
    list->images = cmus_grow(list->images, &list->image_capacity, list->image_count + 1, sizeof *list->images);
    list->images[list->image_count] = *image;
    return list->image_count++;
}

void cmus_case_list_reject(cmus_case_list *list, size_t number, const char *why) {
    if (!list->cases[number].rejected)
        list->cases[number].rejected = cmus_name_escape(why);
}

static void free_case(cmus_source_case *one) {
    cmus_free(one->case_id);
    cmus_free(one->patient_id);
    cmus_free(one->place);
    cmus_free(one->class_name);
    cmus_free(one->rejected);
}

void cmus_case_list_drop_rejected(cmus_case_list *list) {
    size_t kept = 0;
    for (size_t i = 0; i < list->case_count; i++)
        if (list->cases[i].rejected)
            free_case(&list->cases[i]);
        else
            list->cases[kept++] = list->cases[i];
    list->case_count = kept;
}

size_t cmus_case_list_count_images(const cmus_case_list *list) {
    size_t images = 0;
    for (size_t i = 0; i < list->case_count; i++)
        images += (size_t)(list->cases[i].om != CMUS_NO_IMAGE) + (size_t)(list->cases[i].im != CMUS_NO_IMAGE) +
                  (size_t)list->cases[i].tem_count;
    return images;
}

int cmus_case_list_class(const cmus_case_list *list, const char *name) {
    for (size_t i = 0; i < list->class_count; i++)
        if (strcmp(list->classes[i], name) == 0)
            return (int)i;
    return -1;
}

cmus_status cmus_rejected_write(const char *path, const cmus_case_list *list) {
    cmus_file_writer *writer;
    CMUS_TRY(cmus_file_writer_open(path, &writer));
    cmus_file_writer_print(writer, "case_id,patient_id,class,why\n");
    for (size_t i = 0; i < list->case_count; i++) {
        const cmus_source_case *one = &list->cases[i];
        if (!one->rejected)
            continue;
        const char *const fields[] = {one->case_id, one->patient_id, one->class_name, one->rejected};
        for (int k = 0; k < 4; k++) {
            cmus_file_writer_csv(writer, fields[k]);
            cmus_file_writer_add(writer, k < 3 ? "," : "\n", 1);
        }
    }
    return cmus_file_writer_commit(writer);
}

void cmus_case_list_free(cmus_case_list *list) {
    for (size_t i = 0; i < list->class_count; i++)
        cmus_free(list->classes[i]);
    for (size_t i = 0; i < list->case_count; i++)
        free_case(&list->cases[i]);
    for (size_t i = 0; i < list->image_count; i++) {
        cmus_free(list->images[i].path);
        cmus_free(list->images[i].shown);
        cmus_free(list->images[i].source);
    }
    cmus_free(list->classes);
    cmus_free(list->cases);
    cmus_free(list->images);
    memset(list, 0, sizeof *list);
}
