/* The whole network against its twin, and what must not change its results: memory, batching, threads. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "cmus/memory.h"
#include "net_setup.h"
#include "twin_check.h"
#include "unit_family.h"

static void check_results(net_setup *s, const twin_result *twin, int c) {
    const cmus_case_result *result = &s->results[c];
    for (int h = 0; h < CMUS_HEADS; h++) {
        for (int k = 0; k < s->config.classes; k++)
            CU_ASSERT_DOUBLE_EQUAL((double)result->logits[h][k], twin->logits[h][k], 1e-5);
        CU_ASSERT_DOUBLE_EQUAL(result->loss[h], twin->loss[h], 1e-5);
    }
    CU_ASSERT_DOUBLE_EQUAL(result->total_loss, twin->total_loss, 1e-5);
    CU_ASSERT_EQUAL(result->centre, s->twin_centre[c]);
    CU_ASSERT_DOUBLE_EQUAL(result->mean_distance, s->twin_mean[c], 1e-5 * s->twin_mean[c]);
    for (int i = 0; i < net_bags[c]; i++) {
        CU_ASSERT_DOUBLE_EQUAL((double)result->tem_weight[i], s->fixed[c][i], 1e-5);
        CU_ASSERT(result->tem_kept[i] || result->tem_weight[i] == 0);
    }
    CU_ASSERT_EQUAL(result->tem_distance[result->centre], 0);
}

static void twin_cases(net_setup *s, twin_result twin[NET_CASES]) {
    twin_weights weights = {cmus_net_parameters(s->net), s->weights.d};
    size_t map = (size_t)(twin_tokens(&s->config) * twin_channels(&s->config));
    for (int c = 0; c < NET_CASES; c++) {
        for (int m = 0; m < CMUS_MODALITIES; m++)
            twin_encode(&s->config, &weights, &s->cases[c], (cmus_modality)m, s->maps[c][m]);
        s->twin_centre[c] =
            twin_smil(s->maps[c][CMUS_TEM], net_bags[c], map, s->config.distance_t, s->fixed[c], &s->twin_mean[c]);
        twin_fuse(&s->config, &weights, &s->cases[c], s->maps[c], s->fixed[c], &twin[c]);
    }
}

static void forward_matches(void) {
    bool left_out = false;
    for (size_t k = 0; k < sizeof net_choices / sizeof net_choices[0]; k++) {
        net_setup s;
        twin_result twin[NET_CASES];
        net_setup_make(&s, &net_choices[k]);
        twin_cases(&s, twin);
        cmus_net_gradients(s.net, s.cases, NET_CASES, 1, s.results);
        for (int c = 0; c < NET_CASES; c++)
            check_results(&s, &twin[c], c);
        for (int i = 0; i < net_bags[0]; i++)
            left_out = left_out || !s.results[0].tem_kept[i];
        /* outputs only: nothing is dropped, whatever was drawn */
        cmus_case plain[NET_CASES];
        for (int c = 0; c < NET_CASES; c++)
            plain[c] = s.cases[c];
        cmus_net_outputs(s.net, plain, NET_CASES, s.results);
        for (int c = 0; c < NET_CASES; c++) {
            memset(s.cases[c].depth, 0, sizeof s.cases[c].depth);
            s.cases[c].dropout = NULL;
        }
        twin_cases(&s, twin);
        for (int c = 0; c < NET_CASES; c++)
            check_results(&s, &twin[c], c);
        memcpy(s.cases, plain, sizeof plain);
        net_setup_drop(&s);
    }
    CU_ASSERT(left_out); /* else SMIL had nothing to do */
}

static const double SCALE = 0.5;

static double loss(void *context) {
    net_setup *s = context;
    twin_weights weights = {cmus_net_parameters(s->net), s->weights.d};
    double sum = 0;
    for (int c = 0; c < NET_CASES; c++) {
        twin_result result;
        if (s->changing < CMUS_MODALITIES)
            twin_encode(&s->config, &weights, &s->cases[c], (cmus_modality)s->changing, s->maps[c][s->changing]);
        twin_fuse(&s->config, &weights, &s->cases[c], s->maps[c], s->fixed[c], &result);
        sum += SCALE * result.total_loss;
    }
    return sum;
}

/* Encoder m as one input (m < CMUS_MODALITIES), or the tensors behind the encoders one by one. */
static bool check_part(net_setup *s, int m) {
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
        net_setup s;
        twin_result twin[NET_CASES];
        net_setup_make(&s, &net_choices[k]);
        twin_cases(&s, twin);
        cmus_net_gradients(s.net, s.cases, NET_CASES, SCALE, s.results);
        bool weightless = false;
        for (int i = 0; i < net_bags[0]; i++)
            weightless = weightless || s.tem_weight[0][i] == 0;
        CU_ASSERT(weightless);
        for (int h = 0; h < CMUS_HEADS; h++) /* a head without a gradient would test nothing */
            CU_ASSERT_FALSE(s.results[0].dead[h] && s.results[1].dead[h]);
        for (int m = 0; m <= CMUS_MODALITIES; m++)
            CU_ASSERT(check_part(&s, m));
        net_setup_drop(&s);
    }
}

static void little_memory_gives_the_same(void) {
    static const int at_once[3] = {1, 2, 6};
    for (int k = 0; k < 3; k++) {
        net_setup whole, parts;
        net_setup_make(&whole, &net_choices[0]);
        net_setup_make(&parts, &net_choices[0]);
        net_setup_shrink(&parts, at_once[k]);
        CU_ASSERT(cmus_net_images_at_once(whole.net) >= net_bags[0] + net_bags[1] + 4);
        cmus_net_gradients(whole.net, whole.cases, NET_CASES, 1, whole.results);
        cmus_net_gradients(parts.net, parts.cases, NET_CASES, 1, parts.results);
        CU_ASSERT(net_setup_same_gradients("in parts", &parts, &whole, 1e-5));
        for (int c = 0; c < NET_CASES; c++) {
            CU_ASSERT_DOUBLE_EQUAL(parts.results[c].total_loss, whole.results[c].total_loss, 1e-6);
            CU_ASSERT(
                twin_near("weights in parts", parts.tem_weight[c], whole.tem_weight[c], (size_t)net_bags[c], 1e-5));
        }
        net_setup_drop(&whole);
        net_setup_drop(&parts);
    }
}

/* One group after another, as cmus_net_gradients does; the arenas hold what was planned and lie within the room. */
static void run_groups(net_setup *s) {
    cmus_group_plan plans[NET_CASES];
    int groups = net_setup_plan_groups(s, plans), begin = 0;
    for (int g = 0; g < groups; begin += plans[g++].count) {
        CU_ASSERT(plans[g].keep != CMUS_KEEP_MAPS || s->config.activations != CMUS_ACTIVATIONS_STORE);
        CU_ASSERT(plans[g].keep != CMUS_KEEP_ALL || s->config.activations != CMUS_ACTIVATIONS_RECOMPUTE);
        cmus_net_run_group(s->net, s->cases + begin, plans[g], 1, true, s->results + begin);
        CU_ASSERT(s->net->tapes.used > 0);
        CU_ASSERT((double)s->net->tapes.used + (double)s->net->scratch.used <= s->net->room);
        CU_ASSERT((double)s->net->tapes.size + (double)s->net->scratch.size <= s->net->room);
    }
}

static bool same_groups(const net_setup *a, const net_setup *b) {
    cmus_group_plan first[NET_CASES], second[NET_CASES];
    int groups = net_setup_plan_groups(a, first);
    bool same = net_setup_plan_groups(b, second) == groups;
    for (int g = 0; same && g < groups; g++)
        same = first[g].count == second[g].count &&
               (first[g].keep == CMUS_KEEP_NOTHING) == (second[g].keep == CMUS_KEEP_NOTHING);
    return same;
}

/* The usual network with memory for `images` images (0: for all), after its cases went through; counts what was kept.
 */
static void make_and_run(net_setup *s, cmus_activations activations, int images, int seen[CMUS_KEEP_ALL + 1]) {
    net_choice c = net_choices[0];
    c.activations = activations;
    net_setup_make(s, &c);
    if (images)
        net_setup_shrink(s, images);
    run_groups(s);
    cmus_group_plan plans[NET_CASES];
    int groups = net_setup_plan_groups(s, plans);
    for (int g = 0; g < groups; g++)
        seen[plans[g].keep]++;
}

/* Whatever is kept, with much and with little memory: the same gradients, to the bit where the groups are the same. */
static void activations_do_not_matter(void) {
    static const int at_once[] = {0, 8, 6, 4, 1};
    static const cmus_activations others[] = {CMUS_ACTIVATIONS_AUTO, CMUS_ACTIVATIONS_RECOMPUTE};
    int seen[CMUS_KEEP_ALL + 1] = {0}, same = 0;
    net_setup whole, stored, other;
    net_setup_make(&whole, &net_choices[0]);
    cmus_net_gradients(whole.net, whole.cases, NET_CASES, 1, whole.results);
    for (int k = 0; k < 5; k++) {
        make_and_run(&stored, CMUS_ACTIVATIONS_STORE, at_once[k], seen);
        CU_ASSERT(net_setup_same_gradients("stored", &stored, &whole, 1e-5));
        for (int o = 0; o < 2; o++) {
            make_and_run(&other, others[o], at_once[k], seen);
            CU_ASSERT(net_setup_same_gradients(o ? "computed again" : "automatic", &other, &stored, 1e-5));
            if (same_groups(&other, &stored)) {
                same++;
                CU_ASSERT_EQUAL(memcmp(cmus_net_gradient(other.net), cmus_net_gradient(stored.net),
                                       other.weights.count * sizeof(float)),
                                0);
            }
            net_setup_drop(&other);
        }
        net_setup_drop(&stored);
    }
    CU_ASSERT(seen[CMUS_KEEP_NOTHING] && seen[CMUS_KEEP_MAPS] && seen[CMUS_KEEP_ALL]);
    CU_ASSERT(same >= 4); /* else the bits were hardly compared */
    net_setup_drop(&whole);
}

static void batch_is_the_sum_of_its_cases(void) {
    net_setup batch, single;
    net_setup_make(&batch, &net_choices[0]);
    net_setup_make(&single, &net_choices[0]);
    cmus_net_gradients(batch.net, batch.cases, NET_CASES, 1, batch.results);
    for (int c = NET_CASES - 1; c >= 0; c--)
        cmus_net_gradients(single.net, &single.cases[c], 1, 1, &single.results[c]);
    CU_ASSERT(net_setup_same_gradients("single cases", &single, &batch, 1e-5));
    for (int c = 0; c < NET_CASES; c++)
        CU_ASSERT_DOUBLE_EQUAL(single.results[c].total_loss, batch.results[c].total_loss, 1e-6);
    /* twice the same accumulates, and so does any scale */
    cmus_net_gradients(batch.net, batch.cases, NET_CASES, 1, batch.results);
    cmus_net_gradients(single.net, single.cases, NET_CASES, 0.25, single.results);
    cmus_net_gradients(single.net, single.cases, NET_CASES, 0.75, single.results);
    CU_ASSERT(net_setup_same_gradients("accumulated", &single, &batch, 1e-5));
    net_setup_drop(&batch);
    net_setup_drop(&single);
}

static void threads_hardly_matter(void) {
    int usual = omp_get_max_threads();
    net_setup one, two;
    net_setup_make(&one, &net_choices[1]);
    net_setup_make(&two, &net_choices[1]);
    omp_set_num_threads(1);
    cmus_net_gradients(one.net, one.cases, NET_CASES, 1, one.results);
    omp_set_num_threads(2);
    cmus_net_gradients(two.net, two.cases, NET_CASES, 1, two.results);
    omp_set_num_threads(usual);
    CU_ASSERT(net_setup_same_gradients("two threads", &two, &one, 1e-5)); /* the BLAS may add in another order */
    net_setup_drop(&one);
    net_setup_drop(&two);
}

static void not_a_number_comes_out(void) {
    for (int m = 0; m < CMUS_MODALITIES; m++) {
        net_setup s;
        net_setup_make(&s, &net_choices[0]);
        ((float *)s.cases[0].images[m])[1234] = NAN;
        cmus_net_gradients(s.net, s.cases, NET_CASES, 1, s.results);
        CU_ASSERT(isnan(s.results[0].total_loss) && isnan(s.results[0].logits[CMUS_HEAD_FUSION][0]));
        CU_ASSERT(isnan(s.results[0].loss[m]));
        CU_ASSERT_FALSE(isnan(s.results[1].total_loss));
        CU_ASSERT(isnan(cmus_net_gradient(s.net)[0]) || m != CMUS_TEM);
        net_setup_drop(&s);
    }
}

static void configuration_is_checked(void) {
    cmus_net *net;
    cmus_net_config config = net_setup_config(&net_choices[0]);
    config.memory_bytes = 0x1p20;
    CU_ASSERT_EQUAL(cmus_net_create(&config, true, &net), CMUS_ERROR_CONFIG);
    CU_ASSERT_PTR_NULL(net);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "memory_gib"));
    cmus_net_config good = net_setup_config(&net_choices[0]), bad[10];
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
    cmus_net_config config = net_setup_config(&net_choices[2]);
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
        {"not a number comes out", not_a_number_comes_out},
        {"the configuration is checked", configuration_is_checked},
        {"drop probability rises", drop_probability_rises},
    };
    return unit_family_main("model: network", tests, sizeof tests / sizeof tests[0]);
}
