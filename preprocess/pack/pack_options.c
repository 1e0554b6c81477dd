#include "pack_options.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/dataset_index.h"
#include "cmus/memory.h"
#include "cmus/program.h"
#include "cmus/utf8.h"

enum {
    PIXEL_LIMIT = 1000,
    SHARD_MB,
    VERIFY,
    DESCRIBE,
    PREVIEW,
    PREFIX,
    OM_PER_CASE,
    MODALITIES,
    ON_ERROR,
    WINDOW,
    FILTER,
    COMPRESS,
    DEIDENTIFY,
    MAP
};

enum { CLASS_SHOWN = 40 }; /* characters of a name that can't be a class */

static const struct argp_option table[] = {
    {"out", 'o', "DIR", 0, "The data set's folder; it must not exist or be empty", 0},
    {NULL, 0, NULL, 0, "Cases:", 1},
    {"manifest", 'm', "FILE.csv", 0,
     "Take cases and files from a table instead of folders: case_id,patient_id,class,om,im,tem; several files of a "
     "cell "
     "with ; between, relative to the table's folder",
     1},
    {"classes", 'c', "A,B,C", 0, "Classes in the order of the labels (all, in natural order)", 1},
    {"prefix", PREFIX, "NAME=MODALITY", 0,
     "Files NAME_... are OM, IM or TEM images too, such as IF=IM; may be repeated", 1},
    {"om-per-case", OM_PER_CASE, "first|all", 0,
     "Of a patient's several OM images take the first, or make a case of each (first)", 1},
    {"modalities", MODALITIES, "LIST", 0, "Those that the data set has (om,im,tem)", 1},
    {"on-error", ON_ERROR, "stop|skip", 0,
     "What to do when a case is damaged: write nothing, or leave the case out (stop)", 1},
    {NULL, 0, NULL, 0, "Images:", 2},
    {"size", 's', "S", 0, "Side of the packed images in pixels (224)", 2},
    {"filter", FILTER, "NAME", 0, "How images are resized: bilinear, box, bicubic or lanczos (bilinear)", 2},
    {"window", WINDOW, "LO,HI", 0, "These values of 16-bit gray become black and white (each image's own range)", 2},
    {"pixel-limit", PIXEL_LIMIT, "N", 0, "Refuse larger images, in millions of pixels (300)", 2},
    {NULL, 0, NULL, 0, "Data set:", 3},
    {"shard-mb", SHARD_MB, "N", 0, "Images in a shard file, in MiB (256)", 3},
    {"compress", COMPRESS, "LEVEL", OPTION_ARG_OPTIONAL, "Deflate images, level 1 to 9 (not compressed; 1)", 3},
    {"deidentify", DEIDENTIFY, "KEYFILE", 0,
     "Replace patient and case ids by keyed hashes everywhere; the key is what is in KEYFILE", 3},
    {"map", MAP, "FILE.csv", 0, "Where the table of hashes and true ids goes with --deidentify (DIR.map.csv)", 3},
    {NULL, 0, NULL, 0, "Looking at a packed data set:", 4},
    {"verify", VERIFY, "DIR", 0, "Only re-read every checksum of a data set", 4},
    {"describe", DESCRIBE, "DIR", 0, "Only print what is in a data set", 4},
    {"preview", PREVIEW, "FILE.html", 0, "Write a page with some cases of each class, of what is packed or is in DIR",
     4},
    {0}};

static const char usage[] = "SRC... --out DIR\n--manifest FILE.csv --out DIR\n--verify DIR\n--describe DIR\n--preview "
                            "FILE.html DIR";
static const char description[] =
    "Packs cases into HDF5 shards for training.\v"
    "SRC is a folder of cases: <class>/<patient>/<MODALITY>_....<ext>, MODALITY OM, IM or TEM, ext jpg, jpeg, png, tif "
    "or tiff. Each case needs one OM image, one IM image and one or more TEM images. Everything is checked before the "
    "first shard is written, all findings are listed, and DIR appears only when it is complete. A run that was killed "
    "is continued by the same command. Under mpirun the ranks share the work.\n\n"
    "Example: cmus-pack cases --out packed && cmus-split packed --folds 5 --seed 1";

static int parse_number(struct argp_state *state, const char *name, const char *text, long low, long high) {
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end || value < low || value > high)
        argp_error(state, "--%s is '%s', but should be a whole number from %ld to %ld", name, text, low, high);
    return (int)value;
}

/* One of the words, by its number. */
static int parse_word(struct argp_state *state, const char *name, const char *text, const char *const *words,
                      int count) {
    for (int i = 0; i < count; i++)
        if (strcmp(text, words[i]) == 0)
            return i;
    char *list = cmus_copy_string(words[0]);
    for (int i = 1; i < count; i++) {
        char *longer = cmus_format_string("%s%s%s", list, i + 1 < count ? ", " : " or ", words[i]);
        cmus_free(list);
        list = longer;
    }
    argp_error(state, "--%s is '%s', but should be %s", name, text, list);
    cmus_free(list);
    return 0;
}

/* Whether a folder and part of a case id can be called so. */
static bool is_class_name(const char *name) {
    return *name && cmus_utf8_is_clean(name) && !strchr(name, '/') && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0 && 2 * strlen(name) + 1 < CMUS_ID_BYTES;
}

static void refuse_class(struct argp_state *state, const char *name) {
    char *shown = cmus_utf8_shorten(name, CLASS_SHOWN);
    argp_error(state,
               "--classes has '%s', but a class is called by UTF-8 text without control characters and '/', of less "
               "than %d bytes",
               shown, CMUS_ID_BYTES / 2);
    cmus_free(shown);
}

static void parse_classes(struct argp_state *state, cmus_pack_options *options, const char *text) {
    cmus_free(options->class_text);
    cmus_free((void *)options->scan.classes);
    options->class_text = cmus_copy_string(text);
    const char **classes = NULL;
    size_t count = 0, capacity = 0;
    char *rest = options->class_text;
    for (char *name = strsep(&rest, ","); name; name = strsep(&rest, ",")) {
        if (!is_class_name(name))
            refuse_class(state, name);
        for (size_t i = 0; i < count; i++)
            if (strcmp(classes[i], name) == 0)
                argp_error(state, "--classes has %s twice", name);
        classes = cmus_grow(classes, &capacity, count + 1, sizeof *classes);
        classes[count++] = name;
    }
    if (count > CMUS_DATASET_CLASSES)
        argp_error(state, "--classes has %zu names, but a data set has at most %d classes", count,
                   CMUS_DATASET_CLASSES);
    options->scan.classes = classes;
    options->scan.class_count = count;
}

static void parse_modalities(struct argp_state *state, cmus_pack_options *options, const char *text) {
    memset(options->scan.has, 0, sizeof options->scan.has);
    for (const char *word = text;; word++) {
        size_t length = strcspn(word, ",");
        int kind = cmus_image_kind_parse(word, length);
        if (kind == CMUS_IMAGE_KINDS || options->scan.has[kind])
            argp_error(state, "--modalities is '%s', but should be some of om,im,tem with commas between", text);
        else
            options->scan.has[kind] = true;
        word += length;
        if (!*word)
            return;
    }
}

static void parse_prefix(struct argp_state *state, cmus_pack_options *options, const char *text) {
    cmus_name_prefix prefix;
    if (!cmus_name_prefix_parse(text, &prefix)) {
        argp_error(state, "--prefix is '%s', but should be NAME=OM, NAME=IM or NAME=TEM", text);
        return;
    }
    size_t count = options->scan.prefix_count++;
    cmus_name_prefix *prefixes = cmus_allocate(count + 1, sizeof *prefixes);
    if (count)
        memcpy(prefixes, options->scan.prefixes, count * sizeof *prefixes);
    prefixes[count] = prefix;
    cmus_free((void *)options->scan.prefixes);
    options->scan.prefixes = prefixes;
}

static void parse_window(struct argp_state *state, cmus_pack_options *options, const char *text) {
    char *end, *last;
    long low = strtol(text, &end, 10), high = *end == ',' ? strtol(end + 1, &last, 10) : 0;
    if (end == text || *end != ',' || last == end + 1 || *last || low < 0 || high > 65535 || low >= high)
        argp_error(state, "--window is '%s', but should be two rising whole numbers from 0 to 65535, such as 500,4000",
                   text);
    options->decode.window_low = (int)low;
    options->decode.window_high = (int)high;
}

static void check_usage(struct argp_state *state, const cmus_pack_options *options) {
    bool looks = options->verify || options->describe;
    bool pack = options->out || options->manifest;
    if (looks && (pack || options->source_count || (options->verify && (options->describe || options->preview))))
        argp_error(state, "--%s goes without SRC, --manifest and --out", options->verify ? "verify" : "describe");
    if (!looks && !pack && options->preview && options->source_count == 1)
        return;
    if (options->manifest && options->source_count)
        argp_error(state, "--manifest goes without SRC");
    if (!looks && (!options->out || !(options->manifest || options->source_count)))
        argp_error(state, "give SRC and --out DIR, or --manifest FILE.csv and --out DIR, or --verify DIR");
    if (options->map && !options->key_file)
        argp_error(state, "--map goes with --deidentify");
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    static const char *const actions[] = {"stop", "skip"}, *const rows[] = {"first", "all"};
    cmus_pack_options *options = state->input;
    switch (key) {
    case 'o':
        options->out = argument;
        return 0;
    case 'm':
        options->manifest = argument;
        return 0;
    case 's':
        options->image_size = parse_number(state, "size", argument, CMUS_IMAGE_SIZE_MIN, CMUS_IMAGE_SIZE_MAX);
        return 0;
    case 'c':
        parse_classes(state, options, argument);
        return 0;
    case PREFIX:
        parse_prefix(state, options, argument);
        return 0;
    case OM_PER_CASE:
        options->scan.every_om = parse_word(state, "om-per-case", argument, rows, 2) == 1;
        return 0;
    case MODALITIES:
        parse_modalities(state, options, argument);
        return 0;
    case ON_ERROR:
        options->on_error = (cmus_on_error)parse_word(state, "on-error", argument, actions, 2);
        return 0;
    case FILTER:
        options->filter = (cmus_filter)parse_word(state, "filter", argument, cmus_filter_names, CMUS_FILTERS);
        return 0;
    case WINDOW:
        parse_window(state, options, argument);
        return 0;
    case SHARD_MB:
        options->shard_mb = parse_number(state, "shard-mb", argument, 1, 65536);
        return 0;
    case PIXEL_LIMIT:
        options->decode.pixel_limit = 1000000 * (int64_t)parse_number(state, "pixel-limit", argument, 1, 100000);
        return 0;
    case COMPRESS:
        options->compression = argument ? parse_number(state, "compress", argument, 1, 9) : 1;
        return 0;
    case DEIDENTIFY:
        options->key_file = argument;
        return 0;
    case MAP:
        options->map = argument;
        return 0;
    case VERIFY:
        options->verify = argument;
        return 0;
    case DESCRIBE:
        options->describe = argument;
        return 0;
    case PREVIEW:
        options->preview = argument;
        return 0;
    case ARGP_KEY_ARGS:
        options->sources = (const char **)state->argv + state->next;
        options->source_count = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_END:
        check_usage(state, options);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void cmus_pack_options_parse(int rank, int argc, char **argv, cmus_pack_options *options) {
    *options = (cmus_pack_options){
        .image_size = 224, .shard_mb = 256, .decode = cmus_decode_defaults(), .scan = {.has = {true, true, true}}};
    static const struct argp parser = {table, parse, usage, description, NULL, NULL, NULL};
    cmus_program_parse(&parser, 0, rank, argc, argv, options);
}

void cmus_pack_options_free(cmus_pack_options *options) {
    cmus_free(options->class_text);
    cmus_free((void *)options->scan.classes);
    for (size_t i = 0; i < options->scan.prefix_count; i++)
        cmus_free((void *)options->scan.prefixes[i].name);
    cmus_free((void *)options->scan.prefixes);
}

char *cmus_pack_options_describe(const cmus_pack_options *options) {
    const cmus_decode_options *decode = &options->decode;
    char *window = decode->window_low < decode->window_high
                       ? cmus_format_string("[%d, %d]", decode->window_low, decode->window_high)
                       : cmus_copy_string("\"range of each image\"");
    char *text = cmus_format_string(
        "{\"resize\": \"%s\", \"window\": %s, \"shard_mb\": %d, \"pixel_limit\": %lld, "
        "\"compression\": %d, \"om_per_case\": \"%s\", \"on_error\": \"%s\", "
        "\"deidentified\": %s}",
        cmus_filter_names[options->filter], window, options->shard_mb, (long long)decode->pixel_limit,
        options->compression, options->scan.every_om ? "all" : "first",
        options->on_error == CMUS_SKIP ? "skip" : "stop", options->key_file ? "true" : "false");
    cmus_free(window);
    return text;
}
