/* cmus-train: trains one fold of a packed data set under mpirun. */
#include <argp.h>
#include <errno.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmus/launch.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/program.h"
#include "cmus/run_identity.h"
#include "cmus/stop.h"
#include "cmus/trainer.h"

enum {
    OPTION_DATA = 256,
    OPTION_FOLD,
    OPTION_OUT,
    OPTION_REPEAT,
    OPTION_RESUME,
    OPTION_INIT,
    OPTION_CHECK,
    OPTION_HELP_CONFIG
};

typedef struct arguments {
    cmus_train_options train;
    const char **overrides;
    size_t override_count, override_capacity;
    bool has_fold, quiet;
} arguments;

static const struct argp_option options[] = {
    {"data", OPTION_DATA, "DIR", 0, "Data set made by cmus-pack, with splits.csv by cmus-split", 0},
    {"fold", OPTION_FOLD, "K", 0, "Fold that is held out, from 0; 'all': none, for the final model of every case", 0},
    {"out", OPTION_OUT, "RUN", 0,
     "Folder of the run; the fold goes into RUN/fold-K (with repeats: RUN/fold-N, N = R x folds + K; all: "
     "RUN/fold-all)",
     0},
    {"repeat", OPTION_REPEAT, "R", 0, "Repeat of the splits, from 0 (default 0)", 0},
    {"resume", OPTION_RESUME, NULL, 0, "Continue RUN/fold-K from its last checkpoint, if there is one", 0},
    {"init", OPTION_INIT, "FILE", 0,
     "Weights to start from, .safetensors or PyTorch's .pth: of the whole network, or a Swin Transformer in "
     "torchvision's, timm's or Microsoft's names for all three encoders",
     0},
    {"check", OPTION_CHECK, "RANKS", OPTION_ARG_OPTIONAL,
     "Only check configuration, data set, splits and what is in the fold's folder, for RANKS ranks (default 1); print "
     "sizes as KEY: VALUE",
     0},
    {"quiet", 'q', NULL, 0, "Only warnings and errors", 0},
    {"help-config", OPTION_HELP_CONFIG, NULL, 0, "List the configuration's keys and exit", 0},
    {0}};

static int parse_count(const char *text, const char *name, struct argp_state *state) {
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (end == text || *end || errno || value < 0 || value > 1000000)
        argp_error(state, "%s %s: a whole number from 0 is expected", name, text);
    return (int)value;
}

static error_t parse(int key, char *value, struct argp_state *state) {
    arguments *given = state->input;
    switch (key) {
    case OPTION_DATA:
        given->train.data = value;
        return 0;
    case OPTION_FOLD:
        given->train.fold = strcmp(value, "all") == 0 ? CMUS_FOLD_ALL : parse_count(value, "--fold", state);
        given->has_fold = true;
        return 0;
    case OPTION_OUT:
        given->train.out = value;
        return 0;
    case OPTION_REPEAT:
        given->train.repeat = parse_count(value, "--repeat", state);
        return 0;
    case OPTION_RESUME:
        given->train.resume = true;
        return 0;
    case OPTION_INIT:
        given->train.init = value;
        return 0;
    case OPTION_CHECK:
        given->train.check_ranks = value ? parse_count(value, "--check", state) : 1;
        if (given->train.check_ranks == 0)
            argp_error(state, "--check 0: at least one rank is needed");
        return 0;
    case 'q':
        given->quiet = true;
        return 0;
    case OPTION_HELP_CONFIG:
        cmus_config_help(stdout);
        exit(0);
    case ARGP_KEY_ARG:
        if (!given->train.config) {
            given->train.config = value;
            return 0;
        }
        given->overrides =
            cmus_grow(given->overrides, &given->override_capacity, given->override_count + 1, sizeof *given->overrides);
        given->overrides[given->override_count++] = value;
        return 0;
    case ARGP_KEY_END:
        if (!given->train.config || !given->train.data || !given->train.out || !given->has_fold)
            argp_error(state, "CONFIG, --data, --fold and --out are needed");
        if (given->train.fold == CMUS_FOLD_ALL && given->train.repeat > 0)
            argp_error(state, "--repeat: with --fold all every repeat would be the same");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .args_doc = "CONFIG [KEY=VALUE...] --data DIR --fold K --out RUN",
    .doc = "Trains CMUS-Net on one fold of a data set; start it by `mpirun -np N cmus-train ...'.\v"
           "CONFIG is a YAML file; KEY=VALUE overrides one of its keys (--help-config lists them). RUN/fold-K gets the "
           "resolved configuration, train.csv, steps.csv, predictions.csv of the held-out fold (with --fold all there "
           "is none), the last checkpoint, the final weights and run.json. SIGUSR1 or SIGTERM: the update is finished, "
           "a checkpoint written, and "
           "--resume "
           "goes on from there. Exit code: 0 done, 1 failed, 2 wrong usage, 3 a rank or host was lost or a defect, 75 "
           "stopped by a signal."};

static cmus_status train(const cmus_communicator *communicator, const arguments *given) {
    cmus_config config;
    cmus_status status = cmus_config_read(given->train.config, given->overrides, given->override_count, &config);
    CMUS_TRY(cmus_agree(communicator, status));
    CMUS_TRY(cmus_launch_check(communicator, omp_get_max_threads()));
    return cmus_train_fold(communicator, &config, &given->train);
}

int main(int argc, char **argv) {
    cmus_stop_listen();
    cmus_program_begin("cmus-train");
    cmus_communicator communicator = cmus_communicator_begin(&argc, &argv, "cmus-train");
    arguments given = {0};
    cmus_program_parse(&parser, 0, communicator.rank, argc, argv, &given);
    cmus_log_quiet(given.quiet);
    cmus_launch_threads();
    cmus_status status = train(&communicator, &given);
    cmus_free(given.overrides);
    int code = communicator.rank == 0 ? cmus_program_end(status) : 0; /* all ranks hold the same message */
    cmus_broadcast(&communicator, &code, sizeof code, 0);
    cmus_communicator_end();
    return code;
}
