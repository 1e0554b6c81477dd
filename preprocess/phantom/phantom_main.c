/* cmus-phantom: draws demo cases of glomerular disease from a seed. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/program.h"
#include "phantom.h"

typedef struct arguments {
    phantom_options options;
    const char *folder;
} arguments;

enum { KEY_CLASSES = 256, KEY_BAG, KEY_TWO_CASES, KEY_FADED, KEY_PARTIAL, KEY_OFF_TARGET, KEY_SPARED, KEY_CUE };

static const struct argp_option option_table[] = {
    {"cases", 'n', "N", 0, "How many cases; the classes take turns", 0},
    {"seed", 's', "S", 0, "The same seed draws the same files; a case does not depend on --cases", 0},
    {"size", 'S', "PX", 0, "Side of the square images in pixels", 0},
    {"out", 'o', "DIR", 0, "The folder to make, in place of the argument DIR", 0},
    {"classes", KEY_CLASSES, "LIST", 0, "Some of IgAN,MN,LN", 0},
    {"bag", KEY_BAG, "MIN,MAX", 0, "TEM images of a case", 0},
    {"patients-with-two-cases", KEY_TWO_CASES, "P", 0, "Share of patients with a case in two classes", 0},
    {0, 0, 0, 0, "How hard the cases are:", 1},
    {"im-faded", KEY_FADED, "P", 0, "Probability that a case's IM image has faded or is out of focus", 1},
    {"tem-partial", KEY_PARTIAL, "P", 0,
     "Probability that all TEM images of a case show one compartment only, or are off target", 1},
    {"off-target", KEY_OFF_TARGET, "P", 0,
     "Probability that a TEM image shows no membrane, is blurred or hidden by a grid bar", 1},
    {"tem-spared", KEY_SPARED, "P", 0,
     "Probability that mesangium or membrane of a TEM image is free of deposits, as in focal disease", 1},
    {"om-cue", KEY_CUE, "D", 0, "Shift of OM features between classes in standard deviations", 1},
    {0}};

static long parse_integer(struct argp_state *state, const char *name, const char *text, long low, long high) {
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < low || value > high)
        argp_error(state, "--%s: '%s' is not an integer in %ld ... %ld", name, text, low, high);
    return value;
}

static double parse_number(struct argp_state *state, const char *name, const char *text, double high) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= 0 && value <= high))
        argp_error(state, "--%s: '%s' is not a number in 0 ... %g", name, text, high);
    return value;
}

static uint64_t parse_seed(struct argp_state *state, const char *text) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || *end || strchr(text, '-'))
        argp_error(state, "--seed: '%s' is not an integer from 0", text);
    return value;
}

static void parse_bag(struct argp_state *state, const char *text, phantom_options *options) {
    char *copy = cmus_copy_string(text), *comma = strchr(copy, ',');
    if (comma)
        *comma = 0;
    options->bag_min = (int)parse_integer(state, "bag", copy, 1, PHANTOM_MAX_BAG);
    options->bag_max = comma ? (int)parse_integer(state, "bag", comma + 1, 1, PHANTOM_MAX_BAG) : options->bag_min;
    cmus_free(copy);
    if (options->bag_max < options->bag_min)
        argp_error(state, "--bag: '%s' has more images at least than at most", text);
}

static void parse_classes(struct argp_state *state, const char *text, phantom_options *options) {
    char *copy = cmus_copy_string(text), *rest = NULL;
    bool taken[PHANTOM_CLASSES] = {false};
    options->class_count = 0;
    for (char *name = strtok_r(copy, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        int class = 0;
        while (class < PHANTOM_CLASSES && strcmp(name, phantom_class_names[class]) != 0)
            class ++;
        if (class == PHANTOM_CLASSES || taken[class])
            argp_error(state, "--classes: '%s' is %s", name,
                       class == PHANTOM_CLASSES ? "none of IgAN, MN, LN" : "there twice");
        taken[class] = true;
        options->classes[options->class_count++] = (phantom_class) class;
    }
    cmus_free(copy);
    if (options->class_count == 0)
        argp_error(state, "--classes: none given");
}

static void take_folder(struct argp_state *state, arguments *given, const char *folder) {
    if (given->folder || !*folder)
        argp_error(state, "name one output folder");
    given->folder = folder;
}

/* The text of an option in --help, with its default behind it. argp frees what is new. */
static char *help_with_default(int key, const char *text, void *input) {
    (void)input;
    phantom_options defaults = phantom_defaults();
    char value[64];
    switch (key) {
    case 'n':
        snprintf(value, sizeof value, "%d", defaults.cases);
        break;
    case 's':
        snprintf(value, sizeof value, "%llu", (unsigned long long)defaults.seed);
        break;
    case 'S':
        snprintf(value, sizeof value, "%d", defaults.size);
        break;
    case KEY_CLASSES:
        snprintf(value, sizeof value, "all");
        break;
    case KEY_BAG:
        snprintf(value, sizeof value, "%d,%d", defaults.bag_min, defaults.bag_max);
        break;
    case KEY_TWO_CASES:
        snprintf(value, sizeof value, "%g", defaults.two_cases);
        break;
    case KEY_FADED:
        snprintf(value, sizeof value, "%g", defaults.im_faded);
        break;
    case KEY_PARTIAL:
        snprintf(value, sizeof value, "%g", defaults.tem_partial);
        break;
    case KEY_OFF_TARGET:
        snprintf(value, sizeof value, "%g", defaults.off_target);
        break;
    case KEY_SPARED:
        snprintf(value, sizeof value, "%g", defaults.tem_spared);
        break;
    case KEY_CUE:
        snprintf(value, sizeof value, "%g", defaults.om_cue);
        break;
    default:
        return (char *)text;
    }
    char *help = NULL;
    return asprintf(&help, "%s (%s)", text, value) < 0 ? (char *)text : help; /* argp calls free(), not cmus_free() */
}

static error_t parse(int key, char *text, struct argp_state *state) {
    arguments *given = state->input;
    phantom_options *options = &given->options;
    switch (key) {
    case 'n':
        options->cases = (int)parse_integer(state, "cases", text, 1, 1000000);
        break;
    case 's':
        options->seed = parse_seed(state, text);
        break;
    case 'S':
        options->size = (int)parse_integer(state, "size", text, PHANTOM_MIN_SIZE, PHANTOM_MAX_SIZE);
        break;
    case KEY_CLASSES:
        parse_classes(state, text, options);
        break;
    case KEY_BAG:
        parse_bag(state, text, options);
        break;
    case KEY_TWO_CASES:
        options->two_cases = parse_number(state, "patients-with-two-cases", text, 1);
        break;
    case KEY_FADED:
        options->im_faded = parse_number(state, "im-faded", text, 1);
        break;
    case KEY_PARTIAL:
        options->tem_partial = parse_number(state, "tem-partial", text, 1);
        break;
    case KEY_OFF_TARGET:
        options->off_target = parse_number(state, "off-target", text, 1);
        break;
    case KEY_SPARED:
        options->tem_spared = parse_number(state, "tem-spared", text, 1);
        break;
    case KEY_CUE:
        options->om_cue = parse_number(state, "om-cue", text, 10);
        break;
    case 'o':
    case ARGP_KEY_ARG:
        take_folder(state, given, text);
        break;
    case ARGP_KEY_END:
        if (!given->folder)
            argp_error(state, "name the output folder");
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

int main(int argc, char **argv) {
    static const struct argp table = {
        option_table,
        parse,
        "DIR",
        "Draws demo cases of IgA nephropathy, membranous and lupus nephritis into DIR: cases/ (for cmus-pack), masks/ "
        "of "
        "the deposits and truth.csv.\vThe diagnosis lies where the immune deposits lie: in the mesangium (IgAN), along "
        "the basement membrane (MN), or both (LN). No real patient is in these images.",
        NULL,
        help_with_default,
        NULL};
    cmus_program_begin("cmus-phantom");
    arguments given = {.options = phantom_defaults()};
    argp_parse(&table, argc, argv, 0, NULL, &given);
    cmus_status status = phantom_write_tree(&given.options, given.folder);
    if (status == CMUS_OK)
        cmus_info("%d cases in %s", given.options.cases, given.folder);
    return cmus_program_end(status);
}
