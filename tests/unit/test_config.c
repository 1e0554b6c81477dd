/* The configuration: what is accepted, what is refused and with which words, and that it comes back as it was written.
 */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "cmus/config.h"
#include "cmus/memory.h"
#include "unit.h"

static cmus_status parse(const char *text, const char *override, cmus_config *config) {
    cmus_file_write("config_scratch.yaml", text, strlen(text));
    cmus_status status = cmus_config_read("config_scratch.yaml", &override, override ? 1 : 0, config);
    unlink("config_scratch.yaml");
    return status;
}

static void defaults_are_the_published_protocol(void) {
    cmus_config config;
    cmus_config_defaults(&config);
    cmus_net_config published = cmus_net_config_published();
    CU_ASSERT_EQUAL(config.net.embed_dim, published.embed_dim);
    CU_ASSERT_EQUAL(memcmp(config.net.depths, published.depths, sizeof published.depths), 0);
    CU_ASSERT_EQUAL(memcmp(config.net.heads, published.heads, sizeof published.heads), 0);
    CU_ASSERT_EQUAL(memcmp(config.net.loss_weight, published.loss_weight, sizeof published.loss_weight), 0);
    CU_ASSERT_EQUAL(config.net.head_relu, published.head_relu);
    CU_ASSERT_EQUAL(config.net.distance_t, published.distance_t);
    CU_ASSERT_EQUAL(config.net.fusion_hidden, published.fusion_hidden);
    CU_ASSERT_EQUAL(config.net.activations, CMUS_ACTIVATIONS_AUTO);
    CU_ASSERT_EQUAL(config.net.precision, CMUS_PRECISION_FP32);
    CU_ASSERT_EQUAL(config.net.drop_path, published.drop_path);
    CU_ASSERT_EQUAL(config.net.dropout, published.dropout);
    CU_ASSERT_EQUAL(config.lr, 5e-5);
    CU_ASSERT_EQUAL(config.lr_min, 5e-6);
    CU_ASSERT_EQUAL(config.batch, 4);
    CU_ASSERT_EQUAL(config.epochs, 40);
}

static void values_are_read(void) {
    cmus_config config;
    CU_ASSERT_EQUAL_FATAL(parse("# a comment\nclasses: [\"a b\", 'c\"d', e]\ndepths: [1, 2, 3, 4]\nlr: 1e-3\n"
                                "attention: multihead\nhead_relu: false\nseed: 9223372036854775807\n"
                                "activations: recompute\nprecision: bf16\n",
                                "epochs=7", &config),
                          CMUS_OK);
    CU_ASSERT_EQUAL(config.class_count, 3);
    CU_ASSERT_STRING_EQUAL(config.classes[1], "c\"d");
    CU_ASSERT_EQUAL(config.net.depths[2], 3);
    CU_ASSERT_EQUAL(config.lr, 1e-3);
    CU_ASSERT_EQUAL(config.net.attention, CMUS_ATTENTION_MULTIHEAD);
    CU_ASSERT_EQUAL(config.net.activations, CMUS_ACTIVATIONS_RECOMPUTE);
    CU_ASSERT_EQUAL(config.net.precision, CMUS_PRECISION_BF16);
    CU_ASSERT_FALSE(config.net.head_relu);
    CU_ASSERT_EQUAL(config.seed, INT64_MAX);
    CU_ASSERT_EQUAL(config.epochs, 7);
}

static void encoder_gives_what_was_not_given(void) {
    cmus_config config;
    CU_ASSERT_EQUAL_FATAL(parse("depths: [2, 2, 2, 2]\nencoder: swin_t\n", NULL, &config), CMUS_OK);
    CU_ASSERT_EQUAL(config.net.embed_dim, 96);
    CU_ASSERT_EQUAL(config.net.heads[3], 24);
    CU_ASSERT_EQUAL(config.net.depths[2], 2);
    CU_ASSERT_EQUAL_FATAL(parse("embed_dim: 32\nheads: [1, 2, 4, 8]\n", "encoder=swin_s", &config), CMUS_OK);
    CU_ASSERT_EQUAL(config.net.embed_dim, 32);
    CU_ASSERT_EQUAL(config.net.depths[2], 18);
}

static void text_comes_back(void) {
    cmus_config config, again;
    CU_ASSERT_EQUAL_FATAL(parse("classes: ['a \"x\"\\', \"b\\tc\", \"\xC3\xA9\"]\nlr: 0.1234567890123456\nseed: 5\n"
                                "lr_min: 3e-7\nencoder: swin_t\nflip_vertical: false\nmemory_gib: 0.3\n",
                                NULL, &config),
                          CMUS_OK);
    char *text = cmus_config_text(&config), hash[CMUS_SHA256_TEXT], hash_again[CMUS_SHA256_TEXT];
    CU_ASSERT_EQUAL_FATAL(parse(text, NULL, &again), CMUS_OK);
    char *text_again = cmus_config_text(&again);
    CU_ASSERT_STRING_EQUAL(text, text_again);
    CU_ASSERT_EQUAL(config.lr, again.lr);
    CU_ASSERT_STRING_EQUAL(config.classes[0], again.classes[0]);
    CU_ASSERT_STRING_EQUAL(config.classes[1], again.classes[1]);
    cmus_config_hash(&config, hash);
    again.memory_gib = 77;
    again.eval_every = 5;
    again.net.activations = CMUS_ACTIVATIONS_STORE;
    cmus_config_hash(&again, hash_again);
    CU_ASSERT_STRING_EQUAL(hash, hash_again);
    again.net.precision = CMUS_PRECISION_BF16;
    cmus_config_hash(&again, hash_again);
    CU_ASSERT_STRING_NOT_EQUAL(hash, hash_again);
    again.net.precision = CMUS_PRECISION_FP32;
    again.lr = 0.2;
    cmus_config_hash(&again, hash_again);
    CU_ASSERT_STRING_NOT_EQUAL(hash, hash_again);
    cmus_free(text);
    cmus_free(text_again);
}

/* Every key is refused with a wrong type, and its default is accepted as text. */
static void every_key_has_a_type(void) {
    cmus_config config;
    for (size_t i = 0; i < cmus_key_count; i++) {
        char *wrong = cmus_format_string("%s: [x, x]\n", cmus_keys[i].name);
        CU_ASSERT_EQUAL(parse(wrong, NULL, &config), CMUS_ERROR_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), cmus_keys[i].name));
        CU_ASSERT(strlen(cmus_keys[i].help) > 5);
        cmus_free(wrong);
    }
}

static void faults_are_named(void) {
    static const struct {
        const char *text, *override, *message;
    } faults[] = {
        {"lr: 1e-3\nbatchh: 3\n", NULL, "config_scratch.yaml, line 2: unknown key 'batchh'; did you mean 'batch'?"},
        {"something_else: 3\n", NULL, "line 1: unknown key 'something_else'; --help-config lists all"},
        {"\n\nlr: fast\n", NULL, "config_scratch.yaml, line 3: lr: 'fast' is not a number from"},
        {"lr: nan\n", NULL, "'nan' is not a number"},
        {"lr: inf\n", NULL, "'inf' is not a number"},
        {"lr: 0x1p-3\n", NULL, "'0x1p-3' is not a number"},
        {"lr: 100\n", NULL, "'100' is not a number from 1e-12 to 10"},
        {"batch: 4.0\n", NULL, "batch: '4.0' is not a whole number"},
        {"batch: 99999999999999999999\n", NULL, "is not a whole number from 1 to 65536"},
        {"batch: 65537\n", NULL, "batch: '65537' is not a whole number from 1 to 65536"},
        {"batch: 0\n", NULL, "batch: '0' is not a whole number from 1 to 65536"},
        {"batch: \"4\"\n", NULL, "\"4\" in quotes is not"},
        {"batch:\n", NULL, "batch: '' is not"},
        {"head_relu: yes\n", NULL, "'yes' is not true or false"},
        {"attention: best\n", NULL, "'best' is not one of cmsa multihead"},
        {"activations: stored\n", NULL, "activations: 'stored' is not one of auto store recompute"},
        {"lr: 1e-3\n", "precision=fp16", "command line, 'precision=fp16': precision: 'fp16' is not one of fp32 bf16"},
        {"depths: [2, 2, 2]\n", NULL, "depths takes a list of 4"},
        {"classes: [a, a]\n", NULL, "classes takes a list"},
        {"seed: -1\n", NULL, "seed: '-1' is not"},
        {"lr: 1e-3\nepochs: 3\nlr: 1e-3\n", NULL, "line 3: lr is given twice, first in line 1"},
        {"lr: {a: 1}\n", NULL, "line 1: lr: neither a plain value nor a list"},
        {"depths: [[1, 2]]\n", NULL, "a list of plain values"},
        {"- lr\n", NULL, "line 1: lines of the form 'key: value'"},
        {"", NULL, "the file is empty"},
        {"lr: 1e-3\n---\nlr: 1e-3\n", NULL, "lines of the form"},
        {"lr: *a\n", NULL, "lr: neither a plain value nor a list"},
        {"lr: [1\n", NULL, "no YAML"},
        {"lr: \x01\n", NULL, "no YAML"},
        {"lr: 1e-4\nlr_min: 1e-3\n", NULL, "config_scratch.yaml: lr_min 0.001 is larger than lr 0.0001"},
        {"epochs: 3\nwarmup_epochs: 3\n", NULL, "warmup_epochs 3 leaves none"},
        {"embed_dim: 9\n", NULL, "heads"},
        {"lr: 1e-3\n", "lrr=3", "command line, 'lrr=3': unknown key 'lrr'; did you mean 'lr'?"},
        {"lr: 1e-3\n", "lr=x", "command line, 'lr=x': lr: 'x' is not a number"},
    };
    cmus_config config;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        CU_ASSERT_EQUAL(parse(faults[i].text, faults[i].override, &config), CMUS_ERROR_CONFIG);
        if (!strstr(cmus_last_error(), faults[i].message)) {
            printf("\nfor '%s': '%s' is not in '%s'\n", faults[i].text, faults[i].message, cmus_last_error());
            CU_FAIL("message");
        }
        CU_ASSERT_PTR_NULL(strchr(cmus_last_error(), '\n'));
    }
    CU_ASSERT_EQUAL(parse("lr: 1e-3\n", "lr", &config), CMUS_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(parse("lr: 1e-3\n", "lr=1\nseed: 3", &config), CMUS_ERROR_ARGUMENT);
    CU_ASSERT_EQUAL(cmus_config_read("no_such.yaml", NULL, 0, &config), CMUS_ERROR_NOT_FOUND);
}

static void learning_rate_is_a_cosine(void) {
    cmus_config config;
    cmus_config_defaults(&config);
    CU_ASSERT_DOUBLE_EQUAL(cmus_config_learning_rate(&config, 0), 5e-5, 1e-18);
    CU_ASSERT_DOUBLE_EQUAL(cmus_config_learning_rate(&config, 20), 2.75e-5, 1e-18);
    CU_ASSERT_DOUBLE_EQUAL(cmus_config_learning_rate(&config, 39), 5e-6 + 4.5e-5 * (1 + cos(M_PI * 39 / 40)) / 2,
                           1e-18);
    config.warmup_epochs = 4;
    CU_ASSERT_DOUBLE_EQUAL(cmus_config_learning_rate(&config, 0), 1e-5, 1e-18);
    CU_ASSERT_DOUBLE_EQUAL(cmus_config_learning_rate(&config, 3), 4e-5, 1e-18);
    CU_ASSERT_DOUBLE_EQUAL(cmus_config_learning_rate(&config, 4), 5e-5, 1e-18);
}

int main(void) {
    static const unit_test tests[] = {
        {"defaults are the published protocol", defaults_are_the_published_protocol},
        {"values are read", values_are_read},
        {"the encoder gives what was not given", encoder_gives_what_was_not_given},
        {"the text comes back", text_comes_back},
        {"every key has a type", every_key_has_a_type},
        {"faults are named", faults_are_named},
        {"learning rate is a cosine", learning_rate_is_a_cosine},
    };
    return unit_main("config", tests, sizeof tests / sizeof tests[0]);
}
