#include "scratch_dataset.h"

#include <stdio.h>
#include <string.h>

#include "cmus/dataset_index.h"
#include "cmus/memory.h"
#include "shard_writer.h"
#include "unit.h"

static const char shard_name[] = "shard-00000.h5";

cmus_status scratch_dataset_image(void *side, size_t number, int channels, uint8_t *pixels) {
    int edge = *(const int *)side;
    for (int i = 0; i < edge * edge * channels; i++)
        pixels[i] = (uint8_t)((number + 1) * 37 + (size_t)i * (3 + number % 50) + (size_t)i / 251);
    return CMUS_OK;
}

const char *scratch_dataset_shard(const scratch_dataset *dataset) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", dataset->folder, shard_name);
    return path;
}

static int count_patients(const scratch_dataset *dataset) {
    int patients = 0;
    for (int i = 0; i < dataset->cases; i++) {
        int first = 0;
        while (dataset->patients && strcmp(dataset->patients[first], dataset->patients[i]) != 0)
            first++;
        patients += !dataset->patients || first == i;
    }
    return patients;
}

void scratch_dataset_write(scratch_dataset *dataset) {
    static const char *const classes[2] = {"A", "B"};
    int cases = dataset->cases;
    CU_ASSERT_FATAL(cases <= SCRATCH_CASES_MAX);
    int64_t tem_offset[SCRATCH_CASES_MAX + 1] = {0};
    int32_t label[SCRATCH_CASES_MAX];
    const char *ids[SCRATCH_CASES_MAX];
    for (int i = 0; i < cases; i++) {
        tem_offset[i + 1] = tem_offset[i] + (dataset->lacks[CMUS_IMAGE_TEM] ? 0 : dataset->bag_of(i));
        label[i] = i % 2;
        snprintf(dataset->case_ids[i], SCRATCH_ID_SIZE, "%s/p%d", classes[i % 2], i);
        ids[i] = dataset->case_ids[i];
    }
    const bool has[CMUS_IMAGE_KINDS] = {!dataset->lacks[0], !dataset->lacks[1], !dataset->lacks[2]};
    int images = (has[CMUS_IMAGE_OM] + has[CMUS_IMAGE_IM]) * cases + (int)tem_offset[cases];
    const char **source = cmus_allocate((size_t)images, sizeof *source);
    for (int i = 0; i < images; i++)
        source[i] = "0  file";
    cmus_folder_remove(dataset->folder);
    CU_ASSERT_EQUAL_FATAL(cmus_folder_make(dataset->folder), CMUS_OK);
    cmus_shard_entry entry = {.file = (char *)shard_name, .cases = cases};
    cmus_shard_content content = {.image_size = dataset->side,
                                  .classes = classes,
                                  .class_count = 2,
                                  .cases = cases,
                                  .has = {has[0], has[1], has[2]},
                                  .tem_offset = tem_offset,
                                  .label = label,
                                  .case_id = ids,
                                  .patient_id = dataset->patients ? dataset->patients : ids,
                                  .source = source,
                                  .tem_channels = dataset->tem_channels ? dataset->tem_channels : 3,
                                  .compression = dataset->compression,
                                  .image = scratch_dataset_image,
                                  .data = &dataset->side};
    CU_ASSERT_EQUAL_FATAL(cmus_shard_write(scratch_dataset_shard(dataset), &content, entry.sha256), CMUS_OK);
    cmus_free(source);
    cmus_dataset_index index = {.tool_version = "1",
                                .image_size = dataset->side,
                                .class_count = 2,
                                .classes = (char **)classes,
                                .has = {has[0], has[1], has[2]},
                                .cases = cases,
                                .patients = count_patients(dataset),
                                .images = images,
                                .options = "{}",
                                .statistics = (char *)dataset->statistics,
                                .shard_count = 1,
                                .shards = &entry};
    for (size_t i = 0; i < dataset->further_count; i++) {
        char *path = cmus_path_join(dataset->folder, dataset->further[i]);
        CU_ASSERT_EQUAL_FATAL(cmus_file_write(path, "severity,case_id\n", 17), CMUS_OK);
        cmus_free(path);
    }
    CU_ASSERT_EQUAL_FATAL(cmus_dataset_index_write(dataset->folder, &index, dataset->further, dataset->further_count),
                          CMUS_OK);
}
