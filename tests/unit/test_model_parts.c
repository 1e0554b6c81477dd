/* The network part by part, as ranks do it: the images of the cases, encoded, brought to their cases, and back. Exact
 * sums however work is divided, and what a passage is told. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmus/exact_sum.h"
#include "cmus/memory.h"
#include "net_setup.h"
#include "twin_check.h"
#include "unit_family.h"

static const double SCALE = 0.5;

/* One group as cmus_net_gradients() takes it, by the public parts. */
static void run_parts(net_setup *s, int begin, cmus_group_plan plan) {
    cmus_group_images group = cmus_group_images_make(s->net, s->cases + begin, plan.count, true);
    size_t map = cmus_net_map_size(s->net), count = (size_t)group.count;
    float *sorted = cmus_allocate(count * map, sizeof *sorted), *maps = cmus_allocate(count * map, sizeof *maps);
    float *d_maps = cmus_allocate(count * map, sizeof *d_maps);
    bool used[NET_CASES * (NET_MOST_BAG + 2)], sorted_used[NET_CASES * (NET_MOST_BAG + 2)];
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
        net_setup whole, parts;
        net_setup_make(&whole, &net_choices[0]);
        net_setup_make(&parts, &net_choices[0]);
        if (at_once[k]) {
            net_setup_shrink(&whole, at_once[k]);
            net_setup_shrink(&parts, at_once[k]);
        }
        cmus_net_gradients(whole.net, whole.cases, NET_CASES, SCALE, whole.results);
        cmus_group_plan plans[NET_CASES];
        int groups = net_setup_plan_groups(&parts, plans), begin = 0;
        for (int g = 0; g < groups; begin += plans[g++].count) {
            seen[plans[g].keep]++;
            run_parts(&parts, begin, plans[g]);
        }
        CU_ASSERT_EQUAL(
            memcmp(cmus_net_gradient(parts.net), cmus_net_gradient(whole.net), whole.weights.count * sizeof(float)), 0);
        for (int c = 0; c < NET_CASES; c++)
            CU_ASSERT_EQUAL(parts.results[c].total_loss, whole.results[c].total_loss);
        net_setup_drop(&whole);
        net_setup_drop(&parts);
    }
    CU_ASSERT(seen[CMUS_KEEP_NOTHING] && seen[CMUS_KEEP_MAPS] && seen[CMUS_KEEP_ALL]);
}

/* The mean over the tokens of a map [tokens][channels], plainly. */
static double mean_of(const float *map, size_t tokens, size_t channels, size_t channel) {
    double sum = 0;
    for (size_t t = 0; t < tokens; t++)
        sum += (double)map[t * channels + channel];
    return sum / (double)tokens;
}

/* fused: linear, ReLU, linear of the fusion head give its logits; no dropout. */
static void fused_features_give_the_logits(const net_setup *s, const float *fused, const cmus_case_result *result) {
    const cmus_heads *heads = &s->net->heads;
    const float *weights = cmus_net_weights(s->net);
    size_t width = CMUS_MODALITIES * cmus_net_channels(s->net), hidden = (size_t)heads->hidden;
    for (size_t c = 0; c < (size_t)heads->classes; c++) {
        double logit = (double)weights[heads->bias2 + c];
        for (size_t h = 0; h < hidden; h++) {
            double value = (double)weights[heads->bias1 + h];
            for (size_t k = 0; k < width; k++)
                value += (double)weights[heads->weight1 + h * width + k] * (double)fused[k];
            logit += (double)weights[heads->weight2 + c * hidden + h] * (value > 0 ? value : 0);
        }
        CU_ASSERT_DOUBLE_EQUAL(logit, (double)result->logits[CMUS_HEAD_FUSION][c], 1e-5);
    }
}

static void features_are_means_of_maps(void) {
    net_setup s;
    net_setup_make(&s, &net_choices[0]);
    size_t channels = cmus_net_channels(s.net), map = cmus_net_map_size(s.net), tokens = map / channels, first = 0;
    cmus_group_images group = cmus_group_images_make(s.net, s.cases, NET_CASES, false);
    float *sorted = cmus_allocate((size_t)group.count * map, sizeof *sorted);
    float *maps = cmus_allocate((size_t)group.count * map, sizeof *maps);
    float *features = cmus_allocate(NET_CASES * CMUS_FEATURES * channels, sizeof *features);
    cmus_net_encoding_free(cmus_net_encode(s.net, group.images, group.count, CMUS_KEEP_NOTHING, NULL, sorted));
    for (size_t i = 0; i < (size_t)group.count; i++)
        memcpy(maps + group.place[i] * map, sorted + i * map, map * sizeof *maps);
    for (int c = 0; c < NET_CASES; c++)
        s.results[c].features = features + (size_t)c * CMUS_FEATURES * channels;
    cmus_net_fuse(s.net, s.cases, NET_CASES, maps, 1, NULL, NULL, s.results);
    for (int c = 0; c < NET_CASES; c++) {
        const float *own = s.results[c].features, *fused = own + CMUS_FEATURES_FUSED * channels;
        size_t bag = (size_t)s.cases[c].tem_count;
        for (size_t k = 0; k < channels; k++) {
            double tem = 0;
            for (size_t i = 0; i < bag; i++)
                tem += (double)s.results[c].tem_weight[i] * mean_of(maps + (first + i) * map, tokens, channels, k);
            CU_ASSERT_DOUBLE_EQUAL(tem, (double)own[CMUS_TEM * channels + k], 1e-5);
            CU_ASSERT_EQUAL(fused[k], own[k]); /* TEM goes into the fusion head as it is */
            for (size_t m = CMUS_OM; m <= CMUS_IM; m++)
                CU_ASSERT_DOUBLE_EQUAL(mean_of(maps + (first + bag + m - 1) * map, tokens, channels, k),
                                       (double)own[m * channels + k], 1e-6);
        }
        fused_features_give_the_logits(&s, fused, &s.results[c]);
        first += bag + 2;
    }
    cmus_group_images_free(&group);
    cmus_free(sorted);
    cmus_free(maps);
    cmus_free(features);
    net_setup_drop(&s);
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
static void encode_share(net_setup *s, const cmus_group_images *group, const division *d, int n, bool back,
                         all_maps *all) {
    size_t map = cmus_net_map_size(s->net);
    float *part = cmus_allocate((size_t)d->together * map, sizeof *part);
    for (int i = 0, count; i < group->count; i++) {
        cmus_image images[NET_MOST_BAG];
        size_t place[NET_MOST_BAG];
        bool used[NET_MOST_BAG];
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
static int64_t *divided_sums(const net_choice *c, const division *d, double total_loss[NET_CASES]) {
    net_setup s[3];
    for (int n = 0; n < d->networks; n++)
        net_setup_make_exact(&s[n], c);
    cmus_group_images group = cmus_group_images_make(s[0].net, s[0].cases, NET_CASES, true);
    size_t map = cmus_net_map_size(s[0].net), count = (size_t)group.count, size = s[0].weights.count;
    all_maps all = {cmus_allocate(count * map, sizeof(float)), cmus_allocate(count * map, sizeof(float)),
                    cmus_allocate(count, sizeof(bool))};
    for (int n = 0; n < d->networks; n++)
        encode_share(&s[n], &group, d, n, false, &all);
    for (int k = 0; k < NET_CASES; k++) { /* one by one, on different networks */
        int one = d->last_case_first ? NET_CASES - 1 - k : k;
        size_t first = 0;
        for (int before = 0; before < one; before++)
            first += (size_t)net_bags[before] + 2;
        net_setup *owner = &s[k % d->networks];
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
        net_setup_drop(&s[n]);
    return sums;
}

/* Each tensor of the sums is the float gradient, up to rounding. */
static bool near_the_gradient(const net_setup *s, int64_t *sums) {
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
    static const division divisions[] = {{1, NET_MOST_BAG, CMUS_KEEP_ALL, false},
                                         {1, 1, CMUS_KEEP_ALL, true},
                                         {2, 3, CMUS_KEEP_MAPS, false},
                                         {3, 1, CMUS_KEEP_MAPS, true},
                                         {3, 2, CMUS_KEEP_ALL, false},
                                         {2, 4, CMUS_KEEP_NOTHING, true}};
    for (int k = 0; k < 3; k++) {
        net_setup whole, exact;
        net_setup_make(&whole, &net_choices[k]);
        net_setup_make_exact(&exact, &net_choices[k]);
        cmus_net_gradients(whole.net, whole.cases, NET_CASES, SCALE, whole.results);
        cmus_net_gradients(exact.net, exact.cases, NET_CASES, SCALE, exact.results);
        int64_t *expected = cmus_net_exact_sums(exact.net);
        for (size_t d = 0; d < sizeof divisions / sizeof divisions[0]; d++) {
            double total_loss[NET_CASES];
            int64_t *sums = divided_sums(&net_choices[k], &divisions[d], total_loss);
            CU_ASSERT_EQUAL(memcmp(sums, expected, whole.weights.count * sizeof *sums), 0);
            for (int c = 0; c < NET_CASES; c++)
                CU_ASSERT_EQUAL(total_loss[c], exact.results[c].total_loss);
            cmus_free(sums);
        }
        CU_ASSERT(near_the_gradient(&whole, expected));
        CU_ASSERT_PTR_NULL(cmus_net_exact_sums(whole.net));
        net_setup_drop(&whole);
        net_setup_drop(&exact);
    }
}

static void exact_sums_report_what_does_not_fit(void) {
    net_setup s;
    net_setup_make_exact(&s, &net_choices[0]);
    cmus_net_gradients(s.net, s.cases, NET_CASES, 1e12, s.results);
    CU_ASSERT_TRUE(cmus_net_exact_overflow(s.net));
    CU_ASSERT_FALSE(cmus_net_exact_overflow(s.net));
    ((float *)s.cases[1].images[CMUS_IM])[77] = NAN;
    cmus_net_gradients(s.net, s.cases, NET_CASES, 1, s.results);
    CU_ASSERT_TRUE(cmus_net_exact_overflow(s.net));
    net_setup_drop(&s);
}

/* What a passage is told, and whether it may rely on it. */
typedef struct watch {
    net_setup *s;
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
static watch encode_selection(net_setup *s, const selection *select, cmus_keep keep, bool watched, float *maps) {
    cmus_image images[NET_MOST_BAG + 2];
    bool used[NET_MOST_BAG + 2];
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
    net_setup plain, watched;
    (exact ? net_setup_make_exact : net_setup_make)(&plain, &net_choices[2]);
    (exact ? net_setup_make_exact : net_setup_make)(&watched, &net_choices[2]);
    if (at_once) {
        net_setup_shrink(&plain, at_once);
        net_setup_shrink(&watched, at_once);
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
    net_setup_drop(&plain);
    net_setup_drop(&watched);
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

int main(void) {
    static const unit_test tests[] = {
        {"parts give the bits of the whole", parts_give_the_bits_of_the_whole},
        {"exact sums do not depend on the division", exact_sums_do_not_depend_on_the_division},
        {"exact sums report what does not fit", exact_sums_report_what_does_not_fit},
        {"the passage is told in time", the_passage_is_told_in_time},
        {"features are means of maps", features_are_means_of_maps},
    };
    return unit_family_main("model: parts of the network", tests, sizeof tests / sizeof tests[0]);
}
