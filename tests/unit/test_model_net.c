/* The whole network against its twin, and what must not change its results: memory, batching, threads, the division of
 * its work. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "cmus/exact_sum.h"
#include "cmus/memory.h"
#include "cmus/random.h"
#include "net_internal.h"
#include "twin_check.h"
#include "twins.h"
#include "unit_family.h"

enum { CASES = 2, MOST_BAG = 6 };
static const int bags[CASES] = {5, 1};

/* Sizes and choices of a run; zero means the usual. */
typedef struct choice {
    int image_size, deep;
    bool multihead, plain_logits, drawn;
    double distance_t;
    cmus_activations activations;
} choice;

typedef struct setup {
    cmus_net_config config;
    cmus_net *net;
    twin_values weights;
    cmus_case cases[CASES];
    cmus_case_result results[CASES];
    float tem_weight[CASES][MOST_BAG], tem_distance[CASES][MOST_BAG];
    bool tem_kept[CASES][MOST_BAG];
    double *maps[CASES][CMUS_MODALITIES], fixed[CASES][MOST_BAG]; /* the twin's maps and instance weights */
    double twin_mean[CASES];
    int twin_centre[CASES], changing; /* the encoder whose weights are changed; CMUS_MODALITIES: none */
} setup;

static cmus_net_config configure(const choice *c) {
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

static void make_case(setup *s, int c, bool drawn) {
    static const char *const names[CMUS_MODALITIES] = {"tem", "om", "im"};
    size_t pixels = 3 * (size_t)s->config.image_size * (size_t)s->config.image_size;
    cmus_case *one = &s->cases[c];
    *one = (cmus_case){.tem_count = bags[c], .label = c + 1};
    for (int m = 0; m < CMUS_MODALITIES; m++) {
        char name[32];
        snprintf(name, sizeof name, "%s %d", names[m], c);
        int images = m == CMUS_TEM ? bags[c] : 1;
        one->images[m] = make_images(images, pixels, name);
        if (drawn)
            one->depth[m] = draw(images * 2 * cmus_net_blocks(s->net), name, c);
    }
    if (drawn)
        one->dropout = draw(s->config.fusion_hidden, "dropout", c);
    for (int m = 0; m < CMUS_MODALITIES; m++) {
        int map = twin_tokens(&s->config) * twin_channels(&s->config);
        s->maps[c][m] = cmus_allocate((size_t)(map * (m == CMUS_TEM ? bags[c] : 1)), sizeof(double));
    }
    s->results[c] = (cmus_case_result){
        .tem_weight = s->tem_weight[c], .tem_distance = s->tem_distance[c], .tem_kept = s->tem_kept[c]};
}

static void make_net(setup *s, const choice *c, bool exact_sums) {
    *s = (setup){.config = configure(c)};
    s->config.exact_sums = exact_sums;
    CU_ASSERT_EQUAL_FATAL(cmus_net_create(&s->config, true, &s->net), CMUS_OK);
    s->weights = twin_weights_make(cmus_net_parameters(s->net), "weights");
    memcpy(cmus_net_weights(s->net), s->weights.f, s->weights.count * sizeof(float));
    for (int i = 0; i < CASES; i++)
        make_case(s, i, c->drawn);
}

static void make(setup *s, const choice *c) {
    make_net(s, c, false);
}

/* Gradients are summed exactly. */
static void make_exact(setup *s, const choice *c) {
    make_net(s, c, true);
}

static void drop(setup *s) {
    for (int c = 0; c < CASES; c++) {
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

/* The same network with memory for no more than `images` images at once. */
static void shrink(setup *s, int images) {
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

static const choice choices[] = {
    {.drawn = true},
    {.multihead = true, .drawn = true, .plain_logits = true},
    {.image_size = 60, .deep = true, .drawn = true},
    {.image_size = 45, .deep = true, .distance_t = 0.7},
    {.image_size = 57, .multihead = true, .distance_t = 1.0},
};

static void check_results(setup *s, const twin_result *twin, int c) {
    const cmus_case_result *result = &s->results[c];
    for (int h = 0; h < CMUS_HEADS; h++) {
        for (int k = 0; k < s->config.classes; k++)
            CU_ASSERT_DOUBLE_EQUAL((double)result->logits[h][k], twin->logits[h][k], 1e-5);
        CU_ASSERT_DOUBLE_EQUAL(result->loss[h], twin->loss[h], 1e-5);
    }
    CU_ASSERT_DOUBLE_EQUAL(result->total_loss, twin->total_loss, 1e-5);
    CU_ASSERT_EQUAL(result->centre, s->twin_centre[c]);
    CU_ASSERT_DOUBLE_EQUAL(result->mean_distance, s->twin_mean[c], 1e-5 * s->twin_mean[c]);
    for (int i = 0; i < bags[c]; i++) {
        CU_ASSERT_DOUBLE_EQUAL((double)result->tem_weight[i], s->fixed[c][i], 1e-5);
        CU_ASSERT(result->tem_kept[i] || result->tem_weight[i] == 0);
    }
    CU_ASSERT_EQUAL(result->tem_distance[result->centre], 0);
}

static void twin_cases(setup *s, twin_result twin[CASES]) {
    twin_weights weights = {cmus_net_parameters(s->net), s->weights.d};
    size_t map = (size_t)(twin_tokens(&s->config) * twin_channels(&s->config));
    for (int c = 0; c < CASES; c++) {
        for (int m = 0; m < CMUS_MODALITIES; m++)
            twin_encode(&s->config, &weights, &s->cases[c], (cmus_modality)m, s->maps[c][m]);
        s->twin_centre[c] =
            twin_smil(s->maps[c][CMUS_TEM], bags[c], map, s->config.distance_t, s->fixed[c], &s->twin_mean[c]);
        twin_fuse(&s->config, &weights, &s->cases[c], s->maps[c], s->fixed[c], &twin[c]);
    }
}

static void forward_matches(void) {
    bool left_out = false;
    for (size_t k = 0; k < sizeof choices / sizeof choices[0]; k++) {
        setup s;
        twin_result twin[CASES];
        make(&s, &choices[k]);
        twin_cases(&s, twin);
        cmus_net_gradients(s.net, s.cases, CASES, 1, s.results);
        for (int c = 0; c < CASES; c++)
            check_results(&s, &twin[c], c);
        for (int i = 0; i < bags[0]; i++)
            left_out = left_out || !s.results[0].tem_kept[i];
        /* outputs only: nothing is dropped, whatever was drawn */
        cmus_case plain[CASES];
        for (int c = 0; c < CASES; c++)
            plain[c] = s.cases[c];
        cmus_net_outputs(s.net, plain, CASES, s.results);
        for (int c = 0; c < CASES; c++) {
            memset(s.cases[c].depth, 0, sizeof s.cases[c].depth);
            s.cases[c].dropout = NULL;
        }
        twin_cases(&s, twin);
        for (int c = 0; c < CASES; c++)
            check_results(&s, &twin[c], c);
        memcpy(s.cases, plain, sizeof plain);
        drop(&s);
    }
    CU_ASSERT(left_out); /* else SMIL had nothing to do */
}

static const double SCALE = 0.5;

static double loss(void *context) {
    setup *s = context;
    twin_weights weights = {cmus_net_parameters(s->net), s->weights.d};
    double sum = 0;
    for (int c = 0; c < CASES; c++) {
        twin_result result;
        if (s->changing < CMUS_MODALITIES)
            twin_encode(&s->config, &weights, &s->cases[c], (cmus_modality)s->changing, s->maps[c][s->changing]);
        twin_fuse(&s->config, &weights, &s->cases[c], s->maps[c], s->fixed[c], &result);
        sum += SCALE * result.total_loss;
    }
    return sum;
}

/* Encoder m as one input (m < CMUS_MODALITIES), or the tensors behind the encoders one by one. */
static bool check_part(setup *s, int m) {
    static const char *const prefixes[CMUS_MODALITIES] = {"TEM_encoder.", "OM_encoder.", "IM_encoder."};
    const cmus_parameters *parameters = cmus_net_parameters(s->net);
    float *gradient = cmus_net_gradient(s->net);
    twin_input inputs[32];
    int count = 0;
    for (size_t t = 0; t < parameters->count; t++) {
        const cmus_tensor *tensor = &parameters->tensors[t];
        int part = 0;
        while (part < CMUS_MODALITIES && strncmp(tensor->name, prefixes[part], strlen(prefixes[part])) != 0)
            part++;
        if (part != m)
            continue;
        if (m < CMUS_MODALITIES && count)
            inputs[0].count += tensor->size;
        else
            inputs[count++] = (twin_input){m < CMUS_MODALITIES ? prefixes[m] : tensor->name,
                                           s->weights.d + tensor->offset, gradient + tensor->offset, tensor->size};
    }
    CU_ASSERT_EQUAL(count, m < CMUS_MODALITIES ? 1 : 5 + 10);
    s->changing = m;
    bool passed = twin_gradients("network", inputs, count, loss, s, 6, 1e-4);
    if (m < CMUS_MODALITIES)
        loss(s); /* the maps of the unchanged weights again */
    return passed;
}

static void backward_matches(void) {
    for (int k = 0; k < 2; k++) {
        setup s;
        twin_result twin[CASES];
        make(&s, &choices[k]);
        twin_cases(&s, twin);
        cmus_net_gradients(s.net, s.cases, CASES, SCALE, s.results);
        bool weightless = false;
        for (int i = 0; i < bags[0]; i++)
            weightless = weightless || s.tem_weight[0][i] == 0;
        CU_ASSERT(weightless);
        for (int h = 0; h < CMUS_HEADS; h++) /* a head without a gradient would test nothing */
            CU_ASSERT_FALSE(s.results[0].dead[h] && s.results[1].dead[h]);
        for (int m = 0; m <= CMUS_MODALITIES; m++)
            CU_ASSERT(check_part(&s, m));
        drop(&s);
    }
}

static bool same_gradients(const char *what, setup *a, setup *b, double tolerance) {
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

static void little_memory_gives_the_same(void) {
    static const int at_once[3] = {1, 2, 6};
    for (int k = 0; k < 3; k++) {
        setup whole, parts;
        make(&whole, &choices[0]);
        make(&parts, &choices[0]);
        shrink(&parts, at_once[k]);
        CU_ASSERT(cmus_net_images_at_once(whole.net) >= bags[0] + bags[1] + 4);
        cmus_net_gradients(whole.net, whole.cases, CASES, 1, whole.results);
        cmus_net_gradients(parts.net, parts.cases, CASES, 1, parts.results);
        CU_ASSERT(same_gradients("in parts", &parts, &whole, 1e-5));
        for (int c = 0; c < CASES; c++) {
            CU_ASSERT_DOUBLE_EQUAL(parts.results[c].total_loss, whole.results[c].total_loss, 1e-6);
            CU_ASSERT(twin_near("weights in parts", parts.tem_weight[c], whole.tem_weight[c], (size_t)bags[c], 1e-5));
        }
        drop(&whole);
        drop(&parts);
    }
}

/* The groups that the cases will go through in; returns how many. */
static int plan_groups(const setup *s, cmus_group_plan plans[CASES]) {
    int groups = 0;
    for (int begin = 0; begin < CASES; begin += plans[groups++].count)
        plans[groups] = cmus_net_plan_group(s->net, s->cases + begin, CASES - begin, true);
    return groups;
}

/* One group after another, as cmus_net_gradients does; the arenas hold what was planned and lie within the room. */
static void run_groups(setup *s) {
    cmus_group_plan plans[CASES];
    int groups = plan_groups(s, plans), begin = 0;
    for (int g = 0; g < groups; begin += plans[g++].count) {
        CU_ASSERT(plans[g].keep != CMUS_KEEP_MAPS || s->config.activations != CMUS_ACTIVATIONS_STORE);
        CU_ASSERT(plans[g].keep != CMUS_KEEP_ALL || s->config.activations != CMUS_ACTIVATIONS_RECOMPUTE);
        cmus_net_run_group(s->net, s->cases + begin, plans[g], 1, true, s->results + begin);
        CU_ASSERT(s->net->tapes.used > 0);
        CU_ASSERT((double)s->net->tapes.used + (double)s->net->scratch.used <= s->net->room);
        CU_ASSERT((double)s->net->tapes.size + (double)s->net->scratch.size <= s->net->room);
    }
}

static bool same_groups(const setup *a, const setup *b) {
    cmus_group_plan first[CASES], second[CASES];
    int groups = plan_groups(a, first);
    bool same = plan_groups(b, second) == groups;
    for (int g = 0; same && g < groups; g++)
        same = first[g].count == second[g].count &&
               (first[g].keep == CMUS_KEEP_NOTHING) == (second[g].keep == CMUS_KEEP_NOTHING);
    return same;
}

/* The usual network with memory for `images` images (0: for all), after its cases went through; counts what was kept.
 */
static void make_and_run(setup *s, cmus_activations activations, int images, int seen[CMUS_KEEP_ALL + 1]) {
    choice c = choices[0];
    c.activations = activations;
    make(s, &c);
    if (images)
        shrink(s, images);
    run_groups(s);
    cmus_group_plan plans[CASES];
    int groups = plan_groups(s, plans);
    for (int g = 0; g < groups; g++)
        seen[plans[g].keep]++;
}

/* Whatever is kept, with much and with little memory: the same gradients, to the bit where the groups are the same. */
static void activations_do_not_matter(void) {
    static const int at_once[] = {0, 8, 6, 4, 1};
    static const cmus_activations others[] = {CMUS_ACTIVATIONS_AUTO, CMUS_ACTIVATIONS_RECOMPUTE};
    int seen[CMUS_KEEP_ALL + 1] = {0}, same = 0;
    setup whole, stored, other;
    make(&whole, &choices[0]);
    cmus_net_gradients(whole.net, whole.cases, CASES, 1, whole.results);
    for (int k = 0; k < 5; k++) {
        make_and_run(&stored, CMUS_ACTIVATIONS_STORE, at_once[k], seen);
        CU_ASSERT(same_gradients("stored", &stored, &whole, 1e-5));
        for (int o = 0; o < 2; o++) {
            make_and_run(&other, others[o], at_once[k], seen);
            CU_ASSERT(same_gradients(o ? "computed again" : "automatic", &other, &stored, 1e-5));
            if (same_groups(&other, &stored)) {
                same++;
                CU_ASSERT_EQUAL(memcmp(cmus_net_gradient(other.net), cmus_net_gradient(stored.net),
                                       other.weights.count * sizeof(float)),
                                0);
            }
            drop(&other);
        }
        drop(&stored);
    }
    CU_ASSERT(seen[CMUS_KEEP_NOTHING] && seen[CMUS_KEEP_MAPS] && seen[CMUS_KEEP_ALL]);
    CU_ASSERT(same >= 4); /* else the bits were hardly compared */
    drop(&whole);
}

static void batch_is_the_sum_of_its_cases(void) {
    setup batch, single;
    make(&batch, &choices[0]);
    make(&single, &choices[0]);
    cmus_net_gradients(batch.net, batch.cases, CASES, 1, batch.results);
    for (int c = CASES - 1; c >= 0; c--)
        cmus_net_gradients(single.net, &single.cases[c], 1, 1, &single.results[c]);
    CU_ASSERT(same_gradients("single cases", &single, &batch, 1e-5));
    for (int c = 0; c < CASES; c++)
        CU_ASSERT_DOUBLE_EQUAL(single.results[c].total_loss, batch.results[c].total_loss, 1e-6);
    /* twice the same accumulates, and so does any scale */
    cmus_net_gradients(batch.net, batch.cases, CASES, 1, batch.results);
    cmus_net_gradients(single.net, single.cases, CASES, 0.25, single.results);
    cmus_net_gradients(single.net, single.cases, CASES, 0.75, single.results);
    CU_ASSERT(same_gradients("accumulated", &single, &batch, 1e-5));
    drop(&batch);
    drop(&single);
}

static void threads_hardly_matter(void) {
    int usual = omp_get_max_threads();
    setup one, two;
    make(&one, &choices[1]);
    make(&two, &choices[1]);
    omp_set_num_threads(1);
    cmus_net_gradients(one.net, one.cases, CASES, 1, one.results);
    omp_set_num_threads(2);
    cmus_net_gradients(two.net, two.cases, CASES, 1, two.results);
    omp_set_num_threads(usual);
    CU_ASSERT(same_gradients("two threads", &two, &one, 1e-5)); /* the BLAS may add in another order */
    drop(&one);
    drop(&two);
}

/* Part by part, as ranks do it: the images of the cases, encoded, brought to their cases, and back. */

/* One group as cmus_net_gradients() takes it, by the public parts. */
static void run_parts(setup *s, int begin, cmus_group_plan plan) {
    cmus_group_images group = cmus_group_images_make(s->net, s->cases + begin, plan.count, true);
    size_t map = cmus_net_map_size(s->net), count = (size_t)group.count;
    float *sorted = cmus_allocate(count * map, sizeof *sorted), *maps = cmus_allocate(count * map, sizeof *maps);
    float *d_maps = cmus_allocate(count * map, sizeof *d_maps);
    bool used[CASES * (MOST_BAG + 2)], sorted_used[CASES * (MOST_BAG + 2)];
    cmus_encoding *encoding = cmus_net_encode(s->net, group.images, group.count, plan.keep, NULL, sorted);
    for (size_t i = 0; i < count; i++)
        memcpy(maps + group.place[i] * map, sorted + i * map, map * sizeof *maps);
    cmus_net_fuse(s->net, s->cases + begin, plan.count, maps, SCALE, d_maps, used, s->results + begin);
    for (size_t i = 0; i < count; i++) {
        memcpy(sorted + i * map, d_maps + group.place[i] * map, map * sizeof *maps);
        sorted_used[i] = used[group.place[i]];
    }
    cmus_net_encode_backward(s->net, encoding, sorted, sorted_used, NULL);
    cmus_net_encoding_free(encoding);
    cmus_free(sorted);
    cmus_free(maps);
    cmus_free(d_maps);
    cmus_group_images_free(&group);
}

static void parts_give_the_bits_of_the_whole(void) {
    static const int at_once[] = {0, 8, 4, 1};
    int seen[CMUS_KEEP_ALL + 1] = {0};
    for (int k = 0; k < 4; k++) {
        setup whole, parts;
        make(&whole, &choices[0]);
        make(&parts, &choices[0]);
        if (at_once[k]) {
            shrink(&whole, at_once[k]);
            shrink(&parts, at_once[k]);
        }
        cmus_net_gradients(whole.net, whole.cases, CASES, SCALE, whole.results);
        cmus_group_plan plans[CASES];
        int groups = plan_groups(&parts, plans), begin = 0;
        for (int g = 0; g < groups; begin += plans[g++].count) {
            seen[plans[g].keep]++;
            run_parts(&parts, begin, plans[g]);
        }
        CU_ASSERT_EQUAL(
            memcmp(cmus_net_gradient(parts.net), cmus_net_gradient(whole.net), whole.weights.count * sizeof(float)), 0);
        for (int c = 0; c < CASES; c++)
            CU_ASSERT_EQUAL(parts.results[c].total_loss, whole.results[c].total_loss);
        drop(&whole);
        drop(&parts);
    }
    CU_ASSERT(seen[CMUS_KEEP_NOTHING] && seen[CMUS_KEEP_MAPS] && seen[CMUS_KEEP_ALL]);
}

/* How images and cases are divided: over networks (as over ranks), so many images at once, so much kept. */
typedef struct division {
    int networks, together;
    cmus_keep keep;
    bool last_case_first;
} division;

typedef struct all_maps {
    float *maps, *d_maps; /* [images][map], case after case */
    bool *used;
} all_maps;

/* Network n's images of each modality, `together` at a time, forward, or forward and backward. */
static void encode_share(setup *s, const cmus_group_images *group, const division *d, int n, bool back, all_maps *all) {
    size_t map = cmus_net_map_size(s->net);
    float *part = cmus_allocate((size_t)d->together * map, sizeof *part);
    for (int i = 0, count; i < group->count; i++) {
        cmus_image images[MOST_BAG];
        size_t place[MOST_BAG];
        bool used[MOST_BAG];
        for (count = 0; i < group->count && count < d->together; i++)
            if ((int)group->place[i] % d->networks == n) {
                used[count] = back && all->used[group->place[i]];
                place[count] = group->place[i];
                images[count++] = group->images[i];
            }
        i--;
        cmus_encoding *encoding = cmus_net_encode(s->net, images, count, d->keep, NULL, part);
        for (int k = 0; k < count; k++)
            memcpy(back ? part + (size_t)k * map : all->maps + place[k] * map,
                   back ? all->d_maps + place[k] * map : part + (size_t)k * map, map * sizeof *part);
        if (back)
            cmus_net_encode_backward(s->net, encoding, part, used, NULL);
        cmus_net_encoding_free(encoding);
    }
    cmus_free(part);
}

/* The sums of all networks, added up. */
static int64_t *divided_sums(const choice *c, const division *d, double total_loss[CASES]) {
    setup s[3];
    for (int n = 0; n < d->networks; n++)
        make_exact(&s[n], c);
    cmus_group_images group = cmus_group_images_make(s[0].net, s[0].cases, CASES, true);
    size_t map = cmus_net_map_size(s[0].net), count = (size_t)group.count, size = s[0].weights.count;
    all_maps all = {cmus_allocate(count * map, sizeof(float)), cmus_allocate(count * map, sizeof(float)),
                    cmus_allocate(count, sizeof(bool))};
    for (int n = 0; n < d->networks; n++)
        encode_share(&s[n], &group, d, n, false, &all);
    for (int k = 0; k < CASES; k++) { /* one by one, on different networks */
        int one = d->last_case_first ? CASES - 1 - k : k;
        size_t first = 0;
        for (int before = 0; before < one; before++)
            first += (size_t)bags[before] + 2;
        setup *owner = &s[k % d->networks];
        cmus_net_fuse(owner->net, owner->cases + one, 1, all.maps + first * map, SCALE, all.d_maps + first * map,
                      all.used + first, owner->results + one);
        total_loss[one] = owner->results[one].total_loss;
    }
    for (int n = 0; n < d->networks; n++)
        encode_share(&s[n], &group, d, n, true, &all);
    int64_t *sums = cmus_allocate(size, sizeof *sums);
    for (int n = 0; n < d->networks; n++) {
        size_t left = 0;
        for (size_t i = 0; i < size; i++) {
            sums[i] += cmus_net_exact_sums(s[n].net)[i];
            left += cmus_net_gradient(s[n].net)[i] != 0;
        }
        CU_ASSERT_EQUAL(left, 0);
        CU_ASSERT_FALSE(cmus_net_exact_overflow(s[n].net));
    }
    cmus_free(all.maps);
    cmus_free(all.d_maps);
    cmus_free(all.used);
    cmus_group_images_free(&group);
    for (int n = 0; n < d->networks; n++)
        drop(&s[n]);
    return sums;
}

/* Each tensor of the sums is the float gradient, up to rounding. */
static bool near_the_gradient(const setup *s, int64_t *sums) {
    const cmus_parameters *parameters = cmus_net_parameters(s->net);
    float *values = cmus_allocate(parameters->size, sizeof *values);
    const float *gradient = cmus_net_gradient(s->net);
    bool near = true;
    cmus_exact_take(values, sums, parameters->size);
    for (size_t t = 0; t < parameters->count; t++) {
        const cmus_tensor *tensor = &parameters->tensors[t];
        double largest = 0, off = 0;
        for (size_t i = tensor->offset; i < tensor->offset + tensor->size; i++) {
            largest = fmax(largest, fabs((double)gradient[i]));
            off = fmax(off, fabs((double)values[i] - (double)gradient[i]));
        }
        if (!(off <= 1e-5 * largest + 1e-11)) {
            printf("\n%s: off by %g, its largest value is %g\n", tensor->name, off, largest);
            near = false;
        }
    }
    cmus_free(values);
    return near;
}

static void exact_sums_do_not_depend_on_the_division(void) {
    static const division divisions[] = {{1, MOST_BAG, CMUS_KEEP_ALL, false}, {1, 1, CMUS_KEEP_ALL, true},
                                         {2, 3, CMUS_KEEP_MAPS, false},       {3, 1, CMUS_KEEP_MAPS, true},
                                         {3, 2, CMUS_KEEP_ALL, false},        {2, 4, CMUS_KEEP_NOTHING, true}};
    for (int k = 0; k < 3; k++) {
        setup whole, exact;
        make(&whole, &choices[k]);
        make_exact(&exact, &choices[k]);
        cmus_net_gradients(whole.net, whole.cases, CASES, SCALE, whole.results);
        cmus_net_gradients(exact.net, exact.cases, CASES, SCALE, exact.results);
        int64_t *expected = cmus_net_exact_sums(exact.net);
        for (size_t d = 0; d < sizeof divisions / sizeof divisions[0]; d++) {
            double total_loss[CASES];
            int64_t *sums = divided_sums(&choices[k], &divisions[d], total_loss);
            CU_ASSERT_EQUAL(memcmp(sums, expected, whole.weights.count * sizeof *sums), 0);
            for (int c = 0; c < CASES; c++)
                CU_ASSERT_EQUAL(total_loss[c], exact.results[c].total_loss);
            cmus_free(sums);
        }
        CU_ASSERT(near_the_gradient(&whole, expected));
        CU_ASSERT_PTR_NULL(cmus_net_exact_sums(whole.net));
        drop(&whole);
        drop(&exact);
    }
}

static void exact_sums_report_what_does_not_fit(void) {
    setup s;
    make_exact(&s, &choices[0]);
    cmus_net_gradients(s.net, s.cases, CASES, 1e12, s.results);
    CU_ASSERT_TRUE(cmus_net_exact_overflow(s.net));
    CU_ASSERT_FALSE(cmus_net_exact_overflow(s.net));
    ((float *)s.cases[1].images[CMUS_IM])[77] = NAN;
    cmus_net_gradients(s.net, s.cases, CASES, 1, s.results);
    CU_ASSERT_TRUE(cmus_net_exact_overflow(s.net));
    drop(&s);
}

/* What a passage is told, and whether it may rely on it. */
typedef struct watch {
    setup *s;
    size_t needed, last_need, ready; /* the highest place that was needed, and the last ones told */
    int needs, falls, readies;       /* calls; falls: a lower place was needed than before */
    bool in_order;
    float *seen; /* gradients as they were when they were said to be ready */
    int64_t *seen_sums;
} watch;

/* Weights come only when they are asked for. */
static void bring_weights(void *context, size_t to) {
    watch *w = context;
    w->needs++;
    w->in_order = w->in_order && to <= w->s->weights.count;
    w->falls += to < w->last_need;
    w->last_need = to;
    if (to > w->needed)
        memcpy(cmus_net_weights(w->s->net) + w->needed, w->s->weights.f + w->needed, (to - w->needed) * sizeof(float));
    w->needed = to > w->needed ? to : w->needed;
}

static void take_gradients(void *context, size_t from) {
    watch *w = context;
    w->readies++;
    w->in_order = w->in_order && from <= w->ready;
    for (size_t i = from; i < w->ready; i++) {
        w->seen[i] = cmus_net_gradient(w->s->net)[i];
        w->seen_sums[i] = cmus_net_exact_sums(w->s->net) ? cmus_net_exact_sums(w->s->net)[i] : 0;
    }
    w->ready = from;
}

/* Which images go through: those of a modality may be missing, or get no gradient. */
typedef struct selection {
    int count[CMUS_MODALITIES];
    bool used[CMUS_MODALITIES];
} selection;

/* Forward and backward through the encoders alone, the gradients of the maps drawn; `watched`: with the passage, and
 * weights that are not numbers until they are asked for. maps: [images][map]. Returns the watch; its arrays are to be
 * freed. */
static watch encode_selection(setup *s, const selection *select, cmus_keep keep, bool watched, float *maps) {
    cmus_image images[MOST_BAG + 2];
    bool used[MOST_BAG + 2];
    size_t size = s->weights.count, map = cmus_net_map_size(s->net);
    size_t pixels = 3 * (size_t)s->config.image_size * (size_t)s->config.image_size;
    int count = 0, factors = 2 * cmus_net_blocks(s->net);
    for (int m = 0; m < CMUS_MODALITIES; m++)
        for (int i = 0; i < select->count[m]; i++, count++) {
            used[count] = select->used[m];
            images[count] = (cmus_image){.modality = (cmus_modality)m,
                                         .pixels = s->cases[0].images[m] + (size_t)i * pixels,
                                         .depth = s->cases[0].depth[m] + i * factors};
        }
    watch w = {.s = s, .ready = cmus_net_fusion_begin(s->net), .in_order = true};
    w.seen = cmus_allocate(size, sizeof *w.seen);
    w.seen_sums = cmus_allocate(size, sizeof *w.seen_sums);
    cmus_passage passage = {.context = &w, .need = bring_weights, .ready = take_gradients};
    for (size_t i = 0; watched && i < size; i++)
        cmus_net_weights(s->net)[i] = NAN;
    cmus_encoding *encoding = cmus_net_encode(s->net, images, count, keep, watched ? &passage : NULL, maps);
    if (watched)
        bring_weights(&w, size); /* as for the part behind the encoders */
    twin_values d_maps = twin_values_make((size_t)count * map, "d_maps", 0, 1);
    cmus_net_encode_backward(s->net, encoding, d_maps.f, used, watched ? &passage : NULL);
    twin_values_free(&d_maps);
    cmus_net_encoding_free(encoding);
    return w;
}

/* Whether what was said to be ready is what it was at the end. */
static bool kept_its_word(const watch *w) {
    size_t end = cmus_net_fusion_begin(w->s->net);
    const int64_t *sums = cmus_net_exact_sums(w->s->net);
    return w->in_order && w->ready == 0 && memcmp(w->seen, cmus_net_gradient(w->s->net), end * sizeof(float)) == 0 &&
           (!sums || memcmp(w->seen_sums, sums, end * sizeof *sums) == 0);
}

static void check_passage(const selection *select, cmus_keep keep, bool exact, int at_once) {
    setup plain, watched;
    (exact ? make_exact : make)(&plain, &choices[2]);
    (exact ? make_exact : make)(&watched, &choices[2]);
    if (at_once) {
        shrink(&plain, at_once);
        shrink(&watched, at_once);
    }
    int images = select->count[0] + select->count[1] + select->count[2], lists = 0, backward = 0, again = 0;
    for (int m = 0; m < CMUS_MODALITIES; m++) {
        if (at_once && select->count[m] > at_once)
            again += (select->count[m] + at_once - 1) / at_once - 1;
        lists += select->count[m] > 0;
        backward += select->count[m] > 0 && select->used[m];
    }
    size_t size = plain.weights.count, map = cmus_net_map_size(plain.net);
    float *maps = cmus_allocate((size_t)images * map, sizeof *maps);
    float *watched_maps = cmus_allocate((size_t)images * map, sizeof *watched_maps);
    watch unused = encode_selection(&plain, select, keep, false, maps);
    watch w = encode_selection(&watched, select, keep, true, watched_maps);
    CU_ASSERT_EQUAL(memcmp(maps, watched_maps, (size_t)images * map * sizeof *maps), 0);
    CU_ASSERT_EQUAL(memcmp(cmus_net_gradient(plain.net), cmus_net_gradient(watched.net), size * sizeof(float)), 0);
    if (exact)
        CU_ASSERT_EQUAL(
            memcmp(cmus_net_exact_sums(plain.net), cmus_net_exact_sums(watched.net), size * sizeof(int64_t)), 0);
    CU_ASSERT(kept_its_word(&w));
    CU_ASSERT_EQUAL(w.falls, again);                         /* each call of an encoder begins at its beginning */
    CU_ASSERT(w.needs > lists * cmus_net_blocks(plain.net)); /* layer by layer, not all at once */
    CU_ASSERT(w.readies >= CMUS_MODALITIES && w.readies > backward * cmus_net_blocks(plain.net));
    CU_ASSERT(unused.needs == 0 && unused.readies == 0);
    cmus_free(unused.seen);
    cmus_free(unused.seen_sums);
    cmus_free(w.seen);
    cmus_free(w.seen_sums);
    cmus_free(maps);
    cmus_free(watched_maps);
    drop(&plain);
    drop(&watched);
}

static void the_passage_is_told_in_time(void) {
    static const selection selections[] = {
        {{5, 1, 1}, {true, true, true}},  {{0, 1, 1}, {true, true, true}},   {{5, 0, 1}, {true, true, true}},
        {{5, 1, 0}, {true, true, true}},  {{0, 0, 1}, {true, true, true}},   {{3, 0, 0}, {true, true, true}},
        {{0, 0, 0}, {true, true, true}},  {{5, 1, 1}, {false, true, true}},  {{5, 1, 1}, {true, false, true}},
        {{2, 1, 1}, {true, true, false}}, {{2, 1, 1}, {false, false, false}}};
    for (size_t k = 0; k < sizeof selections / sizeof selections[0]; k++)
        for (cmus_keep keep = CMUS_KEEP_NOTHING; keep <= CMUS_KEEP_ALL; keep++)
            for (int exact = 0; exact < 2; exact++) {
                check_passage(&selections[k], keep, exact, 0);
                if (keep == CMUS_KEEP_NOTHING) /* several calls of an encoder */
                    check_passage(&selections[k], keep, exact, 2);
            }
}

static void not_a_number_comes_out(void) {
    for (int m = 0; m < CMUS_MODALITIES; m++) {
        setup s;
        make(&s, &choices[0]);
        ((float *)s.cases[0].images[m])[1234] = NAN;
        cmus_net_gradients(s.net, s.cases, CASES, 1, s.results);
        CU_ASSERT(isnan(s.results[0].total_loss) && isnan(s.results[0].logits[CMUS_HEAD_FUSION][0]));
        CU_ASSERT(isnan(s.results[0].loss[m]));
        CU_ASSERT_FALSE(isnan(s.results[1].total_loss));
        CU_ASSERT(isnan(cmus_net_gradient(s.net)[0]) || m != CMUS_TEM);
        drop(&s);
    }
}

static void configuration_is_checked(void) {
    cmus_net *net;
    cmus_net_config config = configure(&choices[0]);
    config.memory_bytes = 0x1p20;
    CU_ASSERT_EQUAL(cmus_net_create(&config, true, &net), CMUS_ERROR_CONFIG);
    CU_ASSERT_PTR_NULL(net);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "memory_gib"));
    cmus_net_config good = configure(&choices[0]), bad[10];
    for (int i = 0; i < 10; i++)
        bad[i] = good;
    bad[0].embed_dim = 0;
    bad[1].depths[2] = 0;
    bad[2].heads[1] = 3;
    bad[3].image_size = 31;
    bad[4].classes = CMUS_MAX_CLASSES + 1;
    bad[5].drop_path = 1;
    bad[6].dropout = NAN;
    bad[7].distance_t = 0;
    bad[8].attention_heads = 5;
    bad[9].loss_weight[CMUS_HEAD_OM] = -1;
    static const char *const keys[10] = {"embed_dim", "depths",  "heads",      "image_size",      "classes",
                                         "drop_path", "dropout", "distance_t", "attention_heads", "loss_weight_om"};
    CU_ASSERT_EQUAL(cmus_net_config_check(&good), CMUS_OK);
    for (int i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL(cmus_net_config_check(&bad[i]), CMUS_ERROR_CONFIG);
        CU_ASSERT_EQUAL(strncmp(cmus_last_error(), keys[i], strlen(keys[i])), 0);
    }
}

static void drop_probability_rises(void) {
    cmus_net_config config = configure(&choices[2]);
    cmus_net *net;
    CU_ASSERT_EQUAL_FATAL(cmus_net_create(&config, false, &net), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_net_blocks(net), 8);
    CU_ASSERT_EQUAL(cmus_net_drop_probability(net, 0), 0);
    CU_ASSERT_DOUBLE_EQUAL(cmus_net_drop_probability(net, 3), 0.5 * 3 / 7, 1e-15);
    CU_ASSERT_EQUAL(cmus_net_drop_probability(net, 7), 0.5);
    cmus_net_free(net);
}

int main(void) {
    static const unit_test tests[] = {
        {"forward", forward_matches},
        {"backward", backward_matches},
        {"little memory gives the same", little_memory_gives_the_same},
        {"activations do not matter", activations_do_not_matter},
        {"a batch is the sum of its cases", batch_is_the_sum_of_its_cases},
        {"threads hardly matter", threads_hardly_matter},
        {"parts give the bits of the whole", parts_give_the_bits_of_the_whole},
        {"exact sums do not depend on the division", exact_sums_do_not_depend_on_the_division},
        {"exact sums report what does not fit", exact_sums_report_what_does_not_fit},
        {"the passage is told in time", the_passage_is_told_in_time},
        {"not a number comes out", not_a_number_comes_out},
        {"the configuration is checked", configuration_is_checked},
        {"drop probability rises", drop_probability_rises},
    };
    return unit_family_main("model: network", tests, sizeof tests / sizeof tests[0]);
}
