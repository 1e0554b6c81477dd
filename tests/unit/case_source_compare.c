/* Whether cases have the same pixels from their image files and from the data set that cmus-pack made of these:
 * case_source_compare TREE DATA [plain]. Images are made as dataset.json says; plain: by the defaults. Exit code 1 if
 * one differs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/case_source.h"
#include "cmus/dataset_index.h"
#include "cmus/memory.h"
#include "cmus/program.h"

typedef struct pixels {
    uint8_t *of[CMUS_IMAGE_KINDS];
} pixels;

static pixels take_room(int size, int tem_count) {
    size_t image = (size_t)size * (size_t)size * 3;
    return (pixels){
        {cmus_allocate(image, (size_t)tem_count), cmus_allocate_raw(image, 1), cmus_allocate_raw(image, 1)}};
}

static void give_back(pixels *own) {
    for (int kind = 0; kind < CMUS_IMAGE_KINDS; kind++)
        cmus_free(own->of[kind]);
}

static cmus_status read_case(cmus_case_source *source, int index, pixels *to) {
    return cmus_case_source_read(source, index, 0, to->of[CMUS_IMAGE_OM], to->of[CMUS_IMAGE_IM],
                                 to->of[CMUS_IMAGE_TEM]);
}

/* Images that differ, in *differ. */
static cmus_status compare_case(cmus_case_source *tree, cmus_case_source *data, int index, int size, int *differ) {
    static const int order[] = {CMUS_IMAGE_TEM, CMUS_IMAGE_OM, CMUS_IMAGE_IM};
    cmus_case_facts facts = cmus_case_source_case(data, index), other = cmus_case_source_case(tree, index);
    if (strcmp(facts.case_id, other.case_id) != 0 || strcmp(facts.class_name, other.class_name) != 0 ||
        facts.tem_count != other.tem_count)
        return cmus_fail(CMUS_ERROR_MISMATCH, "case %d is %s here and %s there", index, other.case_id, facts.case_id);
    size_t image = (size_t)size * (size_t)size * 3;
    pixels a = take_room(size, facts.tem_count), b = take_room(size, facts.tem_count);
    cmus_status status = read_case(tree, index, &a);
    if (status == CMUS_OK)
        status = read_case(data, index, &b);
    for (int k = 0; status == CMUS_OK && k < CMUS_IMAGE_KINDS; k++)
        for (int i = 0; i < (order[k] == CMUS_IMAGE_TEM ? facts.tem_count : 1); i++) {
            char *name = cmus_case_source_image_name(tree, index, (cmus_image_kind)order[k], i);
            char *name_there = cmus_case_source_image_name(data, index, (cmus_image_kind)order[k], i);
            if (strcmp(name, name_there) != 0 ||
                memcmp(a.of[order[k]] + (size_t)i * image, b.of[order[k]] + (size_t)i * image, image) != 0) {
                printf("%s: %s differs from %s\n", facts.case_id, name, name_there);
                ++*differ;
            }
            cmus_free(name);
            cmus_free(name_there);
        }
    give_back(&a);
    give_back(&b);
    return status;
}

static cmus_status compare(const char *folder, const char *data_folder, bool plain, int *differ) {
    cmus_dataset_index index;
    char hash[CMUS_SHA256_TEXT];
    CMUS_TRY(cmus_dataset_index_read(data_folder, &index, hash));
    cmus_case_source_options options = {.image_size = index.image_size, .images = plain ? NULL : index.options};
    cmus_case_source *tree, *data = NULL;
    cmus_status status = cmus_case_source_open_trees(&folder, 1, &options, &tree);
    if (status == CMUS_OK)
        status = cmus_case_source_open_data(data_folder, NULL, &options, &data);
    if (status == CMUS_OK && cmus_case_source_count(tree) != cmus_case_source_count(data))
        status = cmus_fail(CMUS_ERROR_MISMATCH, "%d and %d cases", cmus_case_source_count(tree),
                           cmus_case_source_count(data));
    for (int i = 0; status == CMUS_OK && i < cmus_case_source_count(data); i++)
        status = compare_case(tree, data, i, index.image_size, differ);
    if (status == CMUS_OK)
        printf("%d cases compared, %d images differ\n", cmus_case_source_count(data), *differ);
    cmus_case_source_close(tree);
    cmus_case_source_close(data);
    cmus_dataset_index_free(&index);
    return status;
}

int main(int argc, char **argv) {
    cmus_program_begin("case_source_compare");
    int differ = 0;
    if (argc < 3) {
        fprintf(stderr, "usage: case_source_compare TREE DATA [plain]\n");
        return 2;
    }
    int code = cmus_program_end(compare(argv[1], argv[2], argc > 3, &differ));
    return code ? code : differ > 0;
}
