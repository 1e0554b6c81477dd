/* cmus-weights: looks at files of weights, makes them this project's or PyTorch's. */
#include <argp.h>
#include <string.h>
#include <unistd.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/program.h"
#include "cmus/weight_tools.h"
#include "weights_network.h"

enum { OPTION_OUT = 'o', OPTION_CONFIG = 'c', OPTION_DTYPE = 'd', OPTION_JSON = 'j' };

typedef enum command { COMMAND_NONE, COMMAND_INSPECT, COMMAND_IMPORT, COMMAND_EXPORT, COMMANDS } command;
static const char *const command_names[COMMANDS] = {
    [COMMAND_INSPECT] = "inspect", [COMMAND_IMPORT] = "import", [COMMAND_EXPORT] = "export"};

typedef struct arguments {
    command command;
    const char *file, *config;
    cmus_weight_output output;
    const char **overrides;
    size_t override_count, override_capacity;
    bool json, quiet;
} arguments;

static const struct argp_option options[] = {
    {"config", OPTION_CONFIG, "CONFIG", 0,
     "Configuration of the network to load into, a YAML file (default: what FILE says of itself, or config.yaml of its "
     "fold, or the published network)",
     0},
    {"out", OPTION_OUT, "OUT", 0, "import, export: the safetensors file to make; it must not be there yet", 0},
    {"dtype", OPTION_DTYPE, "f32|f16|bf16", 0, "export: type of the numbers (f32)", 0},
    {"json", OPTION_JSON, NULL, 0, "inspect: print a JSON object", 0},
    {"quiet", 'q', NULL, 0, "Only warnings and errors", 0},
    {0}};

static command parse_command(const char *text, struct argp_state *state) {
    for (command number = COMMAND_INSPECT; number < COMMANDS; number++)
        if (strcmp(text, command_names[number]) == 0)
            return number;
    argp_error(state, "'%s': inspect, import or export is expected", text);
    return COMMAND_NONE;
}

static const char *parse_type(const char *text, struct argp_state *state) {
    static const char *const types[][2] = {{"f32", "F32"}, {"f16", "F16"}, {"bf16", "BF16"}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(text, types[i][0]) == 0)
            return types[i][1];
    argp_error(state, "--dtype %s: f32, f16 or bf16 is expected", text);
    return NULL;
}

/* The command, the file, then KEY=VALUE. */
static void take_argument(arguments *given, const char *value, struct argp_state *state) {
    if (!given->command) {
        given->command = parse_command(value, state);
    } else if (!given->file) {
        given->file = value;
    } else if (strchr(value, '=')) {
        given->overrides =
            cmus_grow(given->overrides, &given->override_capacity, given->override_count + 1, sizeof *given->overrides);
        given->overrides[given->override_count++] = value;
    } else {
        argp_error(state, "%s: one FILE, then KEY=VALUE is expected", value);
    }
}

static void check(const arguments *given, struct argp_state *state) {
    bool makes = given->command == COMMAND_IMPORT || given->command == COMMAND_EXPORT;
    if (!given->file)
        argp_error(state, "a command and FILE are needed");
    else if (makes != (given->output.path != NULL))
        argp_error(state, makes ? "%s needs --out OUT" : "--out does not go with %s", command_names[given->command]);
    else if (given->output.type && given->command != COMMAND_EXPORT)
        argp_error(state, "--dtype is of export");
    else if (given->json && given->command != COMMAND_INSPECT)
        argp_error(state, "--json is of inspect");
}

static error_t parse(int key, char *value, struct argp_state *state) {
    arguments *given = state->input;
    switch (key) {
    case OPTION_CONFIG:
        given->config = value;
        return 0;
    case OPTION_OUT:
        given->output.path = value;
        return 0;
    case OPTION_DTYPE:
        given->output.type = parse_type(value, state);
        return 0;
    case OPTION_JSON:
        given->json = true;
        return 0;
    case 'q':
        given->quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        take_argument(given, value, state);
        return 0;
    case ARGP_KEY_END:
        check(given, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .args_doc =
        "inspect FILE [KEY=VALUE...]\nimport FILE --out OUT [KEY=VALUE...]\nexport FILE --out OUT [KEY=VALUE...]",
    .doc =
        "Looks at a file of weights, or makes one that cmus-train --init or PyTorch loads.\v"
        "FILE: safetensors, or PyTorch's .pth, in the names of the whole network, of torchvision's or of timm's Swin "
        "Transformers; or a fold's folder, or a folder with weights.safetensors. Nothing in a file is run. KEY=VALUE "
        "overrides a key of the configuration, such as encoder=swin_t or classes=\"[A, B]\".\n\n"
        "inspect: metadata; type, shape, norm and range of each tensor; what would be loaded where, what is missing "
        "and what is left over.\n\n"
        "import: what is there for the network, as float32 in this project's names.\n\n"
        "export: a whole network with its buffers, so that PyTorch's load_state_dict(strict=True) takes it; float16 "
        "and bfloat16 are rounded.\n\n"
        "Exit code: 0 done, 1 failed, 2 wrong usage."};

/* Said before a gigabyte is read. */
static cmus_status check_output(const char *path) {
    if (!path)
        return CMUS_OK;
    if (access(path, F_OK) == 0)
        return cmus_fail(CMUS_ERROR_ARGUMENT, "%s is there already; name another --out, or remove it", path);
    const char *slash = strrchr(path, '/');
    char *folder = slash ? cmus_format_string("%.*s", (int)(slash - path + 1), path) : cmus_copy_string(".");
    cmus_status status = CMUS_OK;
    if (!cmus_folder_exists(folder))
        status = cmus_fail(CMUS_ERROR_NOT_FOUND, "%s: there is no folder %s", path, folder);
    cmus_free(folder);
    return status;
}

static cmus_status run_command(cmus_state_dict *dict, const cmus_weights_network *network, arguments *given) {
    if (given->command == COMMAND_INSPECT)
        return cmus_weights_inspect(dict, &network->parameters, network->name, given->json, stdout);
    if (given->command == COMMAND_EXPORT && network->differs)
        return cmus_fail(CMUS_ERROR_MISMATCH,
                         "%s: says itself of which network and classes it is, and what was given differs: an export "
                         "would claim what it was not trained with",
                         cmus_state_dict_path(dict));
    given->output.config = network->differs ? NULL : network->config;
    given->output.other_classes = network->other_classes;
    if (!given->output.type)
        given->output.type = "F32";
    return (given->command == COMMAND_IMPORT ? cmus_weights_import : cmus_weights_export)(dict, &network->parameters,
                                                                                          &given->output);
}

static cmus_status run(arguments *given) {
    CMUS_TRY(check_output(given->output.path));
    char *file;
    CMUS_TRY(cmus_weights_locate(given->file, &file));
    cmus_state_dict *dict;
    cmus_status status = cmus_state_dict_open(file, &dict);
    cmus_free(file);
    CMUS_TRY(status);
    cmus_weights_network network;
    status = cmus_weights_network_find(dict, given->config, given->overrides, given->override_count, &network);
    if (status == CMUS_OK)
        status = run_command(dict, &network, given);
    cmus_weights_network_free(&network);
    cmus_state_dict_close(dict);
    return status;
}

int main(int argc, char **argv) {
    cmus_program_begin("cmus-weights");
    arguments given = {0};
    cmus_program_parse(&parser, 0, 0, argc, argv, &given);
    cmus_log_quiet(given.quiet);
    cmus_status status = run(&given);
    cmus_free(given.overrides);
    return cmus_program_end(status);
}
