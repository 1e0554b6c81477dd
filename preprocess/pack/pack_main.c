/* cmus-pack: case trees to HDF5 shards. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "build.h"
#include "cmus/dataset_index.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/program.h"
#include "output_folder.h"
#include "verify.h"

typedef struct settings {
    const char **sources;
    size_t source_count;
    const char *out, *verify;
    char *class_text; /* what `classes` points into */
    const char **classes;
    size_t class_count;
    int image_size, shard_mb;
    cmus_decode_options decode;
} settings;

enum { PIXEL_LIMIT = 1000, SHARD_MB, VERIFY };

static const struct argp_option options[] = {
    {"out", 'o', "DIR", 0, "The data set's folder; it must not exist or be empty", 0},
    {"size", 's', "S", 0, "Side of the packed images in pixels (224)", 0},
    {"classes", 'c', "A,B,C", 0, "Class folders in the order of the labels (all, in natural order)", 0},
    {"shard-mb", SHARD_MB, "N", 0, "Images in a shard file, in MiB (256)", 0},
    {"pixel-limit", PIXEL_LIMIT, "N", 0, "Refuse larger images, in millions of pixels (300)", 0},
    {"verify", VERIFY, "DIR", 0, "Only re-read every checksum of a data set", 0},
    {0}};

static const char usage[] = "SRC... --out DIR\n--verify DIR";
static const char description[] =
    "Packs cases into HDF5 shards for training.\v"
    "SRC is a folder of cases: <class>/<patient>/<MODALITY>_....<ext>, MODALITY OM, IM or TEM, ext jpg, jpeg, png, tif "
    "or "
    "tiff. Each case needs one OM image, one IM image and one or more TEM images. Everything is checked before the "
    "first "
    "shard is written, all findings are listed, and DIR appears only when it is complete.\n\n"
    "Example: cmus-pack cases --out packed && cmus-split packed --folds 5 --seed 1";

static int parse_number(struct argp_state *state, const char *name, const char *text, long low, long high) {
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end || value < low || value > high)
        argp_error(state, "--%s is '%s', but should be a whole number from %ld to %ld", name, text, low, high);
    return (int)value;
}

static void parse_classes(struct argp_state *state, settings *set, const char *text) {
    cmus_free(set->class_text);
    set->class_text = cmus_copy_string(text);
    set->class_count = 0;
    size_t capacity = 0;
    char *rest = NULL;
    for (char *name = strtok_r(set->class_text, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        for (size_t i = 0; i < set->class_count; i++)
            if (strcmp(set->classes[i], name) == 0)
                argp_error(state, "--classes has %s twice", name);
        set->classes = cmus_grow(set->classes, &capacity, set->class_count + 1, sizeof *set->classes);
        set->classes[set->class_count++] = name;
    }
    if (set->class_count == 0 || set->class_count > CMUS_DATASET_CLASSES)
        argp_error(state, "--classes is '%s', but should be 1 to %d names with commas between", text,
                   CMUS_DATASET_CLASSES);
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    settings *set = state->input;
    switch (key) {
    case 'o':
        set->out = argument;
        return 0;
    case 's':
        set->image_size = parse_number(state, "size", argument, CMUS_IMAGE_SIZE_MIN, CMUS_IMAGE_SIZE_MAX);
        return 0;
    case 'c':
        parse_classes(state, set, argument);
        return 0;
    case SHARD_MB:
        set->shard_mb = parse_number(state, "shard-mb", argument, 1, 65536);
        return 0;
    case PIXEL_LIMIT:
        set->decode.pixel_limit = 1000000 * (int64_t)parse_number(state, "pixel-limit", argument, 1, 100000);
        return 0;
    case VERIFY:
        set->verify = argument;
        return 0;
    case ARGP_KEY_ARGS:
        set->sources = (const char **)state->argv + state->next;
        set->source_count = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_END:
        if (set->verify && (set->source_count || set->out))
            argp_error(state, "--verify goes without SRC and --out");
        if (!set->verify && (!set->source_count || !set->out))
            argp_error(state, "give SRC and --out DIR, or --verify DIR");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* What dataset.json says of how the images were made. */
static char *describe_options(const settings *set) {
    return cmus_format_string("{\"resize\": \"bilinear\", \"window\": \"range of each image\", \"shard_mb\": %d, "
                              "\"pixel_limit\": %lld}",
                              set->shard_mb, (long long)set->decode.pixel_limit);
}

static cmus_status judge(const settings *set, cmus_findings *findings) {
    cmus_findings_print(findings);
    if (findings->defects == 0)
        return CMUS_OK;
    return cmus_fail(CMUS_ERROR_DATA, "%zu defects, listed above; nothing was written to %s", findings->defects,
                     set->out);
}

static cmus_status pack_tree(const settings *set, const char *folder, const cmus_case_tree *tree,
                             cmus_findings *findings) {
    char *path = cmus_path_join(folder, "spool"), *made = describe_options(set);
    cmus_prepared_image *prepared = cmus_allocate(tree->image_count, sizeof *prepared);
    cmus_build_options build = {.image_size = set->image_size, .shard_mb = set->shard_mb, .options = made};
    cmus_spool spool;
    cmus_status status = cmus_spool_open(path, set->image_size, &spool);
    if (status == CMUS_OK)
        status = cmus_prepare_images(tree, set->image_size, &set->decode, &spool, findings, prepared);
    if (status == CMUS_OK)
        status = judge(set, findings);
    if (status == CMUS_OK)
        status = cmus_build_dataset(folder, tree, prepared, &spool, &build);
    cmus_spool_close(&spool);
    cmus_free(prepared);
    cmus_free(path);
    cmus_free(made);
    return status;
}

static cmus_status pack(const settings *set) {
    cmus_output_folder folder;
    cmus_case_tree tree = {0};
    cmus_findings findings = {0};
    cmus_status status = cmus_output_folder_begin(set->out, &folder);
    if (status == CMUS_OK)
        status = cmus_case_tree_scan(set->sources, set->source_count, set->classes, set->class_count, &findings, &tree);
    if (status == CMUS_OK)
        status = pack_tree(set, folder.partial, &tree, &findings);
    if (status == CMUS_OK)
        status = cmus_output_folder_commit(&folder);
    if (status == CMUS_OK)
        cmus_info("%s: %zu cases, %zu images, %zu classes", set->out, tree.case_count, tree.image_count,
                  tree.class_count);
    cmus_case_tree_free(&tree);
    cmus_findings_free(&findings);
    cmus_output_folder_end(&folder);
    return status;
}

int main(int argc, char **argv) {
    cmus_program_begin("cmus-pack");
    settings set = {.image_size = 224, .shard_mb = 256, .decode = cmus_decode_defaults()};
    static const struct argp parser = {options, parse, usage, description, NULL, NULL, NULL};
    argp_parse(&parser, argc, argv, 0, NULL, &set);
    cmus_status status = set.verify ? cmus_verify_dataset(set.verify) : pack(&set);
    cmus_free(set.class_text);
    cmus_free(set.classes);
    return cmus_program_end(status);
}
