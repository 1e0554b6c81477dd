#include "golden_file.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/random.h"

enum { PRESET_LIMIT = 1 << 20 };

static cmus_status read_attribute(hid_t file, const char *path, char **text) {
    *text = NULL;
    hid_t attribute = H5Aopen(file, "preset", H5P_DEFAULT);
    hid_t type = attribute >= 0 ? H5Aget_type(attribute) : -1;
    cmus_status status = CMUS_OK;
    if (type < 0 || H5Tis_variable_str(type) <= 0) {
        status = cmus_fail(CMUS_ERROR_FORMAT, "%s: has no text attribute 'preset'; is it a golden file?", path);
    } else {
        char *found = NULL;
        if (H5Aread(attribute, type, &found) < 0 || !found || strlen(found) > PRESET_LIMIT)
            status = cmus_fail(CMUS_ERROR_FORMAT, "%s: the attribute 'preset' can't be read", path);
        else
            *text = cmus_copy_string(found);
        H5free_memory(found);
    }
    if (type >= 0)
        H5Tclose(type);
    if (attribute >= 0)
        H5Aclose(attribute);
    return status;
}

static int read_list(json_t *object, const char *key, int *list, int most) {
    json_t *array = json_object_get(object, key);
    int count = (int)json_array_size(array);
    for (int i = 0; i < count && i < most; i++)
        list[i] = (int)json_integer_value(json_array_get(array, (size_t)i));
    return count;
}

static int read_integer(json_t *object, const char *key) {
    return (int)json_integer_value(json_object_get(object, key));
}

static double read_number(json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static cmus_status read_preset(const char *path, const char *text, golden_preset *preset) {
    json_t *root = json_loads(text, 0, NULL), *weights = json_object_get(root, "loss_weights");
    if (!root)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: the attribute 'preset' is not JSON", path);
    cmus_net_config *net = &preset->net;
    *net = cmus_net_config_published();
    net->embed_dim = read_integer(root, "embed_dim");
    int depths = read_list(root, "depths", net->depths, CMUS_STAGES);
    int heads = read_list(root, "heads", net->heads, CMUS_STAGES);
    net->image_size = read_integer(root, "image");
    net->classes = read_integer(root, "classes");
    net->attention_heads = read_integer(root, "cmsa_heads");
    net->fusion_hidden = read_integer(root, "hidden");
    net->distance_t = read_number(root, "threshold");
    net->drop_path = read_number(root, "drop_path");
    net->dropout = read_number(root, "dropout");
    const char *attention = json_string_value(json_object_get(root, "attention"));
    net->attention = attention && strcmp(attention, "multihead") == 0 ? CMUS_ATTENTION_MULTIHEAD : CMUS_ATTENTION_CMSA;
    for (int h = 0; h < CMUS_HEADS; h++)
        net->loss_weight[h] = read_number(weights, cmus_head_names[h]);
    preset->seed = (uint64_t)json_integer_value(json_object_get(root, "seed"));
    preset->lr = read_number(root, "lr");
    preset->weight_decay = read_number(root, "weight_decay");
    preset->reverse = json_is_true(json_object_get(root, "reverse"));
    preset->steps = read_integer(root, "steps");
    preset->cases = read_list(root, "bags", preset->bags, GOLDEN_MAX_CASES);
    int labels = read_list(root, "labels", preset->labels, GOLDEN_MAX_CASES);
    json_decref(root);
    if (depths != CMUS_STAGES || heads != CMUS_STAGES || labels != preset->cases || preset->cases < 1 ||
        preset->cases > GOLDEN_MAX_CASES || preset->steps < 1)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: the attribute 'preset' lacks something", path);
    for (int c = 0; c < preset->cases; c++)
        if (preset->bags[c] < 1 || preset->labels[c] < 0 || preset->labels[c] >= net->classes)
            return cmus_fail(CMUS_ERROR_FORMAT, "%s: case %d of the attribute 'preset' is impossible", path, c);
    return CMUS_OK;
}

cmus_status golden_open(const char *path, hid_t *file, golden_preset *preset) {
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    *file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (*file < 0)
        return cmus_fail(CMUS_ERROR_FORMAT, "%s: can't be opened as HDF5", path);
    char *text = NULL;
    cmus_status status = read_attribute(*file, path, &text);
    if (status == CMUS_OK)
        status = read_preset(path, text, preset);
    cmus_free(text);
    if (status != CMUS_OK)
        H5Fclose(*file);
    return status;
}

cmus_status golden_read(hid_t file, const char *name, size_t count, double **values) {
    *values = NULL;
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    if (set < 0)
        return cmus_fail(CMUS_ERROR_NOT_FOUND, "the dataset %s is missing", name);
    hid_t space = H5Dget_space(set);
    hssize_t size = H5Sget_simple_extent_npoints(space);
    H5Sclose(space);
    cmus_status status = CMUS_OK;
    if (size < 0 || (size_t)size != count) {
        status =
            cmus_fail(CMUS_ERROR_FORMAT, "the dataset %s has %lld elements, not %zu", name, (long long)size, count);
    } else {
        *values = cmus_allocate_raw(count, sizeof **values);
        if (H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, *values) < 0) {
            cmus_free(*values);
            *values = NULL;
            status = cmus_fail(CMUS_ERROR_FORMAT, "the dataset %s can't be read", name);
        }
    }
    H5Dclose(set);
    return status;
}

/* Element i of noise(seed, name): uniform in [-1, 1). */
static double noise(uint64_t seed, const char *name, size_t i) {
    return 2 * cmus_uniform_at(cmus_hash_text(name) + seed, i) - 1;
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), size = strlen(end);
    return length >= size && strcmp(text + length - size, end) == 0;
}

void golden_parameters(const cmus_parameters *parameters, uint64_t seed, float *weights) {
#pragma omp parallel for schedule(dynamic)
    for (size_t t = 0; t < parameters->count; t++) {
        const cmus_tensor *tensor = &parameters->tensors[t];
        double fan_in = (double)tensor->size / tensor->shape[0], scale = sqrt(3.0 / fan_in), middle = 0;
        if (ends_with(tensor->name, "relative_position_bias_table")) {
            scale = 0.5;
        } else if (tensor->dimensions == 1) {
            scale = 0.1;
            middle = ends_with(tensor->name, "weight") ? 1.0 : 0.0;
        }
        uint64_t key = cmus_hash_text(tensor->name) + seed;
        for (size_t i = 0; i < tensor->size; i++)
            weights[tensor->offset + i] = (float)(middle + scale * (2 * cmus_uniform_at(key, i) - 1));
    }
}

static float *golden_image(uint64_t seed, const char *name, size_t size) {
    float *image = cmus_allocate_raw(size, sizeof *image);
    for (size_t i = 0; i < size; i++)
        image[i] = (float)noise(seed, name, i);
    return image;
}

/* TEM images: a shared base with growing noise; in bags of 4 or more the last is far off; `reverse` turns the bag
 * round. */
static float *golden_bag(const golden_preset *preset, int index, size_t size) {
    int count = preset->bags[index];
    float *bag = cmus_allocate_raw((size_t)count * size, sizeof *bag);
    char base[64];
    snprintf(base, sizeof base, "case%d.tem", index);
    for (int i = 0; i < count; i++) {
        int j = preset->reverse ? count - 1 - i : i;
        double amount = j == count - 1 && count >= 4 ? 2.0 : 0.15 * j;
        char name[64];
        snprintf(name, sizeof name, "case%d.tem%d", index, j);
        uint64_t base_key = cmus_hash_text(base) + preset->seed, key = cmus_hash_text(name) + preset->seed;
#pragma omp parallel for schedule(static)
        for (size_t k = 0; k < size; k++)
            bag[(size_t)i * size + k] = (float)((2 * cmus_uniform_at(base_key, k) - 1) * (1 - 0.15 * j) +
                                                (2 * cmus_uniform_at(key, k) - 1) * amount);
    }
    return bag;
}

static float kept_or_dropped(uint64_t seed, const char *name, size_t i, double p) {
    return (noise(seed, name, i) + 1) / 2 >= p ? (float)(1 / (1 - p)) : 0;
}

static float *golden_depth(const golden_preset *preset, const cmus_net *net, int step, int index,
                           cmus_modality modality, int images) {
    static const char *const branches[2] = {"attn", "mlp"};
    int blocks = cmus_net_blocks(net);
    float *depth = cmus_allocate((size_t)(images * blocks * 2), sizeof *depth);
    for (int i = 0; i < images; i++)
        for (int b = 0; b < blocks; b++)
            for (int branch = 0; branch < 2; branch++) {
                double p = cmus_net_drop_probability(net, b);
                char name[128];
                snprintf(name, sizeof name, "step%d.case%d.%s%d.block%d.%s", step, index, cmus_modality_names[modality],
                         i, b, branches[branch]);
                depth[(i * blocks + b) * 2 + branch] = p == 0 ? 1.0f : kept_or_dropped(preset->seed, name, 0, p);
            }
    return depth;
}

cmus_case golden_case(const golden_preset *preset, const cmus_net *net, int step, int index) {
    size_t size = 3 * (size_t)preset->net.image_size * (size_t)preset->net.image_size;
    char name[64];
    cmus_case result = {.tem_count = preset->bags[index], .label = preset->labels[index]};
    result.images[CMUS_TEM] = golden_bag(preset, index, size);
    snprintf(name, sizeof name, "case%d.om", index);
    result.images[CMUS_OM] = golden_image(preset->seed, name, size);
    snprintf(name, sizeof name, "case%d.im", index);
    result.images[CMUS_IM] = golden_image(preset->seed, name, size);
    for (int m = 0; m < CMUS_MODALITIES; m++)
        if (preset->net.drop_path > 0)
            result.depth[m] =
                golden_depth(preset, net, step, index, (cmus_modality)m, m == CMUS_TEM ? result.tem_count : 1);
    if (preset->net.dropout > 0) {
        float *dropout = cmus_allocate((size_t)preset->net.fusion_hidden, sizeof *dropout);
        snprintf(name, sizeof name, "step%d.case%d.dropout", step, index);
        for (int h = 0; h < preset->net.fusion_hidden; h++)
            dropout[h] = kept_or_dropped(preset->seed, name, (size_t)h, preset->net.dropout);
        result.dropout = dropout;
    }
    return result;
}

void golden_case_free(cmus_case *one) {
    for (int m = 0; m < CMUS_MODALITIES; m++) {
        cmus_free((void *)one->images[m]);
        cmus_free((void *)one->depth[m]);
    }
    cmus_free((void *)one->dropout);
}
