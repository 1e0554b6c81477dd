/* The encoder against its twin: patch embedding, merging, whole encoder, stochastic depth, subsets of images. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "cmus/memory.h"
#include "swin_internal.h"
#include "twin_check.h"
#include "twins.h"
#include "unit_family.h"

enum { IMAGES = 3 };

static const cmus_swin_config configs[] = {
    {.embed_dim = 8, .depths = {2, 1, 1, 1}, .heads = {1, 2, 2, 4}, .image_size = 36},
    {.embed_dim = 8, .depths = {2, 2, 2, 2}, .heads = {1, 2, 4, 8}, .image_size = 60},
    {.embed_dim = 12, .depths = {1, 2, 1, 1}, .heads = {1, 3, 2, 8}, .image_size = 57}, /* 14, 7, 4, 2 */
    {.embed_dim = 8, .depths = {1, 1, 1, 1}, .heads = {1, 1, 1, 1}, .image_size = 32},
};
enum { CONFIGS = sizeof configs / sizeof configs[0] };

typedef struct setup {
    cmus_swin_config config;
    cmus_parameters parameters;
    cmus_swin *swin;
    size_t map;
    twin_values weights, images, d_features;
    const float *pixels[IMAGES], *depth[IMAGES];
    float *factors, *features, *gradient;
    double *twin;
    cmus_arena memory, scratch;
    cmus_swin_tape *tape;
    int active[IMAGES], active_count;
} setup;

static void forward(setup *s, cmus_keep keep) {
    cmus_arena_reset(&s->memory);
    s->tape = cmus_swin_forward(s->swin, s->weights.f, s->pixels, s->depth, IMAGES, keep, &s->memory, &s->scratch, NULL,
                                s->features);
}

static void backward(setup *s) {
    cmus_swin_backward(s->swin, s->weights.f, s->gradient, s->tape, s->active, s->active_count, s->d_features.f, NULL,
                       &s->scratch);
}

/* Image 0 keeps everything; the others lose some branches, and all of one block. */
static void set_depth(setup *s) {
    int blocks = cmus_swin_blocks(s->swin);
    s->factors = cmus_allocate((size_t)(IMAGES * blocks * 2), sizeof(float));
    for (int i = 1; i < IMAGES; i++) {
        for (int b = 0; b < 2 * blocks; b++)
            s->factors[i * 2 * blocks + b] = b / 2 == 2 || (b * 5 + i) % 4 == 0 ? 0 : 1 + 0.25f * (float)(b % 5);
        s->depth[i] = s->factors + i * 2 * blocks;
    }
}

static void make(setup *s, const cmus_swin_config *config) {
    *s = (setup){.config = *config};
    s->swin = cmus_swin_create(config, &s->parameters, "E");
    s->map = (size_t)cmus_swin_tokens(s->swin) * (size_t)cmus_swin_channels(s->swin);
    size_t pixels = 3 * (size_t)config->image_size * (size_t)config->image_size;
    s->weights = twin_weights_make(&s->parameters, "weights");
    s->images = twin_values_make(IMAGES * pixels, "images", 0, 1);
    s->d_features = twin_values_make(IMAGES * s->map, "d_features", 0, 1);
    for (int i = 0; i < IMAGES; i++)
        s->pixels[i] = s->images.f + (size_t)i * pixels;
    set_depth(s);
    s->features = cmus_allocate(IMAGES * s->map, sizeof(float));
    s->gradient = cmus_allocate(s->parameters.size, sizeof(float));
    s->twin = cmus_allocate(IMAGES * s->map, sizeof(double));
    s->memory = cmus_arena_make(cmus_swin_tape_bytes(s->swin, NULL, IMAGES, CMUS_KEEP_ALL));
    s->scratch = cmus_arena_make(cmus_swin_scratch_bytes(s->swin, IMAGES, CMUS_KEEP_ALL));
    s->active[0] = 2;
    s->active[1] = 0;
    s->active_count = 2;
    forward(s, CMUS_KEEP_ALL);
}

static void drop(setup *s) {
    cmus_swin_free(s->swin);
    cmus_parameters_free(&s->parameters);
    twin_values_free(&s->weights);
    twin_values_free(&s->images);
    twin_values_free(&s->d_features);
    cmus_free(s->factors);
    cmus_free(s->features);
    cmus_free(s->gradient);
    cmus_free(s->twin);
    cmus_arena_free(&s->memory);
    cmus_arena_free(&s->scratch);
}

static void twin_image(const setup *s, int i) {
    twin_weights weights = {&s->parameters, s->weights.d};
    twin_encoder(s->twin + (size_t)i * s->map, &s->config, &weights, "E", s->pixels[i], s->depth[i]);
}

static double loss(void *context) {
    setup *s = context;
    double sum = 0;
#pragma omp parallel for reduction(+ : sum)
    for (int a = 0; a < s->active_count; a++) {
        twin_image(s, s->active[a]);
        sum += twin_dot(s->twin + (size_t)s->active[a] * s->map, s->d_features.d + (size_t)a * s->map, s->map);
    }
    return sum;
}

static void forward_matches(void) {
    static const int tokens[CONFIGS] = {4, 4, 4, 1};
    for (int k = 0; k < CONFIGS; k++) {
        setup s;
        make(&s, &configs[k]);
        CU_ASSERT_EQUAL(cmus_swin_tokens(s.swin), tokens[k]);
        CU_ASSERT_EQUAL(cmus_swin_channels(s.swin), 8 * configs[k].embed_dim);
        for (int i = 0; i < IMAGES; i++)
            twin_image(&s, i);
        CU_ASSERT(twin_close("encoder", s.features, s.twin, IMAGES * s.map, 1e-5));
        drop(&s);
    }
}

static void patches_are_a_convolution(void) {
    for (int k = 0; k < CONFIGS; k++) {
        setup s;
        make(&s, &configs[k]);
        int side = s.config.image_size / 4, count = side * side * s.config.embed_dim;
        size_t pixels = s.images.count / IMAGES;
        twin_weights weights = {&s.parameters, s.weights.d};
        double *reference = cmus_allocate((size_t)count, sizeof *reference);
        for (int i = 0; i < IMAGES; i++) {
            twin_patch_embedding(reference, s.images.d + (size_t)i * pixels, twin_tensor(&weights, "E.0.0.0.weight"),
                                 twin_tensor(&weights, "E.0.0.0.bias"), s.config.image_size, s.config.embed_dim);
            CU_ASSERT(twin_close("patches", s.tape->embedded + i * count, reference, (size_t)count, 1e-6));
        }
        cmus_free(reference);
        drop(&s);
    }
}

static void merging_pads_and_interleaves(void) {
    enum { CHANNELS = 5, MOST = 9 };
    static const int images[2] = {2, 0};
    for (int side = 1; side <= MOST; side++) {
        int map = side * side * CHANNELS, next = (side + 1) / 2 * ((side + 1) / 2) * 4 * CHANNELS;
        twin_values in = twin_values_make((size_t)(IMAGES * map), "in", 0, 1);
        twin_values d_out = twin_values_make((size_t)(2 * next), "d_out", 0, 1);
        float out[2 * 25 * 4 * CHANNELS], d_in[2 * MOST * MOST * CHANNELS];
        double reference[2 * 25 * 4 * CHANNELS], step = 0;
        cmus_subset subset = {images, 2, side * side};
        cmus_swin_merge_gather(out, in.f, &subset, side, CHANNELS);
        for (int i = 0; i < 2; i++)
            twin_merge(reference + i * next, in.d + images[i] * map, side, CHANNELS);
        CU_ASSERT(twin_close("merge", out, reference, (size_t)(2 * next), 0));
        cmus_swin_merge_scatter(d_in, d_out.f, 2, side, CHANNELS);
        /* merging is linear: <merge(x), d_out> = <x, scatter(d_out)> for every x, here for every unit vector */
        for (int e = 0; e < 2 * map; e++) {
            double unit[MOST * MOST * CHANNELS] = {0}, merged[25 * 4 * CHANNELS];
            unit[e % map] = 1;
            twin_merge(merged, unit, side, CHANNELS);
            step = fmax(step, fabs(twin_dot(merged, d_out.d + e / map * next, (size_t)next) - (double)d_in[e]));
        }
        CU_ASSERT_EQUAL(step, 0);
        twin_values_free(&in);
        twin_values_free(&d_out);
    }
}

static void backward_matches(void) {
    setup s;
    make(&s, &configs[0]);
    backward(&s);
    twin_input *inputs = twin_tensor_inputs(&s.parameters, &s.weights, s.gradient);
    CU_ASSERT(twin_gradients("encoder", inputs, (int)s.parameters.count, loss, &s, 3, 1e-4));
    cmus_free(inputs);
    drop(&s);
}

/* Arenas of exactly what is said to be needed: taking more would end the program. */
static void exact_memory(setup *s, cmus_keep keep) {
    cmus_arena_free(&s->memory);
    cmus_arena_free(&s->scratch);
    s->memory = cmus_arena_make(cmus_swin_tape_bytes(s->swin, s->depth, IMAGES, keep));
    s->scratch = cmus_arena_make(cmus_swin_scratch_bytes(s->swin, IMAGES, keep));
}

/* Whatever is kept, features and gradients are the same bits; the less is kept, the smaller the tape. */
static void what_is_kept_does_not_matter(void) {
    for (int k = 0; k < CONFIGS; k++) {
        setup all, less;
        make(&all, &configs[k]);
        backward(&all);
        size_t features = IMAGES * all.map * sizeof(float), before = 0;
        for (int keep = CMUS_KEEP_NOTHING; keep <= CMUS_KEEP_ALL; keep++) {
            make(&less, &configs[k]);
            memset(less.features, 0xFF, features);
            exact_memory(&less, (cmus_keep)keep);
            forward(&less, (cmus_keep)keep);
            CU_ASSERT_EQUAL(memcmp(all.features, less.features, features), 0);
            CU_ASSERT_EQUAL(less.memory.used, less.memory.size);
            CU_ASSERT(less.memory.size > before);
            before = less.memory.size;
            if (keep != CMUS_KEEP_NOTHING) {
                memset(less.scratch.base, 0xFF, less.scratch.size); /* nothing of the forward pass may be needed */
                backward(&less);
                CU_ASSERT_EQUAL(memcmp(all.gradient, less.gradient, all.parameters.size * sizeof(float)), 0);
            }
            drop(&less);
        }
        drop(&all);
    }
}

static void gradients_accumulate(void) {
    setup once, twice;
    make(&once, &configs[0]);
    make(&twice, &configs[0]);
    backward(&once);
    backward(&twice);
    backward(&twice);
    for (size_t i = 0; i < once.parameters.size; i++)
        once.gradient[i] *= 2;
    CU_ASSERT(twin_near("encoder twice", twice.gradient, once.gradient, once.parameters.size, 1e-6));
    drop(&once);
    drop(&twice);
}

/* Images that are not listed add nothing, whatever they hold; the listed ones add up. */
static void only_listed_images_count(void) {
    setup both, single;
    make(&both, &configs[0]);
    memset(both.images.f + both.images.count / IMAGES, 0xFF, both.images.count / IMAGES * sizeof(float)); /* NaN */
    forward(&both, CMUS_KEEP_ALL);
    CU_ASSERT(isnan(both.features[both.map]));
    backward(&both);
    make(&single, &configs[0]);
    for (int a = 0; a < 2; a++)
        cmus_swin_backward(single.swin, single.weights.f, single.gradient, single.tape, &both.active[a], 1,
                           single.d_features.f + (size_t)a * single.map, NULL, &single.scratch);
    CU_ASSERT(twin_near("listed images", both.gradient, single.gradient, single.parameters.size, 2e-6));
    float *before = cmus_allocate(single.parameters.size, sizeof *before);
    memcpy(before, single.gradient, single.parameters.size * sizeof *before);
    single.active_count = 0;
    backward(&single);
    CU_ASSERT_EQUAL(memcmp(before, single.gradient, single.parameters.size * sizeof *before), 0);
    cmus_free(before);
    drop(&both);
    drop(&single);
}

/* Every branch of every image dropped: only embedding, merging and the last norm are left. */
static void all_branches_may_be_dropped(void) {
    setup s;
    make(&s, &configs[0]);
    for (int b = 0; b < IMAGES * 2 * cmus_swin_blocks(s.swin); b++)
        s.factors[b] = 0;
    s.depth[0] = s.factors;
    forward(&s, CMUS_KEEP_ALL);
    for (int i = 0; i < IMAGES; i++)
        twin_image(&s, i);
    CU_ASSERT(twin_close("without branches", s.features, s.twin, IMAGES * s.map, 1e-5));
    backward(&s);
    for (size_t t = 0; t < s.parameters.count; t++) {
        const cmus_tensor *tensor = &s.parameters.tensors[t];
        float sum = 0;
        for (size_t i = 0; i < tensor->size; i++)
            sum += fabsf(s.gradient[tensor->offset + i]);
        bool branch = strstr(tensor->name, "attn") || strstr(tensor->name, "mlp") || strstr(tensor->name, "norm1") ||
                      strstr(tensor->name, "norm2");
        CU_ASSERT_EQUAL(sum == 0, branch);
    }
    drop(&s);
}

int main(void) {
    static const unit_test tests[] = {
        {"forward", forward_matches},
        {"patch embedding", patches_are_a_convolution},
        {"patch merging", merging_pads_and_interleaves},
        {"backward", backward_matches},
        {"what is kept does not matter", what_is_kept_does_not_matter},
        {"gradients accumulate", gradients_accumulate},
        {"only listed images count", only_listed_images_count},
        {"all branches may be dropped", all_branches_may_be_dropped},
    };
    return unit_family_main("model: encoder", tests, sizeof tests / sizeof tests[0]);
}
