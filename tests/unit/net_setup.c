#include "net_setup.h"

#include <stdio.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/random.h"
#include "unit.h"

const int net_bags[NET_CASES] = {5, 1};

cmus_net_config net_setup_config(const net_choice *c) {
    cmus_net_config config = cmus_net_config_published();
    config.embed_dim = 8;
    config.image_size = c->image_size ? c->image_size : 36;
    for (int s = 0; s < CMUS_STAGES; s++) {
        config.depths[s] = s == 0 || c->deep ? 2 : 1;
        config.heads[s] = 1 << s;
    }
    config.fusion_hidden = 12;
    config.attention_heads = 4;
    config.attention = c->multihead ? CMUS_ATTENTION_MULTIHEAD : CMUS_ATTENTION_CMSA;
    config.head_relu = !c->plain_logits;
    config.distance_t = c->distance_t > 0 ? c->distance_t : 1.5;
    config.activations = c->activations;
    config.memory_bytes = 0x1p30;
    return config;
}

/* Kept or dropped with probability 0.3, from a name. */
static float *draw(int count, const char *name, int index) {
    float *factors = cmus_allocate((size_t)count, sizeof *factors);
    uint64_t key = cmus_hash_text(name) + (uint64_t)index;
    for (int i = 0; i < count; i++)
        factors[i] = cmus_uniform_at(key, (uint64_t)i) < 0.3 ? 0 : (float)(1 / 0.7);
    return factors;
}

/* TEM images: a shared base and growing noise, the last far off, so that the bag of 5 has different weights. */
static float *make_images(int count, size_t size, const char *name) {
    twin_values base = twin_values_make(size, name, 0, 1), noise = twin_values_make((size_t)count * size, name, 0, 1);
    float *images = cmus_allocate((size_t)count * size, sizeof *images);
    for (int i = 0; i < count; i++)
        for (size_t k = 0; k < size; k++)
            images[(size_t)i * size + k] =
                (1 - 0.15f * (float)i) * base.f[k] +
                (i + 1 == count && i ? 2 : 0.15f * (float)i) * noise.f[(size_t)i * size + (k + 7) % size];
    twin_values_free(&base);
    twin_values_free(&noise);
    return images;
}

static void make_case(net_setup *s, int c, bool drawn) {
    static const char *const names[CMUS_MODALITIES] = {"tem", "om", "im"};
    size_t pixels = 3 * (size_t)s->config.image_size * (size_t)s->config.image_size;
    cmus_case *one = &s->cases[c];
    *one = (cmus_case){.tem_count = net_bags[c], .label = c + 1};
    for (int m = 0; m < CMUS_MODALITIES; m++) {
        char name[32];
        snprintf(name, sizeof name, "%s %d", names[m], c);
        int images = m == CMUS_TEM ? net_bags[c] : 1;
        one->images[m] = make_images(images, pixels, name);
        if (drawn)
            one->depth[m] = draw(images * 2 * cmus_net_blocks(s->net), name, c);
    }
    if (drawn)
        one->dropout = draw(s->config.fusion_hidden, "dropout", c);
    for (int m = 0; m < CMUS_MODALITIES; m++) {
        int map = twin_tokens(&s->config) * twin_channels(&s->config);
        s->maps[c][m] = cmus_allocate((size_t)(map * (m == CMUS_TEM ? net_bags[c] : 1)), sizeof(double));
    }
    s->results[c] = (cmus_case_result){
        .tem_weight = s->tem_weight[c], .tem_distance = s->tem_distance[c], .tem_kept = s->tem_kept[c]};
}

static void net_setup_make_with(net_setup *s, const net_choice *c, bool exact_sums) {
    *s = (net_setup){.config = net_setup_config(c)};
    s->config.exact_sums = exact_sums;
    CU_ASSERT_EQUAL_FATAL(cmus_net_create(&s->config, true, &s->net), CMUS_OK);
    s->weights = twin_weights_make(cmus_net_parameters(s->net), "weights");
    memcpy(cmus_net_weights(s->net), s->weights.f, s->weights.count * sizeof(float));
    for (int i = 0; i < NET_CASES; i++)
        make_case(s, i, c->drawn);
}

void net_setup_make(net_setup *s, const net_choice *c) {
    net_setup_make_with(s, c, false);
}

void net_setup_make_exact(net_setup *s, const net_choice *c) {
    net_setup_make_with(s, c, true);
}

void net_setup_drop(net_setup *s) {
    for (int c = 0; c < NET_CASES; c++) {
        for (int m = 0; m < CMUS_MODALITIES; m++) {
            cmus_free((void *)s->cases[c].images[m]);
            cmus_free((void *)s->cases[c].depth[m]);
            cmus_free(s->maps[c][m]);
        }
        cmus_free((void *)s->cases[c].dropout);
    }
    twin_values_free(&s->weights);
    cmus_net_free(s->net);
}

void net_setup_shrink(net_setup *s, int images) {
    double low = 0, high = s->config.memory_bytes;
    cmus_net_free(s->net);
    s->net = NULL;
    for (int i = 0; i < 60; i++) { /* bisection: too little memory for one image is an error */
        cmus_net_config config = s->config;
        config.memory_bytes = (low + high) / 2;
        cmus_net *net;
        int fits = cmus_net_create(&config, true, &net) == CMUS_OK ? cmus_net_images_at_once(net) : 0;
        if (fits == images) {
            s->net = net;
            break;
        }
        cmus_net_free(net);
        if (fits > images)
            high = config.memory_bytes;
        else
            low = config.memory_bytes;
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(s->net);
    memcpy(cmus_net_weights(s->net), s->weights.f, s->weights.count * sizeof(float));
}

const net_choice net_choices[NET_CHOICES] = {
    {.drawn = true},
    {.multihead = true, .drawn = true, .plain_logits = true},
    {.image_size = 60, .deep = true, .drawn = true},
    {.image_size = 45, .deep = true, .distance_t = 0.7},
    {.image_size = 57, .multihead = true, .distance_t = 1.0},
};

bool net_setup_same_gradients(const char *what, net_setup *a, net_setup *b, double tolerance) {
    const cmus_parameters *parameters = cmus_net_parameters(a->net);
    bool same = true;
    for (size_t t = 0; t < parameters->count; t++) {
        const cmus_tensor *tensor = &parameters->tensors[t];
        char name[160];
        snprintf(name, sizeof name, "%s: %s", what, tensor->name);
        same = twin_near(name, cmus_net_gradient(a->net) + tensor->offset, cmus_net_gradient(b->net) + tensor->offset,
                         tensor->size, tolerance) &&
               same;
    }
    return same;
}

int net_setup_plan_groups(const net_setup *s, cmus_group_plan plans[NET_CASES]) {
    int groups = 0;
    for (int begin = 0; begin < NET_CASES; begin += plans[groups++].count)
        plans[groups] = cmus_net_plan_group(s->net, s->cases + begin, NET_CASES - begin, true);
    return groups;
}
