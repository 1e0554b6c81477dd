/* The network as a whole: its parts and its buffers. */
#include "cmus/cmusnet.h"

#include "cmus/exact_sum.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "net_internal.h"

static const char *const encoder_names[CMUS_MODALITIES] = {"TEM_encoder", "OM_encoder", "IM_encoder"};

/* A network with its table of parameters, and no memory for them. */
static cmus_status create_empty(const cmus_net_config *config, cmus_net **result) {
    *result = NULL;
    CMUS_TRY(cmus_net_config_check(config));
    cmus_net *net = cmus_allocate(1, sizeof *net);
    net->config = *config;
    cmus_swin_config swin = {.embed_dim = config->embed_dim, .image_size = config->image_size};
    for (int s = 0; s < CMUS_STAGES; s++) {
        swin.depths[s] = config->depths[s];
        swin.heads[s] = config->heads[s];
    }
    for (int m = 0; m < CMUS_MODALITIES; m++)
        net->encoders[m] = cmus_swin_create(&swin, &net->parameters, encoder_names[m]);
    net->fusion_begin = net->parameters.size;
    int channels = cmus_swin_channels(net->encoders[0]);
    net->attention =
        cmus_cross_attention_create(&net->parameters, "CrossAttn", cmus_swin_tokens(net->encoders[0]), channels,
                                    config->attention_heads, config->attention == CMUS_ATTENTION_MULTIHEAD);
    net->heads = cmus_heads_create(&net->parameters, config, channels);
    *result = net;
    return CMUS_OK;
}

cmus_status cmus_net_describe(const cmus_net_config *config, cmus_parameters *parameters) {
    *parameters = (cmus_parameters){0};
    cmus_net *net;
    CMUS_TRY(create_empty(config, &net));
    *parameters = net->parameters;
    net->parameters = (cmus_parameters){0};
    cmus_net_free(net);
    return CMUS_OK;
}

cmus_status cmus_net_create(const cmus_net_config *config, bool training, cmus_net **result) {
    *result = NULL;
    cmus_net *net;
    CMUS_TRY(create_empty(config, &net));
    cmus_status status = cmus_net_plan_memory(net, training);
    if (status != CMUS_OK) {
        cmus_net_free(net);
        return status;
    }
    net->weights = cmus_allocate(net->parameters.size, sizeof *net->weights);
    if (training)
        net->gradient = cmus_allocate(net->parameters.size, sizeof *net->gradient);
    if (training && config->exact_sums)
        net->exact = cmus_allocate(net->parameters.size, sizeof *net->exact);
    *result = net;
    return CMUS_OK;
}

void cmus_net_free(cmus_net *net) {
    if (!net)
        return;
    for (int m = 0; m < CMUS_MODALITIES; m++)
        cmus_swin_free(net->encoders[m]);
    cmus_arena_free(&net->tapes);
    cmus_arena_free(&net->scratch);
    cmus_free(net->weights);
    cmus_free(net->gradient);
    cmus_free(net->exact);
    cmus_parameters_free(&net->parameters);
    cmus_free(net);
}

const cmus_net_config *cmus_net_configuration(const cmus_net *net) {
    return &net->config;
}

const cmus_parameters *cmus_net_parameters(const cmus_net *net) {
    return &net->parameters;
}

float *cmus_net_weights(cmus_net *net) {
    return net->weights;
}

float *cmus_net_gradient(cmus_net *net) {
    return net->gradient;
}

int64_t *cmus_net_exact_sums(cmus_net *net) {
    return net->exact;
}

bool cmus_net_exact_overflow(cmus_net *net) {
    bool overflow = net->overflow;
    net->overflow = false;
    return overflow;
}

void cmus_net_collect(cmus_net *net, size_t from, size_t to) {
    if (!cmus_exact_add(net->exact + from, net->gradient + from, to - from))
        net->overflow = true;
}

size_t cmus_net_channels(const cmus_net *net) {
    return (size_t)net->attention.channels;
}

int cmus_net_tokens(const cmus_net *net) {
    return net->attention.tokens;
}

int cmus_net_softmaxes(const cmus_net *net) {
    return cmus_cross_attention_softmaxes(&net->attention);
}

size_t cmus_net_map_size(const cmus_net *net) {
    return (size_t)cmus_swin_tokens(net->encoders[0]) * (size_t)cmus_swin_channels(net->encoders[0]);
}

size_t cmus_net_fusion_begin(const cmus_net *net) {
    return net->fusion_begin;
}

double cmus_net_image_cost(const cmus_net *net, const float *depth) {
    return cmus_swin_cost(net->encoders[0], depth);
}

int cmus_net_blocks(const cmus_net *net) {
    return cmus_swin_blocks(net->encoders[0]);
}

double cmus_net_drop_probability(const cmus_net *net, int block) {
    int blocks = cmus_net_blocks(net);
    return blocks > 1 ? net->config.drop_path * block / (blocks - 1) : 0;
}

int cmus_net_images_at_once(const cmus_net *net) {
    return net->images_at_once;
}

static void for_groups(cmus_net *net, const cmus_case *cases, int count, double scale, bool backward,
                       cmus_case_result *results) {
    for (int begin = 0; begin < count;) {
        cmus_group_plan plan = cmus_net_plan_group(net, cases + begin, count - begin, backward);
        cmus_net_run_group(net, cases + begin, plan, scale, backward, results + begin);
        begin += plan.count;
    }
}

void cmus_net_gradients(cmus_net *net, const cmus_case *cases, int count, double scale, cmus_case_result *results) {
    if (!net->gradient)
        cmus_fatal("gradients of a network that was not made for training");
    for_groups(net, cases, count, scale, true, results);
}

void cmus_net_outputs(cmus_net *net, const cmus_case *cases, int count, cmus_case_result *results) {
    for_groups(net, cases, count, 0, false, results);
}
