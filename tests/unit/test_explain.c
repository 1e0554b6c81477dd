/* Explanations: the gradient of a logit against finite differences of the twin, Grad-CAM from its definition, the
 * attention, maps enlarged to pixels. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmus/explanation.h"
#include "cmus/memory.h"
#include "twin_check.h"
#include "twins.h"
#include "unit.h"

enum { IMAGE_SIZE = 100, SIDE = 4, TOKENS = SIDE * SIDE, EMBED = 4, CHANNELS = 8 * EMBED, MAP = TOKENS * CHANNELS };
enum { MOST_BAG = 5 };

typedef struct setup {
    cmus_net_config config;
    cmus_net *net;
    twin_values weights, maps; /* maps: TEM images, OM, IM */
    cmus_case one;
    double fixed[MOST_BAG]; /* weights of the bag */
    cmus_head head;
    int class_number;
    float *d_maps, *attention[CMUS_MODALITIES];
} setup;

/* TEM maps: a shared base and growing noise, the last of a large bag far off, so that it is left out. */
static void make_maps(setup *s) {
    int bag = s->one.tem_count;
    s->maps = twin_values_make((size_t)(bag + 2) * MAP, "maps", 0, 1);
    twin_values base = twin_values_make(MAP, "base", 0, 1);
    for (int k = 0; k < bag; k++)
        for (int i = 0; i < MAP; i++) {
            float *value = s->maps.f + k * MAP + i, amount = k == MOST_BAG - 1 ? 2 : 0.2f * (float)k;
            *value = base.f[i] + amount * *value;
            s->maps.d[k * MAP + i] = (double)*value;
        }
    twin_values_free(&base);
}

static float *tensor_values(setup *s, const char *name) {
    return s->weights.f + cmus_parameters_find(cmus_net_parameters(s->net), name)->offset;
}

static void put_weights(setup *s) {
    for (size_t i = 0; i < s->weights.count; i++)
        s->weights.d[i] = (double)s->weights.f[i];
    memcpy(cmus_net_weights(s->net), s->weights.f, s->weights.count * sizeof(float));
}

/* What the modalities' biases are raised by, so that the ReLU lets their logits live. */
static const float ALIVE = 4;

static void raise_heads(setup *s, float amount) {
    static const char *const biases[] = {"TEM_fc.linear.bias", "OM_fc.linear.bias", "IM_fc.linear.bias"};
    for (int m = 0; m < CMUS_MODALITIES; m++)
        for (int c = 0; c < s->config.classes; c++)
            tensor_values(s, biases[m])[c] += amount;
    put_weights(s);
}

static void make(setup *s, int bag, bool multihead, bool training) {
    *s = (setup){.config = cmus_net_config_published(), .one = {.tem_count = bag, .label = -1}};
    s->config.embed_dim = EMBED;
    s->config.image_size = IMAGE_SIZE;
    for (int k = 0; k < CMUS_STAGES; k++) {
        s->config.depths[k] = 1;
        s->config.heads[k] = 1;
    }
    s->config.fusion_hidden = 12;
    s->config.memory_bytes = 0x1p30;
    s->config.attention = multihead ? CMUS_ATTENTION_MULTIHEAD : CMUS_ATTENTION_CMSA;
    CU_ASSERT_EQUAL_FATAL(cmus_net_create(&s->config, training, &s->net), CMUS_OK);
    CU_ASSERT_EQUAL_FATAL(cmus_net_tokens(s->net), TOKENS);
    CU_ASSERT_EQUAL_FATAL(cmus_net_map_size(s->net), MAP);
    CU_ASSERT_EQUAL_FATAL(cmus_net_softmaxes(s->net), multihead ? s->config.attention_heads : 1);
    s->weights = twin_weights_make(cmus_net_parameters(s->net), "weights");
    raise_heads(s, ALIVE);
    make_maps(s);
    double mean;
    twin_smil(s->maps.d, bag, MAP, s->config.distance_t, s->fixed, &mean);
    s->d_maps = cmus_allocate((size_t)(bag + 2) * MAP, sizeof(float));
    for (int m = CMUS_OM; m <= CMUS_IM; m++)
        s->attention[m] = cmus_allocate((size_t)(cmus_net_softmaxes(s->net) * TOKENS * TOKENS), sizeof(float));
}

static void drop(setup *s) {
    twin_values_free(&s->weights);
    twin_values_free(&s->maps);
    cmus_free(s->d_maps);
    for (int m = 0; m < CMUS_MODALITIES; m++)
        cmus_free(s->attention[m]);
    cmus_net_free(s->net);
}

/* The logit by the twin, with the weights of the bag as they were. */
static double logit(void *context) {
    setup *s = context;
    twin_weights weights = {cmus_net_parameters(s->net), s->weights.d};
    double *maps[CMUS_MODALITIES] = {s->maps.d, s->maps.d + s->one.tem_count * MAP,
                                     s->maps.d + (s->one.tem_count + 1) * MAP};
    cmus_case one = {.tem_count = s->one.tem_count};
    twin_result result;
    twin_fuse(&s->config, &weights, &one, maps, s->fixed, &result);
    return result.logits[s->head][s->class_number];
}

static bool all_zero(const float *values, size_t count) {
    size_t zeros = 0;
    for (size_t i = 0; i < count; i++)
        zeros += values[i] == 0;
    return zeros == count;
}

/* Whether the map of image i has a way to the logit. */
static bool has_way(const setup *s, int i) {
    int bag = s->one.tem_count;
    if (i < bag)
        return s->fixed[i] != 0;
    cmus_head own = i == bag ? CMUS_HEAD_OM : CMUS_HEAD_IM;
    return s->head == CMUS_HEAD_FUSION || s->head == own;
}

static void gradient(setup *s) {
    for (int i = 0; i < (s->one.tem_count + 2) * MAP; i++)
        s->d_maps[i] = NAN; /* is overwritten */
    cmus_net_logit_gradient(s->net, &s->one, s->maps.f, s->head, s->class_number, s->d_maps, s->attention);
}

static void check_gradient(setup *s) {
    char what[64];
    snprintf(what, sizeof what, "bag of %d, %s, %s head", s->one.tem_count,
             s->config.attention == CMUS_ATTENTION_CMSA ? "cmsa" : "multihead", cmus_head_names[s->head]);
    gradient(s);
    for (int i = 0; i < s->one.tem_count + 2; i++) {
        const float *d_map = s->d_maps + i * MAP;
        char name[32];
        snprintf(name, sizeof name, "map %d", i);
        twin_input input = {name, s->maps.d + i * MAP, d_map, MAP};
        CU_ASSERT(has_way(s, i) ? twin_gradients(what, &input, 1, logit, s, 6, 2e-5) : all_zero(d_map, MAP));
    }
}

static const int bags[] = {1, 2, MOST_BAG};
enum { BAGS = sizeof bags / sizeof bags[0] };

static void gradients_match(void) {
    int left_out = 0;
    for (int b = 0; b < BAGS; b++)
        for (int form = 0; form < 2; form++) {
            setup s;
            make(&s, bags[b], form, false);
            for (int k = 0; k < bags[b]; k++)
                left_out += s.fixed[k] == 0;
            for (int h = 0; h < CMUS_HEADS; h++) {
                s.head = (cmus_head)h;
                s.class_number = (h + b) % s.config.classes;
                check_gradient(&s);
            }
            drop(&s);
        }
    CU_ASSERT(left_out > 0);
}

/* The mean over the tokens of the gradient of channel c is the derivative along 1 / TOKENS for every token. */
static double channel_weight(setup *s, int image, int c) {
    static const double STEP = 1e-4;
    double *map = s->maps.d + image * MAP, kept[TOKENS], side[2];
    for (int t = 0; t < TOKENS; t++)
        kept[t] = map[t * CHANNELS + c];
    for (int k = 0; k < 2; k++) {
        for (int t = 0; t < TOKENS; t++)
            map[t * CHANNELS + c] = kept[t] + (k == 0 ? STEP : -STEP) / TOKENS;
        side[k] = logit(s);
    }
    for (int t = 0; t < TOKENS; t++)
        map[t * CHANNELS + c] = kept[t];
    return (side[0] - side[1]) / (2 * STEP);
}

static void twin_heat(setup *s, int image, double heat[TOKENS]) {
    memset(heat, 0, TOKENS * sizeof *heat);
    for (int c = 0; c < CHANNELS; c++) {
        double weight = channel_weight(s, image, c);
        for (int t = 0; t < TOKENS; t++)
            heat[t] += weight * s->maps.d[image * MAP + t * CHANNELS + c];
    }
    for (int t = 0; t < TOKENS; t++)
        heat[t] = fmax(0, heat[t]);
}

/* Compares all heats; counts tokens with heat and without. */
static void check_heats(setup *s, const cmus_explanation *found, int counts[2]) {
    int bag = s->one.tem_count;
    CU_ASSERT_EQUAL_FATAL(found->side, SIDE);
    CU_ASSERT_EQUAL_FATAL(found->tem_count, bag);
    for (int i = 0; i < bag + 2; i++) {
        const float *heat = i < bag    ? found->heat[CMUS_TEM] + i * TOKENS
                            : i == bag ? found->heat[CMUS_OM]
                                       : found->heat[CMUS_IM];
        double twin[TOKENS];
        char name[32];
        snprintf(name, sizeof name, "heat %d", i);
        twin_heat(s, i, twin);
        CU_ASSERT(twin_close(name, heat, twin, TOKENS, 1e-5));
        for (int t = 0; t < TOKENS && has_way(s, i); t++)
            counts[heat[t] > 0]++;
    }
}

static void heats_match(void) {
    int counts[2] = {0};
    for (int b = 0; b < BAGS; b++)
        for (int form = 0; form < 2; form++) {
            setup s;
            cmus_explanation found;
            make(&s, bags[b], form, false);
            s.head = b == 1 ? CMUS_HEAD_OM : CMUS_HEAD_FUSION;
            s.class_number = b;
            cmus_explain(s.net, &s.one, s.maps.f, s.head, s.class_number, &found);
            check_heats(&s, &found, counts);
            cmus_explanation_free(&found);
            CU_ASSERT_PTR_NULL(found.heat[CMUS_TEM]);
            drop(&s);
        }
    CU_ASSERT(counts[0] > 0 && counts[1] > 0); /* else the sums are never cut at 0, or always */
}

/* probability [softmaxes][queries][keys] for the map of image `image`. */
static void twin_probability(const setup *s, int image, double *probability) {
    twin_weights weights = {cmus_net_parameters(s->net), s->weights.d};
    int parts = cmus_net_softmaxes(s->net), width = CHANNELS / parts;
    double *bag = cmus_allocate(MAP, sizeof *bag), *q = cmus_allocate(MAP, sizeof *q);
    double *k = cmus_allocate(MAP, sizeof *k);
    for (int i = 0; i < s->one.tem_count; i++)
        for (int j = 0; j < MAP; j++)
            bag[j] += s->fixed[i] * s->maps.d[i * MAP + j];
    twin_linear(q, bag, twin_tensor(&weights, "CrossAttn.W_q.weight"), NULL, TOKENS, CHANNELS, CHANNELS);
    twin_linear(k, s->maps.d + image * MAP, twin_tensor(&weights, "CrossAttn.W_k.weight"), NULL, TOKENS, CHANNELS,
                CHANNELS);
    for (int row = 0; row < parts * TOKENS; row++) {
        const double *query = q + row % TOKENS * CHANNELS + row / TOKENS * width;
        for (int t = 0; t < TOKENS; t++)
            probability[row * TOKENS + t] = twin_dot(query, k + t * CHANNELS + row / TOKENS * width, (size_t)width) /
                                            sqrt((double)CHANNELS / s->config.attention_heads);
        twin_softmax(probability + row * TOKENS, TOKENS);
    }
    cmus_free(bag);
    cmus_free(q);
    cmus_free(k);
}

static void check_attention(setup *s, int m, const float *looked) {
    int rows = cmus_net_softmaxes(s->net) * TOKENS;
    double *twin = cmus_allocate((size_t)(rows * TOKENS), sizeof *twin), mean[TOKENS] = {0}, sum = 0;
    twin_probability(s, s->one.tem_count + m - CMUS_OM, twin);
    CU_ASSERT(twin_close("probabilities", s->attention[m], twin, (size_t)(rows * TOKENS), 1e-5));
    for (int i = 0; i < rows * TOKENS; i++)
        mean[i % TOKENS] += twin[i] / rows;
    CU_ASSERT(twin_close("attention", looked, mean, TOKENS, 1e-5));
    for (int t = 0; t < TOKENS; t++)
        sum += (double)looked[t];
    CU_ASSERT_DOUBLE_EQUAL(sum, 1, 1e-6);
    cmus_free(twin);
}

static void attention_matches(void) {
    for (int b = 0; b < BAGS; b++)
        for (int form = 0; form < 2; form++) {
            setup s;
            cmus_explanation found;
            make(&s, bags[b], form, false);
            gradient(&s);
            cmus_explain(s.net, &s.one, s.maps.f, CMUS_HEAD_FUSION, 0, &found);
            for (int m = CMUS_OM; m <= CMUS_IM; m++)
                check_attention(&s, m, found.attention[m]);
            CU_ASSERT_PTR_NULL(found.attention[CMUS_TEM]);
            cmus_explanation_free(&found);
            drop(&s);
        }
}

/* A logit that the ReLU made 0 has no heat; without the ReLU it has. */
static void dead_logits_have_no_heat(void) {
    for (int relu = 0; relu < 2; relu++)
        for (int h = 0; h < CMUS_MODALITIES; h++) {
            setup s;
            make(&s, 2, false, false);
            cmus_net_free(s.net);
            s.config.head_relu = relu;
            CU_ASSERT_EQUAL_FATAL(cmus_net_create(&s.config, false, &s.net), CMUS_OK);
            raise_heads(&s, -5 * ALIVE);
            s.head = (cmus_head)h;
            gradient(&s);
            CU_ASSERT_EQUAL(all_zero(s.d_maps, 4 * MAP), relu);
            CU_ASSERT_EQUAL(logit(&s) == 0, relu);
            s.head = CMUS_HEAD_FUSION;
            gradient(&s);
            CU_ASSERT_FALSE(all_zero(s.d_maps, 4 * MAP));
            drop(&s);
        }
}

/* With a buffer of gradients or without: the same, and the buffer is left alone; the attention may be left out. */
static void buffers_of_gradients_do_not_matter(void) {
    setup with, without;
    make(&with, MOST_BAG, false, true);
    make(&without, MOST_BAG, false, false);
    with.head = without.head = CMUS_HEAD_FUSION;
    size_t bytes = (MOST_BAG + 2) * MAP * sizeof(float);
    gradient(&with);
    gradient(&without);
    CU_ASSERT_EQUAL(memcmp(with.d_maps, without.d_maps, bytes), 0);
    CU_ASSERT(all_zero(cmus_net_gradient(with.net), with.weights.count));
    CU_ASSERT_PTR_NULL(cmus_net_gradient(without.net));
    float *const nothing[CMUS_MODALITIES] = {NULL};
    memset(with.d_maps, 0, bytes);
    cmus_net_logit_gradient(with.net, &with.one, with.maps.f, CMUS_HEAD_FUSION, 0, with.d_maps, nothing);
    CU_ASSERT_EQUAL(memcmp(with.d_maps, without.d_maps, bytes), 0);
    drop(&with);
    drop(&without);
}

/* torch.nn.functional.interpolate(torch.tensor([[0., 1.], [2., 4.]])[None, None], size=(64, 64), mode="bilinear"), cut.
 */
static void maps_are_enlarged(void) {
    static const float map[4] = {0, 1, 2, 4};
    for (int size = 33; size <= 64; size += 31) {
        float *pixels = cmus_allocate((size_t)(size * size), sizeof *pixels);
        cmus_enlarge_map(map, 2, size, pixels);
        CU_ASSERT_EQUAL(pixels[0], 0); /* half a token at the edges has no second neighbour */
        CU_ASSERT_EQUAL(pixels[15], 0);
        CU_ASSERT_DOUBLE_EQUAL(pixels[16], 0.5 / 32, 1e-6);
        CU_ASSERT_DOUBLE_EQUAL(pixels[32], 16.5 / 32, 1e-6);
        CU_ASSERT_DOUBLE_EQUAL(pixels[32 * size], 2 * 16.5 / 32, 1e-6);
        CU_ASSERT_DOUBLE_EQUAL(pixels[32 * size + 32], (16.5 + 2 * 16.5 + 16.5 * 16.5 / 32) / 32, 1e-6);
        if (size == 64) {
            CU_ASSERT_EQUAL(pixels[63], 1);
            CU_ASSERT_EQUAL(pixels[64 * 64 - 1], 4);
        }
        cmus_free(pixels);
    }
}

int main(void) {
    static const unit_test tests[] = {
        {"gradients of logits", gradients_match},
        {"heat", heats_match},
        {"attention", attention_matches},
        {"dead logits have no heat", dead_logits_have_no_heat},
        {"buffers of gradients do not matter", buffers_of_gradients_do_not_matter},
        {"maps are enlarged", maps_are_enlarged},
    };
    return unit_main("predict: explanations", tests, sizeof tests / sizeof tests[0]);
}
