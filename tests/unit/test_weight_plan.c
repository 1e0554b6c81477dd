/* Plans of what is loaded where: groups, classes, prefixes, windows, leftovers, and what is refused with which words.
 * That features are PyTorch's, for all kinds of names, is shown by tests/cli/weights_names.py. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bias_table.h"
#include "cmus/cmusnet.h"
#include "cmus/memory.h"
#include "cmus/weight_plan.h"
#include "cmus/weight_tools.h"
#include "cmus/weights.h"
#include "unit.h"

static const char PATH[] = "scratch_plan.safetensors";

static cmus_net *small_net(int embed_dim, int depth, int classes) {
    cmus_net_config config = cmus_net_config_published();
    config.embed_dim = embed_dim;
    config.image_size = 32;
    config.fusion_hidden = 8;
    config.classes = classes;
    for (int i = 0; i < CMUS_STAGES; i++) {
        config.depths[i] = i == 2 ? depth : 1;
        config.heads[i] = 1 << i;
    }
    cmus_net *net = NULL;
    if (cmus_net_create(&config, false, &net) != CMUS_OK)
        CU_FAIL_FATAL("network");
    cmus_parameters_initialize(cmus_net_parameters(net), 3, cmus_net_weights(net));
    return net;
}

/* A file to be written: tensors with names of their own. */
typedef struct made_file {
    cmus_tensor_source sources[600];
    char *names[600];
    size_t count;
    float *zeros;
} made_file;

static cmus_tensor_source *put(made_file *file, const char *format, ...) {
    char name[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    file->names[file->count] = cmus_copy_string(name);
    cmus_tensor_source *source = &file->sources[file->count];
    *source = (cmus_tensor_source){.name = file->names[file->count], .type = "F32", .data = file->zeros};
    file->count++;
    return source;
}

static cmus_tensor_source *put_tensor(made_file *file, const cmus_net *net, const cmus_tensor *tensor,
                                      const char *name) {
    cmus_tensor_source *source = put(file, "%s", name);
    source->dimensions = tensor->dimensions;
    for (int i = 0; i < tensor->dimensions; i++)
        source->shape[i] = tensor->shape[i];
    source->data = cmus_net_weights((cmus_net *)net) + tensor->offset;
    return source;
}

static made_file *make_file(void) {
    made_file *file = cmus_allocate(1, sizeof *file);
    file->zeros = cmus_allocate(1 << 16, sizeof *file->zeros);
    return file;
}

/* The groups of a network that begin with `groups`, each name behind `prefix`. */
static made_file *file_of_network(const cmus_net *net, const char *groups, const char *prefix) {
    made_file *file = make_file();
    const cmus_parameters *parameters = cmus_net_parameters(net);
    for (size_t i = 0; i < parameters->count; i++)
        if (strncmp(parameters->tensors[i].name, groups, strlen(groups)) == 0) {
            char name[200];
            snprintf(name, sizeof name, "%s%s", prefix, parameters->tensors[i].name);
            put_tensor(file, net, &parameters->tensors[i], name);
        }
    return file;
}

/* The TEM encoder in torchvision's names. */
static made_file *file_of_torchvision(const cmus_net *net) {
    made_file *file = make_file();
    const cmus_parameters *parameters = cmus_net_parameters(net);
    for (size_t i = 0; i < parameters->count; i++) {
        char name[200];
        if (strncmp(parameters->tensors[i].name, "TEM_encoder.", 12) != 0)
            continue;
        snprintf(name, sizeof name, "%s%s", parameters->tensors[i].name[12] == '0' ? "features." : "norm.",
                 parameters->tensors[i].name + 14);
        put_tensor(file, net, &parameters->tensors[i], name);
    }
    return file;
}

static cmus_tensor_source *source_of(made_file *file, const char *name) {
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->names[i], name) == 0)
            return &file->sources[i];
    CU_FAIL_FATAL("name");
    return NULL;
}

static void write_file(made_file *file) {
    CU_ASSERT_EQUAL_FATAL(cmus_safetensors_write(PATH, file->sources, file->count, NULL, 0), CMUS_OK);
    for (size_t i = 0; i < file->count; i++)
        cmus_free(file->names[i]);
    cmus_free(file->zeros);
    cmus_free(file);
}

/* Writes the file and loads it into other's weights, which are 7 before. */
static cmus_status load(made_file *file, cmus_net *other, char **loaded, char **warning) {
    const cmus_parameters *parameters = cmus_net_parameters(other);
    write_file(file);
    for (size_t i = 0; i < parameters->size; i++)
        cmus_net_weights(other)[i] = 7;
    cmus_status status = cmus_weights_initialize(PATH, false, parameters, cmus_net_weights(other), loaded, warning);
    unlink(PATH);
    return status;
}

/* Both texts are freed. */
static void check_words(char *loaded, char *warning, const char *in_loaded, const char *in_warning) {
    if (!loaded || !strstr(loaded, in_loaded)) {
        printf("\n'%s' is not in '%s'\n", in_loaded, loaded ? loaded : "(none)");
        CU_FAIL("loaded");
    }
    if (in_warning ? !warning || !strstr(warning, in_warning) : warning != NULL) {
        printf("\n'%s' is not '%s'\n", in_warning ? in_warning : "(none)", warning ? warning : "(none)");
        CU_FAIL("warning");
    }
    cmus_free(loaded);
    cmus_free(warning);
}

static void check_refused(made_file *file, cmus_net *other, const char *first, const char *second) {
    char *loaded, *warning;
    CU_ASSERT_EQUAL(load(file, other, &loaded, &warning), CMUS_ERROR_MISMATCH);
    CU_ASSERT(!loaded && !warning);
    if (!strstr(cmus_last_error(), PATH) || !strstr(cmus_last_error(), first) || !strstr(cmus_last_error(), second)) {
        printf("\n'%s' and '%s' are not in '%s'\n", first, second, cmus_last_error());
        CU_FAIL("message");
    }
    /* What was read before the fault is left in them, and the next file may be made of them. */
    cmus_parameters_initialize(cmus_net_parameters(other), 3, cmus_net_weights(other));
}

static bool is_seven(const cmus_net *net, const cmus_tensor *tensor) {
    const float *values = cmus_net_weights((cmus_net *)net) + tensor->offset;
    return values[0] == 7 && values[tensor->size - 1] == 7;
}

static bool is_same(const cmus_net *a, const cmus_tensor *in_a, const cmus_net *b, const cmus_tensor *in_b) {
    return in_a->size == in_b->size &&
           memcmp(cmus_net_weights((cmus_net *)a) + in_a->offset, cmus_net_weights((cmus_net *)b) + in_b->offset,
                  in_a->size * sizeof(float)) == 0;
}

static void one_encoder_goes_into_all(void) {
    cmus_net *net = small_net(8, 1, 3), *other = small_net(8, 1, 3);
    const cmus_parameters *parameters = cmus_net_parameters(net);
    char *loaded, *warning;
    made_file *file = file_of_torchvision(net);
    *put(file, "head.weight") = (cmus_tensor_source){
        .name = "head.weight", .type = "F32", .dimensions = 2, .shape = {10, 64}, .data = file->zeros};
    CU_ASSERT_EQUAL(load(file, other, &loaded, &warning), CMUS_OK);
    check_words(loaded, warning, "into TEM_encoder, OM_encoder, IM_encoder; not loaded: CrossAttn, TEM_fc", NULL);
    size_t encoder = 0, wrong = 0;
    for (size_t i = 0; i < parameters->count; i++)
        encoder += strncmp(parameters->tensors[i].name, "TEM_encoder.", 12) == 0;
    for (size_t i = 0; i < parameters->count; i++)
        wrong += i < 3 * encoder ? !is_same(net, &parameters->tensors[i % encoder], other, &parameters->tensors[i])
                                 : !is_seven(other, &parameters->tensors[i]);
    CU_ASSERT_EQUAL(wrong, 0);
    cmus_net_free(net);
    cmus_net_free(other);
}

static void groups_come_alone(void) {
    cmus_net *net = small_net(8, 1, 3), *other = small_net(8, 1, 3);
    const cmus_parameters *parameters = cmus_net_parameters(net);
    char *loaded, *warning;
    CU_ASSERT_EQUAL(load(file_of_network(net, "OM_", "module.encoder.module."), other, &loaded, &warning), CMUS_OK);
    check_words(loaded, warning, "into OM_encoder, OM_fc; not loaded: TEM_encoder",
                "TEM_encoder begins at random; IM_");
    for (size_t i = 0; i < parameters->count; i++) {
        const cmus_tensor *tensor = &parameters->tensors[i];
        CU_ASSERT(strncmp(tensor->name, "OM_", 3) == 0 ? is_same(net, tensor, other, tensor) : is_seven(other, tensor));
    }
    CU_ASSERT_EQUAL(load(file_of_network(net, "", ""), other, &loaded, &warning), CMUS_OK);
    check_words(loaded, warning, "the whole network", NULL);
    CU_ASSERT_EQUAL(memcmp(cmus_net_weights(net), cmus_net_weights(other), parameters->size * sizeof(float)), 0);
    made_file *file = file_of_network(net, "CrossAttn", "");
    put(file, "optimizer.step");
    put(file, "scheduler");
    CU_ASSERT_EQUAL(load(file, other, &loaded, &warning), CMUS_OK);
    check_words(loaded, warning, "5 tensors into CrossAttn;",
                "2 tensors were left out that are not part of the network");
    cmus_net_free(net);
    cmus_net_free(other);
}

static void heads_of_other_classes_are_left_out(void) {
    cmus_net *net = small_net(8, 1, 3), *other = small_net(8, 1, 5);
    char *loaded, *warning;
    CU_ASSERT_EQUAL(load(file_of_network(net, "", ""), other, &loaded, &warning), CMUS_OK);
    check_words(loaded, warning, "not loaded: TEM_fc, OM_fc, IM_fc", "8 tensors of the heads are of other classes");
    const cmus_parameters *parameters = cmus_net_parameters(other);
    CU_ASSERT(is_seven(other, cmus_parameters_find(parameters, "MLP.linear2.weight")));
    CU_ASSERT(is_seven(other, cmus_parameters_find(parameters, "TEM_fc.linear.bias")));
    CU_ASSERT_FALSE(is_seven(other, cmus_parameters_find(parameters, "MLP.linear1.weight")));
    cmus_net_free(net);
    cmus_net_free(other);
}

static void other_sizes_are_refused(void) {
    cmus_net *net = small_net(8, 2, 3), *deep = small_net(8, 3, 3), *flat = small_net(8, 1, 3),
             *wide = small_net(16, 2, 3);
    const char *hint = "the file has embed_dim: 8, depths: [1, 1, 2, 1], heads: [1, 2, 4, 8]; set these keys";
    check_refused(file_of_torchvision(net), deep, "'features.5.2.norm1.weight' of the configured network is missing",
                  hint);
    check_refused(file_of_torchvision(net), flat, "'features.5.1.", hint);
    check_refused(file_of_torchvision(net), wide,
                  "'features.0.0.weight' is [8, 3, 4, 4], but the configured network has [16, 3, 4, 4] as "
                  "'TEM_encoder.0.0.0.weight'",
                  hint);
    check_refused(file_of_network(net, "", ""), deep, "'TEM_encoder.0.5.2.norm1.weight'", hint);
    check_refused(file_of_network(net, "", ""), flat, "_encoder.0.5.1.", hint);
    made_file *file = file_of_torchvision(net);
    source_of(file, "features.0.0.weight")->shape[1] = 1;
    check_refused(file, net, "'features.0.0.weight' is [8, 1, 4, 4]", "of other channels than RGB can't be used");
    file = file_of_torchvision(net);
    source_of(file, "features.1.0.attn.relative_position_bias_table")->shape[0] = 168; /* no square */
    check_refused(file, net, "is [168, 1]", "has [169, 1]");
    cmus_net_free(net);
    cmus_net_free(deep);
    cmus_net_free(flat);
    cmus_net_free(wide);
}

static void what_does_not_belong_is_refused(void) {
    cmus_net *net = small_net(8, 1, 3);
    static const int64_t whole_numbers[512] = {1};
    static const float not_finite[8] = {1, 2, -INFINITY};
    made_file *file = file_of_torchvision(net);
    put(file, "features.1.0.attn.logit_scale");
    check_refused(file, net, "'features.1.0.attn.logit_scale'", "Swin Transformer V2");
    file = file_of_torchvision(net);
    put(file, "features.1.0.gamma");
    check_refused(file, net, "'features.1.0.gamma' has no place", "");
    file = file_of_network(net, "MLP", "");
    put(file, "MLP.linear3.weight");
    check_refused(file, net, "'MLP.linear3.weight' has no place", "");
    file = file_of_network(net, "MLP.linear2", "");
    check_refused(file, net, "'MLP.linear1.weight' of the configured network is missing", "others of 'MLP'");
    file = file_of_torchvision(net);
    source_of(file, "norm.weight")->type = "I64";
    source_of(file, "norm.weight")->data = whole_numbers;
    check_refused(file, net, "'norm.weight'", "I64");
    file = file_of_torchvision(net);
    source_of(file, "features.0.0.bias")->data = not_finite;
    check_refused(file, net, "'features.0.0.bias' holds -inf at place 2", "");
    static float huge[529]; /* a table of window 12, of stripes two wide that a bicubic curve overshoots */
    for (int i = 0; i < 529; i++)
        huge[i] = (i % 23 + 1) / 2 % 2 ? 3.3e38f : -3.3e38f;
    file = file_of_torchvision(net);
    source_of(file, "features.1.0.attn.relative_position_bias_table")->shape[0] = 529;
    source_of(file, "features.1.0.attn.relative_position_bias_table")->data = huge;
    check_refused(file, net, "'features.1.0.attn.relative_position_bias_table' holds", "weights must be finite");
    file = file_of_torchvision(net);
    put(file, "absolute_pos_embed");
    check_refused(file, net, "'absolute_pos_embed'", "absolute position embeddings");
    file = file_of_torchvision(net);
    put(file, "norm.extra");
    check_refused(file, net, "'norm.extra' has no place", "");
    file = make_file();
    put(file, "model.encoder.layers.0.attention.self.query.weight");
    check_refused(file, net, "Hugging Face", "");
    check_refused(make_file(), net, "neither this network", "0 tensors)");
    file = make_file();
    put(file, "features.0.weight");
    check_refused(file, net, "neither this network", "'features.0.weight'");
    cmus_net_free(net);
}

/* The plan itself: what is said of each tensor of the file. */
static void leftovers_have_reasons(void) {
    cmus_net *net = small_net(8, 1, 3);
    made_file *file = file_of_torchvision(net);
    put(file, "features.1.0.attn.relative_position_index");
    put(file, "features.1.0.attn_mask");
    put(file, "head.bias");
    put(file, "avg");
    write_file(file);
    cmus_state_dict *dict;
    CU_ASSERT_EQUAL_FATAL(cmus_state_dict_open(PATH, &dict), CMUS_OK);
    CU_ASSERT_STRING_EQUAL(cmus_state_dict_kind(dict), "safetensors");
    CU_ASSERT_STRING_EQUAL(cmus_state_dict_path(dict), PATH);
    CU_ASSERT_EQUAL(cmus_state_dict_metadata_count(dict), 1);
    CU_ASSERT_STRING_EQUAL(cmus_state_dict_metadata(dict, "format"), "pt");
    cmus_weight_plan plan;
    CU_ASSERT_EQUAL_FATAL(cmus_weight_plan_make(dict, cmus_net_parameters(net), &plan), CMUS_OK);
    CU_ASSERT_EQUAL(plan.names, CMUS_NAMES_TORCHVISION);
    CU_ASSERT_EQUAL(plan.loaded + plan.kept, cmus_net_parameters(net)->count);
    CU_ASSERT_EQUAL_FATAL(plan.leftover_count, 4);
    static const char *const expected[][2] = {{"avg", "not part of the network"},
                                              {"features.1.0.attn.relative_position_index", "position index buffer"},
                                              {"features.1.0.attn_mask", "attention mask buffer"},
                                              {"head.bias", "classification head"}};
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_STRING_EQUAL(plan.leftovers[i].tensor->name, expected[i][0]);
        CU_ASSERT_STRING_EQUAL(plan.leftovers[i].why, expected[i][1]);
        CU_ASSERT_EQUAL(plan.leftovers[i].expected, i > 0);
    }
    cmus_weight_plan_free(&plan);
    cmus_state_dict_close(dict);
    unlink(PATH);
    CU_ASSERT_EQUAL(cmus_state_dict_open(PATH, &dict), CMUS_ERROR_NOT_FOUND);
    CU_ASSERT_EQUAL(cmus_state_dict_open(".", &dict), CMUS_ERROR_IO);
    CU_ASSERT_PTR_NULL(dict);
    cmus_net_free(net);
}

/* Numbers of torch.nn.functional.interpolate(mode="bicubic") in float64; element i of the input is 7 i modulo 11. */
static void tables_are_resized_as_by_pytorch(void) {
    static const float small[18] = {2.007202f, 5.770576f, 7.648148f, 3.037037f, 3.405693f, 6.112826f,
                                    5.314815f, 4.777778f, 3.000000f, 10.00000f, 8.222222f, 3.611111f,
                                    4.740741f, 2.921125f, 2.425926f, 5.351852f, 4.856653f, 6.054870f};
    static const float large_begin[14] = {-1.443436f, 6.890671f, -0.514843f, 7.686589f, 1.139423f,
                                          9.798834f,  3.218659f, 10.218659f, 4.919226f, 7.174927f,
                                          5.910822f,  3.225948f, 6.546647f,  1.344023f};
    float from[50], to[98];
    for (int i = 0; i < 50; i++)
        from[i] = (float)(i * 7 % 11);
    cmus_bias_resize(from, 5, to, 3, 2);
    for (int i = 0; i < 18; i++)
        CU_ASSERT_DOUBLE_EQUAL(to[i], small[i], 2e-6);
    cmus_bias_resize(from, 3, to, 7, 2);
    for (int i = 0; i < 14; i++)
        CU_ASSERT_DOUBLE_EQUAL(to[i], large_begin[i], 2e-6);
    cmus_bias_resize(from, 5, to, 5, 2);
    CU_ASSERT_EQUAL(memcmp(from, to, sizeof from), 0);
    CU_ASSERT(cmus_bias_side(169) == 13 && cmus_bias_side(529) == 23 && cmus_bias_side(1) == 1);
    CU_ASSERT(cmus_bias_side(168) == 0 && cmus_bias_side(144) == 0 && cmus_bias_side(0) == 0 &&
              cmus_bias_side(-9) == 0);
    CU_ASSERT_EQUAL(cmus_bias_side(INT64_MAX), 0);
}

/* Time in proportion to the number of tensors: with its square, a file of some MB would keep one waiting. */
static void many_leftovers_take_little_time(void) {
    enum { EXTRA = 60000, MOST_SECONDS = 5 };
    cmus_net *net = small_net(8, 1, 3);
    made_file *file = file_of_network(net, "TEM_encoder", "");
    cmus_tensor_source *sources = cmus_allocate(EXTRA + file->count, sizeof *sources);
    char(*names)[16] = cmus_allocate(EXTRA, sizeof *names);
    memcpy(sources, file->sources, file->count * sizeof *sources);
    for (size_t i = 0; i < EXTRA; i++) {
        snprintf(names[i], sizeof names[i], "x.%zu", i);
        sources[file->count + i] = (cmus_tensor_source){.name = names[i], .type = "F32", .data = file->zeros};
    }
    CU_ASSERT_EQUAL_FATAL(cmus_safetensors_write(PATH, sources, EXTRA + file->count, NULL, 0), CMUS_OK);
    cmus_state_dict *dict;
    CU_ASSERT_EQUAL_FATAL(cmus_state_dict_open(PATH, &dict), CMUS_OK);
    char *text;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    clock_t begin = clock();
    CU_ASSERT_EQUAL(cmus_weights_inspect(dict, cmus_net_parameters(net), "a test", false, stream), CMUS_OK);
    CU_ASSERT((clock() - begin) / CLOCKS_PER_SEC < MOST_SECONDS);
    fclose(stream);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "left over: not part of the network (60000 tensors), which is unexpected\n"));
    free(text);
    cmus_state_dict_close(dict);
    unlink(PATH);
    cmus_free(names);
    cmus_free(sources);
    for (size_t i = 0; i < file->count; i++)
        cmus_free(file->names[i]);
    cmus_free(file->zeros);
    cmus_free(file);
    cmus_net_free(net);
}

int main(void) {
    static const unit_test tests[] = {
        {"one encoder goes into all", one_encoder_goes_into_all},
        {"groups come alone", groups_come_alone},
        {"heads of other classes are left out", heads_of_other_classes_are_left_out},
        {"other sizes are refused", other_sizes_are_refused},
        {"what does not belong is refused", what_does_not_belong_is_refused},
        {"leftovers have reasons", leftovers_have_reasons},
        {"many leftovers take little time", many_leftovers_take_little_time},
        {"tables are resized as by PyTorch", tables_are_resized_as_by_pytorch},
    };
    return unit_main("weight plan", tests, sizeof tests / sizeof tests[0]);
}
