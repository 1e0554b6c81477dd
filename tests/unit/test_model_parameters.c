/* The table of tensors: the published network's names and sizes, initial values. */
#include <math.h>
#include <string.h>

#include "cmus/cross_attention.h"
#include "cmus/heads.h"
#include "cmus/memory.h"
#include "cmus/swin.h"
#include "unit.h"

/* The tensors of a network of these sizes, without the memory for their values. */
static cmus_parameters make_table(const cmus_net_config *config) {
    static const char *const encoders[CMUS_MODALITIES] = {"TEM_encoder", "OM_encoder", "IM_encoder"};
    cmus_parameters parameters = {0};
    cmus_swin_config swin = {.embed_dim = config->embed_dim, .image_size = config->image_size};
    memcpy(swin.depths, config->depths, sizeof swin.depths);
    memcpy(swin.heads, config->heads, sizeof swin.heads);
    for (int m = 0; m < CMUS_MODALITIES; m++)
        cmus_swin_free(cmus_swin_create(&swin, &parameters, encoders[m]));
    cmus_cross_attention_create(&parameters, "CrossAttn", 49, 8 * config->embed_dim, config->attention_heads, false);
    cmus_heads_create(&parameters, config, 8 * config->embed_dim);
    return parameters;
}

static void published_network_has_its_tensors(void) {
    static const struct {
        const char *name;
        int dimensions, shape[4];
    } some[] = {
        {"TEM_encoder.0.0.0.weight", 4, {128, 3, 4, 4}},
        {"TEM_encoder.0.0.2.bias", 1, {128}},
        {"OM_encoder.0.1.0.attn.relative_position_bias_table", 2, {169, 4}},
        {"OM_encoder.0.5.17.attn.qkv.weight", 2, {1536, 512}},
        {"IM_encoder.0.6.reduction.weight", 2, {1024, 2048}},
        {"IM_encoder.0.6.norm.weight", 1, {2048}},
        {"IM_encoder.0.7.1.mlp.0.weight", 2, {4096, 1024}},
        {"IM_encoder.0.7.1.mlp.3.bias", 1, {1024}},
        {"TEM_encoder.1.weight", 1, {1024}},
        {"CrossAttn.W_v.weight", 2, {1024, 1024}},
        {"CrossAttn.proj.bias", 1, {1024}},
        {"OM_fc.linear.weight", 2, {3, 1024}},
        {"MLP.linear1.weight", 2, {128, 3072}},
        {"MLP.linear2.bias", 1, {3}},
    };
    cmus_net_config config = cmus_net_config_published();
    cmus_parameters parameters = make_table(&config);
    CU_ASSERT_EQUAL(parameters.count, 996);
    CU_ASSERT_EQUAL(parameters.size, 264827956);
    size_t end = 0;
    for (size_t t = 0; t < parameters.count; t++) { /* one after another, without gaps */
        CU_ASSERT_EQUAL(parameters.tensors[t].offset, end);
        end += parameters.tensors[t].size;
    }
    CU_ASSERT_EQUAL(end, parameters.size);
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        const cmus_tensor *tensor = cmus_parameters_find(&parameters, some[i].name);
        CU_ASSERT_PTR_NOT_NULL_FATAL(tensor);
        CU_ASSERT_EQUAL(tensor->dimensions, some[i].dimensions);
        CU_ASSERT_EQUAL(memcmp(tensor->shape, some[i].shape, sizeof(int) * (size_t)tensor->dimensions), 0);
    }
    CU_ASSERT_PTR_NULL(cmus_parameters_find(&parameters, "IM_encoder.0.8.norm.weight"));
    cmus_parameters_free(&parameters);
}

/* Mean and standard deviation of a tensor, and its largest absolute value. */
static void statistics(const cmus_tensor *tensor, const float *weights, double result[3]) {
    double sum = 0, squares = 0, largest = 0;
    for (size_t i = tensor->offset; i < tensor->offset + tensor->size; i++) {
        double value = (double)weights[i];
        sum += value;
        squares += value * value;
        largest = fmax(largest, fabs(value));
    }
    result[0] = sum / (double)tensor->size;
    result[1] = sqrt(fmax(0, squares / (double)tensor->size - result[0] * result[0]));
    result[2] = largest;
}

/* What the tensor's values should look like, from its name. */
static void check_tensor(const cmus_tensor *tensor, const float *weights) {
    double found[3], root = sqrt((double)tensor->size);
    statistics(tensor, weights, found);
    bool encoder = strstr(tensor->name, "_encoder"), bias = strstr(tensor->name, "bias");
    if (!encoder || strstr(tensor->name, ".0.0.0.")) {
        double bound = sqrt(1.0 / tensor->fan_in);
        CU_ASSERT(found[2] <= bound);
        CU_ASSERT(tensor->size < 100 || found[2] > 0.9 * bound);
        CU_ASSERT(tensor->size < 100 || fabs(found[1] * sqrt(3) / bound - 1) < 5 / root);
        CU_ASSERT(fabs(found[0]) < 5 * bound / root);
    } else if (tensor->dimensions == 2) {
        CU_ASSERT(fabs(found[0]) < 5 * 0.02 / root);
        CU_ASSERT(fabs(found[1] / 0.02 - 1) < 5 / root);
        CU_ASSERT(found[2] < 0.02 * 7);
    } else {
        CU_ASSERT_EQUAL(found[0], bias ? 0 : 1);
        CU_ASSERT_EQUAL(found[1], 0);
    }
}

static void initial_values_follow_the_rules(void) {
    cmus_net_config config = cmus_net_config_published();
    config.embed_dim = 8;
    for (int s = 0; s < CMUS_STAGES; s++) {
        config.depths[s] = 2;
        config.heads[s] = 1 << s;
    }
    cmus_parameters parameters = make_table(&config);
    float *weights = cmus_allocate(parameters.size, sizeof *weights);
    float *again = cmus_allocate(parameters.size, sizeof *again);
    cmus_parameters_initialize(&parameters, 7, weights);
    cmus_parameters_initialize(&parameters, 7, again);
    CU_ASSERT_EQUAL(memcmp(weights, again, parameters.size * sizeof *weights), 0);
    for (size_t t = 0; t < parameters.count; t++)
        check_tensor(&parameters.tensors[t], weights);
    CU_ASSERT_EQUAL(cmus_parameters_find(&parameters, "MLP.linear1.bias")->fan_in, 3 * 64);
    CU_ASSERT_EQUAL(cmus_parameters_find(&parameters, "IM_encoder.0.0.0.bias")->fan_in, 48);
    CU_ASSERT_EQUAL(cmus_parameters_find(&parameters, "CrossAttn.proj.bias")->fan_in, 64);
    /* encoders, seeds and places in the table: each has numbers of its own; a name keeps its numbers */
    const cmus_tensor *tem = cmus_parameters_find(&parameters, "TEM_encoder.0.1.0.mlp.0.weight");
    const cmus_tensor *om = cmus_parameters_find(&parameters, "OM_encoder.0.1.0.mlp.0.weight");
    CU_ASSERT_NOT_EQUAL(weights[tem->offset], weights[om->offset]);
    cmus_parameters_initialize(&parameters, 8, again);
    CU_ASSERT_NOT_EQUAL(weights[tem->offset], again[tem->offset]);
    cmus_parameters alone = {0};
    int shape[2] = {tem->shape[0], tem->shape[1]};
    cmus_parameters_add(&alone, CMUS_INITIAL_NORMAL, 0, 2, shape, "%s.weight", "TEM_encoder.0.1.0.mlp.0");
    cmus_parameters_initialize(&alone, 7, again);
    CU_ASSERT_EQUAL(memcmp(again, weights + tem->offset, tem->size * sizeof *again), 0);
    cmus_parameters_free(&alone);
    cmus_parameters_free(&parameters);
    cmus_free(weights);
    cmus_free(again);
}

int main(void) {
    static const unit_test tests[] = {
        {"the published network's tensors", published_network_has_its_tensors},
        {"initial values", initial_values_follow_the_rules},
    };
    return unit_main("model: parameters", tests, sizeof tests / sizeof tests[0]);
}
