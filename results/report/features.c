#include "report/features.h"

#include <math.h>
#include <string.h>

#include "cmus/file.h"
#include "cmus/memory.h"
#include "cmus/safetensors.h"

static const char file_name[] = "features.safetensors";
enum { MOST_DIMENSIONS = 1 << 20, BLOCK_ELEMENTS = 1 << 18 };

static const char *tensor_name(report_head head) {
    return head == REPORT_FUSION ? "fused" : report_head_keys[head];
}

/* Reads a part of the tensor and proves that each number of it is finite. */
static cmus_status read_finite(const char *path, cmus_safetensors *file, const cmus_stored_tensor *tensor, size_t first,
                               size_t count, float *values) {
    CMUS_TRY(cmus_safetensors_read_part(file, tensor, first * sizeof(float), count * sizeof(float), values));
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return cmus_fail(CMUS_ERROR_DATA, "%s: tensor '%s', row %zu: %g is no finite number", path, tensor->name,
                             (first + i) / (size_t)tensor->shape[1], (double)values[i]);
    return CMUS_OK;
}

static cmus_status check_tensor(const char *path, cmus_safetensors *file, const cmus_stored_tensor *tensor,
                                size_t cases) {
    if (strcmp(tensor->type, "F32") != 0 || tensor->dimensions != 2)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: tensor '%s' is %s with %d dimensions, not F32 with 2", path,
                         tensor->name, tensor->type, tensor->dimensions);
    if (tensor->shape[0] != (int64_t)cases)
        return cmus_fail(CMUS_ERROR_DATA, "%s: tensor '%s' has %lld rows, but predictions.csv has %zu cases", path,
                         tensor->name, (long long)tensor->shape[0], cases);
    if (tensor->shape[1] < 1 || tensor->shape[1] > MOST_DIMENSIONS)
        return cmus_fail(CMUS_ERROR_LIMIT, "%s: tensor '%s' has %lld numbers a case, not within 1 ... %d", path,
                         tensor->name, (long long)tensor->shape[1], MOST_DIMENSIONS);
    float *values = cmus_allocate_raw(BLOCK_ELEMENTS, sizeof(float));
    cmus_status status = CMUS_OK;
    for (size_t at = 0; at < tensor->elements && status == CMUS_OK; at += BLOCK_ELEMENTS) {
        size_t left = tensor->elements - at;
        status = read_finite(path, file, tensor, at, left < BLOCK_ELEMENTS ? left : BLOCK_ELEMENTS, values);
    }
    cmus_free(values);
    return status;
}

static cmus_status check_tensors(const char *path, cmus_safetensors *file, size_t cases, report_features *features) {
    for (int head = 0; head < REPORT_HEADS; head++) {
        const cmus_stored_tensor *tensor = cmus_safetensors_find(file, tensor_name(head));
        if (!tensor)
            continue;
        CMUS_TRY(check_tensor(path, file, tensor, cases));
        features->dimensions[head] = (size_t)tensor->shape[1];
    }
    if (!features->dimensions[REPORT_FUSION])
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: there is no tensor '%s'", path, tensor_name(REPORT_FUSION));
    return CMUS_OK;
}

/* A file that the folder's manifest does not list is not of the training that ended there. */
static cmus_status check_listed(const char *folder) {
    cmus_status status = cmus_manifest_check_file(folder, file_name);
    return status == CMUS_ERROR_NOT_FOUND ? CMUS_OK : status;
}

cmus_status report_features_check(const char *folder, size_t cases, report_features *features) {
    *features = (report_features){0};
    char *path = cmus_path_join(folder, file_name);
    cmus_safetensors *file = NULL;
    cmus_status status = CMUS_OK;
    if (cmus_file_exists(path)) {
        status = check_listed(folder);
        if (status == CMUS_OK)
            status = cmus_safetensors_open(path, &file);
        if (status == CMUS_OK)
            status = check_tensors(path, file, cases, features);
        features->present = status == CMUS_OK;
    }
    cmus_safetensors_close(file);
    cmus_free(path);
    return status;
}

static cmus_status read_rows(const char *path, cmus_safetensors *file, report_head head, size_t dimensions,
                             const size_t *cases, size_t count, float *values) {
    const cmus_stored_tensor *tensor = cmus_safetensors_find(file, tensor_name(head));
    if (!tensor || strcmp(tensor->type, "F32") != 0 || tensor->dimensions != 2 ||
        tensor->shape[1] != (int64_t)dimensions)
        return cmus_fail(CMUS_ERROR_DATA, "%s: the file was exchanged while the report was made", path);
    for (size_t i = 0; i < count; i++) {
        if (cases[i] >= (size_t)tensor->shape[0])
            return cmus_fail(CMUS_ERROR_DATA, "%s: the file was exchanged while the report was made", path);
        CMUS_TRY(read_finite(path, file, tensor, cases[i] * dimensions, dimensions, values + i * dimensions));
    }
    return CMUS_OK;
}

cmus_status report_features_read(const char *folder, const report_features *features, report_head head,
                                 const size_t *cases, size_t count, float *values) {
    char *path = cmus_path_join(folder, file_name);
    cmus_safetensors *file;
    cmus_status status = cmus_safetensors_open(path, &file);
    if (status == CMUS_OK)
        status = read_rows(path, file, head, features->dimensions[head], cases, count, values);
    cmus_safetensors_close(file);
    cmus_free(path);
    return status;
}
